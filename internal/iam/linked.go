package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Deletion is how the deletion of a service-linked role went. It failed when Reason is not empty.
type Deletion struct {
	TaskID    string
	Reason    string
	Resources []RoleUse // what still needs the role
}

// RoleUse is what needs a service-linked role in one region.
type RoleUse struct {
	Region    string
	Resources []string // ARNs
}

// DeleteServiceLinkedRole deletes a service's own role unless something needs it, which inUse tells: it is asked for the service,
// such as apprunner.amazonaws.com. The answer is a task in either case, as AWS has it (adjacent §2.3); a role that is needed again
// is made again (§18).
func (d *Directory) DeleteServiceLinkedRole(ctx context.Context, account, name string, inUse func(ctx context.Context, account, service string) ([]RoleUse, error)) (taskID string, err error) {
	r, err := d.GetRole(ctx, account, name)
	if err != nil {
		return "", err
	}
	if r.Service == "" {
		return "", notLinked(name)
	}
	task := Deletion{TaskID: "task" + r.Path + r.Name + "/" + apprunner.NewUUID()}
	if inUse != nil {
		if task.Resources, err = inUse(ctx, account, r.Service); err != nil {
			return "", fmt.Errorf("find what needs the role %s: %w", name, err)
		}
	}
	if len(task.Resources) == 0 {
		err = d.RemoveServiceLinkedRole(ctx, account, name)
	} else {
		task.Reason = "A service-linked role cannot be deleted while resources need it; delete them first."
	}
	if err != nil {
		return "", err
	}
	return task.TaskID, d.db.Update(ctx, func(tx *store.Tx) error { return d.putDeletion(tx, account, task) })
}

func notLinked(name string) error {
	return apprunner.Errorf(CodeInvalidInput, "The role %s is not service-linked; use DeleteRole.", clip(name))
}

// maxDeletions is how many tasks of an account are remembered.
const maxDeletions = 100

func (d *Directory) putDeletion(tx *store.Tx, account string, task Deletion) error {
	b, err := json.Marshal(task.Resources)
	if err != nil {
		return fmt.Errorf("note a deletion: %w", err)
	}
	err = tx.Exec(`INSERT INTO iam_deletions (id, account, reason, resources, created) VALUES ($1, $2, $3, $4, $5)`,
		task.TaskID, account, task.Reason, string(b), store.Micros(d.now()))
	if err != nil {
		return err
	}
	return tx.Exec(`DELETE FROM iam_deletions WHERE account = $1 AND id NOT IN (
		SELECT id FROM iam_deletions WHERE account = $1 ORDER BY created DESC, id LIMIT $2)`, account, maxDeletions)
}

// Deletion tells how the deletion of a service-linked role went.
func (d *Directory) Deletion(ctx context.Context, account, taskID string) (task Deletion, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		var resources string
		found, err := tx.Get(`SELECT reason, resources FROM iam_deletions WHERE account = $1 AND id = $2`, []any{account, taskID}, &task.Reason, &resources)
		if err != nil {
			return err
		}
		if !found {
			return apprunner.Errorf(CodeNoSuchEntity, "The deletion task %s cannot be found.", clip(taskID))
		}
		return json.Unmarshal([]byte(resources), &task.Resources)
	})
	task.TaskID = taskID
	return task, err
}

// TaskRole is the ARN of the role a deletion task is about.
func TaskRole(account, taskID string) string {
	path := strings.TrimPrefix(taskID, "task")
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		path = path[:i]
	}
	return "arn:aws:iam::" + account + ":role" + path
}

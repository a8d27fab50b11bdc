package store

import (
	"encoding/json"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
)

// InsertOperation adds an operation; ErrTaken when the service has one that has not ended.
func (t *Tx) InsertOperation(o apprunner.Operation) error {
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode operation: %w", err)
	}
	silent := 0
	if o.Type.Silent() {
		silent = 1
	}
	return taken(t.Exec(`INSERT INTO operations (id, service_arn, status, ended, started_at, body, silent) VALUES ($1,$2,$3,$4,$5,$6,$7)`,
		o.ID, o.ServiceARN, o.Status, ended(o), Micros(o.StartedAt), body, silent))
}

// PutOperation writes the operation as it is now.
func (t *Tx) PutOperation(o apprunner.Operation) error {
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode operation: %w", err)
	}
	return t.Exec(`UPDATE operations SET status = $1, ended = $2, body = $3 WHERE id = $4`, o.Status, ended(o), body, o.ID)
}

func ended(o apprunner.Operation) int {
	if o.Status.Ended() {
		return 1
	}
	return 0
}

// Operation reads one operation.
func (t *Tx) Operation(id string) (o apprunner.Operation, found bool, err error) {
	var body []byte
	found, err = t.Get(`SELECT body FROM operations WHERE id = $1`, []any{id}, &body)
	if err != nil || !found {
		return o, false, err
	}
	return o, true, json.Unmarshal(body, &o)
}

// Operations lists a service's operations, newest first.
func (t *Tx) Operations(serviceARN string) ([]apprunner.Operation, error) {
	return bodies[apprunner.Operation](t, `SELECT body FROM operations WHERE service_arn = $1 ORDER BY started_at DESC, id`, serviceARN)
}

// OperationsAfter lists the operations of a service that users see, newest first: those after a place, at most limit (0: all).
func (t *Tx) OperationsAfter(serviceARN string, after apprunner.Place, limit int) ([]apprunner.Operation, error) {
	query, args := `SELECT body FROM operations WHERE service_arn = $1 AND silent = 0`, []any{serviceARN}
	if after != (apprunner.Place{}) {
		query += ` AND (started_at < $2 OR started_at = $2 AND id > $3)`
		args = append(args, after.At, after.Name)
	}
	query += ` ORDER BY started_at DESC, id`
	if limit > 0 {
		query += fmt.Sprintf(` LIMIT %d`, limit)
	}
	return bodies[apprunner.Operation](t, query, args...)
}

// RunningOperations lists every operation that has not ended, oldest first.
func (t *Tx) RunningOperations() ([]apprunner.Operation, error) {
	return bodies[apprunner.Operation](t, `SELECT body FROM operations WHERE ended = 0 ORDER BY started_at, id`)
}

// PutDeployment adds a deployment, or writes it again.
func (t *Tx) PutDeployment(d apprunner.Deployment) error {
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode deployment: %w", err)
	}
	return t.Exec(`INSERT INTO deployments (id, service_arn, created_at, body) VALUES ($1,$2,$3,$4)
		ON CONFLICT (id) DO UPDATE SET body = excluded.body`, d.ID, d.ServiceARN, Micros(d.CreatedAt), body)
}

// Deployment reads one deployment.
func (t *Tx) Deployment(id string) (d apprunner.Deployment, found bool, err error) {
	var body []byte
	found, err = t.Get(`SELECT body FROM deployments WHERE id = $1`, []any{id}, &body)
	if err != nil || !found {
		return d, false, err
	}
	return d, true, json.Unmarshal(body, &d)
}

// Deployments lists a service's deployments, newest first.
func (t *Tx) Deployments(serviceARN string) ([]apprunner.Deployment, error) {
	return bodies[apprunner.Deployment](t, `SELECT body FROM deployments WHERE service_arn = $1 ORDER BY created_at DESC, id`, serviceARN)
}

// DeleteDeployment forgets a deployment.
func (t *Tx) DeleteDeployment(id string) error {
	return t.Exec(`DELETE FROM deployments WHERE id = $1`, id)
}

// PutInstance adds an instance, or writes it again.
func (t *Tx) PutInstance(i apprunner.Instance) error {
	body, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encode instance: %w", err)
	}
	return t.Exec(`INSERT INTO instances (id, service_arn, deployment_id, phase, body) VALUES ($1,$2,$3,$4,$5)
		ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, body = excluded.body`, i.ID, i.ServiceARN, i.DeploymentID, i.Phase, body)
}

// ChangeInstance changes the record of an instance as it is now and returns it; found is false, and nothing is written, when it is
// forgotten already.
func (t *Tx) ChangeInstance(id string, change func(*apprunner.Instance)) (i apprunner.Instance, found bool, err error) {
	var body []byte
	found, err = t.Get(`SELECT body FROM instances WHERE id = $1`, []any{id}, &body)
	if err != nil || !found {
		return i, false, err
	}
	if err := json.Unmarshal(body, &i); err != nil {
		return i, true, fmt.Errorf("decode instance %s: %w", id, err)
	}
	change(&i)
	return i, true, t.PutInstance(i)
}

// DeleteInstance forgets an instance.
func (t *Tx) DeleteInstance(id string) error {
	return t.Exec(`DELETE FROM instances WHERE id = $1`, id)
}

// Instances lists a service's instances; an empty ARN lists all there are.
func (t *Tx) Instances(serviceARN string) ([]apprunner.Instance, error) {
	if serviceARN == "" {
		return t.allInstances()
	}
	return bodies[apprunner.Instance](t, `SELECT body FROM instances WHERE service_arn = $1 ORDER BY id`, serviceARN)
}

// Tags lists the tags of a resource by key.
func (t *Tx) Tags(arn string) ([]apprunner.Tag, error) {
	var tags []apprunner.Tag
	err := t.Each(`SELECT tag_key, tag_value FROM tags WHERE arn = $1 ORDER BY tag_key`, []any{arn}, func(r Row) error {
		var tag apprunner.Tag
		if err := r.Scan(&tag.Key, &tag.Value); err != nil {
			return err
		}
		tags = append(tags, tag)
		return nil
	})
	return tags, err
}

// ServiceExtras reads the settings in the tags of every resource that has some (apprunner.Extras), by ARN. What is not allowed
// counts as not set: it was refused when the tag was made.
func (t *Tx) ServiceExtras() (map[string]apprunner.Extras, error) {
	tags := map[string][]apprunner.Tag{}
	err := t.Each(`SELECT arn, tag_key, tag_value FROM tags WHERE tag_key >= $1 AND tag_key < $2`, []any{apprunner.ExtraPrefix, "slipway;"}, func(r Row) error {
		var arn string
		var tag apprunner.Tag
		err := r.Scan(&arn, &tag.Key, &tag.Value)
		tags[arn] = append(tags[arn], tag)
		return err
	})
	all := make(map[string]apprunner.Extras, len(tags))
	for arn, list := range tags {
		all[arn], _ = apprunner.ParseExtras(list)
	}
	return all, err
}

// PutTags adds tags, or replaces the values of keys that are there.
func (t *Tx) PutTags(arn string, tags []apprunner.Tag) error {
	for _, tag := range tags {
		err := t.Exec(`INSERT INTO tags (arn, tag_key, tag_value) VALUES ($1,$2,$3) ON CONFLICT (arn, tag_key) DO UPDATE SET tag_value = excluded.tag_value`,
			arn, tag.Key, tag.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteTags removes keys; those that are not there are ignored.
func (t *Tx) DeleteTags(arn string, keys []string) error {
	for _, key := range keys {
		if err := t.Exec(`DELETE FROM tags WHERE arn = $1 AND tag_key = $2`, arn, key); err != nil {
			return err
		}
	}
	return nil
}

// Setting reads a value of the installation itself, such as a key that must outlive restarts.
func (t *Tx) Setting(name string) (value string, found bool, err error) {
	found, err = t.Get(`SELECT value FROM settings WHERE name = $1`, []any{name}, &value)
	return value, found, err
}

// PutSetting writes a value of the installation.
func (t *Tx) PutSetting(name, value string) error {
	return t.Exec(`INSERT INTO settings (name, value) VALUES ($1,$2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
}

// LogPlaces tells how far the log of each instance has been stored, by instance id.
func (t *Tx) LogPlaces() (map[string]string, error) {
	places := map[string]string{}
	err := t.Each(`SELECT instance_id, place FROM log_places`, nil, func(r Row) error {
		var id, place string
		err := r.Scan(&id, &place)
		places[id] = place
		return err
	})
	return places, err
}

// PutLogPlace notes how far an instance's log has been stored; an empty place forgets it.
func (t *Tx) PutLogPlace(id, place string) error {
	if place == "" {
		return t.Exec(`DELETE FROM log_places WHERE instance_id = $1`, id)
	}
	return t.Exec(`INSERT INTO log_places (instance_id, place) VALUES ($1,$2) ON CONFLICT (instance_id) DO UPDATE SET place = excluded.place`, id, place)
}

package reconcile_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// announced lists the events of a service in their order: the word and the message of operations, before and after of statuses.
func (w *world) announced(arn string) (list []string) {
	w.t.Helper()
	check(w.t, w.db.View(w.t.Context(), func(tx *store.Tx) error {
		return tx.Each(`SELECT detail_type, detail FROM events WHERE source = 'aws.apprunner' AND resources = $1 ORDER BY seq`, []any{`["` + arn + `"]`}, func(row store.Row) error {
			var kind, text string
			if err := row.Scan(&kind, &text); err != nil {
				return err
			}
			d := map[string]string{}
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				return err
			}
			if kind == observe.StatusChangeType {
				list = append(list, d["PreviousStatus"]+" > "+d["CurrentStatus"])
			} else {
				list = append(list, d["Status"]+": "+d["Message"]+" "+d["Severity"])
			}
			return nil
		})
	}))
	return list
}

// exhausted lets an operation begin as one whose workers died too often, which fails it.
func (w *world) exhausted(arn string, begin func() error) {
	w.t.Helper()
	w.halt()
	check(w.t, begin())
	ops, err := w.control.ListOperations(w.t.Context(), scope, arn, apprunner.Place{}, 0)
	check(w.t, err)
	ops[0].Attempts = 5
	check(w.t, w.db.Update(w.t.Context(), func(tx *store.Tx) error { return tx.PutOperation(ops[0]) }))
	w.run(nil)
}

// All words of operations with their messages, each in its place among the changes of status, for operations that really happen.
//
// checklist: 160, 161, 162, 163
func TestAllEventsOfAService(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	ctx := t.Context()
	w.source.fails(errors.New("no network"))
	arn := w.create("events").ARN()
	w.await(arn)
	w.source.fails(nil)
	update := func(change func(*apprunner.UpdateServiceInput)) func() error {
		return func() error {
			in := apprunner.UpdateServiceInput{ServiceARN: arn}
			change(&in)
			_, _, err := w.control.UpdateService(ctx, scope, in)
			return err
		}
	}
	branch := func(name string) func(*apprunner.UpdateServiceInput) {
		return func(in *apprunner.UpdateServiceInput) {
			in.Source = &apprunner.SourcePatch{Code: &apprunner.CodePatch{Branch: p(name)}}
		}
	}
	deploy := func() error { _, err := w.control.StartDeployment(ctx, scope, arn, false, ""); return err }
	pause := func() error { _, _, err := w.control.PauseService(ctx, scope, arn); return err }
	resume := func() error { _, _, err := w.control.ResumeService(ctx, scope, arn); return err }
	remove := func() error { _, _, err := w.control.DeleteService(ctx, scope, arn); return err }

	for _, s := range []struct {
		begin  func() error
		broken bool // the source cannot be fetched
		given  bool // up by its workers
	}{
		{begin: update(branch("release"))}, // of a service whose creation failed
		{begin: update(func(in *apprunner.UpdateServiceInput) { in.Instance = &apprunner.InstancePatch{Memory: p("4 GB")} })},
		{begin: update(branch("next")), broken: true},
		{begin: deploy},
		{begin: deploy, broken: true},
		{begin: pause, given: true},
		{begin: pause},
		{begin: resume, given: true},
		{begin: resume},
		{begin: remove, given: true},
		{begin: remove},
	} {
		if s.broken {
			w.source.fails(errors.New("no network"))
		}
		if s.given {
			w.exhausted(arn, s.begin)
		} else {
			check(t, s.begin())
		}
		w.await(arn)
		w.source.fails(nil)
	}
	want := []string{
		"CreateServiceStarted: Service creation started. INFO", " > OPERATION_IN_PROGRESS",
		"CreateServiceFailed: Service creation failed. For details, see service logs. ERROR", "OPERATION_IN_PROGRESS > CREATE_FAILED",
		"UpdateServiceStarted: Service update started. INFO", "CREATE_FAILED > OPERATION_IN_PROGRESS",
		"UpdateServiceCompletedSuccessfully: Service update completed successfully. New application and configuration is deployed. INFO", "OPERATION_IN_PROGRESS > RUNNING",
		"UpdateServiceStarted: Service update started. INFO", "RUNNING > OPERATION_IN_PROGRESS",
		"UpdateServiceCompletedSuccessfully: Service update completed successfully. New configuration is deployed. INFO", "OPERATION_IN_PROGRESS > RUNNING",
		"UpdateServiceStarted: Service update started. INFO", "RUNNING > OPERATION_IN_PROGRESS",
		"UpdateServiceFailed: Service update failed. For details, see service logs. ERROR", "OPERATION_IN_PROGRESS > RUNNING",
		"DeploymentStarted: Deployment started. INFO", "RUNNING > OPERATION_IN_PROGRESS",
		"DeploymentCompletedSuccessfully: Deployment completed successfully. INFO", "OPERATION_IN_PROGRESS > RUNNING",
		"DeploymentStarted: Deployment started. INFO", "RUNNING > OPERATION_IN_PROGRESS",
		"DeploymentFailed: Deployment failed. For details, see service logs. ERROR", "OPERATION_IN_PROGRESS > RUNNING",
		"PauseServiceStarted: Service pause started. INFO", "RUNNING > OPERATION_IN_PROGRESS",
		"PauseServiceFailed: Service pause failed. ERROR", "OPERATION_IN_PROGRESS > RUNNING",
		"PauseServiceStarted: Service pause started. INFO", "RUNNING > OPERATION_IN_PROGRESS",
		"PauseServiceCompletedSuccessfully: Service pause completed successfully. INFO", "OPERATION_IN_PROGRESS > PAUSED",
		"ResumeServiceStarted: Service resume started. INFO", "PAUSED > OPERATION_IN_PROGRESS",
		"ResumeServiceFailed: Service resume failed. ERROR", "OPERATION_IN_PROGRESS > PAUSED",
		"ResumeServiceStarted: Service resume started. INFO", "PAUSED > OPERATION_IN_PROGRESS",
		"ResumeServiceCompletedSuccessfully: Service resume completed successfully. INFO", "OPERATION_IN_PROGRESS > RUNNING",
		"DeleteServiceStarted: Service deletion started. INFO", "RUNNING > OPERATION_IN_PROGRESS",
		"DeleteServiceFailed: Service deletion failed. ERROR", "OPERATION_IN_PROGRESS > DELETE_FAILED",
		"DeleteServiceStarted: Service deletion started. INFO", "DELETE_FAILED > OPERATION_IN_PROGRESS",
		"DeleteServiceCompletedSuccessfully: Service deletion completed successfully. INFO", "OPERATION_IN_PROGRESS > DELETED",
	}
	if got := w.announced(arn); !slices.Equal(got, want) {
		for i := range max(len(got), len(want)) {
			g, x := "", ""
			if i < len(got) {
				g = got[i]
			}
			if i < len(want) {
				x = want[i]
			}
			if g != x {
				t.Errorf("event %d is %q, want %q", i, g, x)
			}
		}
	}
	second := w.create("second").ARN()
	w.await(second)
	want = []string{
		"CreateServiceStarted: Service creation started. INFO", " > OPERATION_IN_PROGRESS",
		"CreateServiceCompletedSuccessfully: Service creation completed successfully. INFO", "OPERATION_IN_PROGRESS > RUNNING",
	}
	if got := w.announced(second); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"slipway.dev/slipway/cmd/slipway/internal/caller"
	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/wire/apprunner"
	"slipway.dev/slipway/internal/wire/logs"
)

// pollTime is how often the log and the operation are looked at.
const pollTime = 300 * time.Millisecond

// The prefixes of messages in service logs (§21).
const (
	stepPrefix   = "[AppRunner] "
	outputPrefix = "[Build] "
)

// quietLooks is how often the log is looked at without a new line after the operation has ended, when its closing line is missing.
const quietLooks = 5

// follow shows the log of a deployment while it happens and fails, with the reason, when the deployment does.
func (d *deployment) follow(ctx context.Context, svc apprunner.Service, operation string) error {
	log := &streamReader{
		client: d.client, group: logGroup(svc, "service"), stream: "deployment/" + strings.ReplaceAll(operation, "-", ""),
	}
	view := &deploymentView{progress: d.progress}
	for quiet := 0; ; {
		op, err := d.operation(ctx, svc, operation)
		if err != nil {
			return explain(err)
		}
		events, err := log.next(ctx)
		if err != nil {
			return explain(err)
		}
		for _, e := range events {
			view.show(value(e.Message), value(e.Timestamp))
		}
		if op.EndedAt != nil {
			if quiet++; len(events) > 0 {
				quiet = 0
			}
			if view.closed || quiet >= quietLooks {
				return d.conclude(svc, op, view.reason())
			}
		}
		if err := pause(ctx, pollTime); err != nil {
			return fmt.Errorf("stopped following; the deployment goes on: slipway logs %s --deployment -f: %w", d.name, err)
		}
	}
}

// deploymentView shows the lines of a deployment log as steps and their output, and remembers what may be the reason of a failure.
type deploymentView struct {
	progress *show.Progress
	block    []string // the newest statement: lines that were said at one moment
	at       int64
	quoting  bool // the statement ends in a quotation of other output
	closed   bool // the line that ends the deployment was shown
}

// closings begin the lines that say how an operation ends, which is never the reason for it.
func closings() []string {
	return []string{"Deployment failed.", "Service creation failed.", "Service update failed.", "Deployment completed", "Service creation completed", "Service update completed"}
}

func (v *deploymentView) show(line string, at int64) {
	text, step := strings.CutPrefix(line, stepPrefix)
	if !step {
		v.progress.Output(strings.TrimPrefix(line, outputPrefix))
		return
	}
	for _, c := range closings() {
		if strings.HasPrefix(text, c) {
			v.closed = true
			if strings.Contains(c, "failed") {
				v.progress.Fail()
			}
			v.progress.Step(text)
			return
		}
	}
	if strings.HasPrefix(text, "Rolling back") || strings.HasPrefix(text, "The rollback") {
		v.progress.Step(text)
		return
	}
	if at != v.at {
		v.block, v.at, v.quoting = nil, at, false
	}
	v.block = append(v.block, text)
	if v.quoting {
		v.progress.Output(text)
	} else {
		v.progress.Step(text)
	}
	v.quoting = v.quoting || strings.HasSuffix(text, ":")
}

func (v *deploymentView) reason() string {
	if len(v.block) == 0 {
		return "no reason was given"
	}
	return strings.Join(v.block, "\n  ")
}

func (d *deployment) conclude(svc apprunner.Service, op apprunner.OperationSummary, reason string) error {
	took := show.Duration(d.progress.Elapsed())
	if value(op.Status) == apprunner.OperationStatusSucceeded {
		d.progress.Done()
		d.progress.Say(show.Good, fmt.Sprintf("%s is running (%s)", d.name, took))
		d.progress.Say(show.Link, d.link(value(svc.ServiceUrl)))
		return nil
	}
	d.progress.Fail()
	outcome := "the service is not running"
	switch value(op.Status) {
	case apprunner.OperationStatusRollbackSucceeded:
		outcome = "the previous version keeps serving"
	case apprunner.OperationStatusRollbackFailed:
		outcome = "the previous version could not be restored"
	case apprunner.OperationStatusFailed:
		if value(svc.Status) == apprunner.ServiceStatusRunning || value(op.Type) == apprunner.OperationTypeStartDeployment {
			outcome = "the previous version keeps serving"
		}
	}
	return fmt.Errorf("the deployment of %s failed after %s (%s; %s): %s\nThe full log: slipway logs %s --deployment", d.name, took, value(op.Status), outcome, reason, d.name)
}

func logGroup(svc apprunner.Service, kind string) string {
	return "/aws/apprunner/" + value(svc.ServiceName) + "/" + value(svc.ServiceId) + "/" + kind
}

// operation finds an operation of a service among the newest ones.
func (c *client) operation(ctx context.Context, svc apprunner.Service, id string) (apprunner.OperationSummary, error) {
	for page, err := range c.operations(ctx, svc) {
		if err != nil {
			return apprunner.OperationSummary{}, err
		}
		for _, op := range page {
			if value(op.Id) == id {
				return op, nil
			}
		}
	}
	return apprunner.OperationSummary{}, fmt.Errorf("the operation %s is not listed any more", id)
}

// operations are the operations of a service, a page at a time, newest first. It ends after an error.
func (c *client) operations(ctx context.Context, svc apprunner.Service) iter.Seq2[[]apprunner.OperationSummary, error] {
	return func(yield func([]apprunner.OperationSummary, error) bool) {
		in := &apprunner.ListOperationsRequest{ServiceArn: svc.ServiceArn}
		for {
			page, err := caller.Call[apprunner.ListOperationsResponse](ctx, c.api, &apprunner.API, "ListOperations", in)
			if err != nil {
				yield(nil, err)
				return
			}
			if in.NextToken = page.NextToken; !yield(page.OperationSummaryList, nil) || in.NextToken == nil {
				return
			}
		}
	}
}

// streamReader reads a log stream from its head, a page at a time.
type streamReader struct {
	*client
	group, stream string
	token         *string
}

// next returns the events that were added since the last call. A stream that is not there yet has none.
func (r *streamReader) next(ctx context.Context) ([]logs.OutputLogEvent, error) {
	out, err := caller.Call[logs.GetLogEventsResponse](ctx, r.api, &logs.API, "GetLogEvents", &logs.GetLogEventsRequest{
		LogGroupName: &r.group, LogStreamName: &r.stream, StartFromHead: new(true), NextToken: r.token,
	})
	if hasCode(err, "ResourceNotFoundException") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.token = out.NextForwardToken
	return out.Events, nil
}

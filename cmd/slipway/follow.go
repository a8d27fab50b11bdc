package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"slipway.dev/slipway/cmd/slipway/internal/show"
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
func (d *deployment) follow(ctx context.Context, svc types.Service, operation string) error {
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
			view.show(aws.ToString(e.Message), aws.ToInt64(e.Timestamp))
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

func (d *deployment) conclude(svc types.Service, op types.OperationSummary, reason string) error {
	took := show.Duration(d.progress.Elapsed())
	if op.Status == types.OperationStatusSucceeded {
		d.progress.Done()
		d.progress.Say(show.Good, fmt.Sprintf("%s is running (%s)", d.name, took))
		d.progress.Say(show.Link, d.link(aws.ToString(svc.ServiceUrl)))
		return nil
	}
	d.progress.Fail()
	outcome := "the service is not running"
	switch op.Status {
	case types.OperationStatusRollbackSucceeded:
		outcome = "the previous version keeps serving"
	case types.OperationStatusRollbackFailed:
		outcome = "the previous version could not be restored"
	case types.OperationStatusFailed:
		if svc.Status == types.ServiceStatusRunning || op.Type == types.OperationTypeStartDeployment {
			outcome = "the previous version keeps serving"
		}
	}
	return fmt.Errorf("the deployment of %s failed after %s (%s; %s): %s\nThe full log: slipway logs %s --deployment", d.name, took, op.Status, outcome, reason, d.name)
}

func logGroup(svc types.Service, kind string) string {
	return "/aws/apprunner/" + aws.ToString(svc.ServiceName) + "/" + aws.ToString(svc.ServiceId) + "/" + kind
}

// operation finds an operation of a service among the newest ones.
func (c *client) operation(ctx context.Context, svc types.Service, id string) (types.OperationSummary, error) {
	pages := apprunner.NewListOperationsPaginator(c.apps, &apprunner.ListOperationsInput{ServiceArn: svc.ServiceArn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return types.OperationSummary{}, err
		}
		for _, op := range page.OperationSummaryList {
			if aws.ToString(op.Id) == id {
				return op, nil
			}
		}
	}
	return types.OperationSummary{}, fmt.Errorf("the operation %s is not listed any more", id)
}

// streamReader reads a log stream from its head, a page at a time.
type streamReader struct {
	*client
	group, stream string
	token         *string
}

// next returns the events that were added since the last call. A stream that is not there yet has none.
func (r *streamReader) next(ctx context.Context) ([]logtypes.OutputLogEvent, error) {
	out, err := r.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: &r.group, LogStreamName: &r.stream, StartFromHead: aws.Bool(true), NextToken: r.token,
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

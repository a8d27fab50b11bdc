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

	"slipway.dev/slipway/cmd/slipway/internal/show"
)

// pollTime is how often the log and the operation are looked at.
const pollTime = 300 * time.Millisecond

// The prefixes of messages in service logs (§21).
const (
	stepPrefix   = "[AppRunner] "
	outputPrefix = "[Build] "
)

// follow shows the log of a deployment while it happens and fails, with the reason, when the deployment does.
func (d *deployment) follow(ctx context.Context, svc types.Service, operation string) error {
	log := &streamReader{
		client: d.client, group: logGroup(svc, "service"), stream: "deployment/" + strings.ReplaceAll(operation, "-", ""),
	}
	reason := ""
	for {
		op, err := d.operation(ctx, svc, operation)
		if err != nil {
			return explain(err)
		}
		ended := op.EndedAt != nil
		lines, err := log.next(ctx)
		if err != nil {
			return explain(err)
		}
		for _, line := range lines {
			if r := d.show(line); r != "" {
				reason = r
			}
		}
		if ended && len(lines) == 0 {
			return d.conclude(svc, op, reason)
		}
		if !ended {
			if err := pause(ctx, pollTime); err != nil {
				return fmt.Errorf("stopped following; the deployment goes on: slipway logs %s --deployment -f: %w", d.name, err)
			}
		}
	}
}

// show shows a line of the deployment log and returns it when it may be the reason of a failure.
func (d *deployment) show(line string) (reason string) {
	if text, ok := strings.CutPrefix(line, stepPrefix); ok {
		for i, part := range strings.Split(text, "\n") {
			if i == 0 {
				d.progress.Step(part)
			} else {
				d.progress.Output(part)
			}
		}
		for _, closing := range []string{"Rolling back", "The rollback", "Deployment failed.", "Service creation failed.", "Service update failed."} {
			if strings.HasPrefix(text, closing) {
				return ""
			}
		}
		return text
	}
	text, _ := strings.CutPrefix(line, outputPrefix)
	d.progress.Output(text)
	return ""
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
	if reason == "" {
		reason = "no reason was given"
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

// next returns the lines that were added since the last call. A stream that is not there yet has none.
func (r *streamReader) next(ctx context.Context) ([]string, error) {
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
	var lines []string
	for _, e := range out.Events {
		lines = append(lines, aws.ToString(e.Message))
	}
	return lines, nil
}

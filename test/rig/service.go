package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/smithy-go"
)

// Patience is how long an operation may take: the first build of a runtime's base image takes minutes on a fresh machine.
const Patience = 12 * time.Minute

// Service is a service as it was last seen.
type Service struct {
	*types.Service
	House *House
}

// Host is the default domain.
func (s Service) Host() string { return aws.ToString(s.ServiceUrl) }

// ARN is the full name.
func (s Service) ARN() string { return aws.ToString(s.ServiceArn) }

// Create makes a service, waits for the end of the operation, which must leave it in want, and deletes it when the test ends.
// Each of change may change the request.
func (h *House) Create(t testing.TB, name string, source *types.SourceConfiguration, want types.ServiceStatus, change ...func(*apprunner.CreateServiceInput)) Service {
	t.Helper()
	return h.Await(t, h.Begin(t, name, source, change...).ARN(), want)
}

// Begin is Create without the waiting.
func (h *House) Begin(t testing.TB, name string, source *types.SourceConfiguration, change ...func(*apprunner.CreateServiceInput)) Service {
	t.Helper()
	in := &apprunner.CreateServiceInput{ServiceName: &name, SourceConfiguration: source}
	for _, c := range change {
		c(in)
	}
	out, err := h.Apps.CreateService(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.Service.Status != types.ServiceStatusOperationInProgress || aws.ToString(out.OperationId) == "" {
		t.Errorf("CreateService answered status %s, operation %q", out.Service.Status, aws.ToString(out.OperationId))
	}
	t.Cleanup(func() { h.Remove(t, aws.ToString(out.Service.ServiceArn)) })
	return Service{out.Service, h}
}

// Small makes a service's instances the smallest there are.
func Small(in *apprunner.CreateServiceInput) {
	in.InstanceConfiguration = &types.InstanceConfiguration{Cpu: aws.String("256"), Memory: aws.String("512")}
}

// Describe asks for a service.
func (h *House) Describe(arn string) (Service, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := h.Apps.DescribeService(ctx, &apprunner.DescribeServiceInput{ServiceArn: &arn})
	if err != nil {
		return Service{House: h}, err
	}
	return Service{out.Service, h}, nil
}

// Await waits until no operation works on a service, and checks the status it ended in.
func (h *House) Await(t testing.TB, arn string, want types.ServiceStatus) Service {
	t.Helper()
	s, err := h.Settled(arn)
	if err != nil {
		t.Fatal(err)
	}
	if s.Status != want {
		t.Fatalf("service %s is %s, want %s; its logs:\n%s", *s.ServiceName, s.Status, want, s.Story())
	}
	return s
}

// Settled waits until no operation works on a service.
func (h *House) Settled(arn string) (Service, error) {
	var s Service
	var err error
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if s, err = h.Describe(arn); err != nil {
			return s, err
		}
		if s.Status != types.ServiceStatusOperationInProgress {
			return s, nil
		}
	}
	return s, fmt.Errorf("service %s is still in progress after %s; its logs:\n%s", arn, Patience, s.Story())
}

// Remove deletes a service, whatever its state, so that tests leave nothing running.
func (h *House) Remove(t testing.TB, arn string) {
	t.Helper()
	ctx := context.Background()
	for range 600 {
		s, err := h.Describe(arn)
		if err != nil || s.Status == types.ServiceStatusDeleted {
			return
		}
		if s.Status != types.ServiceStatusOperationInProgress {
			if _, err := h.Apps.DeleteService(ctx, &apprunner.DeleteServiceInput{ServiceArn: &arn}); err != nil && Code(err) != "InvalidStateException" {
				t.Error(err)
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("service %s does not go away", arn)
}

// Code is the AWS error code of an error; empty when it has none.
func Code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// Group is the name of one of the service's two log groups, "service" or "application".
func (s Service) Group(kind string) string {
	return "/aws/apprunner/" + *s.ServiceName + "/" + *s.ServiceId + "/" + kind
}

// Stream reads a log stream from its beginning.
func (s Service) Stream(group, stream string) ([]string, error) {
	var lines []string
	var next *string
	for {
		out, err := s.House.Logs.GetLogEvents(context.Background(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String(s.Group(group)), LogStreamName: &stream, StartFromHead: aws.Bool(true), NextToken: next,
		})
		if err != nil {
			return nil, err
		}
		for _, e := range out.Events {
			lines = append(lines, aws.ToString(e.Message))
		}
		if len(out.Events) == 0 || aws.ToString(out.NextForwardToken) == aws.ToString(next) {
			return lines, nil
		}
		next = out.NextForwardToken
	}
}

// Streams names the streams of a group, in no particular order.
func (s Service) Streams(group string) ([]string, error) {
	var names []string
	pages := cloudwatchlogs.NewDescribeLogStreamsPaginator(s.House.Logs, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(s.Group(group))})
	for pages.HasMorePages() {
		out, err := pages.NextPage(context.Background())
		if err != nil {
			return nil, err
		}
		for _, st := range out.LogStreams {
			names = append(names, aws.ToString(st.LogStreamName))
		}
	}
	return names, nil
}

// Events is the text of the events stream.
func (s Service) Events() string {
	lines, err := s.Stream("service", "events")
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}

// Deployment is the text of the deployment stream of an operation; empty operation for the newest.
func (s Service) Deployment(operation string) string {
	if operation == "" {
		out, err := s.House.Apps.ListOperations(context.Background(), &apprunner.ListOperationsInput{ServiceArn: s.ServiceArn})
		if err != nil || len(out.OperationSummaryList) == 0 {
			return fmt.Sprint("no operations: ", err)
		}
		operation = aws.ToString(out.OperationSummaryList[0].Id)
	}
	streams, err := s.Streams("service")
	if err != nil {
		return err.Error()
	}
	id := "/" + strings.ReplaceAll(operation, "-", "")
	at := slices.IndexFunc(streams, func(name string) bool { return strings.HasSuffix(name, id) })
	if at < 0 {
		return "no stream of operation " + operation
	}
	lines, err := s.Stream("service", streams[at])
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}

// Application is everything the instances printed, and which lines came from which.
func (s Service) Application() (map[string][]string, error) {
	streams, err := s.Streams("application")
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for _, name := range streams {
		if all[name], err = s.Stream("application", name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Printed waits until an instance's log has a line that contains text (delivery may take up to 5 s, §21).
func (s Service) Printed(t testing.TB, text string) {
	t.Helper()
	var seen map[string][]string
	for range 100 {
		all, err := s.Application()
		if err != nil {
			t.Fatal(err)
		}
		for _, lines := range all {
			if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) }) {
				return
			}
		}
		seen = all
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("no instance printed %q; they printed %v", text, seen)
}

// Story is everything the logs of a service say, for messages.
func (s Service) Story() string {
	if s.Service == nil {
		return ""
	}
	var b strings.Builder
	streams, err := s.Streams("service")
	for _, name := range streams {
		var lines []string
		if lines, err = s.Stream("service", name); err != nil {
			break
		}
		fmt.Fprintf(&b, "%s:\n  %s\n", name, strings.Join(lines, "\n  "))
	}
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}

// Operations lists the operations of a service, newest first, as "TYPE STATUS".
func (s Service) Operations(t testing.TB) []string {
	t.Helper()
	out, err := s.House.Apps.ListOperations(context.Background(), &apprunner.ListOperationsInput{ServiceArn: s.ServiceArn})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, op := range out.OperationSummaryList {
		list = append(list, string(op.Type)+" "+string(op.Status))
	}
	return list
}

// Get asks the service over HTTPS and returns status and body.
func (s Service) Get(path string) (int, string, error) {
	res, err := s.House.HTTP.Get("https://" + s.Host() + path)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// Busy waits until the front door has a request of the service in flight.
func (s Service) Busy(t testing.TB) {
	t.Helper()
	for range 200 {
		if n, err := s.House.InFlight(s.ARN()); err == nil && n > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no request is in flight")
}

// Says checks that the service answers a path with 200 and a body that contains want, and returns the body.
func (s Service) Says(t testing.TB, path, want string) string {
	t.Helper()
	status, body, err := s.Get(path)
	if err != nil || status != http.StatusOK || !strings.Contains(body, want) {
		t.Errorf("https://%s%s answers %d %q, %v; want %q", s.Host(), path, status, body, err, want)
	}
	return body
}

// Update changes the service and waits for the end of that.
func (s Service) Update(t testing.TB, in *apprunner.UpdateServiceInput, want types.ServiceStatus) Service {
	t.Helper()
	in.ServiceArn = s.ServiceArn
	out, err := s.House.Apps.UpdateService(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.Service.Status != types.ServiceStatusOperationInProgress {
		t.Errorf("UpdateService answered status %s", out.Service.Status)
	}
	return s.House.Await(t, s.ARN(), want)
}

// Deploy starts a deployment and waits for its end; it returns the operation's id.
func (s Service) Deploy(t testing.TB) string {
	t.Helper()
	out, err := s.House.Apps.StartDeployment(t.Context(), &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn})
	if err != nil {
		t.Fatal(err)
	}
	s.House.Await(t, s.ARN(), types.ServiceStatusRunning)
	return aws.ToString(out.OperationId)
}

// Pause pauses the service and waits until it is.
func (s Service) Pause(t testing.TB) {
	t.Helper()
	if _, err := s.House.Apps.PauseService(t.Context(), &apprunner.PauseServiceInput{ServiceArn: s.ServiceArn}); err != nil {
		t.Fatal(err)
	}
	s.House.Await(t, s.ARN(), types.ServiceStatusPaused)
}

// Resume resumes the service and waits until it runs.
func (s Service) Resume(t testing.TB) {
	t.Helper()
	if _, err := s.House.Apps.ResumeService(t.Context(), &apprunner.ResumeServiceInput{ServiceArn: s.ServiceArn}); err != nil {
		t.Fatal(err)
	}
	s.House.Await(t, s.ARN(), types.ServiceStatusRunning)
}

// Named finds the live service of a name.
func (h *House) Named(name string) (Service, error) {
	out, err := h.Apps.ListServices(context.Background(), &apprunner.ListServicesInput{})
	if err != nil {
		return Service{}, err
	}
	for _, s := range out.ServiceSummaryList {
		if aws.ToString(s.ServiceName) == name {
			return h.Describe(aws.ToString(s.ServiceArn))
		}
	}
	return Service{}, fmt.Errorf("there is no service %s", name)
}

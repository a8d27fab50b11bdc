package histories

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/smithy-go"

	"slipway.dev/slipway/test/rig"
)

// world is what the clients of one run work on.
type world struct {
	apps *sdk.Client
	run  string // part of every name, so that runs do not meet
	left [2]string
	hist *history

	mu   sync.Mutex
	seen map[string][]string // identities by object, to delete them by
	acks []ack
}

// ack is an operation that an answer promised; service is its ARN, empty where the answer does not tell it.
type ack struct{ service, operation string }

// callFor is how long a call may take: longer than the control role is away after a kill.
const callFor = 20 * time.Second

// said turns what the SDK returned into what is written down.
func said(value string, err error) output {
	var e smithy.APIError
	switch {
	case err == nil:
		return output{Value: value}
	case errors.As(err, &e) && e.ErrorFault() == smithy.FaultClient:
		return output{Code: e.ErrorCode()}
	}
	return output{Lost: true}
}

// do makes a call of a client and writes it down.
func (w *world) do(client int, in input) output {
	return w.hist.note(client, in, func() output {
		ctx, cancel := context.WithTimeout(context.Background(), callFor)
		defer cancel()
		kind, name, _ := strings.Cut(in.Object, "/")
		return map[string]func(context.Context, string, input) output{
			"connection": w.connection, "autoscaling": w.autoscaling, "observability": w.observability,
			"default": w.standard, "tags": w.tags, "service": w.service,
		}[kind](ctx, name, in)
	})
}

// meet remembers an identity of an object.
func (w *world) meet(object, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id != "" && !slices.Contains(w.seen[object], id) {
		w.seen[object] = append(w.seen[object], id)
	}
}

// met is one of the last identities of an object; never where none was met.
func (w *world) met(object, never string, rnd *rand.Rand) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := w.seen[object]
	if len(ids) == 0 {
		return never
	}
	return ids[max(0, len(ids)-1-rnd.IntN(3))]
}

func (w *world) connection(ctx context.Context, name string, in input) output {
	switch in.Do {
	case "create":
		out, err := w.apps.CreateConnection(ctx, &sdk.CreateConnectionInput{ConnectionName: &name, ProviderType: types.ProviderTypeGithub})
		if err != nil {
			return said("", err)
		}
		w.meet(in.Object, *out.Connection.ConnectionArn)
		return said(*out.Connection.ConnectionArn, nil)
	case "delete":
		_, err := w.apps.DeleteConnection(ctx, &sdk.DeleteConnectionInput{ConnectionArn: &in.Arg})
		return said("", err)
	}
	out, err := w.apps.ListConnections(ctx, &sdk.ListConnectionsInput{ConnectionName: &name})
	if err != nil || len(out.ConnectionSummaryList) == 0 {
		return said("", err)
	}
	arn := *out.ConnectionSummaryList[0].ConnectionArn
	w.meet(in.Object, arn)
	return said(arn, nil)
}

func partial(kind, name, rev string) *string {
	arn := "arn:aws:apprunner:us-east-1:123456789012:" + kind + "/" + name
	if rev != "" {
		arn += "/" + rev
	}
	return &arn
}

func number(n int32) string { return strconv.Itoa(int(n)) }

func (w *world) autoscaling(ctx context.Context, name string, in input) output {
	const kind = "autoscalingconfiguration"
	switch in.Do {
	case "create":
		out, err := w.apps.CreateAutoScalingConfiguration(ctx, &sdk.CreateAutoScalingConfigurationInput{AutoScalingConfigurationName: &name})
		if err != nil {
			return said("", err)
		}
		rev := number(aws.ToInt32(out.AutoScalingConfiguration.AutoScalingConfigurationRevision))
		w.meet(in.Object, rev)
		return said(rev, nil)
	case "latest":
		out, err := w.apps.DescribeAutoScalingConfiguration(ctx, &sdk.DescribeAutoScalingConfigurationInput{AutoScalingConfigurationArn: partial(kind, name, "")})
		if err != nil {
			return said("", err)
		}
		return said(number(aws.ToInt32(out.AutoScalingConfiguration.AutoScalingConfigurationRevision)), nil)
	case "delete", "delete-all":
		out, err := w.apps.DeleteAutoScalingConfiguration(ctx, &sdk.DeleteAutoScalingConfigurationInput{
			AutoScalingConfigurationArn: partial(kind, name, in.Arg), DeleteAllRevisions: in.Do == "delete-all",
		})
		if err != nil {
			return said("", err)
		}
		return said(number(aws.ToInt32(out.AutoScalingConfiguration.AutoScalingConfigurationRevision)), nil)
	}
	return w.revisions(ctx, "AutoScalingConfiguration", name)
}

func (w *world) observability(ctx context.Context, name string, in input) output {
	const kind = "observabilityconfiguration"
	switch in.Do {
	case "create":
		out, err := w.apps.CreateObservabilityConfiguration(ctx, &sdk.CreateObservabilityConfigurationInput{ObservabilityConfigurationName: &name})
		if err != nil {
			return said("", err)
		}
		rev := number(out.ObservabilityConfiguration.ObservabilityConfigurationRevision)
		w.meet(in.Object, rev)
		return said(rev, nil)
	case "latest":
		out, err := w.apps.DescribeObservabilityConfiguration(ctx, &sdk.DescribeObservabilityConfigurationInput{ObservabilityConfigurationArn: partial(kind, name, "")})
		if err != nil {
			return said("", err)
		}
		return said(number(out.ObservabilityConfiguration.ObservabilityConfigurationRevision), nil)
	case "delete":
		out, err := w.apps.DeleteObservabilityConfiguration(ctx, &sdk.DeleteObservabilityConfigurationInput{ObservabilityConfigurationArn: partial(kind, name, in.Arg)})
		if err != nil {
			return said("", err)
		}
		return said(number(out.ObservabilityConfiguration.ObservabilityConfigurationRevision), nil)
	}
	return w.revisions(ctx, "ObservabilityConfiguration", name)
}

// revisions lists the active revisions of a name. The SDK cannot say that it wants more than the latest, so this call is made by hand.
func (w *world) revisions(ctx context.Context, kind, name string) output {
	body := fmt.Sprintf(`{"%sName":%q,"LatestOnly":false}`, kind, name)
	o := w.apps.Options()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, *o.BaseEndpoint, strings.NewReader(body))
	if err != nil {
		return output{Lost: true}
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AppRunner.List"+kind+"s")
	keys, err := o.Credentials.Retrieve(ctx)
	if err == nil {
		err = v4.NewSigner().SignHTTP(ctx, keys, req, fmt.Sprintf("%x", sha256.Sum256([]byte(body))), "apprunner", o.Region, time.Now())
	}
	if err != nil {
		return output{Lost: true}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return output{Lost: true}
	}
	defer res.Body.Close()
	var page map[string][]map[string]any
	if res.StatusCode != http.StatusOK || json.NewDecoder(res.Body).Decode(&page) != nil {
		return output{Lost: true}
	}
	var all []string
	for _, c := range page[kind+"SummaryList"] {
		all = append(all, fmt.Sprint(c[kind+"Revision"]))
	}
	return output{Value: strings.Join(all, " ")}
}

// standard is the account's default auto scaling configuration.
func (w *world) standard(ctx context.Context, _ string, in input) output {
	if in.Do == "set" {
		_, err := w.apps.UpdateDefaultAutoScalingConfiguration(ctx, &sdk.UpdateDefaultAutoScalingConfigurationInput{AutoScalingConfigurationArn: &in.Arg})
		return said("", err)
	}
	out, err := w.apps.ListAutoScalingConfigurations(ctx, &sdk.ListAutoScalingConfigurationsInput{})
	if err != nil {
		return said("", err)
	}
	var all []string // more or less than one is no answer that any state allows
	for _, c := range out.AutoScalingConfigurationSummaryList {
		if aws.ToBool(c.IsDefault) {
			all = append(all, *c.AutoScalingConfigurationArn)
		}
	}
	return said(strings.Join(all, " and "), nil)
}

// tags are those of a configuration that is always there, with this run's keys.
func (w *world) tags(ctx context.Context, name string, in input) output {
	arn := &w.left[0]
	switch in.Do {
	case "tag":
		k, v, _ := strings.Cut(in.Arg, "=")
		_, err := w.apps.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String(name + k), Value: &v}}})
		return said("", err)
	case "untag":
		_, err := w.apps.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{name + in.Arg}})
		return said("", err)
	}
	out, err := w.apps.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		return said("", err)
	}
	all := map[string]string{}
	for _, t := range out.Tags {
		if k, own := strings.CutPrefix(*t.Key, name); own {
			all[k] = *t.Value
		}
	}
	return said(pairs(all), nil)
}

// promised notes the operation that an answer names, and gives the answer.
func (w *world) promised(s *types.Service, operation *string, err error) output {
	if err != nil {
		return said("", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if aws.ToString(operation) != "" {
		w.acks = append(w.acks, ack{*s.ServiceArn, *operation})
	}
	return said(*s.ServiceId, nil)
}

func (w *world) service(ctx context.Context, name string, in input) output {
	arn := partial("service", name, "")
	switch in.Do {
	case "create":
		out, err := w.apps.CreateService(ctx, creation(name))
		if err != nil {
			return said("", err)
		}
		return w.promised(out.Service, out.OperationId, nil)
	case "update":
		out, err := w.apps.UpdateService(ctx, &sdk.UpdateServiceInput{ServiceArn: arn, HealthCheckConfiguration: &types.HealthCheckConfiguration{UnhealthyThreshold: aws.Int32(7)}})
		if err != nil {
			return said("", err)
		}
		return w.promised(out.Service, out.OperationId, nil)
	case "deploy":
		out, err := w.apps.StartDeployment(ctx, &sdk.StartDeploymentInput{ServiceArn: arn})
		if err != nil {
			return said("", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.acks = append(w.acks, ack{operation: *out.OperationId})
		return said("", nil)
	case "pause":
		out, err := w.apps.PauseService(ctx, &sdk.PauseServiceInput{ServiceArn: arn})
		if err != nil {
			return said("", err)
		}
		return w.promised(out.Service, out.OperationId, nil)
	case "resume":
		out, err := w.apps.ResumeService(ctx, &sdk.ResumeServiceInput{ServiceArn: arn})
		if err != nil {
			return said("", err)
		}
		return w.promised(out.Service, out.OperationId, nil)
	case "delete":
		out, err := w.apps.DeleteService(ctx, &sdk.DeleteServiceInput{ServiceArn: arn})
		if err != nil {
			return said("", err)
		}
		return w.promised(out.Service, out.OperationId, nil)
	}
	out, err := w.apps.DescribeService(ctx, &sdk.DescribeServiceInput{ServiceArn: arn})
	if err != nil {
		return said("", err)
	}
	w.meet(in.Object, *out.Service.ServiceArn)
	return said(fmt.Sprintf("%s %s", *out.Service.ServiceId, out.Service.Status), nil)
}

func creation(name string) *sdk.CreateServiceInput {
	in := &sdk.CreateServiceInput{
		ServiceName: &name, SourceConfiguration: rig.ImageSource("app", "v1", nil),
		HealthCheckConfiguration: &types.HealthCheckConfiguration{Interval: aws.Int32(1), Timeout: aws.Int32(1), HealthyThreshold: aws.Int32(1)},
	}
	rig.Small(in)
	return in
}

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
)

// Every action, every list in pages, every loop that waits and every class of error of the App Runner API, through the Go SDK.
//
// checklist: 2, 3
func TestAppRunnerWithTheGoSDK(t *testing.T) {
	f, h := stage(t)
	tale(t, h, "go").play(t, goClient{sdk.NewFromConfig(f.config())})
}

// The same through botocore.
//
// checklist: 2, 3
func TestAppRunnerWithBotocore(t *testing.T) {
	f, h := stage(t)
	if out, ok := f.run(t, "", "python3", "-c", "import botocore"); !ok {
		t.Skip("botocore is not installed: ", out)
	}
	if out, ok := f.run(t, tale(t, h, "py").json(t), "python3", "apprunner_story.py"); !ok {
		t.Error(strings.TrimSpace(out))
	}
}

// goClient calls the SDK by the names of the actions.
type goClient struct{ apps *sdk.Client }

func (c goClient) call(action string, input map[string]any) (any, string, error) {
	method := reflect.ValueOf(c.apps).MethodByName(action)
	in := reflect.New(method.Type().In(1).Elem())
	if err := convert(input, in.Interface()); err != nil {
		return nil, "", err
	}
	out := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), in})
	if err, _ := out[1].Interface().(error); err != nil {
		return nil, classOf(err), err
	}
	var answer any
	err := convert(out[0].Interface(), &answer)
	return answer, "", err
}

// convert turns one value into another by way of JSON, whose names are those of the fields.
func convert(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}

// classOf names the type that the SDK has for an error of the model.
func classOf(err error) string {
	switch {
	case as[*types.InvalidRequestException](err):
		return "InvalidRequestException"
	case as[*types.InvalidStateException](err):
		return "InvalidStateException"
	case as[*types.ResourceNotFoundException](err):
		return "ResourceNotFoundException"
	case as[*types.ServiceQuotaExceededException](err):
		return "ServiceQuotaExceededException"
	}
	return ""
}

// pager is a paginator of the SDK with its types taken away.
type pager struct {
	more func() bool
	next func() (any, error)
}

func pagerOf[O any](p interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*sdk.Options)) (O, error)
},
) pager {
	return pager{p.HasMorePages, func() (any, error) { return p.NextPage(context.Background()) }}
}

// paginators are all that the SDK has.
func (c goClient) paginator(action string, input map[string]any, size int) (p pager, err error) {
	n := aws.Int32(int32(size))
	switch action {
	case "DescribeCustomDomains":
		in := &sdk.DescribeCustomDomainsInput{}
		err = convert(input, in)
		p = pagerOf(sdk.NewDescribeCustomDomainsPaginator(c.apps, in, func(o *sdk.DescribeCustomDomainsPaginatorOptions) { o.Limit = *n }))
	case "ListAutoScalingConfigurations":
		p = pagerOf(sdk.NewListAutoScalingConfigurationsPaginator(c.apps, &sdk.ListAutoScalingConfigurationsInput{MaxResults: n}))
	case "ListConnections":
		p = pagerOf(sdk.NewListConnectionsPaginator(c.apps, &sdk.ListConnectionsInput{MaxResults: n}))
	case "ListObservabilityConfigurations":
		p = pagerOf(sdk.NewListObservabilityConfigurationsPaginator(c.apps, &sdk.ListObservabilityConfigurationsInput{MaxResults: n}))
	case "ListOperations":
		in := &sdk.ListOperationsInput{MaxResults: n}
		err = convert(input, in)
		p = pagerOf(sdk.NewListOperationsPaginator(c.apps, in))
	case "ListServices":
		p = pagerOf(sdk.NewListServicesPaginator(c.apps, &sdk.ListServicesInput{MaxResults: n}))
	case "ListServicesForAutoScalingConfiguration":
		in := &sdk.ListServicesForAutoScalingConfigurationInput{MaxResults: n}
		err = convert(input, in)
		p = pagerOf(sdk.NewListServicesForAutoScalingConfigurationPaginator(c.apps, in))
	case "ListVpcConnectors":
		p = pagerOf(sdk.NewListVpcConnectorsPaginator(c.apps, &sdk.ListVpcConnectorsInput{MaxResults: n}))
	case "ListVpcIngressConnections":
		p = pagerOf(sdk.NewListVpcIngressConnectionsPaginator(c.apps, &sdk.ListVpcIngressConnectionsInput{MaxResults: n}))
	default:
		err = fmt.Errorf("the SDK has no paginator for %s", action)
	}
	return p, err
}

func (c goClient) pages(action string, input map[string]any, want storyPages) (found []any, err error) {
	p, err := c.paginator(action, input, want.Size)
	for err == nil && p.more() {
		var page any
		if page, err = p.next(); err != nil {
			break
		}
		var answer map[string]any
		if err = convert(page, &answer); err != nil {
			break
		}
		entries, _ := answer[want.Key].([]any)
		if len(entries) > want.Size {
			err = fmt.Errorf("a page has %d entries", len(entries))
		}
		found = append(found, entries...)
	}
	return found, err
}

var _ client = goClient{}

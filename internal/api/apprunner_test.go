package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/store"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// world is the App Runner API over a real control room and store, with a clock that moves a second a look.
type world struct {
	*endpoint
	api     *api.Service
	control *control.Control
	sdk     *sdk.Client
	now     time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := openStore(t)
	w := &world{now: time.UnixMilli(1606156217650).UTC()}
	ctl, err := control.New(control.Config{
		DB: db, Suffix: "apprunner.localhost", Log: slog.New(slog.DiscardHandler), ServiceQuota: 100, Epoch: w.now,
		Now: func() time.Time { w.now = w.now.Add(time.Second); return w.now }, SealKey: make([]byte, 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.control = ctl
	tokens, err := api.NewTokens([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if w.api, err = api.NewAppRunner(api.AppRunnerConfig{Control: ctl, Tokens: tokens}); err != nil {
		t.Fatal(err)
	}
	quotas, err := api.NewQuotas(ctl, tokens)
	if err != nil {
		t.Fatal(err)
	}
	w.endpoint = serve(t, db, w.api, quotas)
	w.sdk = sdk.NewFromConfig(w.config())
	return w
}

// settle ends the running operation of a service, as the reconcile room would.
func (w *world) settle(t *testing.T, arn string, status apprunner.ServiceStatus) {
	t.Helper()
	err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		s, _, err := tx.Service(arn)
		if err != nil {
			return err
		}
		ops, err := tx.Operations(arn)
		if err != nil {
			return err
		}
		ops[0].Status, ops[0].EndedAt = apprunner.OpSucceeded, w.now
		if err := tx.PutOperation(ops[0]); err != nil {
			return err
		}
		s.Status = status
		return tx.PutService(s)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) create(t *testing.T, name string) *types.Service {
	t.Helper()
	out, err := w.sdk.CreateService(context.Background(), &sdk.CreateServiceInput{
		ServiceName: &name, SourceConfiguration: &types.SourceConfiguration{
			ImageRepository: &types.ImageRepository{ImageIdentifier: aws.String("public.ecr.aws/a/b:1"), ImageRepositoryType: types.ImageRepositoryTypeEcrPublic},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Service
}

const codeService = `{
	"ServiceName": "python-app",
	"SourceConfiguration": {
		"CodeRepository": {
			"RepositoryUrl": "https://git.example.com/team/app", "SourceCodeVersion": {"Type": "BRANCH", "Value": "main"}, "SourceDirectory": "web",
			"CodeConfiguration": {"ConfigurationSource": "API", "CodeConfigurationValues": {
				"Runtime": "PYTHON_311", "BuildCommand": "pip install .", "StartCommand": "python server.py",
				"RuntimeEnvironmentVariables": {"NAME": "World", "EMPTY": ""}, "RuntimeEnvironmentSecrets": {}}}}},
	"InstanceConfiguration": {"Cpu": "0.25 vCPU", "Memory": "0.5 GB"},
	"HealthCheckConfiguration": {"Protocol": "HTTP", "Path": "/up"},
	"Tags": [{"Key": "team", "Value": "web"}]
}`

// Every member of the service object, with its defaults, as §4 lists them.
func TestServiceObject(t *testing.T) {
	w := newWorld(t)
	status, body := w.post(t, "apprunner", "AppRunner.CreateService", codeService)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for pattern, stand := range map[string]string{
		`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`: "OPERATION",
		`"[a-z0-9]{10}\.us-east-1`:        `"LABEL.us-east-1`,
		`service/python-app/[0-9a-f]{32}`: "service/python-app/ID",
		`"ServiceId":"[0-9a-f]{32}"`:      `"ServiceId":"ID"`,
	} {
		body = regexp.MustCompile(pattern).ReplaceAllString(body, stand)
	}
	want := `{"Service":{"ServiceName":"python-app","ServiceId":"ID","ServiceArn":"arn:aws:apprunner:us-east-1:123456789012:service/python-app/ID",` +
		`"ServiceUrl":"LABEL.us-east-1.apprunner.localhost","CreatedAt":1606156218.65,"UpdatedAt":1606156218.65,"Status":"OPERATION_IN_PROGRESS",` +
		`"SourceConfiguration":{"CodeRepository":{"RepositoryUrl":"https://git.example.com/team/app","SourceCodeVersion":{"Type":"BRANCH","Value":"main"},` +
		`"CodeConfiguration":{"ConfigurationSource":"API","CodeConfigurationValues":{"Runtime":"PYTHON_311","BuildCommand":"pip install .","StartCommand":"python server.py","Port":"8080",` +
		`"RuntimeEnvironmentVariables":{"EMPTY":"","NAME":"World"}}},"SourceDirectory":"/web"},"AutoDeploymentsEnabled":true},` +
		`"InstanceConfiguration":{"Cpu":"256","Memory":"512"},` +
		`"HealthCheckConfiguration":{"Protocol":"HTTP","Path":"/up","Interval":5,"Timeout":2,"HealthyThreshold":1,"UnhealthyThreshold":5},` +
		`"AutoScalingConfigurationSummary":{"AutoScalingConfigurationArn":"arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/DefaultConfiguration/1/00000000000000000000000000000001",` +
		`"AutoScalingConfigurationName":"DefaultConfiguration","AutoScalingConfigurationRevision":1,"Status":"ACTIVE","CreatedAt":1606156217.65,"HasAssociatedService":true,"IsDefault":true},` +
		`"NetworkConfiguration":{"EgressConfiguration":{"EgressType":"DEFAULT"},"IngressConfiguration":{"IsPubliclyAccessible":true},"IpAddressType":"IPV4"},` +
		`"ObservabilityConfiguration":{"ObservabilityEnabled":false}},"OperationId":"OPERATION"}`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
}

func TestImageServiceObject(t *testing.T) {
	w := newWorld(t)
	s := w.create(t, "image-app")
	want := &types.SourceConfiguration{
		AutoDeploymentsEnabled: aws.Bool(false),
		ImageRepository: &types.ImageRepository{
			ImageIdentifier: aws.String("public.ecr.aws/a/b:1"), ImageRepositoryType: types.ImageRepositoryTypeEcrPublic,
			ImageConfiguration: &types.ImageConfiguration{Port: aws.String("8080")},
		},
	}
	if diff := cmp.Diff(want, s.SourceConfiguration, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	if *s.InstanceConfiguration.Cpu != "1024" || *s.InstanceConfiguration.Memory != "2048" || s.DeletedAt != nil || s.EncryptionConfiguration != nil {
		t.Errorf("got %+v", s)
	}
}

// checklist: 3
func TestLifeOfAServiceThroughTheSDK(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	s := w.create(t, "life")
	arn := *s.ServiceArn
	w.settle(t, arn, apprunner.StatusRunning)

	updated, err := w.sdk.UpdateService(ctx, &sdk.UpdateServiceInput{
		ServiceArn: &arn, InstanceConfiguration: &types.InstanceConfiguration{Memory: aws.String("4 GB")},
		HealthCheckConfiguration: &types.HealthCheckConfiguration{UnhealthyThreshold: aws.Int32(9)},
		NetworkConfiguration:     &types.NetworkConfiguration{IngressConfiguration: &types.IngressConfiguration{IsPubliclyAccessible: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := updated.Service
	if *got.InstanceConfiguration.Memory != "4096" || *got.InstanceConfiguration.Cpu != "1024" || *got.HealthCheckConfiguration.UnhealthyThreshold != 9 ||
		*got.HealthCheckConfiguration.Interval != 5 || got.Status != types.ServiceStatusOperationInProgress || len(*updated.OperationId) != 36 {
		t.Errorf("update: %+v", got)
	}
	w.settle(t, arn, apprunner.StatusRunning)

	started, err := w.sdk.StartDeployment(ctx, &sdk.StartDeploymentInput{ServiceArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	w.settle(t, arn, apprunner.StatusRunning)
	if paused, err := w.sdk.PauseService(ctx, &sdk.PauseServiceInput{ServiceArn: &arn}); err != nil || paused.OperationId == nil {
		t.Fatalf("pause: %v", err)
	}
	w.settle(t, arn, apprunner.StatusPaused)
	if again, err := w.sdk.PauseService(ctx, &sdk.PauseServiceInput{ServiceArn: &arn}); err != nil || again.OperationId != nil || again.Service.Status != types.ServiceStatusPaused {
		t.Errorf("pause again answers without an operation (§9): %v", err)
	}
	if _, err := w.sdk.ResumeService(ctx, &sdk.ResumeServiceInput{ServiceArn: &arn}); err != nil {
		t.Fatal(err)
	}
	w.settle(t, arn, apprunner.StatusRunning)
	if _, err := w.sdk.DeleteService(ctx, &sdk.DeleteServiceInput{ServiceArn: &arn}); err != nil {
		t.Fatal(err)
	}
	ops, err := w.sdk.ListOperations(ctx, &sdk.ListOperationsInput{ServiceArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	var list []types.OperationType
	for _, op := range ops.OperationSummaryList {
		list = append(list, op.Type)
		if op.Type == types.OperationTypeStartDeployment && *op.Id != *started.OperationId {
			t.Error("the operation of the deployment has another id")
		}
		if *op.TargetArn != arn || (op.EndedAt == nil) != (op.Status == types.OperationStatusPending) {
			t.Errorf("operation %+v", op)
		}
	}
	if diff := cmp.Diff([]types.OperationType{"DELETE_SERVICE", "RESUME_SERVICE", "PAUSE_SERVICE", "START_DEPLOYMENT", "UPDATE_SERVICE", "CREATE_SERVICE"}, list); diff != "" {
		t.Error(diff)
	}
}

func TestTagsThroughTheSDK(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	arn := w.create(t, "tagged").ServiceArn
	if out, err := w.sdk.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: arn}); err != nil || out.Tags == nil || len(out.Tags) != 0 {
		t.Errorf("no tags: %v, %v", out, err)
	}
	if _, err := w.sdk.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}, {Key: aws.String("b"), Value: aws.String("2")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.sdk.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"b", "none"}}); err != nil {
		t.Fatal(err)
	}
	if _, body := w.post(t, "apprunner", "AppRunner.ListTagsForResource", `{"ResourceArn":"`+*arn+`"}`); body != `{"Tags":[{"Key":"a","Value":""}]}` {
		t.Errorf("got %s", body)
	}
}

func TestListServicesInPages(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	var want []string
	for i := range 7 {
		want = append(want, *w.create(t, fmt.Sprintf("list-%d", i)).ServiceName)
	}
	slices.Reverse(want)
	whole, err := w.sdk.ListServices(ctx, &sdk.ListServicesInput{})
	if err != nil || whole.NextToken != nil || len(whole.ServiceSummaryList) != 7 {
		t.Fatalf("without MaxResults everything comes at once (§1.4): %d, %v", len(whole.ServiceSummaryList), err)
	}
	var got []string
	pages := sdk.NewListServicesPaginator(w.sdk, &sdk.ListServicesInput{MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.ServiceSummaryList) > 3 {
			t.Errorf("a page of %d", len(p.ServiceSummaryList))
		}
		for _, s := range p.ServiceSummaryList {
			got = append(got, *s.ServiceName)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsOfActions(t *testing.T) {
	w := newWorld(t)
	arn := *w.create(t, "busy").ServiceArn
	for _, tc := range []struct{ name, op, body, want string }{
		{"name in use", "CreateService", `{"ServiceName":"busy","SourceConfiguration":{"ImageRepository":{"ImageIdentifier":"public.ecr.aws/a/b","ImageRepositoryType":"ECR_PUBLIC"}}}`, `400 {"__type":"com.amazonaws.apprunner#InvalidRequestException","Message":"Service with the provided name already exists: busy`},
		{"busy", "PauseService", `{"ServiceArn":"` + arn + `"}`, `400 {"__type":"com.amazonaws.apprunner#InvalidStateException"`},
		{"busy deployment", "StartDeployment", `{"ServiceArn":"` + arn + `"}`, `400 {"__type":"com.amazonaws.apprunner#InvalidRequestException"`},
		{"unknown service", "DescribeService", `{"ServiceArn":"arn:aws:apprunner:us-east-1:123456789012:service/none/0"}`, `400 {"__type":"com.amazonaws.apprunner#ResourceNotFoundException"`},
		{"other account", "DescribeService", `{"ServiceArn":"` + strings.Replace(arn, account, "210987654321", 1) + `"}`, `400 {"__type":"com.amazonaws.apprunner#ResourceNotFoundException"`},
		{"constraint", "ListServices", `{"MaxResults":21}`, `400 {"__type":"com.amazonaws.apprunner#InvalidRequestException","Message":"1 validation error detected: Value '21' at 'maxResults'`},
		{"foreign token", "ListServices", `{"NextToken":"e30"}`, `400 {"__type":"com.amazonaws.apprunner#InvalidRequestException","Message":"The NextToken is not valid`},
		{"no such action", "MakeCoffee", `{}`, `404 {"__type":"com.amazonaws.apprunner#UnknownOperationException"`},
		{"combination", "CreateService", `{"ServiceName":"pair","SourceConfiguration":{"ImageRepository":{"ImageIdentifier":"public.ecr.aws/a/b","ImageRepositoryType":"ECR_PUBLIC"}},"InstanceConfiguration":{"Cpu":"256","Memory":"4096"}}`, `400 {"__type":"com.amazonaws.apprunner#InvalidRequestException","Message":"instanceConfiguration`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := w.post(t, "apprunner", "AppRunner."+tc.op, tc.body)
			if got := fmt.Sprintf("%d %s", status, body); !strings.HasPrefix(got, tc.want) {
				t.Errorf("got  %s\nwant %s…", got, tc.want)
			}
		})
	}
}

// Terraform waits for lower-case statuses of auto scaling configurations (§27, conflict 11).
func TestAutoScalingStatusIsSpeltAsTheClientExpects(t *testing.T) {
	w := newWorld(t)
	body := `{"AutoScalingConfigurationArn":"arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/DefaultConfiguration"}`
	_, plain := w.post(t, "apprunner", "AppRunner.DescribeAutoScalingConfiguration", body)
	if !strings.Contains(plain, `"Status":"ACTIVE","MaxConcurrency":100,"MinSize":1,"MaxSize":25,"CreatedAt":1606156217.65,"HasAssociatedService":false,"IsDefault":true`) {
		t.Errorf("got %s", plain)
	}
	_, terraform := w.post(t, "apprunner", "AppRunner.DescribeAutoScalingConfiguration", body, "User-Agent", "APN/1.0 HashiCorp/1.0 Terraform/1.9 terraform-provider-aws/5.60")
	if !strings.Contains(terraform, `"Status":"active"`) {
		t.Errorf("got %s", terraform)
	}
}

func TestPermissionsAreAskedOnFullNames(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	arn := *w.create(t, "policies").ServiceArn
	if _, err := w.sdk.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}}); err != nil {
		t.Fatal(err)
	}
	user := api.Call{Principal: iam.Principal{Type: iam.TypeUser, Account: account}, Scope: scope}
	asked := func(op string, in any) []iam.Request {
		t.Helper()
		list, err := w.api.Actions[op].Permissions(ctx, user, in)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	tagged := map[string][]string{"aws:ResourceTag/env": {"prod"}, "apprunner:ResourceTag/env": {"prod"}}
	prefix := "arn:aws:apprunner:us-east-1:123456789012:service/"
	for _, given := range []string{arn, prefix + "policies", strings.Replace(arn, account, "210987654321", 1)} {
		want := []iam.Request{{Action: "apprunner:PauseService", Resource: arn, Context: tagged}}
		if diff := cmp.Diff(want, asked("PauseService", &wire.PauseServiceRequest{ServiceArn: &given})); diff != "" {
			t.Errorf("%s: %s", given, diff)
		}
	}
	role := "arn:aws:iam::123456789012:role/instance"
	got := asked("CreateService", &wire.CreateServiceRequest{
		ServiceName: aws.String("new-one"), Tags: []wire.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		InstanceConfiguration:       &wire.InstanceConfiguration{InstanceRoleArn: &role},
		AutoScalingConfigurationArn: aws.String("arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/DefaultConfiguration"),
	})
	keys := map[string][]string{
		"aws:RequestTag/k": {"v"}, "aws:TagKeys": {"k"}, "apprunner:AutoScalingConfigurationArn": {apprunner.DefaultAutoScalingARN(scope).String()},
	}
	want := []iam.Request{
		{Action: "apprunner:CreateService", Resource: prefix + "new-one", ToBe: true, Context: keys},
		{Action: "apprunner:TagResource", Resource: prefix + "new-one", ToBe: true, Context: keys},
		{Action: "iam:PassRole", Resource: role, Context: map[string][]string{"iam:PassedToService": {"apprunner.amazonaws.com"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := asked("ListServices", &wire.ListServicesRequest{}); got[0].Resource != "*" {
		t.Errorf("ListServices: %+v", got)
	}
	if got := asked("DescribeService", &wire.DescribeServiceRequest{}); got[0].Resource != "*" {
		t.Errorf("without the ARN: %+v", got)
	}
}

// checklist: 2
func TestStockCLI(t *testing.T) {
	w := newWorld(t)
	var made struct {
		Service struct{ ServiceArn, Status string }
	}
	w.awsJSON(t, &made, "apprunner", "create-service", "--cli-input-json", codeService)
	if made.Service.Status != "OPERATION_IN_PROGRESS" {
		t.Errorf("create-service: %+v", made)
	}
	w.create(t, "second")
	type page struct {
		ServiceSummaryList []struct{ ServiceName string }
		NextToken          string
	}
	var first, last page
	w.awsJSON(t, &first, "apprunner", "list-services", "--max-results", "1")
	w.awsJSON(t, &last, "apprunner", "list-services", "--max-results", "1", "--next-token", first.NextToken)
	if first.ServiceSummaryList[0].ServiceName != "second" || last.ServiceSummaryList[0].ServiceName != "python-app" || last.NextToken != "" {
		t.Errorf("list-services: %+v, %+v", first, last)
	}
	out, ok := w.aws(t, "apprunner", "pause-service", "--service-arn", made.Service.ServiceArn)
	if ok || !strings.Contains(out, "(InvalidStateException) when calling the PauseService operation") {
		t.Errorf("pause-service of a busy service: %s", out)
	}
}

// Every action is one of the model, and gets the input type of its operation.
func TestActionsFitTheirOperations(t *testing.T) {
	w := newWorld(t)
	for name, act := range w.api.Actions {
		op := w.api.API.Operation(name)
		if op == nil {
			t.Errorf("%s is not in the model", name)
			continue
		}
		if _, err := act.Permissions(context.Background(), api.Call{}, op.NewInput()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// racing is a control room in which another caller was faster.
type racing struct{ *control.Control }

func (racing) StartDeployment(context.Context, apprunner.Scope, string, bool, string) (string, error) {
	return "", apprunner.Errorf(apprunner.CodeInvalidState, "Service web has an operation in progress.")
}

func TestErrorsAreThoseOfTheModel(t *testing.T) {
	tokens, err := api.NewTokens([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	service, err := api.NewAppRunner(api.AppRunnerConfig{Control: racing{}, Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	_, err = service.Actions["StartDeployment"].Do(context.Background(), api.Call{Scope: scope}, &wire.StartDeploymentRequest{ServiceArn: aws.String("arn")})
	if apprunner.CodeOf(err) != apprunner.CodeInvalidRequest || err.Error() != "Service web has an operation in progress." {
		t.Errorf("StartDeployment lists no InvalidStateException (§1.3): %v", err)
	}
}

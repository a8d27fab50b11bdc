package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"slipway.dev/slipway/test/rig"
)

// as is the configuration of a client with an access key.
func (h house) as(id, secret string) aws.Config {
	return aws.Config{
		Region: h.Env["AWS_REGION"], BaseEndpoint: aws.String(h.Env["AWS_ENDPOINT_URL"]), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	}
}

func (h house) root() aws.Config {
	return h.as(h.Env["AWS_ACCESS_KEY_ID"], h.Env["AWS_SECRET_ACCESS_KEY"])
}

// exported reads shell lines.
func exported(text string) map[string]string {
	vars := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		vars[name] = strings.Trim(value, `'"`)
	}
	return vars
}

// TestImageOfAnotherAccount: the repository's policy decides whether the access role of a service gets its image.
//
// checklist: 30, 31
func TestImageOfAnotherAccount(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	const owner = "210987654321"
	text, err := h.Slipway("account", "create", owner, "--data-dir", h.Dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	key := exported(text)
	other := *h.House
	other.ECR = ecr.NewFromConfig(h.as(key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"]))
	other.PushApp(t, "lent", "v1", "lent")

	source := rig.ImageSource("lent", "v1", nil)
	source.ImageRepository.ImageIdentifier = aws.String(owner + ".dkr.ecr.us-east-1.amazonaws.com/lent:v1")
	refused := h.Create(t, "not-lent", source, types.ServiceStatusCreateFailed, rig.Small)
	if log := refused.Deployment(""); !strings.Contains(log, "is not authorized to perform: ecr:") || !strings.Contains(log, "AppRunnerECRAccessRole") || !strings.Contains(log, "repository/lent") {
		t.Errorf("the deployment log does not say what is not allowed:\n%s", log)
	}
	policy := `{"Version":"2008-10-17","Statement":[{"Sid":"lend","Effect":"Allow","Principal":{"AWS":"` + rig.AccessRole + `"},
		"Action":["ecr:BatchGetImage","ecr:DescribeImages","ecr:GetDownloadUrlForLayer"]}]}`
	set, err := other.ECR.SetRepositoryPolicy(t.Context(), &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("lent"), PolicyText: &policy})
	if err != nil || !strings.Contains(*set.PolicyText, "2008-10-17") {
		t.Fatalf("%v, %v", set, err)
	}
	lent := h.Create(t, "lent-image", source, types.ServiceStatusRunning, rig.Small)
	lent.Says(t, "/", "hello lent")
}

// TestTheSDKInAnApplicationFindsItsRole: the stock SDK in an application has temporary credentials of the instance role, and may do
// what the role allows and nothing else. The service-linked role has come by itself by then, with its trust and its rights.
//
// checklist: 58, 208, 209
func TestTheSDKInAnApplicationFindsItsRole(t *testing.T) {
	t.Parallel()
	h := house{rig.Own(t, "--instance-endpoint", "--stop-grace", "5s", "--start-timeout", "60s")}
	ctx, ids := t.Context(), iam.NewFromConfig(h.root())
	linked := &iam.GetRoleInput{RoleName: aws.String("AWSServiceRoleForAppRunner")}
	if _, err := ids.GetRole(ctx, linked); rig.Code(err) != "NoSuchEntity" {
		t.Errorf("before the first service there is a service-linked role: %v", err)
	}
	role, err := ids.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("reader"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ids.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("reader"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AWSAppRunnerReadOnlyAccess")}); err != nil {
		t.Fatal(err)
	}
	img, err := rig.Program("test/app/caller")
	if err != nil {
		t.Fatal(err)
	}
	h.Repository(t, "caller")
	h.Push(t, "caller", "v1", img)
	s := h.Create(t, "caller", rig.ImageSource("caller", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) {
		in.InstanceConfiguration.InstanceRoleArn = role.Role.Arn
	})
	status, body, err := s.Get("/caller")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, body, err)
	}
	var answer map[string]string
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(answer["Arn"], "arn:aws:sts::123456789012:assumed-role/reader/") || answer["ListServices"] != "ok" || answer["ListUsers"] != "AccessDenied" {
		t.Errorf("the application is and may: %v", answer)
	}
	own, err := ids.GetRole(ctx, linked)
	if err != nil {
		t.Fatal(err)
	}
	if *own.Role.Path != "/aws-service-role/apprunner.amazonaws.com/" || !strings.Contains(*own.Role.AssumeRolePolicyDocument, "apprunner.amazonaws.com") {
		t.Errorf("service-linked role %+v", own.Role)
	}
	rights, err := ids.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: linked.RoleName})
	if err != nil || len(rights.AttachedPolicies) != 1 || *rights.AttachedPolicies[0].PolicyName != "AppRunnerServiceRolePolicy" {
		t.Errorf("its rights %v, %v", rights, err)
	}
}

package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// instanceRole makes a role for instances with a policy, and returns its ARN and a function that replaces the policy.
func instanceRole(t *testing.T, h house, name, policy string) (arn string, allow func(policy string)) {
	t.Helper()
	var made struct{ Role struct{ Arn string } }
	h.must(t, &made, "iam", "create-role", "--role-name", name, "--assume-role-policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
	allow = func(policy string) {
		t.Helper()
		if _, err := h.AWS("iam", "put-role-policy", "--role-name", name, "--policy-name", "read", "--policy-document", policy); err != nil {
			t.Fatal(err)
		}
	}
	allow(policy)
	return made.Role.Arn, allow
}

// variables are what the application says its environment is.
func variables(t *testing.T, s rig.Service) map[string]string {
	t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(s.Says(t, "/env", "PORT=")), &list); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	return env
}

// withSecrets is an image service that names secrets.
func withSecrets(references map[string]string) *types.SourceConfiguration {
	src := rig.ImageSource("app", "v1", map[string]string{"MOOD": "good"})
	src.ImageRepository.ImageConfiguration.RuntimeEnvironmentSecrets = references
	return src
}

func role(arn string) func(*apprunner.CreateServiceInput) {
	return func(in *apprunner.CreateServiceInput) {
		in.InstanceConfiguration = &types.InstanceConfiguration{Cpu: aws.String("256"), Memory: aws.String("512"), InstanceRoleArn: &arn}
	}
}

// TestRuntimeSecrets: secrets and parameters that the stock CLI made are variables of the application; a change arrives with the next
// deployment; the values are in no answer, log or record, and nowhere in the data directory in plain.
func TestRuntimeSecrets(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	const first, second, plain = "rJ4kQ9-first-value", "rJ4kQ9-second-value", "rJ4kQ9-of-a-parameter"
	var key struct{ KeyMetadata struct{ KeyId, Arn string } }
	h.must(t, &key, "kms", "create-key")
	var made struct{ ARN string }
	h.must(t, &made, "secretsmanager", "create-secret", "--name", "story/db", "--secret-string", `{"user":"jo","password":"`+first+`","port":5432}`)
	h.must(t, nil, "ssm", "put-parameter", "--name", "/story/flag", "--type", "String", "--value", "on")
	h.must(t, nil, "ssm", "put-parameter", "--name", "/story/token", "--type", "SecureString", "--value", plain, "--key-id", key.KeyMetadata.KeyId)
	may := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","ssm:GetParameters"],"Resource":["arn:aws:secretsmanager:*:*:secret:story/*","arn:aws:ssm:*:*:parameter/story/*"]},` +
		`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"` + key.KeyMetadata.Arn + `"}]}`
	arn, allow := instanceRole(t, h, "story-secrets", may)
	s := h.Create(t, "with-secrets", withSecrets(map[string]string{
		"DB": made.ARN, "DB_PASSWORD": made.ARN + ":password::", "DB_PORT": made.ARN + ":port", "FLAG": "/story/flag", "TOKEN": "arn:aws:ssm:us-east-1:123456789012:parameter/story/token",
	}), types.ServiceStatusRunning, role(arn))
	env := variables(t, s)
	for name, want := range map[string]string{
		"DB": `{"user":"jo","password":"` + first + `","port":5432}`, "DB_PASSWORD": first, "DB_PORT": "5432", "FLAG": "on", "TOKEN": plain, "MOOD": "good",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	if shown := s.SourceConfiguration.ImageRepository.ImageConfiguration.RuntimeEnvironmentSecrets; shown["DB_PASSWORD"] != made.ARN+":password::" {
		t.Errorf("the service shows %v", shown)
	}

	// A new value arrives with a deployment, not before.
	h.must(t, nil, "secretsmanager", "put-secret-value", "--secret-id", "story/db", "--secret-string", `{"password":"`+second+`","port":1}`)
	if env := variables(t, s); env["DB_PASSWORD"] != first {
		t.Errorf("the password changed under a running instance: %q", env["DB_PASSWORD"])
	}
	s.Deploy(t)
	if env := variables(t, s); env["DB_PASSWORD"] != second {
		t.Errorf("after a deployment the password is %q", env["DB_PASSWORD"])
	}

	// Without the right the deployment fails and the old instances serve on.
	allow(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","ssm:GetParameters"],"Resource":"*"}}`)
	s = failedDeployment(t, h, s, "variable TOKEN (arn:aws:ssm:us-east-1:123456789012:parameter/story/token) could not be read: User: ",
		"is not authorized to perform: kms:Decrypt on resource: "+key.KeyMetadata.Arn+". Allow kms:Decrypt on it in a policy of the instance role.")
	allow(may)
	h.must(t, nil, "secretsmanager", "delete-secret", "--secret-id", "story/db", "--force-delete-without-recovery")
	s = failedDeployment(t, h, s, "variable DB_PASSWORD ("+made.ARN+":password::) could not be read: there is no such secret")
	if env := variables(t, s); env["DB_PASSWORD"] != second {
		t.Errorf("after failed deployments the password is %q", env["DB_PASSWORD"])
	}

	var records struct {
		Events []struct{ CloudTrailEvent string }
	}
	h.must(t, &records, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=ResourceName,AttributeValue="+made.ARN)
	read := false
	for _, r := range records.Events {
		read = read || strings.Contains(r.CloudTrailEvent, `"invokedBy":"apprunner.amazonaws.com"`) && strings.Contains(r.CloudTrailEvent, "assumed-role/story-secrets/") && strings.Contains(r.CloudTrailEvent, made.ARN)
	}
	if !read {
		t.Errorf("no record tells that the role read the secret: %+v", records)
	}
	for what, text := range map[string]string{"an answer": asJSON(t, s.Service), "the logs": s.Story()} {
		for _, value := range []string{first, second, plain} {
			if strings.Contains(text, value) {
				t.Errorf("%s shows a value: %s", what, text)
			}
		}
	}
	searched(t, h, first, second, plain)
}

// failedDeployment deploys and wants the operation to fail with these words, and the service to run.
func failedDeployment(t *testing.T, h house, s rig.Service, words ...string) rig.Service {
	t.Helper()
	if _, err := h.Apps.StartDeployment(t.Context(), &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn}); err != nil {
		t.Fatal(err)
	}
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	events := s.Events()
	for _, w := range words {
		if !strings.Contains(events, w) {
			t.Errorf("the events do not say %q:\n%s", w, events)
		}
	}
	return s
}

// searched wants values nowhere below the data directory, once what is being written there has settled.
func searched(t *testing.T, h house, values ...string) {
	t.Helper()
	found := func() (at []string) {
		err := filepath.WalkDir(h.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // it went, or is no file
			}
			if info, err := d.Info(); err != nil || info.Size() > 64<<20 { // disks of instances are larger: what an application writes is its own
				return nil
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			for _, v := range values {
				if strings.Contains(string(b), v) {
					at = append(at, path)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	var at []string
	for range 20 { // an instance that is just being made has its configuration on the disk
		if at = found(); len(at) == 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Errorf("values lie in plain in %v", at)
}

// TestRuntimeSecretsOfTheFile: apprunner.yaml names secrets, which the build does not see.
func TestRuntimeSecretsOfTheFile(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	h.must(t, nil, "ssm", "put-parameter", "--name", "/yaml/greeting", "--type", "SecureString", "--value", "hello from the vault")
	file := `version: 1.0
runtime: python311
build:
  commands:
    build:
      - env > seen.txt
run:
  command: python3 server.py
  secrets:
    - name: GREETING
      value-from: /yaml/greeting
`
	git := rig.NewGit(t, map[string]string{"apprunner.yaml": file, "server.py": reporter})
	arn, _ := instanceRole(t, h, "yaml-secrets", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:*:*:parameter/yaml/*"}}`)
	s := h.Create(t, "yaml-secrets", rig.CodeSource(git.URL(), nil), types.ServiceStatusRunning, role(arn))
	var said struct {
		Env   map[string]string
		Files map[string]string
	}
	if err := json.Unmarshal([]byte(s.Says(t, "/", "hello from the vault")), &said); err != nil {
		t.Fatal(err)
	}
	if said.Env["GREETING"] != "hello from the vault" || strings.Contains(said.Files["seen.txt"], "GREETING") {
		t.Errorf("GREETING is %q; the build saw\n%s", said.Env["GREETING"], said.Files["seen.txt"])
	}
	none := h.Create(t, "yaml-no-role", rig.CodeSource(git.URL(), nil), types.ServiceStatusCreateFailed, rig.Small)
	if events := none.Events(); !strings.Contains(events, "1 secret(s) in run.secrets, and the service has no instance role") {
		t.Errorf("events:\n%s", events)
	}
}

// TestRuntimeSecretsRefused: what a request may not say about secrets is refused with the member and what is allowed.
func TestRuntimeSecretsRefused(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	arn, _ := instanceRole(t, h, "refused-secrets", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	for what, c := range map[string]struct {
		references map[string]string
		role       func(*apprunner.CreateServiceInput)
		want       string
	}{
		"no role":         {map[string]string{"A": "name"}, rig.Small, "instanceRoleArn is required with runtimeEnvironmentSecrets"},
		"both maps":       {map[string]string{"MOOD": "name"}, role(arn), "sets the same name in runtimeEnvironmentVariables and runtimeEnvironmentSecrets"},
		"reserved":        {map[string]string{"PORT": "name"}, role(arn), "sets PORT, which is reserved"},
		"no reference":    {map[string]string{"A": "a value?"}, role(arn), "neither an ARN nor a parameter name"},
		"another account": {map[string]string{"A": "arn:aws:ssm:us-east-1:999999999999:parameter/a"}, role(arn), "parameters must be in the service's own account, 123456789012"},
	} {
		in := &apprunner.CreateServiceInput{ServiceName: aws.String("refused-secrets"), SourceConfiguration: withSecrets(c.references)}
		c.role(in)
		_, err := h.Apps.CreateService(t.Context(), in)
		if rig.Code(err) != "InvalidRequestException" || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "a value?") {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// TestRuntimeSecretsPassTheVPCBy: a service whose traffic goes through a VPC without a way out gets its secrets all the same.
//
// checklist: 246
func TestRuntimeSecretsPassTheVPCBy(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	h.must(t, nil, "ssm", "put-parameter", "--name", "/closed/token", "--type", "SecureString", "--value", "read outside")
	arn, _ := instanceRole(t, h, "closed-secrets", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:*:*:parameter/closed/*"}}`)
	vpc := h.AWSText(t, "Vpc.VpcId", "ec2", "create-vpc", "--cidr-block", "10.58.0.0/16")
	subnet := h.AWSText(t, "Subnet.SubnetId", "ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", "10.58.1.0/24", "--availability-zone", h.Env["AWS_REGION"]+"a")
	connector := h.AWSText(t, "VpcConnector.VpcConnectorArn", "apprunner", "create-vpc-connector", "--vpc-connector-name", "closed", "--subnets", subnet)
	s := h.Create(t, "closed-secrets", withSecrets(map[string]string{"TOKEN": "/closed/token"}), types.ServiceStatusRunning, role(arn), func(in *apprunner.CreateServiceInput) {
		in.NetworkConfiguration = through(connector)
	})
	if env := variables(t, s); env["TOKEN"] != "read outside" {
		t.Errorf("TOKEN is %q", env["TOKEN"])
	}
}

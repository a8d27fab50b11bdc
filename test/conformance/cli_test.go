package conformance

import (
	"slices"
	"strings"
	"testing"
)

// The commands of the tutorial and of everyday use, as the stock CLI sends and prints them.
//
// checklist: 2, 12, 180, 204
func TestAWSCLI(t *testing.T) {
	f := serve(t)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	for _, step := range []struct{ args, want string }{
		{"sts get-caller-identity --query Arn --output text", ":root"},
		{"iam create-user --user-name cli-admin --query User.UserName --output text", "cli-admin"},
		{"iam create-group --group-name cli-admins --query Group.Arn --output text", ":group/cli-admins"},
		{"iam attach-group-policy --group-name cli-admins --policy-arn arn:aws:iam::aws:policy/AdministratorAccess", ""},
		{"iam add-user-to-group --group-name cli-admins --user-name cli-admin", ""},
		{"iam create-role --role-name cli-role --assume-role-policy-document TRUST --query Role.RoleName --output text", "cli-role"},
		{"iam list-roles --query length(Roles[?RoleName=='cli-role']) --output text", "1"},
		{"iam simulate-principal-policy --policy-source-arn arn:aws:iam::123456789012:user/cli-admin --action-names iam:ListUsers --query EvaluationResults[0].EvalDecision --output text", "allowed"},
		{"ecr create-repository --repository-name cli/app --query repository.repositoryName --output text", "cli/app"},
		{"ecr get-login-password", ""},
		{"logs create-log-group --log-group-name /cli", ""},
		{"logs describe-log-groups --log-group-name-prefix /cli --query logGroups[0].logGroupName --output text", "/cli"},
		{"apprunner list-services --query ServiceSummaryList --output json", "[]"},
		{"ec2 describe-vpcs --filters Name=is-default,Values=true --query Vpcs[0].CidrBlock --output text", "172.31.0.0/16"},
		{"ec2 create-vpc --cidr-block 10.0.0.0/16 --tag-specifications ResourceType=vpc,Tags=[{Key=Name,Value=cli}] --query Vpc.Tags[0].Value --output text", "cli"},
		{"ec2 create-security-group --group-name cli --description cli --query GroupId --output text", "sg-"},
		{"ec2 authorize-security-group-ingress --group-name cli --protocol tcp --port 443 --cidr 10.0.0.0/8 --query SecurityGroupRules[0].CidrIpv4 --output text", "10.0.0.0/8"},
		{"ec2 describe-vpc-endpoint-services --query ServiceNames[1] --output text", "com.amazonaws.us-east-1.apprunner.requests"},
		{"ec2 describe-subnets --page-size 5 --query length(Subnets) --output text", "3"},
		{"cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=CreateVpc --query Events[0].EventSource --output text", "ec2.amazonaws.com"},
		{"cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=CreateUser --query Events[0].EventName --output text", "CreateUser"},
	} {
		args := strings.Fields(step.args)
		if i := slices.Index(args, "TRUST"); i >= 0 {
			args[i] = trust
		}
		out, ok := f.run(t, "", "aws", args...)
		if !ok || !strings.Contains(out, step.want) {
			t.Errorf("aws %s: %s", step.args, out)
		}
	}
	if out, ok := f.run(t, "", "aws", "iam", "get-user", "--user-name", "nobody"); ok || !strings.Contains(out, "(NoSuchEntity)") {
		t.Errorf("a user there is not: %s", out)
	}
	if out, ok := f.run(t, "", "aws", "ec2", "delete-vpc", "--vpc-id", "vpc-00000000"); ok || !strings.Contains(out, "(InvalidVpcID.NotFound)") {
		t.Errorf("a VPC there is not: %s", out)
	}
}

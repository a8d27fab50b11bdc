package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	iamsdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

const trustTasks = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

const readAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["apprunner:List*"],"Resource":"*"}]}`

func do[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// checklist: 12, 15, 16
func TestFirstStepsWithTheStockCLI(t *testing.T) {
	d := newDoor(t)
	var who struct{ Arn, Account string }
	d.awsJSON(t, &who, "sts", "get-caller-identity")
	if who.Arn != "arn:aws:iam::123456789012:root" || who.Account != account {
		t.Errorf("caller %+v", who)
	}
	d.awsJSON(t, nil, "iam", "create-user", "--user-name", "Administrator", "--tags", "Key=team,Value=ops")
	d.awsJSON(t, nil, "iam", "create-group", "--group-name", "Administrators")
	if out, ok := d.aws(t, "iam", "attach-group-policy", "--group-name", "Administrators", "--policy-arn", "arn:aws:iam::aws:policy/AdministratorAccess"); !ok {
		t.Fatal(out)
	}
	if out, ok := d.aws(t, "iam", "add-user-to-group", "--group-name", "Administrators", "--user-name", "Administrator"); !ok {
		t.Fatal(out)
	}
	var made struct {
		AccessKey struct{ AccessKeyID, SecretAccessKey, Status string }
	}
	d.awsJSON(t, &made, "iam", "create-access-key", "--user-name", "Administrator")
	admin := *d.endpoint
	admin.key.ID, admin.key.Secret = made.AccessKey.AccessKeyID, made.AccessKey.SecretAccessKey
	admin.awsJSON(t, nil, "apprunner", "list-services")
	var role struct {
		Role struct {
			Arn                      string
			AssumeRolePolicyDocument map[string]any
		}
	}
	admin.awsJSON(t, &role, "iam", "create-role", "--role-name", "app", "--assume-role-policy-document", trustTasks)
	if role.Role.Arn != "arn:aws:iam::123456789012:role/app" || role.Role.AssumeRolePolicyDocument["Version"] != "2012-10-17" {
		t.Errorf("role %+v", role)
	}
	var keys struct {
		AccessKeyMetadata []map[string]any
	}
	admin.awsJSON(t, &keys, "iam", "list-access-keys")
	if len(keys.AccessKeyMetadata) != 1 || keys.AccessKeyMetadata[0]["SecretAccessKey"] != nil {
		t.Errorf("keys %+v", keys)
	}
}

// checklist: 4
func TestRefusalsAsTheStockCLIShowsThem(t *testing.T) {
	d := newDoor(t)
	wrong, nobody := *d.endpoint, d.user(t, "nobody")
	wrong.key.Secret = strings.Repeat("x", 40)
	cases := []struct {
		e    *endpoint
		want string
		args []string
	}{
		{d.endpoint, "MissingAuthenticationTokenException", []string{"apprunner", "list-services", "--no-sign-request"}},
		{&wrong, "InvalidSignatureException", []string{"apprunner", "list-services"}},
		{&wrong, "SignatureDoesNotMatch", []string{"sts", "get-caller-identity"}},
		{nobody, "AccessDeniedException", []string{"apprunner", "list-services"}},
		{nobody, "(AccessDenied)", []string{"iam", "list-users"}},
	}
	for _, tc := range cases {
		if out, ok := tc.e.aws(t, tc.args...); ok || !strings.Contains(out, tc.want) {
			t.Errorf("%v: %s, want %s", tc.args, out, tc.want)
		}
	}
}

func TestRolesThroughTheSDK(t *testing.T) {
	d := newDoor(t)
	ctx, c, name := t.Context(), iamsdk.NewFromConfig(d.config()), aws.String("app")
	made := do[*iamsdk.CreateRoleOutput](t)(c.CreateRole(ctx, &iamsdk.CreateRoleInput{
		RoleName: name, Path: aws.String("/x/"), AssumeRolePolicyDocument: aws.String(trustTasks), Description: aws.String("runs & serves <it>"),
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}, MaxSessionDuration: aws.Int32(7200),
	}))
	got := do[*iamsdk.GetRoleOutput](t)(c.GetRole(ctx, &iamsdk.GetRoleInput{RoleName: name})).Role
	trust, err := url.PathUnescape(*got.AssumeRolePolicyDocument)
	if err != nil || trust != trustTasks || *got.Arn != *made.Role.Arn || *got.MaxSessionDuration != 7200 || *got.Description != "runs & serves <it>" || len(got.Tags) != 1 || got.CreateDate.IsZero() {
		t.Errorf("role %+v, trust %s", got, trust)
	}
	_, err = c.CreateRole(ctx, &iamsdk.CreateRoleInput{RoleName: aws.String("APP"), AssumeRolePolicyDocument: aws.String(trustTasks)})
	if !isA[*types.EntityAlreadyExistsException](err) {
		t.Errorf("made twice: %v", err)
	}
	_, err = c.CreateRole(ctx, &iamsdk.CreateRoleInput{RoleName: aws.String("bad"), AssumeRolePolicyDocument: aws.String(`{}`)})
	if !isA[*types.MalformedPolicyDocumentException](err) {
		t.Errorf("malformed trust: %v", err)
	}
	policy := do[*iamsdk.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iamsdk.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(readAll)})).Policy
	do[*iamsdk.AttachRolePolicyOutput](t)(c.AttachRolePolicy(ctx, &iamsdk.AttachRolePolicyInput{RoleName: name, PolicyArn: policy.Arn}))
	do[*iamsdk.PutRolePolicyOutput](t)(c.PutRolePolicy(ctx, &iamsdk.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("in"), PolicyDocument: aws.String(readAll)}))
	inline := do[*iamsdk.GetRolePolicyOutput](t)(c.GetRolePolicy(ctx, &iamsdk.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("in")}))
	if doc, _ := url.PathUnescape(*inline.PolicyDocument); doc != readAll {
		t.Errorf("inline policy %s", doc)
	}
	if list := do[*iamsdk.ListRolePoliciesOutput](t)(c.ListRolePolicies(ctx, &iamsdk.ListRolePoliciesInput{RoleName: name})); len(list.PolicyNames) != 1 || list.IsTruncated {
		t.Errorf("inline policies %+v", list)
	}
	if list := do[*iamsdk.ListAttachedRolePoliciesOutput](t)(c.ListAttachedRolePolicies(ctx, &iamsdk.ListAttachedRolePoliciesInput{RoleName: name})); len(list.AttachedPolicies) != 1 || *list.AttachedPolicies[0].PolicyName != "p" {
		t.Errorf("attached policies %+v", list)
	}
	_, err = c.DeleteRole(ctx, &iamsdk.DeleteRoleInput{RoleName: name})
	refused(t, err, "DeleteConflict", http.StatusConflict)
	if list := do[*iamsdk.ListInstanceProfilesForRoleOutput](t)(c.ListInstanceProfilesForRole(ctx, &iamsdk.ListInstanceProfilesForRoleInput{RoleName: name})); len(list.InstanceProfiles) != 0 {
		t.Errorf("instance profiles %+v", list)
	}
	if who := do[*iamsdk.ListEntitiesForPolicyOutput](t)(c.ListEntitiesForPolicy(ctx, &iamsdk.ListEntitiesForPolicyInput{PolicyArn: policy.Arn})); len(who.PolicyRoles) != 1 || len(who.PolicyUsers) != 0 {
		t.Errorf("entities %+v", who)
	}
	do[*iamsdk.DetachRolePolicyOutput](t)(c.DetachRolePolicy(ctx, &iamsdk.DetachRolePolicyInput{RoleName: name, PolicyArn: policy.Arn}))
	do[*iamsdk.DeleteRolePolicyOutput](t)(c.DeleteRolePolicy(ctx, &iamsdk.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("in")}))
	do[*iamsdk.DeleteRoleOutput](t)(c.DeleteRole(ctx, &iamsdk.DeleteRoleInput{RoleName: name}))
	_, err = c.GetRole(ctx, &iamsdk.GetRoleInput{RoleName: name})
	if !isA[*types.NoSuchEntityException](err) {
		t.Errorf("after deletion: %v", err)
	}
}

func TestListingsOfIAMArePaged(t *testing.T) {
	d := newDoor(t)
	ctx, c := t.Context(), iamsdk.NewFromConfig(d.config())
	for _, name := range []string{"d", "b", "E", "a", "c"} {
		do[*iamsdk.CreateUserOutput](t)(c.CreateUser(ctx, &iamsdk.CreateUserInput{UserName: &name}))
	}
	var names []string
	for p := iamsdk.NewListUsersPaginator(c, &iamsdk.ListUsersInput{MaxItems: aws.Int32(2)}); p.HasMorePages(); {
		for _, u := range do[*iamsdk.ListUsersOutput](t)(p.NextPage(ctx)).Users {
			names = append(names, *u.UserName)
		}
	}
	if got := strings.Join(names, " "); got != "a b c d E" {
		t.Errorf("listed %s", got)
	}
	aws17 := 0
	for p := iamsdk.NewListPoliciesPaginator(c, &iamsdk.ListPoliciesInput{Scope: types.PolicyScopeTypeAws, MaxItems: aws.Int32(5)}); p.HasMorePages(); {
		aws17 += len(do[*iamsdk.ListPoliciesOutput](t)(p.NextPage(ctx)).Policies)
	}
	if aws17 < 10 {
		t.Errorf("only %d AWS managed policies", aws17)
	}
	_, err := c.ListUsers(ctx, &iamsdk.ListUsersInput{Marker: aws.String("!")})
	refused(t, err, "ValidationError", http.StatusBadRequest)
}

// What a policy says about one user's own keys counts for the call without a user name too.
func TestOwnKeysByPolicyVariable(t *testing.T) {
	d := newDoor(t)
	ctx, alice := t.Context(), d.user(t, "alice")
	own := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"arn:aws:iam::*:user/${aws:username}"}]}`
	root, c := iamsdk.NewFromConfig(d.config()), iamsdk.NewFromConfig(alice.config())
	do[*iamsdk.PutUserPolicyOutput](t)(root.PutUserPolicy(ctx, &iamsdk.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("own"), PolicyDocument: &own}))
	do[*iamsdk.CreateUserOutput](t)(root.CreateUser(ctx, &iamsdk.CreateUserInput{UserName: aws.String("bob")}))
	do[*iamsdk.CreateAccessKeyOutput](t)(c.CreateAccessKey(ctx, &iamsdk.CreateAccessKeyInput{}))
	_, err := c.CreateAccessKey(ctx, &iamsdk.CreateAccessKeyInput{UserName: aws.String("bob")})
	refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = c.CreateAccessKey(ctx, &iamsdk.CreateAccessKeyInput{})
	if !isA[*types.LimitExceededException](err) {
		t.Errorf("a third key: %v", err)
	}
	used := do[*iamsdk.GetAccessKeyLastUsedOutput](t)(c.GetAccessKeyLastUsed(ctx, &iamsdk.GetAccessKeyLastUsedInput{AccessKeyId: &alice.key.ID}))
	if *used.UserName != "alice" || *used.AccessKeyLastUsed.ServiceName != "iam" {
		t.Errorf("last used %+v", used.AccessKeyLastUsed)
	}
}

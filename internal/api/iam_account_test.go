package api_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	apprunnersdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	iamsdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"slipway.dev/slipway/internal/iam"
)

// checklist: 13
func TestLoginProfilesThroughTheSDK(t *testing.T) {
	d := newDoor(t)
	ctx, root, alice := t.Context(), iamsdk.NewFromConfig(d.config()), d.user(t, "alice")
	name, self := aws.String("alice"), iamsdk.NewFromConfig(alice.config())
	_, err := root.CreateLoginProfile(ctx, &iamsdk.CreateLoginProfileInput{UserName: name, Password: aws.String("weak")})
	if !isA[*types.PasswordPolicyViolationException](err) {
		t.Errorf("a weak password: %v", err)
	}
	made := do[*iamsdk.CreateLoginProfileOutput](t)(root.CreateLoginProfile(ctx, &iamsdk.CreateLoginProfileInput{UserName: name, Password: aws.String("First-pass1"), PasswordResetRequired: true}))
	if !made.LoginProfile.PasswordResetRequired || *made.LoginProfile.UserName != "alice" {
		t.Errorf("login profile %+v", made.LoginProfile)
	}
	_, err = self.ChangePassword(ctx, &iamsdk.ChangePasswordInput{OldPassword: aws.String("First-pass1"), NewPassword: aws.String("Second-pass2")})
	refused(t, err, "AccessDenied", http.StatusForbidden)
	own := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ChangePassword","Resource":"arn:aws:iam::*:user/${aws:username}"}}`
	do[*iamsdk.PutUserPolicyOutput](t)(root.PutUserPolicy(ctx, &iamsdk.PutUserPolicyInput{UserName: name, PolicyName: aws.String("own"), PolicyDocument: &own}))
	do[*iamsdk.ChangePasswordOutput](t)(self.ChangePassword(ctx, &iamsdk.ChangePasswordInput{OldPassword: aws.String("First-pass1"), NewPassword: aws.String("Second-pass2")}))
	_, err = root.ChangePassword(ctx, &iamsdk.ChangePasswordInput{OldPassword: aws.String("x"), NewPassword: aws.String("Second-pass2")})
	if !isA[*types.InvalidUserTypeException](err) {
		t.Errorf("root changes a password: %v", err)
	}
	if got := do[*iamsdk.GetLoginProfileOutput](t)(root.GetLoginProfile(ctx, &iamsdk.GetLoginProfileInput{UserName: name})); got.LoginProfile.PasswordResetRequired {
		t.Errorf("after the change %+v", got.LoginProfile)
	}
	do[*iamsdk.UpdateLoginProfileOutput](t)(root.UpdateLoginProfile(ctx, &iamsdk.UpdateLoginProfileInput{UserName: name, PasswordResetRequired: aws.Bool(true)}))
	do[*iamsdk.DeleteLoginProfileOutput](t)(root.DeleteLoginProfile(ctx, &iamsdk.DeleteLoginProfileInput{UserName: name}))
	_, err = root.GetLoginProfile(ctx, &iamsdk.GetLoginProfileInput{UserName: name})
	if !isA[*types.NoSuchEntityException](err) {
		t.Errorf("after deletion: %v", err)
	}
}

func TestAccountThroughTheSDK(t *testing.T) {
	d := newDoor(t)
	ctx, c := t.Context(), iamsdk.NewFromConfig(d.config())
	d.user(t, "alice")
	do[*iamsdk.CreateAccountAliasOutput](t)(c.CreateAccountAlias(ctx, &iamsdk.CreateAccountAliasInput{AccountAlias: aws.String("shop")}))
	if got := do[*iamsdk.ListAccountAliasesOutput](t)(c.ListAccountAliases(ctx, &iamsdk.ListAccountAliasesInput{})); !slices.Equal(got.AccountAliases, []string{"shop"}) {
		t.Errorf("aliases %v", got.AccountAliases)
	}
	do[*iamsdk.DeleteAccountAliasOutput](t)(c.DeleteAccountAlias(ctx, &iamsdk.DeleteAccountAliasInput{AccountAlias: aws.String("shop")}))
	_, err := c.DeleteAccountAlias(ctx, &iamsdk.DeleteAccountAliasInput{AccountAlias: aws.String("shop")})
	if !isA[*types.NoSuchEntityException](err) {
		t.Errorf("deleted twice: %v", err)
	}
	if got := do[*iamsdk.GetAccountSummaryOutput](t)(c.GetAccountSummary(ctx, &iamsdk.GetAccountSummaryInput{})); got.SummaryMap["Users"] != 1 || got.SummaryMap["AccessKeysPerUserQuota"] != 2 {
		t.Errorf("summary %v", got.SummaryMap)
	}
	policy := do[*iamsdk.CreatePolicyOutput](t)(c.CreatePolicy(ctx, &iamsdk.CreatePolicyInput{PolicyName: aws.String("limit"), PolicyDocument: aws.String(readAll)})).Policy
	do[*iamsdk.CreateRoleOutput](t)(c.CreateRole(ctx, &iamsdk.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trustTasks), PermissionsBoundary: policy.Arn}))
	do[*iamsdk.AttachRolePolicyOutput](t)(c.AttachRolePolicy(ctx, &iamsdk.AttachRolePolicyInput{RoleName: aws.String("app"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AWSAppRunnerFullAccess")}))
	do[*iamsdk.PutUserPolicyOutput](t)(c.PutUserPolicy(ctx, &iamsdk.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("in"), PolicyDocument: aws.String(readAll)}))
	var users, roles, policies int
	for p := iamsdk.NewGetAccountAuthorizationDetailsPaginator(c, &iamsdk.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		page := do[*iamsdk.GetAccountAuthorizationDetailsOutput](t)(p.NextPage(ctx))
		for _, u := range page.UserDetailList {
			users += len(u.UserPolicyList)
		}
		for _, r := range page.RoleDetailList {
			roles += len(r.AttachedManagedPolicies)
			if *r.PermissionsBoundary.PermissionsBoundaryArn != *policy.Arn {
				t.Errorf("role %+v", r)
			}
		}
		for _, p := range page.Policies {
			policies += len(p.PolicyVersionList)
		}
	}
	if users != 1 || roles != 1 || policies != 2 {
		t.Errorf("details: %d inline policies of users, %d attached to roles, %d versions", users, roles, policies)
	}
	some := do[*iamsdk.GetAccountAuthorizationDetailsOutput](t)(c.GetAccountAuthorizationDetails(ctx, &iamsdk.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeUser}}))
	if len(some.UserDetailList) != 1 || len(some.RoleDetailList) != 0 || len(some.Policies) != 0 {
		t.Errorf("users alone: %+v", some)
	}
	_, err = c.DeletePolicy(ctx, &iamsdk.DeletePolicyInput{PolicyArn: policy.Arn})
	if !isA[*types.DeleteConflictException](err) {
		t.Errorf("deleting a boundary in use: %v", err)
	}
	who := do[*iamsdk.ListEntitiesForPolicyOutput](t)(c.ListEntitiesForPolicy(ctx, &iamsdk.ListEntitiesForPolicyInput{PolicyArn: policy.Arn, PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}))
	if len(who.PolicyRoles) != 1 {
		t.Errorf("entities with the boundary: %+v", who)
	}
}

// checklist: 210
func TestServiceLinkedRolesAreDeletedWhenNothingNeedsThem(t *testing.T) {
	d := newDoor(t)
	ctx, c := t.Context(), iamsdk.NewFromConfig(d.config())
	do[*iamsdk.CreateServiceLinkedRoleOutput](t)(c.CreateServiceLinkedRole(ctx, &iamsdk.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("apprunner.amazonaws.com")}))
	role := aws.String("AWSServiceRoleForAppRunner")
	remove := func() *iamsdk.GetServiceLinkedRoleDeletionStatusOutput {
		task := do[*iamsdk.DeleteServiceLinkedRoleOutput](t)(c.DeleteServiceLinkedRole(ctx, &iamsdk.DeleteServiceLinkedRoleInput{RoleName: role}))
		return do[*iamsdk.GetServiceLinkedRoleDeletionStatusOutput](t)(c.GetServiceLinkedRoleDeletionStatus(ctx, &iamsdk.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: task.DeletionTaskId}))
	}
	d.inUse = []iam.RoleUse{{Region: region, Resources: []string{"arn:aws:apprunner:us-east-1:123456789012:service/web/1"}}}
	if got := remove(); got.Status != types.DeletionTaskStatusTypeFailed || got.Reason.RoleUsageList[0].Resources[0] != d.inUse[0].Resources[0] {
		t.Errorf("with a service: %+v", got)
	}
	_, err := c.PutRolePolicy(ctx, &iamsdk.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("p"), PolicyDocument: aws.String(readAll)})
	if !isA[*types.UnmodifiableEntityException](err) {
		t.Errorf("a policy for it: %v", err)
	}
	do[*iamsdk.UpdateRoleDescriptionOutput](t)(c.UpdateRoleDescription(ctx, &iamsdk.UpdateRoleDescriptionInput{RoleName: role, Description: aws.String("ours")}))
	d.inUse = nil
	if got := remove(); got.Status != types.DeletionTaskStatusTypeSucceeded {
		t.Errorf("without services: %+v", got)
	}
	_, err = c.GetRole(ctx, &iamsdk.GetRoleInput{RoleName: role})
	if !isA[*types.NoSuchEntityException](err) {
		t.Errorf("after deletion: %v", err)
	}
}

func TestSimulationThroughTheSDK(t *testing.T) {
	d := newDoor(t)
	ctx, c := t.Context(), iamsdk.NewFromConfig(d.config())
	do[*iamsdk.CreateUserOutput](t)(c.CreateUser(ctx, &iamsdk.CreateUserInput{UserName: aws.String("alice")}))
	do[*iamsdk.PutUserPolicyOutput](t)(c.PutUserPolicy(ctx, &iamsdk.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("in"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"apprunner:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1","aws:username":"alice"}}},
		{"Effect":"Deny","Action":"apprunner:Delete*","Resource":"*"}]}`)}))
	ask := &iamsdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::123456789012:user/alice"), ActionNames: []string{"apprunner:ListServices", "apprunner:DeleteService", "iam:ListUsers"},
		ContextEntries: []types.ContextEntry{{ContextKeyName: aws.String("aws:RequestedRegion"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{region}}},
	}
	results := do[*iamsdk.SimulatePrincipalPolicyOutput](t)(c.SimulatePrincipalPolicy(ctx, ask)).EvaluationResults
	for i, want := range []types.PolicyEvaluationDecisionType{types.PolicyEvaluationDecisionTypeAllowed, types.PolicyEvaluationDecisionTypeExplicitDeny, types.PolicyEvaluationDecisionTypeImplicitDeny} {
		if results[i].EvalDecision != want || *results[i].EvalActionName != ask.ActionNames[i] {
			t.Errorf("%s: %s, want %s", *results[i].EvalActionName, results[i].EvalDecision, want)
		}
	}
	if m := results[0].MatchedStatements; len(m) != 1 || *m[0].SourcePolicyId != "user_alice_in" || m[0].SourcePolicyType != types.PolicySourceTypeUser {
		t.Errorf("matched %+v", m)
	}
	ask.ContextEntries = nil
	results = do[*iamsdk.SimulatePrincipalPolicyOutput](t)(c.SimulatePrincipalPolicy(ctx, ask)).EvaluationResults
	if results[0].EvalDecision != types.PolicyEvaluationDecisionTypeImplicitDeny || !slices.Equal(results[0].MissingContextValues, []string{"aws:requestedregion"}) {
		t.Errorf("without the region: %+v", results[0])
	}
	custom := do[*iamsdk.SimulateCustomPolicyOutput](t)(c.SimulateCustomPolicy(ctx, &iamsdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{readAll}, PermissionsBoundaryPolicyInputList: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}`},
		ActionNames: []string{"apprunner:ListServices"}, MaxItems: aws.Int32(1),
	})).EvaluationResults[0]
	if custom.EvalDecision != types.PolicyEvaluationDecisionTypeImplicitDeny || custom.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Errorf("with a boundary: %+v", custom)
	}
	_, err := c.SimulateCustomPolicy(ctx, &iamsdk.SimulateCustomPolicyInput{PolicyInputList: []string{"{}"}, ActionNames: []string{"a:B"}})
	if !isA[*types.InvalidInputException](err) {
		t.Errorf("a policy that is none: %v", err)
	}
}

// An administrator of users may be held to give rights only to those who are limited.
func TestRightsOnlyWithABoundary(t *testing.T) {
	d := newDoor(t)
	ctx, root, alice := t.Context(), iamsdk.NewFromConfig(d.config()), d.user(t, "alice")
	limit := do[*iamsdk.CreatePolicyOutput](t)(root.CreatePolicy(ctx, &iamsdk.CreatePolicyInput{PolicyName: aws.String("limit"), PolicyDocument: aws.String(readAll)})).Policy.Arn
	may := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:CreateUser","iam:PutUserPolicy","iam:PutUserPermissionsBoundary"],"Resource":"*",
		"Condition":{"StringEquals":{"iam:PermissionsBoundary":"` + *limit + `"}}}}`
	do[*iamsdk.PutUserPolicyOutput](t)(root.PutUserPolicy(ctx, &iamsdk.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("may"), PolicyDocument: &may}))
	c, name := iamsdk.NewFromConfig(alice.config()), aws.String("made")
	_, err := c.CreateUser(ctx, &iamsdk.CreateUserInput{UserName: name})
	refused(t, err, "AccessDenied", http.StatusForbidden)
	do[*iamsdk.CreateUserOutput](t)(c.CreateUser(ctx, &iamsdk.CreateUserInput{UserName: name, PermissionsBoundary: limit}))
	grant := &iamsdk.PutUserPolicyInput{UserName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(readAll)}
	do[*iamsdk.PutUserPolicyOutput](t)(c.PutUserPolicy(ctx, grant))
	_, err = c.PutUserPermissionsBoundary(ctx, &iamsdk.PutUserPermissionsBoundaryInput{UserName: name, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})
	refused(t, err, "AccessDenied", http.StatusForbidden)
	grant.UserName = aws.String("alice")
	_, err = c.PutUserPolicy(ctx, grant)
	refused(t, err, "AccessDenied", http.StatusForbidden)
}

// checklist: 194, 195
func TestFederationThroughTheSDK(t *testing.T) {
	d := newDoor(t)
	ctx, alice := t.Context(), d.user(t, "alice")
	ok(t, d.dir.AttachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityUser, Name: "alice"}, "arn:aws:iam::aws:policy/AdministratorAccess"))
	out := do[*stssdk.GetFederationTokenOutput](t)(stssdk.NewFromConfig(alice.config()).GetFederationToken(ctx, &stssdk.GetFederationTokenInput{Name: aws.String("guest"), Policy: aws.String(readAll)}))
	cfg := d.config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	if who := do[*stssdk.GetCallerIdentityOutput](t)(stssdk.NewFromConfig(cfg).GetCallerIdentity(ctx, &stssdk.GetCallerIdentityInput{})); *who.Arn != "arn:aws:sts::123456789012:federated-user/guest" || *who.Arn != *out.FederatedUser.Arn {
		t.Errorf("guest is %s", *who.Arn)
	}
	do[*apprunnersdk.ListServicesOutput](t)(apprunnersdk.NewFromConfig(cfg).ListServices(ctx, &apprunnersdk.ListServicesInput{}))
	if r, text := d.last(t); r.UserIdentity.Type != "FederatedUser" || r.UserIdentity.SessionContext.SessionIssuer == nil || r.UserIdentity.SessionContext.SessionIssuer.UserName != "alice" {
		t.Errorf("recorded as %s", text)
	}
	_, err := iamsdk.NewFromConfig(cfg).ListUsers(ctx, &iamsdk.ListUsersInput{})
	refused(t, err, "AccessDenied", http.StatusForbidden)
}

package api_test

import (
	"bytes"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	apprunnersdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	iamsdk "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/iam/iamtest"
)

// authenticator is an app on somebody's telephone.
type authenticator struct {
	serial string
	seed   string
	door   *door
	taken  *string // the code that was taken when the device was enabled
}

// code is what it shows so many steps from now.
func (a authenticator) code(steps int64) *string {
	return aws.String(iamtest.Code(a.seed, time.Now().Add(time.Duration(a.door.ahead.Load())+time.Duration(steps)*30*time.Second)))
}

// next waits, on the door's clock, until the authenticator shows another code.
func (a authenticator) next() { a.door.ahead.Add(int64(31 * time.Second)) }

// authenticator makes an MFA device and enables it for a user.
func (d *door) authenticator(t *testing.T, user string) authenticator {
	t.Helper()
	ctx, c := t.Context(), iamsdk.NewFromConfig(d.config())
	made := do[*iamsdk.CreateVirtualMFADeviceOutput](t)(c.CreateVirtualMFADevice(ctx, &iamsdk.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &user})).VirtualMFADevice
	if _, err := png.Decode(bytes.NewReader(made.QRCodePNG)); err != nil {
		t.Errorf("the picture of the code: %v", err)
	}
	if _, text := d.last(t); strings.Contains(text, string(made.Base32StringSeed)) {
		t.Errorf("the audit record holds the seed: %s", text)
	}
	a := authenticator{serial: *made.SerialNumber, seed: string(made.Base32StringSeed), door: d}
	a.taken = a.code(0)
	do[*iamsdk.EnableMFADeviceOutput](t)(c.EnableMFADevice(ctx, &iamsdk.EnableMFADeviceInput{UserName: &user, SerialNumber: &a.serial, AuthenticationCode1: a.code(-1), AuthenticationCode2: a.taken}))
	if _, text := d.last(t); strings.Contains(text, *a.taken) {
		t.Errorf("the audit record holds the codes: %s", text)
	}
	return a
}

func TestMFADevicesThroughTheSDK(t *testing.T) {
	d := newDoor(t)
	ctx, c := t.Context(), iamsdk.NewFromConfig(d.config())
	d.user(t, "alice")
	d.user(t, "bob")
	a := d.authenticator(t, "alice")
	if a.serial != "arn:aws:iam::123456789012:mfa/alice" {
		t.Errorf("serial %s", a.serial)
	}
	name := func(s string) *string { return &s }
	mine := do[*iamsdk.ListMFADevicesOutput](t)(c.ListMFADevices(ctx, &iamsdk.ListMFADevicesInput{UserName: name("alice")}))
	if len(mine.MFADevices) != 1 || *mine.MFADevices[0].SerialNumber != a.serial || *mine.MFADevices[0].UserName != "alice" || mine.MFADevices[0].EnableDate == nil {
		t.Errorf("devices %+v", mine.MFADevices)
	}
	if n := len(do[*iamsdk.ListMFADevicesOutput](t)(c.ListMFADevices(ctx, &iamsdk.ListMFADevicesInput{UserName: name("bob")})).MFADevices); n != 0 {
		t.Errorf("bob has %d devices", n)
	}
	one := do[*iamsdk.GetMFADeviceOutput](t)(c.GetMFADevice(ctx, &iamsdk.GetMFADeviceInput{SerialNumber: &a.serial, UserName: name("alice")}))
	if *one.UserName != "alice" || one.EnableDate == nil {
		t.Errorf("device %+v", one)
	}
	do[*iamsdk.CreateVirtualMFADeviceOutput](t)(c.CreateVirtualMFADevice(ctx, &iamsdk.CreateVirtualMFADeviceInput{VirtualMFADeviceName: name("spare"), Path: name("/team/")}))
	for status, want := range map[iamtypes.AssignmentStatusType]string{"Assigned": a.serial, "Unassigned": "arn:aws:iam::123456789012:mfa/team/spare"} {
		list := do[*iamsdk.ListVirtualMFADevicesOutput](t)(c.ListVirtualMFADevices(ctx, &iamsdk.ListVirtualMFADevicesInput{AssignmentStatus: status})).VirtualMFADevices
		if len(list) != 1 || *list[0].SerialNumber != want || list[0].Base32StringSeed != nil || (list[0].User != nil) != (status == "Assigned") {
			t.Errorf("%s devices %+v", status, list)
		}
	}

	_, err := c.CreateVirtualMFADevice(ctx, &iamsdk.CreateVirtualMFADeviceInput{VirtualMFADeviceName: name("alice")})
	refused(t, err, "EntityAlreadyExists", http.StatusConflict)
	_, err = c.EnableMFADevice(ctx, &iamsdk.EnableMFADeviceInput{UserName: name("bob"), SerialNumber: &a.serial, AuthenticationCode1: a.code(-1), AuthenticationCode2: a.code(0)})
	refused(t, err, "EntityAlreadyExists", http.StatusConflict)
	_, err = c.EnableMFADevice(ctx, &iamsdk.EnableMFADeviceInput{UserName: name("bob"), SerialNumber: name("arn:aws:iam::123456789012:mfa/team/spare"), AuthenticationCode1: name("000000"), AuthenticationCode2: name("000001")})
	refused(t, err, "InvalidAuthenticationCode", http.StatusForbidden)
	_, err = c.DeleteVirtualMFADevice(ctx, &iamsdk.DeleteVirtualMFADeviceInput{SerialNumber: &a.serial})
	refused(t, err, "DeleteConflict", http.StatusConflict)
	_, err = c.GetMFADevice(ctx, &iamsdk.GetMFADeviceInput{SerialNumber: &a.serial, UserName: name("bob")})
	refused(t, err, "NoSuchEntity", http.StatusNotFound)

	a.next()
	do[*iamsdk.ResyncMFADeviceOutput](t)(c.ResyncMFADevice(ctx, &iamsdk.ResyncMFADeviceInput{UserName: name("alice"), SerialNumber: &a.serial, AuthenticationCode1: a.code(200), AuthenticationCode2: a.code(201)}))
	if summary := do[*iamsdk.GetAccountSummaryOutput](t)(c.GetAccountSummary(ctx, &iamsdk.GetAccountSummaryInput{})).SummaryMap; summary["MFADevices"] != 2 || summary["MFADevicesInUse"] != 1 || summary["AccountMFAEnabled"] != 0 {
		t.Errorf("summary %v", summary)
	}
	do[*iamsdk.DeactivateMFADeviceOutput](t)(c.DeactivateMFADevice(ctx, &iamsdk.DeactivateMFADeviceInput{UserName: name("alice"), SerialNumber: &a.serial}))
	do[*iamsdk.DeleteVirtualMFADeviceOutput](t)(c.DeleteVirtualMFADevice(ctx, &iamsdk.DeleteVirtualMFADeviceInput{SerialNumber: &a.serial}))
	a = d.authenticator(t, account) // root names itself by its account
	if list := do[*iamsdk.ListMFADevicesOutput](t)(c.ListMFADevices(ctx, &iamsdk.ListMFADevicesInput{})).MFADevices; len(list) != 1 || *list[0].SerialNumber != a.serial {
		t.Errorf("root's devices %+v", list)
	}
}

// session are clients with temporary credentials.
func (d *door) session(c *ststypes.Credentials) aws.Config {
	cfg := d.config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	return cfg
}

const onlyWithMFA = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"apprunner:List*","Resource":"*",
	"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"120"}}}]}`

func TestPoliciesMayAskForMFA(t *testing.T) {
	d := newDoor(t)
	ctx, alice := t.Context(), d.user(t, "alice")
	a := d.authenticator(t, "alice")
	ok(t, d.dir.PutInlinePolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityUser, Name: "alice"}, "mfa", onlyWithMFA))
	list := func(cfg aws.Config) error {
		_, err := apprunnersdk.NewFromConfig(cfg).ListServices(ctx, &apprunnersdk.ListServicesInput{})
		return err
	}
	sts := stssdk.NewFromConfig(alice.config())
	refused(t, list(alice.config()), "AccessDeniedException", http.StatusForbidden)
	plain := do[*stssdk.GetSessionTokenOutput](t)(sts.GetSessionToken(ctx, &stssdk.GetSessionTokenInput{}))
	refused(t, list(d.session(plain.Credentials)), "AccessDeniedException", http.StatusForbidden)

	ask := &stssdk.GetSessionTokenInput{SerialNumber: &a.serial, TokenCode: a.taken}
	_, err := sts.GetSessionToken(ctx, ask)
	refused(t, err, "AccessDenied", http.StatusForbidden)
	a.next()
	ask.TokenCode = a.code(0)
	proved := do[*stssdk.GetSessionTokenOutput](t)(sts.GetSessionToken(ctx, ask))
	ok(t, list(d.session(proved.Credentials)))
	if r, text := d.last(t); r.UserIdentity.SessionContext.Attributes.MFAAuthenticated != "true" {
		t.Errorf("recorded as %s", text)
	}
	_, err = sts.GetSessionToken(ctx, ask)
	refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = stssdk.NewFromConfig(d.config()).GetSessionToken(ctx, &stssdk.GetSessionTokenInput{SerialNumber: &a.serial, TokenCode: a.code(1)})
	refused(t, err, "AccessDenied", http.StatusForbidden) // somebody else's device
	d.ahead.Add(int64(2 * time.Minute))
	refused(t, list(d.session(proved.Credentials)), "AccessDeniedException", http.StatusForbidden) // too long ago
}

// checklist: 194
func TestTrustPoliciesMayAskForMFA(t *testing.T) {
	d := newDoor(t)
	ctx, alice := t.Context(), d.user(t, "alice")
	a := d.authenticator(t, "alice")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/alice"},"Action":"sts:AssumeRole",
		"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}]}`
	role := do[*iamsdk.CreateRoleOutput](t)(iamsdk.NewFromConfig(d.config()).CreateRole(ctx, &iamsdk.CreateRoleInput{RoleName: aws.String("careful"), AssumeRolePolicyDocument: &trust})).Role
	ok(t, d.dir.PutInlinePolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityRole, Name: "careful"}, "mfa", onlyWithMFA))
	sts := stssdk.NewFromConfig(alice.config())
	ask := &stssdk.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("work")}
	_, err := sts.AssumeRole(ctx, ask)
	refused(t, err, "AccessDenied", http.StatusForbidden)
	a.next()
	ask.SerialNumber, ask.TokenCode = &a.serial, a.code(0)
	out := do[*stssdk.AssumeRoleOutput](t)(sts.AssumeRole(ctx, ask))
	if _, err := apprunnersdk.NewFromConfig(d.session(out.Credentials)).ListServices(ctx, &apprunnersdk.ListServicesInput{}); err != nil {
		t.Error(err)
	}
	if _, err := sts.AssumeRole(ctx, ask); err == nil {
		t.Error("the code was taken twice")
	}
	ask.TokenCode = aws.String("123456")
	for range 6 {
		_, err = sts.AssumeRole(ctx, ask)
	}
	if err == nil || !strings.Contains(err.Error(), "Too many wrong codes") {
		t.Errorf("six wrong codes: %v", err)
	}
}

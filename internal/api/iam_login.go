package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addLogins(m map[string]Action) {
	m["CreateLoginProfile"] = query(a, "CreateLoginProfile", a.createLoginProfile)
	m["GetLoginProfile"] = query(a, "GetLoginProfile", a.getLoginProfile)
	m["UpdateLoginProfile"] = order(a, "UpdateLoginProfile", a.updateLoginProfile)
	m["DeleteLoginProfile"] = order(a, "DeleteLoginProfile", a.deleteLoginProfile)
	m["ChangePassword"] = command(a.mayChangePassword, a.changePassword)
}

func loginOut(l iam.Login) *wire.LoginProfile {
	return &wire.LoginProfile{UserName: &l.UserName, CreateDate: &l.Created, PasswordResetRequired: &l.Reset}
}

// loginUser is the user whose password a request is about: the caller's own where it names none.
func (a *identity) loginUser(c Call, named *string) (string, error) {
	user, err := a.userOrSelf(c, val(named))
	if err == nil && user == "" {
		err = apprunner.Errorf(iam.CodeInvalidInput, "Root has no login profile; name a user.")
	}
	return user, err
}

func (a *identity) createLoginProfile(ctx context.Context, c Call, in *wire.CreateLoginProfileRequest) (*wire.CreateLoginProfileResponse, error) {
	user, err := a.loginUser(c, in.UserName)
	if err != nil {
		return nil, err
	}
	l, err := a.dir.CreateLogin(ctx, c.Scope.Account, user, val(in.Password), val(in.PasswordResetRequired))
	if err != nil {
		return nil, err
	}
	return &wire.CreateLoginProfileResponse{LoginProfile: loginOut(l)}, nil
}

func (a *identity) getLoginProfile(ctx context.Context, c Call, in *wire.GetLoginProfileRequest) (*wire.GetLoginProfileResponse, error) {
	user, err := a.loginUser(c, in.UserName)
	if err != nil {
		return nil, err
	}
	l, err := a.dir.GetLogin(ctx, c.Scope.Account, user)
	if err != nil {
		return nil, err
	}
	return &wire.GetLoginProfileResponse{LoginProfile: loginOut(l)}, nil
}

func (a *identity) updateLoginProfile(ctx context.Context, c Call, in *wire.UpdateLoginProfileRequest) error {
	return a.dir.UpdateLogin(ctx, c.Scope.Account, val(in.UserName), in.Password, in.PasswordResetRequired)
}

func (a *identity) deleteLoginProfile(ctx context.Context, c Call, in *wire.DeleteLoginProfileRequest) error {
	user, err := a.loginUser(c, in.UserName)
	if err != nil {
		return err
	}
	return a.dir.DeleteLogin(ctx, c.Scope.Account, user)
}

// mayChangePassword asks about the caller's own user.
func (a *identity) mayChangePassword(ctx context.Context, c Call, _ *wire.ChangePasswordRequest) ([]iam.Request, error) {
	return []iam.Request{{Action: "iam:ChangePassword", Resource: c.Principal.ARN}}, nil
}

func (a *identity) changePassword(ctx context.Context, c Call, in *wire.ChangePasswordRequest) error {
	if c.Principal.Type != iam.TypeUser {
		return apprunner.Errorf(iam.CodeInvalidUserType, "Only users of the account change a password of their own.")
	}
	return a.dir.ChangePassword(ctx, c.Scope.Account, c.Principal.UserName, val(in.OldPassword), val(in.NewPassword))
}

package server

import (
	"context"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/store"
)

const (
	buildPrincipal = "build.apprunner.amazonaws.com"

	// accessRole is the name and path that AWS's console proposes for the role that private images are pulled with (§14).
	accessRole, accessRolePath = "AppRunnerECRAccessRole", "/service-role/"

	accessPolicy = "arn:aws:iam::aws:policy/service-role/AWSAppRunnerServicePolicyForECRAccess"
)

// strictRoles tells whether roles must exist, as they must unless the setting says otherwise (§18).
func (c Config) strictRoles() bool { return c.StrictRoles == nil || *c.StrictRoles }

// accessRoleAtFirst gives the installation's own account its access role, once: who deletes it wants it gone.
func (s *System) accessRoleAtFirst(ctx context.Context) error {
	const done = "access-role"
	var found bool
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		_, found, err = tx.Setting(done)
		return err
	})
	if err != nil || found {
		return err
	}
	if err := makeAccessRole(ctx, s.iam, s.conf.Account); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(done, s.conf.Account) })
}

// ownsAccount tells whether an account is one of this installation, so that its ECR names mean the built-in registry.
func (s *System) ownsAccount(account string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := s.iam.Account(ctx, account)
	if err != nil && apprunner.CodeOf(err) != iam.CodeNoSuchEntity {
		s.log.Error("look for an account", "account", account, "error", err)
	}
	return err == nil
}

// makeAccessRole makes the role that services of an account pull private images with, so that a first one needs no steps in IAM.
func makeAccessRole(ctx context.Context, dir *iam.Directory, account string) error {
	_, err := dir.CreateRole(ctx, iam.Role{
		Account: account, Name: accessRole, Path: accessRolePath, Description: "Lets App Runner pull the images of this account.",
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + buildPrincipal + `"},"Action":"sts:AssumeRole"}]}`,
	})
	if err != nil && apprunner.CodeOf(err) != iam.CodeEntityAlreadyExists {
		return fmt.Errorf("make the role %s: %w", accessRole, err)
	}
	if err := dir.AttachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityRole, Name: accessRole}, accessPolicy); err != nil {
		return fmt.Errorf("make the role %s: %w", accessRole, err)
	}
	return nil
}

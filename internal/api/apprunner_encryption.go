package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// checkKey refuses a KMS key that the caller may not describe or make grants on (§6.4). Of one that is not there the action itself tells.
func (a *appRunner) checkKey(ctx context.Context, c Call, in *wire.EncryptionConfiguration) error {
	if in == nil || a.Keys == nil {
		return nil
	}
	asked, err := UsingKey(ctx, a.Keys, c.Principal, c.Scope, KeyUse{Service: "apprunner", Key: *in.KmsKey, Actions: []string{"DescribeKey", "CreateGrant"}})
	if err != nil {
		return err
	}
	for _, q := range asked {
		q = with(q, "kms:GrantIsForAWSResource", "true")
		q.Context = c.context(q.Context)
		err := a.Rights.Authorize(ctx, c.Principal, q)
		if apprunner.CodeOf(err) == apprunner.CodeAccessDenied {
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "encryptionConfiguration.kmsKey %s cannot be used: %w", *in.KmsKey, err).
				WithHint("Let the key policy and your own policies allow kms:DescribeKey and kms:CreateGrant on it.")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

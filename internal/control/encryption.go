package control

import (
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// keys is what Control needs of KMS. Both run in the transaction of the action.
type keys interface {
	// Entrust checks that a key is there and enabled, and makes the grant under which App Runner uses it for a service (§24).
	Entrust(tx *store.Tx, sc apprunner.Scope, keyARN, service string) error
	// Release retires that grant.
	Release(tx *store.Tx, keyARN, service string) error
}

// entrust has the key of a new service, if it names one, used for it (§6.4).
func (c *Control) entrust(tx *store.Tx, s apprunner.Service) error {
	if s.KMSKey == "" {
		return nil
	}
	if c.Keys == nil {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "encryptionConfiguration.kmsKey %s does not name an enabled symmetric key: this installation has no keys.", s.KMSKey)
	}
	err := c.Keys.Entrust(tx, s.Scope, s.KMSKey, s.ARN())
	if err == nil || apprunner.CodeOf(err) == apprunner.CodeInternal {
		return err
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "encryptionConfiguration.kmsKey %s does not name an enabled symmetric key of region %s: %w", s.KMSKey, s.Region, err).
		WithHint("Name a key of this region whose KeyState is Enabled (aws kms describe-key).")
}

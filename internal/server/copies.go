package server

import (
	"context"
	"errors"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/store"
)

// copies makes and opens the data keys that stored copies of source and images are encrypted with (§24). With a customer's key it acts
// under the grant that the service's creation made, and bound to the service by the encryption context.
type copies struct {
	keys  *kms.Keys
	scope apprunner.Scope // where the installation's own key belongs
}

// boundTo is the encryption context of the data key of an owner.
func boundTo(owner string) map[string]string {
	return map[string]string{"aws:apprunner:arn": strings.TrimPrefix(owner, "vault/")}
}

// NewDataKey implements image.Keyring.
func (c copies) NewDataKey(ctx context.Context, kmsKey, owner string) (plain, sealed []byte, err error) {
	sc := c.scope
	if kmsKey == "" {
		kmsKey = kms.ManagedAlias
	} else if sc, err = c.granted(ctx, kmsKey, owner, "GenerateDataKey"); err != nil {
		return nil, nil, err
	}
	plain, made, err := c.keys.DataKey(ctx, sc, kmsKey, 32, boundTo(owner))
	return plain, made.Blob, unusableKey(err)
}

// OpenDataKey implements image.Keyring.
func (c copies) OpenDataKey(ctx context.Context, owner string, sealed []byte) ([]byte, error) {
	key, err := c.keys.Owner(ctx, sealed)
	if err != nil {
		return nil, unusableKey(err)
	}
	if !key.Managed {
		if _, err := c.granted(ctx, key.ARN(), owner, "Decrypt"); err != nil {
			return nil, err
		}
	}
	plain, err := c.keys.Decrypt(ctx, key.Scope, sealed, boundTo(owner))
	return plain.Bytes, unusableKey(err)
}

// granted fails unless the key may still be used for an owner, and tells where the key belongs.
func (c copies) granted(ctx context.Context, keyARN, owner, operation string) (apprunner.Scope, error) {
	key, err := c.keys.Named(ctx, keyARN)
	if err != nil {
		return key.Scope, unusableKey(err)
	}
	may, err := c.keys.Granted(ctx, key, kms.Use{Principals: []string{servicesPrincipal}, Operation: operation, Context: boundTo(owner)})
	if err == nil && !may {
		err = apprunner.Errorf(apprunner.CodeInvalidRequest, "The stored copies of the service are encrypted with the KMS key %s, whose grant for %s was revoked.", keyARN, servicesPrincipal).
			WithHint("Create the service again with a key that you keep for it; without the grant nobody can read the copies.")
	}
	return key.Scope, err
}

// unusableKey says what a refusal of KMS means for a service, and what to do.
func unusableKey(err error) error {
	var own *apprunner.Error
	if !errors.As(err, &own) {
		return err
	}
	hint := ""
	switch own.Code {
	case kms.CodeDisabled:
		hint = "Enable the key (kms:EnableKey), then deploy or resume the service."
	case kms.CodeInvalidState:
		hint = "Keep the key (kms:CancelKeyDeletion), enable it, then deploy or resume the service."
	case kms.CodeNotFound:
		hint = "What was encrypted with it cannot be read any more: create the service again with another key."
	default:
		return err
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "The KMS key that encrypts the stored copies of the service cannot be used: %w", own).WithHint("%s", hint)
}

// entrusted lets App Runner use a customer's key for a service (§24).
type entrusted struct{ keys *kms.Keys }

// Entrust checks a key and makes the grant for a service.
func (e entrusted) Entrust(tx *store.Tx, sc apprunner.Scope, keyARN, service string) error {
	_, err := e.keys.GrantIn(tx, sc, keyARN, kms.Grant{
		Name: service, Grantee: servicesPrincipal, Retiring: servicesPrincipal, Issuer: sc.Account,
		Operations: []string{"Decrypt", "DescribeKey", "GenerateDataKey", "RetireGrant"}, Subset: boundTo(service),
	})
	return err
}

// Release retires the grant of a service that is gone.
func (e entrusted) Release(tx *store.Tx, keyARN, service string) error {
	return kms.RetireNamed(tx, keyARN[strings.LastIndexByte(keyARN, '/')+1:], servicesPrincipal, service)
}

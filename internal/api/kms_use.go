package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	wire "slipway.dev/slipway/internal/wire/kms"
)

func (k *kmsAPI) useActions() map[string]Action {
	return map[string]Action{
		"Encrypt":                         action(k.mayEncrypt, k.encrypt),
		"Decrypt":                         action(k.mayDecrypt, k.decrypt),
		"ReEncrypt":                       action(k.mayReEncrypt, k.reEncrypt),
		"GenerateDataKey":                 action(k.mayMakeDataKey, k.dataKey),
		"GenerateDataKeyWithoutPlaintext": action(k.mayMakeHiddenDataKey, k.hiddenDataKey),
	}
}

func (k *kmsAPI) mayEncrypt(ctx context.Context, c Call, in *wire.EncryptRequest) ([]iam.Request, error) {
	return one(k.question(ctx, c, "Encrypt", val(in.KeyId), in.EncryptionContext))
}

func (k *kmsAPI) mayDecrypt(ctx context.Context, c Call, in *wire.DecryptRequest) ([]iam.Request, error) {
	key, err := k.keys.KeyOf(ctx, c.Scope, in.CiphertextBlob)
	if err != nil {
		return nil, err
	}
	return one(k.asked(ctx, c, "Decrypt", key, in.EncryptionContext))
}

func (k *kmsAPI) mayReEncrypt(ctx context.Context, c Call, in *wire.ReEncryptRequest) ([]iam.Request, error) {
	key, err := k.keys.KeyOf(ctx, c.Scope, in.CiphertextBlob)
	if err != nil {
		return nil, err
	}
	from, err := k.asked(ctx, c, "ReEncryptFrom", key, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	to, err := k.question(ctx, c, "ReEncryptTo", val(in.DestinationKeyId), in.DestinationEncryptionContext)
	return []iam.Request{from, to}, err
}

func (k *kmsAPI) mayMakeDataKey(ctx context.Context, c Call, in *wire.GenerateDataKeyRequest) ([]iam.Request, error) {
	return one(k.question(ctx, c, "GenerateDataKey", val(in.KeyId), in.EncryptionContext))
}

func (k *kmsAPI) mayMakeHiddenDataKey(ctx context.Context, c Call, in *wire.GenerateDataKeyWithoutPlaintextRequest) ([]iam.Request, error) {
	return one(k.question(ctx, c, "GenerateDataKeyWithoutPlaintext", val(in.KeyId), in.EncryptionContext))
}

// symmetric refuses the algorithms of keys that are not here.
func symmetric(algorithms ...*string) error {
	for _, a := range algorithms {
		if a != nil && *a != wire.EncryptionAlgorithmSpecSymmetricDefault {
			return apprunner.Errorf(kms.CodeInvalidKeyUsage, "The encryption algorithm %s does not fit the key, which is symmetric: use SYMMETRIC_DEFAULT or none.", *a)
		}
	}
	return nil
}

// tried ends a dry run: all was checked, nothing is given.
func tried(dry *bool) error {
	if val(dry) {
		return apprunner.Errorf(kms.CodeDryRun, "The request would have succeeded, but the DryRun option is set.")
	}
	return nil
}

func attested(r *wire.RecipientInfo) error {
	if r != nil {
		return apprunner.Errorf(kms.CodeUnsupported, "recipient is not supported here: there are no enclaves that could attest themselves.")
	}
	return nil
}

func (k *kmsAPI) encrypt(ctx context.Context, c Call, in *wire.EncryptRequest) (*wire.EncryptResponse, error) {
	if err := symmetric(in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	sealed, err := k.keys.Encrypt(ctx, c.Scope, *in.KeyId, in.Plaintext, in.EncryptionContext)
	if err == nil {
		err = tried(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	return &wire.EncryptResponse{CiphertextBlob: sealed.Blob, KeyId: &sealed.KeyARN, EncryptionAlgorithm: new(wire.EncryptionAlgorithmSpecSymmetricDefault)}, nil
}

// expect fails with CodeIncorrectKey when a request names another key than its ciphertext.
func (k *kmsAPI) expect(ctx context.Context, c Call, ref *string, blob []byte) error {
	if ref == nil {
		return nil
	}
	key, err := k.keys.KeyOf(ctx, c.Scope, blob)
	if err != nil {
		return err
	}
	if named, err := k.keys.Look(ctx, c.Scope, *ref); err != nil || named.ID == key.ID {
		return err
	}
	return apprunner.Errorf(kms.CodeIncorrectKey, "The key ID in the request does not identify a KMS key that can perform this operation: the ciphertext was made with another one.")
}

func (k *kmsAPI) decrypt(ctx context.Context, c Call, in *wire.DecryptRequest) (*wire.DecryptResponse, error) {
	if err := symmetric(in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	if err := attested(in.Recipient); err != nil {
		return nil, err
	}
	if err := k.expect(ctx, c, in.KeyId, in.CiphertextBlob); err != nil {
		return nil, err
	}
	plain, err := k.keys.Decrypt(ctx, c.Scope, in.CiphertextBlob, in.EncryptionContext)
	if err == nil {
		err = tried(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	return &wire.DecryptResponse{
		KeyId: &plain.KeyARN, Plaintext: plain.Bytes, EncryptionAlgorithm: new(wire.EncryptionAlgorithmSpecSymmetricDefault), KeyMaterialId: &plain.MaterialID,
	}, nil
}

func (k *kmsAPI) reEncrypt(ctx context.Context, c Call, in *wire.ReEncryptRequest) (*wire.ReEncryptResponse, error) {
	if err := symmetric(in.SourceEncryptionAlgorithm, in.DestinationEncryptionAlgorithm); err != nil {
		return nil, err
	}
	if err := k.expect(ctx, c, in.SourceKeyId, in.CiphertextBlob); err != nil {
		return nil, err
	}
	plain, err := k.keys.Decrypt(ctx, c.Scope, in.CiphertextBlob, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	sealed, err := k.keys.Encrypt(ctx, c.Scope, *in.DestinationKeyId, plain.Bytes, in.DestinationEncryptionContext)
	if err == nil {
		err = tried(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	algorithm := new(wire.EncryptionAlgorithmSpecSymmetricDefault)
	return &wire.ReEncryptResponse{
		CiphertextBlob: sealed.Blob, SourceKeyId: &plain.KeyARN, KeyId: &sealed.KeyARN, SourceEncryptionAlgorithm: algorithm,
		DestinationEncryptionAlgorithm: algorithm, SourceKeyMaterialId: &plain.MaterialID, DestinationKeyMaterialId: &sealed.MaterialID,
	}, nil
}

// dataKeyBytes is how long a data key is to be, which is said in one of two ways.
func dataKeyBytes(spec *string, bytes *int32) (int, error) {
	switch {
	case (spec == nil) == (bytes == nil):
		return 0, apprunner.Errorf(kms.CodeValidation, "Please specify either number of bytes or key spec.")
	case bytes != nil:
		return int(*bytes), nil
	case *spec == wire.DataKeySpecAes128:
		return 16, nil
	}
	return 32, nil
}

func (k *kmsAPI) dataKey(ctx context.Context, c Call, in *wire.GenerateDataKeyRequest) (*wire.GenerateDataKeyResponse, error) {
	n, err := dataKeyBytes(in.KeySpec, in.NumberOfBytes)
	if err == nil {
		err = attested(in.Recipient)
	}
	if err != nil {
		return nil, err
	}
	plain, sealed, err := k.keys.DataKey(ctx, c.Scope, *in.KeyId, n, in.EncryptionContext)
	if err == nil {
		err = tried(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	return &wire.GenerateDataKeyResponse{CiphertextBlob: sealed.Blob, Plaintext: plain, KeyId: &sealed.KeyARN, KeyMaterialId: &sealed.MaterialID}, nil
}

func (k *kmsAPI) hiddenDataKey(ctx context.Context, c Call, in *wire.GenerateDataKeyWithoutPlaintextRequest) (*wire.GenerateDataKeyWithoutPlaintextResponse, error) {
	n, err := dataKeyBytes(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	_, sealed, err := k.keys.DataKey(ctx, c.Scope, *in.KeyId, n, in.EncryptionContext)
	if err == nil {
		err = tried(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	return &wire.GenerateDataKeyWithoutPlaintextResponse{CiphertextBlob: sealed.Blob, KeyId: &sealed.KeyARN, KeyMaterialId: &sealed.MaterialID}, nil
}

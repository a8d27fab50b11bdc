package api_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func TestGoSDKUsesKeys(t *testing.T) {
	d, ctx := kmsWorld(t), t.Context()
	c := kms.NewFromConfig(d.config())
	made, err := c.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("d"), Tags: []types.Tag{{TagKey: aws.String("k"), TagValue: aws.String("v")}}})
	ok(t, err)
	id := made.KeyMetadata.KeyId
	if made.KeyMetadata.KeyState != types.KeyStateEnabled || made.KeyMetadata.CreationDate.IsZero() || made.KeyMetadata.KeySpec != types.KeySpecSymmetricDefault {
		t.Errorf("%+v", made.KeyMetadata)
	}
	for range 2 {
		_, err = c.CreateKey(ctx, &kms.CreateKeyInput{})
		ok(t, err)
	}
	pages := kms.NewListKeysPaginator(c, &kms.ListKeysInput{Limit: aws.Int32(2)})
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		ok(t, err)
		n += len(page.Keys)
	}
	if n != 3 {
		t.Errorf("%d keys in pages, want 3", n)
	}
	data, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: id, KeySpec: types.DataKeySpecAes256, EncryptionContext: map[string]string{"a": "b"}})
	ok(t, err)
	plain, err := c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: data.CiphertextBlob, EncryptionContext: map[string]string{"a": "b"}})
	ok(t, err)
	if !bytes.Equal(plain.Plaintext, data.Plaintext) || *plain.KeyId != *made.KeyMetadata.Arn || plain.EncryptionAlgorithm != types.EncryptionAlgorithmSpecSymmetricDefault {
		t.Errorf("%+v", plain)
	}
	_, err = c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: data.CiphertextBlob})
	if _, is := errors.AsType[*types.InvalidCiphertextException](err); !is {
		t.Errorf("another context: %v", err)
	}
	_, err = c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: id})
	ok(t, err)
	_, err = c.Encrypt(ctx, &kms.EncryptInput{KeyId: id, Plaintext: []byte("x")})
	if _, is := errors.AsType[*types.DisabledException](err); !is {
		t.Errorf("disabled: %v", err)
	}
	gone, err := c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(7)})
	ok(t, err)
	if gone.DeletionDate == nil || gone.KeyState != types.KeyStatePendingDeletion {
		t.Errorf("%+v", gone)
	}
	_, err = c.EnableKey(ctx, &kms.EnableKeyInput{KeyId: id})
	if _, is := errors.AsType[*types.KMSInvalidStateException](err); !is {
		t.Errorf("pending deletion: %v", err)
	}
	_, err = c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/none")})
	if _, is := errors.AsType[*types.NotFoundException](err); !is {
		t.Errorf("missing: %v", err)
	}
}

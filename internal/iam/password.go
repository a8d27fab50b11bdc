package iam

import (
	"context"
	"crypto/subtle"
)

// Password verifies an access key given as a user name and password, as git clients do over Basic authentication: the key's id
// and its secret. Temporary keys are refused: their token has no place there.
func (d *Directory) Password(ctx context.Context, keyID, secret string) (Principal, error) {
	want, p, err := d.keyOwner(ctx, keyID)
	if err != nil {
		return Principal{}, err
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(secret)) != 1 {
		return Principal{}, unknownKey()
	}
	d.used(keyID, keyUse{At: d.now(), Service: "git"})
	return p, nil
}

package iam_test

import (
	"crypto/sha256"
	"testing"

	"slipway.dev/slipway/internal/iam"
)

// BenchmarkCall is what every call of a user costs before it does anything: verify the signature, ask the policies.
func BenchmarkCall(b *testing.B) {
	d, c := newDirectory(b)
	user(b, d, "alice")
	ok(b, d.AttachPolicy(b.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: "alice"}, "arn:aws:iam::aws:policy/AWSAppRunnerFullAccess"))
	key := must[iam.AccessKey](b)(d.CreateAccessKey(b.Context(), account, "alice"))
	r, sum := received(b, signed(b, credentials(key), "{}", c.Now()), []byte("{}")), sha256.Sum256([]byte("{}"))
	for b.Loop() {
		p, _, err := d.Verify(b.Context(), r, sum)
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Authorize(b.Context(), p, describe); err != nil {
			b.Fatal(err)
		}
	}
}

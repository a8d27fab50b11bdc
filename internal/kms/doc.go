// Package kms keeps keys and encrypts with them: keys of customers and managed ones, their aliases, policies, grants and rotation
// (adjacent §9).
//
// What flows in: requests that were already allowed, with the key as its id, ARN or alias. What flows out: ciphertexts, which name their
// key and bind the encryption context, and records of keys. Key material never leaves: it rests in the store, sealed by the root key of
// the installation, a file beside the database that [Config] hands in.
//
// A key that is deleted takes its material with it when its waiting time is over ([Keys.Sweep]). Material that was rotated stays, for what
// was encrypted with it.
//
// The package knows accounts and regions, nothing of services, secrets or images: what they encrypt are bytes. Who may use a key is
// decided by whoever calls, from [Key.Policy] and [Keys.Granted].
package kms

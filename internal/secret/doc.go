// Package secret keeps the secrets of users: the records behind the Secrets Manager API (adjacent §10).
//
// A name, a value and a caller's scope come in; a secret with its versions and stages comes out. Values are sealed under a KMS key
// before they reach the database and opened only for the one who asked; what else is known of a secret is a record like others.
// Beside it stand [slipway.dev/slipway/internal/secret/parameter], the records of the SSM Parameter Store, and
// [slipway.dev/slipway/internal/secret/runtimeenv], which reads both for the instances of services.
//
// The room knows accounts and regions, nothing of services, signatures or policies: who may read is decided at the door. Keys come
// in as an interface, so that it does not matter here where they rest.
package secret

// Package iam knows who may call: accounts, users, groups, roles, access keys, policies and temporary credentials, the
// verification of Signature Version 4, and the evaluation of policies.
//
// In flow HTTP requests to verify ([Directory.Verify]) and questions whether a [Principal] may act on a resource
// ([Directory.Authorize]); out flow principals and refusals as *apprunner.Error. The IAM actions are methods on words of this
// package; the AWS spelling of members and XML is the door's business (internal/api), and so is which action and resource an API
// call stands for.
//
// Two parts are pure and know neither the database nor the clock: the canonical form of a request (canonical.go) and the policy
// evaluator (document.go, evaluate.go, condition.go). Secrets are needed in clear to verify a signature, so they are kept
// encrypted under a key file that lies beside the database, never in it.
//
// The package must not know of services, operations or any other resource of the product: resources are ARNs in text form here.
package iam

// Package e2e runs the built binary as a user does: `slipway up`, the stock AWS CLI, curl-like clients, git. Every test really
// builds, isolates, runs and serves. Tests without a build tag belong to `make test`; the long ones carry the tag e2e.
package e2e

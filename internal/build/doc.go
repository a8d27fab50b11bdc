// Package build turns a source tree into an image: it reads apprunner.yaml, chooses the managed runtime and its version, runs
// the configured commands in a sandbox on that runtime's base image, and hands the result to the image store (§13).
//
// In: a checked-out source directory and the service's code configuration. Out: the digest of an image and the run
// configuration (command, port, environment) that the file or the API gave; meanwhile every line the commands print goes to
// the deployment log. The parser of apprunner.yaml stands alone, so that `slipway validate` and a deployment judge a file alike.
//
// This room knows no git, no registry protocol and no container runtime: it reaches images and sandboxes through the small
// interfaces it declares itself, and it keeps no records. What it leaves on disk are caches: package-manager caches per
// service, and runtime base images keyed by the recipe that made them.
package build

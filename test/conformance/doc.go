// Package conformance holds the APIs against the clients people use: the Go SDK, botocore, the AWS CLI and the JavaScript SDK,
// unmodified. Each action must be called, answered in the shape that the client's own model knows, and refused with the error class
// that the client has for it.
//
// The tests serve all APIs in this process. With SLIPWAY_CONFORMANCE set to a file such as credentials.env they call what that
// file points to instead: an installation, or AWS.
package conformance

// Package instancetest holds what tests of instances need: the conformance suite every driver has to pass (Run), the application
// it runs (App, and as a static program BuildApp), and a Fake driver that runs applications as goroutines on loopback addresses.
//
// The Fake passes the suite and can be told to misbehave, so rooms above the driver test against it without containers. Only
// tests import this package.
package instancetest

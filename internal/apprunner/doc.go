// Package apprunner holds the words of the product: services, operations, deployments, instances, ARNs, the status machines,
// defaults, limits and the error type.
//
// Everything here is pure: no I/O, no clock, no wire tags, no context. Functions that depend on time take it as an argument.
// Wire shapes are converted into these words at the door (internal/api) and back again on the way out, so no room below the
// door knows how AWS spells a member.
//
// The rules come from the behavioural specification of the App Runner API (version 2020-05-15); comments name its section
// with the sign §.
package apprunner

// Package caller is how the verbs call an installation's AWS APIs: signed requests in the JSON protocols, written and read by the tables of
// internal/wire, and the keys of the usual AWS environment.
//
// It stands in place of the AWS SDK, whose packages build tables of every service they know when the program starts. Every process of an
// installation is this same program, so that each held those tables for as long as it ran.
//
// It knows nothing of services, logs or certificates: what is asked and what to do with the answer is the verbs'.
package caller

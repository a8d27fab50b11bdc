// Package rig runs installations for the tests that stand outside the program: the end-to-end suite and the suite that kills
// processes. It builds the binary and the test application, starts and stops installations as a user would, talks to them with
// the stock SDK, puts load on services, and knows every trace an installation may leave on a machine.
//
// It drives the real binary and reads what that publishes. The database is read in one place only, to hold the records of
// instances against what runs; nothing is ever written behind the program's back.
package rig

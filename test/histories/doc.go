// Package histories proves that the App Runner API keeps its word while its process dies. Several clients work on the same few
// resources at once, the control role is killed with SIGKILL in their midst, and every call is written down with its begin, its end
// and its answer. A history passes when there is one order of the calls, none moved out of its begin and end, in which each answer
// is one that the specification allows (linearizability); a call whose answer was lost may have happened or not. Afterwards every
// operation must have ended, one at a time for each service, every acknowledged one among them, and nothing may run that no record
// names.
//
// Each run has a seed, which decides what the clients do and when the kill comes: `go test ./test/histories -seed N -runs 1` plays
// it again. A few runs are part of the test suite; with the build tag chaos there are 200.
package histories

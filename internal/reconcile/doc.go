// Package reconcile does the work that actions ask for. It reads intent and operations from the store, drives the rooms in
// their order (source, build, image, instance, edge), writes status, and rolls back what failed.
//
// Three loops share one [Reconciler]. The dispatcher gives each running operation a worker: a short list of idempotent steps,
// each recorded when it is done, so that a worker that died with its process is resumed by the next one at the step it had
// reached. The supervisor keeps what should run running: it replaces instances that ended or turned unhealthy, lets draining
// ones go, and removes what no record names. The publisher hands the edge a new table whenever the store says something else
// than the edge does.
//
// Control writes intent, reconcile writes status; they meet only in the store. Reconcile knows no wire shapes and no SQL.
package reconcile

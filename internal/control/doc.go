// Package control holds the actions of the App Runner API in our own words: one method an action.
//
// A method checks what the model cannot express, fills defaults, and writes the caller's intent together with the operation
// that will carry it out, in one transaction. It starts nothing: the reconcile room sees the operation in the store and does
// the work. Control knows no wire shapes, no containers and no sockets; what it must ask of other rooms (may this role be
// assumed, can this URL be a repository) it asks through small interfaces.
package control

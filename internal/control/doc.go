// Package control holds the actions of the App Runner API in our own words: one method an action.
//
// A method checks what the model cannot express, fills defaults, and writes the caller's intent together with the operation
// that will carry it out, in one transaction. It starts nothing: the reconcile room sees the operation in the store and does
// the work. What a service points to (configurations, connections, connectors) is resolved in the transaction that writes the
// service, so a thing is used or deleted, never both.
//
// Other rooms drive what takes its time: the domain room moves custom domains on in the store, and there are methods for the rest,
// [Control.SettleVPCIngressConnection] for private endpoints, [Control.CompleteHandshake] for connections. Control knows no wire
// shapes, no containers and no sockets; what it must ask of other rooms (may this role be assumed, does this subnet exist) it
// asks through small interfaces.
package control

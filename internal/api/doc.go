// Package api is the door of the control plane: it serves every AWS API on one listener.
//
// Flow: an HTTP request comes in; [Server] recognises the service, verifies the signature, finds the operation, reads the input,
// asks the policies, holds the input against the model's constraints and hands it to the operation's [Action], in this order
// (§1.3). Out goes the answer, or the error in the shape of the service's protocol, with the same request id in the header, the
// body and the audit record.
//
// A [Service] is a value: the wire description of an API and a table of its actions. An AWS API is a file that makes one: it
// converts between wire structs and the words of the room behind it and says which permissions a call needs. The frame knows no
// service by name, and no room behind the door knows how AWS spells a member.
package api

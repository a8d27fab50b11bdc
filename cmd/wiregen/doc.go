// Command wiregen writes the wire packages: for each API model in spec/models (service-2.json in the form of the AWS SDKs, trimmed
// to the operations served here) one Go package under internal/wire with the structs, the table of shapes and their constraints,
// the table of operations and the table of errors.
//
// The tables are data; the codecs that interpret them are written by hand in internal/wire. So a further protocol is a codec
// there and a line in [emitter.protocol] here, and a further service is a model and a run of go generate. A model with a trait or
// pattern that would be lost is refused, never trimmed silently; what the specification decides otherwise than the model says
// stands in special.go.
package main

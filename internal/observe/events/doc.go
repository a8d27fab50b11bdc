// Package events is the event bus of an account and region: rules that choose events by patterns, and the delivery of what they chose to
// their targets (adjacent §6).
//
// Events come from the outbox that [observe.EmitEvent] fills in the transaction of the change each tells of, and from clients through
// [Bus.PutEvents]. [Bus.Run] takes them in their order, holds them against the rules, and notes in one transaction what has to go where
// and how far it has come; so nothing is lost by a crash, and what was on its way then is sent again. Each target has a queue of its
// own: a slow or dead one holds no other. What a target got is forgotten, and the event with it.
//
// Targets are log groups and web hooks. A web hook is a URL that the installation's settings give for an ARN, of a Lambda function or an
// SNS topic, say. Other ARNs are kept and shown, and nothing is sent to them.
//
// This package knows accounts, rules and targets, never services or operations, and never how AWS spells a request.
package events

// Package pattern matches events against the event patterns of EventBridge (adjacent §6.2).
//
// [Compile] reads a pattern once; [Pattern.Matches] then holds events against it. A pattern has the form of the events it is for: each
// of its leaves is a list of what the field may be, as values or as content filters ({"prefix": …} and the like), and all fields must
// be as one of their lists says. "$or" lists alternatives. Fields of objects in an array must be found in one and the same element.
//
// The package knows JSON and nothing else: no buses, rules or targets.
package pattern

// Package webacl holds the words of web ACLs (adjacent §12): what rules are made of, which of them are accepted, what they cost, and the
// rule groups that are built in. The shapes carry the names of the WAFv2 API, so that they pass to and from it, to the records and to
// the edge as they are.
//
// It is pure: records are kept by control, requests are judged by the edge. What the API allows and no engine here evaluates is refused
// in one place, [Definition.Check], by name and with what can be done instead; nothing is accepted and then not enforced.
package webacl

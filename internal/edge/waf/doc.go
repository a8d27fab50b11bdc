// Package waf judges requests by a web ACL (adjacent §12). [Compile] turns an ACL into an [Engine] once; [Engine.Judge] holds a request
// against it and gives a [Verdict]. It is pure but for the counts of rate-based rules, which each engine keeps, and takes the time as an
// argument. It reads no connection and writes no answer: the edge shows it the request and does what the verdict says.
//
// A rule that cannot be evaluated is never passed over: what does not compile is an error, and the edge answers in its place.
package waf

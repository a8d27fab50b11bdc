package edge

import (
	"net/http"
	"strconv"
	"strings"
)

// failure is an answer the edge gives itself, because no instance could, or none was asked. Cause is one line for people.
type failure struct {
	status int
	code   string
	cause  string
	header [][2]string // fields besides those that every failure has
	body   *content    // said instead of the cause; nil for the cause
}

// content is what an answer holds.
type content struct{ kind, text string }

// Error makes a failure travel as an error inside the edge.
func (f *failure) Error() string { return f.cause }

// The answers of the front door (§9, §12.2, §19).
var (
	failUnknownHost = &failure{status: 404, code: "UnknownHost", cause: "no service answers to this host name"}
	failPaused      = &failure{status: 503, code: "ServicePaused", cause: "service is paused"}
	failNoVersion   = &failure{status: 503, code: "NoRunningVersion", cause: "service has no running version"}
	failNoInstance  = &failure{status: 503, code: "NoHealthyInstance", cause: "no healthy instance"}
	failBusy        = &failure{status: 429, code: "TooManyRequests", cause: "all instances are busy and the waiting line is full or too slow", header: [][2]string{{"Retry-After", "1"}}}
	failRefused     = &failure{status: 502, code: "ConnectionRefused", cause: "the instance does not accept connections"}
	failBroken      = &failure{status: 502, code: "ConnectionBroken", cause: "the instance closed the connection before it answered"}
	failBadAnswer   = &failure{status: 502, code: "BadAnswer", cause: "the instance's answer is not valid HTTP"}
	failBigAnswer   = &failure{status: 502, code: "AnswerHeadTooLarge", cause: "the head of the instance's answer is too large"}
	failNotH2C      = &failure{status: 502, code: "BadAnswer", cause: "the instance does not speak HTTP/2 without TLS, as the tag slipway:protocol=h2c says"}
	failOnlyH2C     = &failure{status: 502, code: "BadAnswer", cause: "the instance speaks HTTP/2 without TLS, as gRPC servers do: give the service the tag slipway:protocol=h2c"}
	failNoSwitch    = &failure{status: 502, code: "BadAnswer", cause: "the instance did not agree to a WebSocket"}
	failTimeout     = &failure{status: 504, code: "RequestTimeout", cause: "the request took longer than the service allows"}
	failGone        = &failure{status: 499, code: "ClientGone", cause: "the client closed the connection"} // never sent
	failNoUpgrade   = &failure{status: 403, code: "UpgradeRefused", cause: "this service does not accept upgrades such as WebSocket"}
	failProtocol    = &failure{status: 501, code: "NotImplemented", cause: "the only protocol of an extended CONNECT that is served is websocket"}
	failH2C         = &failure{status: 403, code: "UpgradeRefused", cause: "upgrading to h2c is refused; use HTTP/2 over TLS"}
	failBody        = &failure{status: 400, code: "BadRequest", cause: "the request body is not valid or broke off"}
	failMethod      = &failure{status: 405, code: "MethodNotAllowed", cause: "CONNECT is not served here"}
	failSlowHead    = &failure{status: 408, code: "RequestTimeout", cause: "the request head did not arrive in time"}
	failSlowBody    = &failure{status: 408, code: "RequestTimeout", cause: "the request body did not arrive in time"}
	failHeadSize    = &failure{status: 431, code: "RequestHeaderFieldsTooLarge", cause: "the request head is too large"}
	failTarget      = &failure{status: 414, code: "URITooLong", cause: "the path and query of the request are too long"}
	failConns       = &failure{status: 503, code: "TooManyConnections", cause: "the service has too many connections", header: [][2]string{{"Retry-After", "1"}}}
	failPlain       = &failure{status: 400, code: "BadRequest", cause: "plain HTTP request was sent to the HTTPS port; use https://"}
	failVersion     = &failure{status: 505, code: "HTTPVersionNotSupported", cause: "only HTTP/1.0, HTTP/1.1 and, over TLS, HTTP/2 are served"}
)

// content returns the failure as JSON for clients that ask for it, else as text.
func (f *failure) content(json bool, requestID string) (contentType, text string) {
	if f.body != nil {
		return f.body.kind, f.body.text
	}
	if json {
		return "application/json", `{"code":"` + f.code + `","message":"` + f.cause + `","requestId":"` + requestID + `"}` + "\n"
	}
	return "text/plain; charset=utf-8", strconv.Itoa(f.status) + " " + http.StatusText(f.status) + ": " + f.cause + "\n"
}

// wantsJSON tells whether an Accept header names JSON.
func wantsJSON(accept string) bool { return strings.Contains(accept, "json") }

package edge

import (
	"net/http"
	"strconv"
	"strings"
)

// failure is an answer the edge gives itself, because no instance could. Cause is one line for people.
type failure struct {
	status int
	code   string
	cause  string
}

// Error makes a failure travel as an error inside the edge.
func (f *failure) Error() string { return f.cause }

// The answers of the front door (§9, §12.2, §19).
var (
	failUnknownHost = &failure{404, "UnknownHost", "no service answers to this host name"}
	failPaused      = &failure{503, "ServicePaused", "service is paused"}
	failNoVersion   = &failure{503, "NoRunningVersion", "service has no running version"}
	failNoInstance  = &failure{503, "NoHealthyInstance", "no healthy instance"}
	failBusy        = &failure{429, "TooManyRequests", "all instances are busy and the waiting line is full or too slow"}
	failRefused     = &failure{502, "ConnectionRefused", "the instance does not accept connections"}
	failBroken      = &failure{502, "ConnectionBroken", "the instance closed the connection before it answered"}
	failBadAnswer   = &failure{502, "BadAnswer", "the instance's answer is not valid HTTP"}
	failTimeout     = &failure{504, "RequestTimeout", "the request took longer than the service allows"}
	failGone        = &failure{499, "ClientGone", "the client closed the connection"} // never sent
	failNoUpgrade   = &failure{403, "UpgradeRefused", "this service does not accept upgrades such as WebSocket"}
	failH2C         = &failure{403, "UpgradeRefused", "upgrading to h2c is refused; use HTTP/2 over TLS"}
	failBody        = &failure{400, "BadRequest", "the request body is not valid or broke off"}
	failMethod      = &failure{405, "MethodNotAllowed", "CONNECT is not served here"}
	failSlowHead    = &failure{408, "RequestTimeout", "the request head did not arrive in time"}
	failSlowBody    = &failure{408, "RequestTimeout", "the request body did not arrive in time"}
	failHeadSize    = &failure{431, "RequestHeaderFieldsTooLarge", "the request head is too large"}
	failVersion     = &failure{505, "HTTPVersionNotSupported", "only HTTP/1.0, HTTP/1.1 and, over TLS, HTTP/2 are served"}
)

// body returns the failure as JSON for clients that ask for it, else as text.
func (f *failure) body(json bool, requestID string) (contentType, text string) {
	if json {
		return "application/json", `{"code":"` + f.code + `","message":"` + f.cause + `","requestId":"` + requestID + `"}` + "\n"
	}
	return "text/plain; charset=utf-8", strconv.Itoa(f.status) + " " + http.StatusText(f.status) + ": " + f.cause + "\n"
}

// wantsJSON tells whether an Accept header names JSON.
func wantsJSON(accept string) bool { return strings.Contains(accept, "json") }

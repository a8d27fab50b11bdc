package edge

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// accessFormat is how the lines of an access log are written.
type accessFormat uint8

const (
	logNothing  accessFormat = 0
	logJSON     accessFormat = 1 << 0
	logCombined accessFormat = 1 << 1 // as Apache httpd and nginx write it
	logQuery    accessFormat = 1 << 2 // with the query, which may hold what should not lie in logs
)

// parseAccessFormat reads [Route.AccessLog].
func parseAccessFormat(s string) accessFormat {
	name, query, _ := strings.Cut(s, "+")
	f := map[string]accessFormat{"json": logJSON, "combined": logCombined}[name]
	if f != logNothing && query == "query" {
		f |= logQuery
	}
	return f
}

// accessRecord is what is told about one finished request.
type accessRecord struct {
	Time       time.Time `json:"time"` // of the first byte
	ClientIP   string    `json:"client_ip"`
	Method     string    `json:"method"`
	Host       string    `json:"host"`
	Path       string    `json:"path"`
	Query      string    `json:"query,omitempty"`
	Status     int       `json:"status"` // 499: the client went away before an answer
	BytesIn    int64     `json:"bytes_in"`
	BytesOut   int64     `json:"bytes_out"`
	Duration   millis    `json:"duration_ms"`
	Upstream   millis    `json:"upstream_ms,omitempty"` // until the instance began to answer
	InstanceID string    `json:"instance_id,omitempty"` // none: the edge answered itself
	RequestID  string    `json:"request_id"`
	UserAgent  string    `json:"user_agent,omitempty"`
	Referer    string    `json:"referer,omitempty"`
	TLS        string    `json:"tls,omitempty"`
	Protocol   string    `json:"protocol"`
	TraceID    string    `json:"trace_id,omitempty"`
	Cause      string    `json:"cause,omitempty"` // why the edge answered itself
}

// millis is a time that is written in milliseconds.
type millis time.Duration

// MarshalJSON writes milliseconds with three decimals.
func (m millis) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Duration(m).Microseconds())/1e3, 'f', 3, 64), nil
}

// maxLogged bounds what of one header field is logged; maxLoggedPath of a path or query.
const (
	maxLogged     = 1 << 10
	maxLoggedPath = 4 << 10
)

func clip(s string, n int) string { return s[:min(len(s), n)] }

// newAccessRecord takes what only the beginning of a request tells: its buffers are used again while the body passes.
func newAccessRecord(f accessFormat, method, host, target string, field func(name string) string) *accessRecord {
	path, query, _ := strings.Cut(target, "?")
	if f&logQuery == 0 {
		query = ""
	}
	return &accessRecord{
		Method: strings.Clone(method), Host: strings.Clone(host),
		Path: strings.Clone(clip(path, maxLoggedPath)), Query: strings.Clone(clip(query, maxLoggedPath)),
		UserAgent: strings.Clone(clip(field("user-agent"), maxLogged)), Referer: strings.Clone(clip(field("referer"), maxLogged)),
		TraceID: strings.Clone(clip(traceID(field), maxLogged)),
	}
}

// traceID is the trace that a request says it belongs to: of W3C trace context, else of X-Ray.
func traceID(field func(name string) string) string {
	if parts := strings.Split(field("traceparent"), "-"); len(parts) >= 4 {
		return parts[1]
	}
	for part := range strings.SplitSeq(field("x-amzn-trace-id"), ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(part), "Root="); ok {
			return id
		}
	}
	return ""
}

// append writes the record as one line, without its end.
func (r *accessRecord) append(b *bytes.Buffer, f accessFormat) {
	if r.Status == 0 {
		r.Status = failGone.status
	}
	if f&logCombined != 0 {
		b.Write(r.combined(b.AvailableBuffer()))
		return
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	enc.Encode(r)           // cannot fail: there is nothing in it that has no JSON form
	b.Truncate(b.Len() - 1) // the line end
}

// combined appends the Combined Log Format of Apache httpd.
func (r *accessRecord) combined(b []byte) []byte {
	b = append(b, r.ClientIP...)
	b = append(b, " - - ["...)
	b = r.Time.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendEscaped(b, r.Method)
	b = append(b, ' ')
	b = appendEscaped(b, r.Path)
	if r.Query != "" {
		b = appendEscaped(append(b, '?'), r.Query)
	}
	b = append(b, ' ')
	b = append(b, r.Protocol...)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.BytesOut, 10)
	for _, field := range [...]string{r.Referer, r.UserAgent} {
		b = append(b, ` "`...)
		if field == "" {
			field = "-"
		}
		b = append(appendEscaped(b, field), '"')
	}
	return b
}

// appendEscaped appends text so that it cannot end its quotes, or its line.
func appendEscaped(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// tlsName is the name of a TLS version; empty without TLS.
func tlsName(version uint16) string {
	if version == 0 {
		return ""
	}
	return strings.Replace(tls.VersionName(version), "TLS ", "TLSv", 1)
}

// begin takes what only the beginning of the request tells.
func (x *call) beginAccess(f accessFormat) {
	x.entry = newAccessRecord(f, text(x.req.method), text(x.req.host), text(x.req.target), func(name string) string { return text(x.req.value(name)) })
	x.entry.RequestID = string(x.requestID())
}

// timedSend is send that notes, for the access log, how long the instance took to begin its answer.
func (x *call) timedSend() *failure {
	if x.entry == nil {
		return x.send()
	}
	asked := x.s.now()
	f := x.send()
	x.entry.Upstream = millis(x.s.now() - asked)
	return f
}

// logAccess tells the access log that the request is over.
func (x *call) logAccess(f accessFormat, took time.Duration) {
	if x.entry == nil { // refused before its policy was asked
		x.beginAccess(f)
	}
	r := x.entry
	r.Time, r.Duration, r.ClientIP, r.Protocol, r.TLS = x.s.started.Add(x.start).UTC(), millis(took), x.ip, x.protocol, tlsName(x.tls)
	r.Status, r.BytesIn, r.BytesOut = x.status, x.body.received, x.sent
	if x.backend != nil {
		r.InstanceID = x.backend.id
	}
	if x.failure != nil {
		r.Cause = x.failure.cause
	}
	x.s.access.add(x.service, f, r)
}

// logAccess is the same for requests that came through net/http.
func (x *exchange) logAccess(s *Server, f accessFormat, r *http.Request, w *recorder, start time.Time) {
	rec := newAccessRecord(f, r.Method, r.Host, r.RequestURI, r.Header.Get)
	rec.Time, rec.Duration, rec.Upstream, rec.Protocol = start.UTC(), millis(time.Since(start)), millis(x.upstream), r.Proto
	rec.ClientIP, _, _ = net.SplitHostPort(r.RemoteAddr)
	rec.Status, rec.BytesIn, rec.BytesOut, rec.RequestID = w.status, x.body.received(), w.n, x.id
	if version, ok := r.Context().Value(tlsVersionKey{}).(uint16); ok {
		rec.TLS = tlsName(version)
	} else if r.TLS != nil {
		rec.TLS = tlsName(r.TLS.Version)
	}
	if x.claim.backend != nil {
		rec.InstanceID = x.claim.backend.id
	}
	if x.failure != nil {
		rec.Cause = x.failure.cause
	}
	s.access.add(x.service, f, rec)
}

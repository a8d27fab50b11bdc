package edge

import "bytes"

// This file knows which fields the proxy treats in a way of their own.

// kind tells what the proxy does with a field.
type kind uint8

const (
	kindPass kind = iota // goes through as it is
	kindHop              // ends here
	kindHost             // and the others have a meaning of their own
	kindContentLength
	kindTransferEncoding
	kindConnection
	kindUpgrade
	kindExpect
	kindTE
	kindForwardedFor
	kindForwardedProto
	kindRequestID
	kindAccept
	kindDate
	kindContentType
	kindTrace
)

// kindSet is a set of kinds.
type kindSet uint32

// What passes to the instance, and back to the client.
const (
	passRequest kindSet = 1<<kindPass | 1<<kindHost | 1<<kindContentLength | 1<<kindExpect
	passInterim kindSet = 1 << kindPass
	passUnsized kindSet = 1<<kindPass | 1<<kindHost | 1<<kindForwardedFor | 1<<kindForwardedProto | 1<<kindRequestID
	passAnswer  kindSet = passUnsized | 1<<kindContentLength
)

// kindOf tells what becomes of a field. Many programs cannot tell X_Forwarded_For from X-Forwarded-For, because both reach them as the
// variable HTTP_X_FORWARDED_FOR: such a disguise of a field that the proxy sets or ends ends here.
func kindOf(name []byte) kind {
	k := knownKind(name)
	if k == kindPass && bytes.IndexByte(name, '_') >= 0 && disguised>>knownKind(bytes.ReplaceAll(name, []byte("_"), []byte("-")))&1 == 1 {
		return kindHop
	}
	return k
}

// disguised are the kinds that may not come in disguise.
const disguised kindSet = 1<<kindHop | 1<<kindHost | 1<<kindContentLength | 1<<kindTransferEncoding | 1<<kindConnection | 1<<kindUpgrade |
	1<<kindExpect | 1<<kindTE | 1<<kindForwardedFor | 1<<kindForwardedProto | 1<<kindRequestID

// knownFields are the fields that matter, by the length of their names, in lower case.
var knownFields = [...][]struct {
	name string
	kind kind
}{
	2:  {{"te", kindTE}},
	4:  {{"host", kindHost}, {"date", kindDate}},
	6:  {{"expect", kindExpect}, {"accept", kindAccept}},
	7:  {{"upgrade", kindUpgrade}},
	10: {{"connection", kindConnection}, {"keep-alive", kindHop}},
	11: {{"traceparent", kindTrace}},
	12: {{"content-type", kindContentType}, {"x-request-id", kindRequestID}},
	14: {{"content-length", kindContentLength}, {"http2-settings", kindHop}},
	15: {{"x-forwarded-for", kindForwardedFor}, {"x-amzn-trace-id", kindTrace}},
	16: {{"proxy-connection", kindHop}},
	17: {{"transfer-encoding", kindTransferEncoding}, {"x-forwarded-proto", kindForwardedProto}},
	18: {{"proxy-authenticate", kindHop}},
	19: {{"proxy-authorization", kindHop}},
}

func knownKind(name []byte) kind {
	if len(name) >= len(knownFields) {
		return kindPass
	}
	for _, f := range knownFields[len(name)] {
		if foldEqual(name, f.name) {
			return f.kind
		}
	}
	return kindPass
}

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

// knownKind knows the fields that matter, by length first.
func knownKind(name []byte) kind {
	switch len(name) {
	case 2:
		if foldEqual(name, "te") {
			return kindTE
		}
	case 4:
		if foldEqual(name, "host") {
			return kindHost
		}
		if foldEqual(name, "date") {
			return kindDate
		}
	case 6:
		if foldEqual(name, "expect") {
			return kindExpect
		}
		if foldEqual(name, "accept") {
			return kindAccept
		}
	case 7:
		if foldEqual(name, "upgrade") {
			return kindUpgrade
		}
	case 10:
		if foldEqual(name, "connection") {
			return kindConnection
		}
		if foldEqual(name, "keep-alive") {
			return kindHop
		}
	case 12:
		if foldEqual(name, "content-type") {
			return kindContentType
		}
		if foldEqual(name, "x-request-id") {
			return kindRequestID
		}
	case 14:
		if foldEqual(name, "content-length") {
			return kindContentLength
		}
		if foldEqual(name, "http2-settings") {
			return kindHop
		}
	case 11:
		if foldEqual(name, "traceparent") {
			return kindTrace
		}
	case 15:
		if foldEqual(name, "x-forwarded-for") {
			return kindForwardedFor
		}
		if foldEqual(name, "x-amzn-trace-id") {
			return kindTrace
		}
	case 16:
		if foldEqual(name, "proxy-connection") {
			return kindHop
		}
	case 17:
		if foldEqual(name, "transfer-encoding") {
			return kindTransferEncoding
		}
		if foldEqual(name, "x-forwarded-proto") {
			return kindForwardedProto
		}
	case 18:
		if foldEqual(name, "proxy-authenticate") {
			return kindHop
		}
	case 19:
		if foldEqual(name, "proxy-authorization") {
			return kindHop
		}
	}
	return kindPass
}

package observe

import (
	"encoding/base64"
	"fmt"
	"strings"
)

func errToken() error { return invalidf("The specified nextToken is invalid.") }

// sealToken makes a paging token that openToken of the same kind reads.
func sealToken(kind, value string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + ":" + value))
}

func openToken(token, kind string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	value, ok := strings.CutPrefix(string(b), kind+":")
	if err != nil || !ok {
		return "", errToken()
	}
	return value, nil
}

// position is a place between events, in the order of time, then of ingestion: just behind the event it names when reading
// forward, just before it when reading backward.
type position struct{ ts, seq int64 }

func (p position) compare(e entry) int { return compareEntries(entry{ts: p.ts, seq: p.seq}, e) }

func (p position) String() string { return fmt.Sprintf("%020d%020d", p.ts, p.seq) }

func parsePosition(s string) (p position, err error) {
	if len(s) != 40 {
		return p, errToken()
	}
	if _, err := fmt.Sscanf(s, "%020d%020d", &p.ts, &p.seq); err != nil {
		return p, errToken()
	}
	return p, nil
}

// eventID is the 56-digit id of an event. Ids sort like the time of their events.
func eventID(stream int64, e entry) string {
	return fmt.Sprintf("%016d%020d%020d", e.ts, e.seq, stream)
}

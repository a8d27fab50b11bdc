package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/observe/events/pattern"
	"slipway.dev/slipway/internal/store"
)

// Entry is an event of a client.
type Entry struct {
	Time       time.Time // zero: now
	Source     string    // anything but aws.…
	DetailType string
	Detail     string // a JSON object
	Resources  []string
	Bus        string // name or ARN of the bus; "" is the default one
}

// Entered is what became of an entry: an event, or the reason why not.
type Entered struct {
	ID            string
	Code, Message string
}

// maxEntries is how large the events of one call may be together, as EventBridge counts bytes.
const maxEntries = 256 << 10

// size is the size of an entry as EventBridge counts it: 14 bytes for a time, and the texts.
func (e Entry) size() int {
	n := len(e.Source) + len(e.DetailType) + len(e.Detail)
	if !e.Time.IsZero() {
		n += 14
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

// PutEvents puts the events of a client on the bus of a scope. Each entry is taken or refused for itself.
func (b *Bus) PutEvents(ctx context.Context, sc apprunner.Scope, entries []Entry) ([]Entered, error) {
	size := 0
	for _, e := range entries {
		size += e.size()
	}
	if size > maxEntries {
		return nil, invalid("Total size of the entries in the request is over the limit: %d bytes; allowed are %d.", size, maxEntries)
	}
	out := make([]Entered, len(entries))
	taken := 0
	for i, e := range entries {
		if out[i].Code, out[i].Message = e.fault(sc); out[i].Code == "" {
			out[i].ID = apprunner.NewUUID()
			taken++
		}
	}
	if taken == 0 {
		return out, nil
	}
	now := b.conf.Now().UTC()
	return out, b.conf.DB.Update(ctx, func(tx *store.Tx) error {
		for i, e := range entries {
			if out[i].ID == "" {
				continue
			}
			if err := observe.EmitEvent(tx, e.event(sc, out[i].ID, now)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e Entry) event(sc apprunner.Scope, id string, now time.Time) observe.BusEvent {
	at := e.Time
	if at.IsZero() {
		at = now
	}
	return observe.BusEvent{
		Scope: sc, ID: id, Time: at, Source: e.Source, DetailType: e.DetailType, Resources: e.Resources, Detail: json.RawMessage(e.Detail),
	}
}

// fault tells why an entry is refused, in the words of EventBridge; no code: it is not.
func (e Entry) fault(sc apprunner.Scope) (code, message string) {
	required := func(name string) (string, string) {
		return "InvalidArgument", fmt.Sprintf("Parameter %s is not valid. Reason: %s is a required argument.", name, name)
	}
	switch {
	case e.Source == "":
		return required("Source")
	case e.DetailType == "":
		return required("DetailType")
	case e.Detail == "":
		return required("Detail")
	case strings.HasPrefix(e.Source, "aws."):
		return "NotAuthorizedForSourceException", "Not authorized for the source."
	case !IsDefault(sc, e.Bus):
		return "ResourceNotFoundException", fmt.Sprintf("Event bus %s does not exist.", e.Bus)
	}
	if _, err := pattern.Parse([]byte(e.Detail)); err != nil {
		return "MalformedDetail", "Detail is malformed."
	}
	return "", ""
}

// IsDefault tells whether a name or an ARN is that of the one bus of a scope; none is.
func IsDefault(sc apprunner.Scope, bus string) bool {
	return bus == "" || bus == DefaultBus || bus == BusARN(sc)
}

// TestPattern tells whether an event, a JSON text with all fields that EventBridge's own have, matches a pattern.
func TestPattern(text, event string) (bool, error) {
	p, err := pattern.Compile(text)
	if err != nil {
		return false, apprunner.Errorf(CodeInvalidPattern, "Event pattern is not valid. Reason: %v", err)
	}
	e, err := pattern.Parse([]byte(event))
	if err != nil {
		return false, invalid("Parameter Event is not valid. Reason: %v.", err)
	}
	for _, name := range []string{"id", "account", "source", "time", "region", "resources", "detail-type"} {
		if _, there := e[name]; !there {
			return false, invalid("Parameter Event is not valid. Reason: the event has no field %q.", name)
		}
	}
	return p.Matches(e), nil
}

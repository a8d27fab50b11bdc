package events

import (
	"strings"
	"sync/atomic"
	"testing"

	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// An event that names where it goes gets there without a rule, by itself and after a restart, and not where nothing is served.
//
// checklist: 158
func TestDirectTargets(t *testing.T) {
	var up atomic.Bool
	r := newReceiver(t, func(int, received) int {
		if !up.Load() {
			return 503
		}
		return 204
	})
	h := newHouse(t, r.URL)
	err := h.db.Update(t.Context(), func(tx *store.Tx) error {
		return observe.EmitEvent(tx, observe.BusEvent{Scope: scope, Time: t0, Source: "aws.cloudwatch", DetailType: "T", Detail: map[string]any{"N": 7}, Targets: []string{topic, other}})
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a first try", func() bool { return len(r.all()) > 0 })
	h.stop()
	before := len(r.all())
	up.Store(true)
	h.restart()
	eventually(t, "another try", func() bool { return len(r.all()) > before })
	eventually(t, "nothing waits", func() bool { st, err := h.Stats(t.Context()); return err == nil && st.Waiting == 0 })
	last := r.all()[len(r.all())-1]
	if !strings.Contains(last.body, `"N":7`) || last.header.Get("Slipway-Target") != topic || last.header.Get("Slipway-Rule") != "" || last.header.Get("Webhook-Signature") == "" {
		t.Errorf("%+v", last)
	}
	if !strings.Contains(h.text.String(), other) {
		t.Error("nobody is told that nothing is sent to " + other)
	}
}

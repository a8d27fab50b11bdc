package server

import "testing"

func TestLullBeginsOnceAfterWork(t *testing.T) {
	const kb, mb = 1 << 10, 1 << 20
	for name, looks := range map[string][]struct {
		allocated uint64 // since the look before
		begins    bool
	}{
		"a deployment":              {{8 * mb, false}, {8 * mb, false}, {10 * kb, true}, {10 * kb, false}, {200 * kb, false}},
		"two":                       {{8 * mb, false}, {0, true}, {3 * mb, false}, {0, true}},
		"what fades":                {{16 * mb, false}, {8 * mb, false}, {4 * mb, false}, {2 * mb, true}},
		"a trickle":                 {{100 * kb, false}, {100 * kb, false}, {4 * mb, false}, {100 * kb, true}, {100 * kb, false}},
		"steps of work":             {{mb, false}, {0, false}, {mb - kb, false}, {0, false}, {mb, false}, {0, true}},
		"steady requests":           {{9 * mb, false}, {9 * mb, false}, {8 * mb, false}, {9 * mb, false}},
		"requests after work":       {{900 * mb, false}, {40 * mb, false}, {40 * mb, false}, {0, true}},
		"many instances to look at": {{4 * mb, false}, {4 * mb, false}, {90 * mb, false}, {4 * mb, true}, {4 * mb, false}, {3 * mb, false}},
	} {
		var l lull
		var so uint64
		for i, look := range looks {
			so += look.allocated
			if begins := l.begins(so); begins != look.begins {
				t.Errorf("%s: look %d: %v", name, i, begins)
			}
		}
	}
}

package build

import (
	"fmt"
	"os"
	"testing"
	"time"
)

type testLog struct{ t *testing.T }

func (l testLog) Step(f string, a ...any) { l.t.Helper(); l.t.Logf("[AppRunner] "+f, a...) }
func (l testLog) Output(s string)         { l.t.Helper(); l.t.Logf("[Build] %s", s) }

func TestKitchenTiming(t *testing.T) {
	dir := os.Getenv("KITCHEN")
	if dir == "" {
		t.Skip()
	}
	k := kitchen{dir: dir, log: testLog{t}}
	for _, r := range recipes(Config{Architecture: "amd64"}) {
		switch r.version {
		case "3.11.2", "22.23.3", "18.20.8", "12.22.12", "1.26.8":
			for _, l := range r.layers {
				began := time.Now()
				f, err := k.layer(t.Context(), l)
				if err != nil {
					t.Fatal(err)
				}
				st, _ := os.Stat(f)
				fmt.Println(r.title(), l.key(), st.Size()>>20, "MiB", time.Since(began).Round(time.Millisecond))
			}
		}
	}
}

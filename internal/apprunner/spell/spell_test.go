package spell

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"data-dir", "api-addr", "api-key", "https-addr", "http-addr", "domain", "region"}
	for word, want := range map[string]string{
		"api_addr": "api-addr", "apiAddr": "api-addr", "api-adr": "api-addr", "domian": "domain", "regoin": "region", "http-adr": "http-addr",
		"data-directory": "", "colour": "", "": "", "x": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: %q is meant, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"domian", "domain", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

package reconcile

import (
	"slices"
	"testing"
)

func TestSplitCommand(t *testing.T) {
	for command, want := range map[string][]string{
		"node server.js":          {"node", "server.js"},
		`app --greet "two words"`: {"app", "--greet", "two words"},
		"app  ''  x":              {"app", "", "x"},
		"app --port $PORT":        {"/bin/sh", "-c", "app --port $PORT"},
		"a && b":                  {"/bin/sh", "-c", "a && b"},
	} {
		if got := splitCommand(command); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", command, got, want)
		}
	}
}

func TestExecPrefix(t *testing.T) {
	for command, want := range map[string]string{
		"python3 server.py": "exec ", "./app": "exec ", "gunicorn -b 0.0.0.0:$PORT app:app": "exec ", "node": "exec ",
		"cd app && node x.js": "", "cd app": "", "A=1 node x.js": "", "a; b": "", "exec node x": "", "(a)": "", "a | b": "",
	} {
		if got := execPrefix(command); got != want {
			t.Errorf("%q: prefix %q, want %q", command, got, want)
		}
	}
}

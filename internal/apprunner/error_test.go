package apprunner

import "testing"

func TestErrorIsOneTextOfSentences(t *testing.T) {
	for _, c := range []struct{ message, hint, want string }{
		{"the disk is full", "", "the disk is full"},
		{"the disk is full", "Free space.", "the disk is full. Free space."},
		{"The disk is full.", "Free space.", "The disk is full. Free space."},
	} {
		err := Errorf(CodeInternal, "%s", c.message)
		if c.hint != "" {
			err = err.WithHint("%s", c.hint)
		}
		if got := err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

package server

import (
	"testing"
	"time"
)

func TestPausesBetweenStarts(t *testing.T) {
	for name, c := range map[string]struct {
		lived time.Duration
		want  time.Duration // after twenty ends
	}{
		"a role that cannot start slows down":            {150 * time.Millisecond, restartMost},
		"a role that is killed now and then is back":     {time.Second, restartFirst},
		"a role that ends at once slows down":            {0, restartMost},
		"a role that lived an hour is back at once":      {time.Hour, restartFirst},
		"a role that ends while it starts is slowed too": {190 * time.Millisecond, restartMost},
	} {
		wait := restartFirst
		for range 20 {
			wait = nextPause(wait, c.lived)
		}
		if wait != c.want {
			t.Errorf("%s: pause %s, want %s", name, wait, c.want)
		}
	}
	if got := nextPause(restartMost, time.Minute); got != restartFirst {
		t.Errorf("after a minute of service the pause is %s", got)
	}
}

package instancetest

import (
	"context"
	"errors"
	"testing"

	"slipway.dev/slipway/internal/instance"
)

func TestFakeConforms(t *testing.T) {
	worlds := map[string]*World{}
	Run(t, func(_ *testing.T, dir string) instance.Driver {
		if worlds[dir] == nil {
			worlds[dir] = NewWorld()
		}
		return worlds[dir].Driver()
	}, instance.Rootfs{})
}

func TestFakeMisbehavesOnRequest(t *testing.T) {
	world := NewWorld()
	b := NewBench(t, func(*testing.T, string) instance.Driver { return world.Driver() }, instance.Rootfs{})
	broken := errors.New("broken")
	world.Misbehave(Faults{Start: func(context.Context, instance.Spec) error { return broken }})
	if _, err := b.Start(t.Context(), b.Spec("wait")); !errors.Is(err, broken) {
		t.Errorf("Start: %v", err)
	}
	world.Misbehave(Faults{})
	i := b.Serve()
	world.Kill(i.ID, instance.Exit{Code: 3})
	if exit := b.Ended(i.ID); exit.Code != 3 {
		t.Errorf("it ended as %+v", exit)
	}
	world.Programs["/other"] = func(context.Context, Process) int { return 4 }
	spec := b.Spec()
	spec.Args = []string{"/other"}
	b.Begin(spec)
	if exit := b.Ended(spec.ID); exit.Code != 4 {
		t.Errorf("it ended as %+v", exit)
	}
}

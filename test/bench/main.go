package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"slipway.dev/slipway/test/rig"
)

// roles are what this program does in processes of their own.
var roles = map[string]func(ctx context.Context, args []string) error{
	"edge-role": edgeRole,
	"load-role": loadRole,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			if err := role(ctx, os.Args[2:]); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
				os.Exit(1)
			}
			return
		}
	}
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	dir    string // scratch, removed at the end
	quick  bool
	rounds int
	out    io.Writer // figures
	notes  io.Writer // everything else
	failed []string  // figures that could not be measured
}

func run(ctx context.Context, args []string, out, notes io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "run one part: edge, deploy, scale or api")
	quick := flags.Bool("quick", false, "one short round: shows that the bench works, the figures mean little")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "slipway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer rig.Clean()
	b := &bench{dir: dir, quick: *quick, rounds: 3, out: out, notes: notes}
	if b.quick {
		b.rounds = 1
	}
	return b.parts(ctx, *only)
}

func (b *bench) parts(ctx context.Context, only string) error {
	known := false
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"edge", b.edge}, {"deploy", b.deploy}, {"scale", b.scale}, {"api", b.api}} {
		if only != "" && only != part.name {
			continue
		}
		known = true
		b.attempt(ctx, part.name, part.run)
	}
	switch {
	case !known:
		return fmt.Errorf("-only %s: there are edge, deploy, scale and api", only)
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case len(b.failed) > 0:
		return fmt.Errorf("not measured: %v", b.failed)
	}
	return nil
}

// attempt runs something and goes on when it fails: one figure that cannot be had must not hide the others.
func (b *bench) attempt(ctx context.Context, name string, do func(context.Context) error) {
	if ctx.Err() != nil {
		return
	}
	if err := do(ctx); err != nil {
		b.note("%s: %v", name, err)
		b.failed = append(b.failed, name)
	}
}

// pick returns the first value in a full run and the second one in a quick one.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/server"
)

// roles are the verbs that `slipway up` starts itself with. People do not use them.
func (p *program) roles() []*cobra.Command {
	role := func(name string, run func(ctx context.Context, dataDir string, log *slog.Logger) error) *cobra.Command {
		c := &cobra.Command{
			Use: name, Hidden: true, Args: arguments(),
			RunE: func(cmd *cobra.Command, _ []string) error {
				dir, err := cmd.Flags().GetString("data-dir")
				if err != nil {
					return err
				}
				return run(context.WithoutCancel(cmd.Context()), dir, p.logger(p.env(server.EnvName("log-level"))).With("role", name))
			},
		}
		dataDirFlag(c.Flags())
		return c
	}
	return []*cobra.Command{role("control", server.RunControl), role("edge", server.RunEdge)}
}

// logger writes what the server has to say to standard error.
func (p *program) logger(level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: l}))
}

// Command slipway is the whole of Slipway: the server, its roles, and the verbs that people use.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/server"
)

// version is set by the build.
var version = "dev"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "shim" { // the smallest process there is: one runs beside each instance
		os.Exit(server.RunShim(os.Args[2:]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}

// program is what every verb works with.
type program struct {
	out, err io.Writer
	env      func(string) string
}

// The exit codes.
const (
	exitFailed = 1 // what was asked did not work
	exitUsage  = 2 // the command line was not understood
)

// usageError marks a command line that was not understood.
type usageError struct{ error }

// exitError ends with a code whose reason has been told already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func run(args []string, out, errs io.Writer, env func(string) string) int {
	root := command(&program{out: out, err: errs, env: env})
	root.SetArgs(args)
	// The first Ctrl-C ends what is under way in good order, the second one at once. The server handles its own signals.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop)
	cmd, err := root.ExecuteContextC(ctx)
	var silent exitError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &silent):
		return int(silent)
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(errs, "slipway: %v\nSee `%s --help`.\n", err, cmd.CommandPath())
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(errs, "slipway: interrupted")
	default:
		fmt.Fprintf(errs, "slipway: %v\n", err)
	}
	return exitFailed
}

func command(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway",
		Short: "Turns a repository, an image or a folder into a running HTTPS service",
		Long: "Slipway turns a repository, an image or a folder into a running HTTPS service, through the AWS App Runner API.\n\n" +
			"Start it with `slipway up`, then deploy a folder with `slipway deploy DIR` or use any AWS client.",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(p.up(), p.down(), p.status(), p.doctor(), p.deploy(), p.logs(), p.validate(), p.config(), p.account(), p.connection(), p.rootKey(), p.rootPassword(), p.audit(), p.certificate(), p.trust(), p.version())
	root.AddCommand(p.upgrade(), p.maintenance(), p.vpc())
	root.AddCommand(p.roles()...)
	return root
}

// arguments checks how many arguments a verb has; names are for the message.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		if len(names) == 0 {
			return usageError{fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), strings.Join(args, " "))}
		}
		return usageError{fmt.Errorf("%s takes %s, got %d arguments", cmd.CommandPath(), strings.Join(names, " and "), len(args))}
	}
}

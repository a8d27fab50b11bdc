package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/server"
)

// maxValidated is how much of a file is looked at, in bytes; a longer one is rejected.
const maxValidated = 1 << 20

func (p *program) validate() *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE", Short: "Check an apprunner.yaml",
		Long: "Checks an apprunner.yaml. The exit code is 0 when it is accepted, with remarks that begin \"warning:\" if there are any, and 1\n" +
			"when it is rejected, with each fault as FILE:LINE:COL: message.",
		Args: arguments("a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := readAtMost(args[0], maxValidated)
			if err != nil {
				return err
			}
			remarks, accepted := server.CheckFile(data, args[0])
			for _, r := range remarks {
				fmt.Fprintln(p.out, r)
			}
			if !accepted {
				return exitError(exitFailed)
			}
			return nil
		},
	}
}

func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s:1:1: the file is longer than %d bytes", path, limit)
	}
	return data, err
}

package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/server"
)

func (p *program) upgrade() *cobra.Command {
	var binary string
	c := &cobra.Command{
		Use: "upgrade", Short: "Continue with another slipway program, without a failed request",
		Long: "Lets the running installation continue with another program: a new edge takes the listeners over, a new control is started, and\n" +
			"`slipway up` becomes the new program in the same process. Applications run on; no request fails. A program that does not work\n" +
			"leaves the former one serving. Settings are read anew, except the addresses.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, _, err := p.load(cmd)
			if err != nil {
				return err
			}
			if binary != "" {
				if binary, err = filepath.Abs(binary); err != nil {
					return fmt.Errorf("--binary: %w", err)
				}
			}
			progress := show.NewProgress(p.err, show.Detect(p.err, p.env), time.Now)
			defer progress.Close()
			r, err := server.Upgrade(cmd.Context(), conf.DataDir, binary, progress.Step)
			if err != nil {
				progress.Fail()
				return err
			}
			progress.Done()
			progress.Close()
			fmt.Fprintf(p.out, "Slipway runs version %s.\n", r.Version)
			return nil
		},
	}
	c.Flags().StringVar(&binary, "binary", "", "path of the new program; default the file that the running one was started from, as it is now")
	dataDirFlag(c.Flags())
	return c
}

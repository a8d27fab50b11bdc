package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/server"
)

func (p *program) down() *cobra.Command {
	c := &cobra.Command{
		Use: "down", Short: "Stop Slipway and its applications",
		Long: "Stops Slipway and its applications, and takes away everything outside the data directory. What was deployed stays recorded;\n" +
			"the next start brings it back.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, _, err := p.load(cmd)
			if err != nil {
				return err
			}
			_, running, err := server.ReadRunning(conf.DataDir)
			if err != nil {
				return err
			}
			progress := show.NewProgress(p.err, show.Detect(p.err, p.env), time.Now)
			defer progress.Close()
			progress.Step("Stopping Slipway and its applications")
			if err := server.Down(cmd.Context(), conf, p.logger(conf.LogLevel)); err != nil {
				progress.Fail()
				return err
			}
			progress.Done()
			progress.Close()
			if !running {
				fmt.Fprintln(p.out, "Slipway was not running; nothing of it is left on the machine.")
			}
			return nil
		},
	}
	dataDirFlag(c.Flags())
	return c
}

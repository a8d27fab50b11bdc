package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/server"
)

func (p *program) maintenance() *cobra.Command {
	var service string
	var all bool
	c := &cobra.Command{
		Use: "maintenance", Short: "Move services to new instances, without a failed request",
		Long: "Moves a running service, or all of them, to new instances of the version they run, as after a change of the machine below them.\n" +
			"Meanwhile the service is in OPERATION_IN_PROGRESS and refuses changes; it goes on serving. It returns as soon as the move has begun.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (service == "") != all {
				return usageError{errors.New("give either --service ARN or --all")}
			}
			conf, _, err := p.load(cmd)
			if err != nil {
				return err
			}
			moved, err := server.Maintain(cmd.Context(), conf.DataDir, service)
			if err != nil {
				return err
			}
			for _, arn := range moved {
				fmt.Fprintln(p.out, arn)
			}
			return nil
		},
	}
	c.Flags().StringVar(&service, "service", "", "ARN of the service")
	c.Flags().BoolVar(&all, "all", false, "every service that runs")
	dataDirFlag(c.Flags())
	return c
}

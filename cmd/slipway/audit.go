package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/server"
)

// audit is the verb that looks after the audit records, on the machine itself.
func (p *program) audit() *cobra.Command {
	c := &cobra.Command{
		Use: "audit", Short: "Look after the audit records, on the installation's machine", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	verify := &cobra.Command{
		Use: "verify", Short: "Check that no audit record was changed, removed or inserted",
		Long: "Holds every audit record against the chain that binds it to those before it, and names the first that is not as it was written.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, _, err := p.load(cmd)
			if err != nil {
				return err
			}
			dir, err := filepath.Abs(conf.DataDir)
			if err != nil {
				return err
			}
			n, err := server.VerifyAudit(cmd.Context(), dir)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.out, "%d records, all as they were written.\n", n)
			return err
		},
	}
	dataDirFlag(verify.Flags())
	c.AddCommand(verify)
	return c
}

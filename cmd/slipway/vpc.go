package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/network/host"
	"slipway.dev/slipway/internal/server"
)

func (p *program) vpc() *cobra.Command {
	c := &cobra.Command{Use: "vpc", Short: "Enter VPCs", Args: arguments(), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(p.vpcExec())
	return c
}

func (p *program) vpcExec() *cobra.Command {
	var in server.Inside
	c := &cobra.Command{
		Use: "exec --subnet ID [--security-group ID]... -- COMMAND [ARG]...", Short: "Run a command inside a subnet",
		Long: "Runs a command inside a subnet of a VPC, with an address of its own there and the VPC's resolver, and ends with the command's exit code.\n" +
			"What it can reach is what the security groups let through; files and processes are those of this machine. It takes root.",
		Example: "  slipway vpc exec --subnet subnet-0123456789abcdef0 -- curl https://abcdefghij.us-east-1.apprunner.localhost/",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("say what to run: slipway vpc exec --subnet ID -- COMMAND")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.Subnet == "" {
				return usageError{errors.New("--subnet is missing: the id of the subnet to run the command in")}
			}
			conf, _, err := p.load(cmd)
			if err != nil {
				return err
			}
			in.Command = host.Command{Args: args, Stdin: os.Stdin, Stdout: p.out, Stderr: p.err}
			code, err := server.RunInside(cmd.Context(), conf.DataDir, in)
			if err != nil {
				return fmt.Errorf("run inside %s: %w", in.Subnet, err)
			}
			if code != 0 {
				return exitError(code)
			}
			return nil
		},
	}
	c.Flags().StringVar(&in.Subnet, "subnet", "", "id of the subnet")
	c.Flags().StringArrayVar(&in.Groups, "security-group", nil, "id of a security group to be in, may be repeated (default: the VPC's default group)")
	c.Flags().SetInterspersed(false)
	dataDirFlag(c.Flags())
	return c
}

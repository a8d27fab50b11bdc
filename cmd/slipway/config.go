package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/server"
)

// settingFlags gives a verb a flag for every setting, and one for the file they can be in.
func (p *program) settingFlags(f *pflag.FlagSet) {
	for _, s := range server.SettingsHelp(p.env) {
		usage := s.Usage
		if s.Default != "" {
			usage += " (default " + s.Default + ")"
		}
		f.String(s.Name, "", usage)
		if s.Default == "true" || s.Default == "false" {
			f.Lookup(s.Name).NoOptDefVal = "true"
		}
	}
	f.String("config", "", "read settings from this YAML `file`")
}

// dataDirFlag gives a verb that talks to an installation the flag that names it.
func dataDirFlag(f *pflag.FlagSet) {
	f.String("data-dir", "", "the installation's data `directory` (default $SLIPWAY_DATA_DIR)")
}

// load settles the configuration from the flags of cmd, the environment and the file.
func (p *program) load(cmd *cobra.Command) (server.Config, []server.Setting, error) {
	in := server.Input{Flags: map[string]string{}, Env: p.env}
	names := map[string]bool{}
	for _, s := range server.SettingsHelp(p.env) {
		names[s.Name] = true
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "config" {
			in.File = f.Value.String()
		} else if names[f.Name] {
			in.Flags[f.Name] = f.Value.String()
		}
	})
	return server.Load(in)
}

// tellStray tells of variables that look like settings and are none.
func (p *program) tellStray() {
	for _, text := range server.StrayVariables(os.Environ()) {
		fmt.Fprintf(p.err, "slipway: %s\n", text)
	}
}

func (p *program) config() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Look at the settings", Args: arguments(), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{
		Use: "show", Short: "Print every setting, its value and where it comes from",
		Long: "Prints every setting, its value and where it comes from. A flag beats an environment variable, which beats the\n" +
			"configuration file, which beats the default. The setting api-addr is the flag --api-addr, the variable SLIPWAY_API_ADDR and the key\napi-addr in the file.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, settings, err := p.load(cmd)
			if err != nil {
				return err
			}
			p.tellStray()
			var rows [][]string
			for _, s := range settings {
				rows = append(rows, []string{s.Name, strings.TrimSpace(s.Value), s.From})
			}
			show.Detect(p.out, p.env).Table(p.out, []string{"SETTING", "VALUE", "FROM"}, rows)
			return nil
		},
	}
	p.settingFlags(list.Flags())
	c.AddCommand(list)
	return c
}

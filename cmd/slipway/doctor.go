package main

import (
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/server"
)

func (p *program) doctor() *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Tell what this machine lacks",
		Long: "Examines this machine and tells what it lacks and what works less well for it. The exit code is 1 when Slipway cannot run here.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, _, err := p.load(cmd)
			if err != nil {
				return err
			}
			return p.report(append(server.Doctor(cmd.Context(), conf), git()))
		},
	}
	dataDirFlag(c.Flags())
	return c
}

func git() server.Finding {
	path, err := exec.LookPath("git")
	if err != nil {
		return server.Finding{Name: "git", Detail: "not found; install the package git", Degrades: "services cannot be made from repositories"}
	}
	return server.Finding{Name: "git", OK: true, Detail: path}
}

func (p *program) report(findings []server.Finding) error {
	t := show.Detect(p.out, p.env)
	missing, worse := 0, 0
	for _, f := range findings {
		mark, style := "ok     ", show.Good
		switch {
		case !f.OK && f.Degrades == "":
			mark, style = "MISSING", show.Bad
			missing++
		case !f.OK:
			mark, style = "worse  ", show.Note
			worse++
		}
		fmt.Fprintf(p.out, "%s  %s: %s\n", t.Paint(style, mark), f.Name, f.Detail)
		if !f.OK && f.Degrades != "" {
			fmt.Fprintf(p.out, "         without it: %s\n", f.Degrades)
		}
	}
	switch {
	case missing > 0:
		fmt.Fprintf(p.out, "\nSlipway cannot run on this machine: %d thing(s) missing.\n", missing)
		return exitError(exitFailed)
	case worse > 0:
		fmt.Fprintf(p.out, "\nSlipway runs on this machine; %d thing(s) could be better.\n", worse)
	default:
		fmt.Fprintln(p.out, "\nSlipway has all it wants on this machine.")
	}
	return nil
}

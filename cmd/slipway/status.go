package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/cmd/slipway/internal/caller"
	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/server"
	"slipway.dev/slipway/internal/wire/apprunner"
)

// exitNotRunning is what init scripts know as "program is not running".
const exitNotRunning = 3

func (p *program) status() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Tell whether Slipway is running, and what it serves",
		Long: "Tells whether Slipway is running, where, and what it serves. The exit code is 3 when it is not running.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, _, err := p.load(cmd)
			if err != nil {
				return err
			}
			r, running, err := server.ReadRunning(conf.DataDir)
			if err != nil {
				return err
			}
			switch {
			case !running:
				fmt.Fprintf(p.out, "Slipway is not running over %s. Start it with `slipway up`.\n", conf.DataDir)
				return exitError(exitNotRunning)
			case r.Ending:
				fmt.Fprintf(p.out, "Slipway is ending over %s.\n", conf.DataDir)
				return exitError(exitNotRunning)
			case !r.Ready:
				fmt.Fprintf(p.out, "Slipway is starting over %s.\n", conf.DataDir)
				return exitError(exitNotRunning)
			}
			p.running(r)
			cl, err := fromDataDir(conf.DataDir)
			if err != nil {
				return err
			}
			return p.services(cmd.Context(), cl)
		},
	}
	dataDirFlag(c.Flags())
	return c
}

func (p *program) running(r server.Running) {
	fmt.Fprintf(p.out, "Slipway has been running for %s (process %d, version %s).\n", show.Duration(time.Since(r.StartedAt)), r.PID, r.Version)
	if u := r.Upgrade; u.Failure != "" {
		fmt.Fprintf(p.out, "The upgrade to %s of %s failed; the former program serves on: %s\n", u.Binary, u.At.Local().Format(time.DateTime), u.Failure)
	}
	for _, row := range [][2]string{
		{"API", r.Config.APIURL()},
		{"console", r.Config.APIURL() + "/console/"},
		{"HTTPS", r.Addresses.HTTPS},
		{"HTTP", r.Addresses.HTTP},
		{"DNS", r.Addresses.DNS},
		{"data", r.Config.DataDir},
		{"credentials", r.Config.CredentialsFile()},
	} {
		fmt.Fprintf(p.out, "  %-12s %s\n", row[0], row[1])
	}
	fmt.Fprintln(p.out)
}

func (p *program) services(ctx context.Context, cl *client) error {
	services, err := cl.services(ctx)
	if err != nil {
		return explain(err)
	}
	if len(services) == 0 {
		fmt.Fprintln(p.out, "No services yet. Deploy a folder with `slipway deploy DIR`.")
		return nil
	}
	t := show.Detect(p.out, p.env)
	var rows [][]string
	for _, s := range services {
		rows = append(rows, []string{value(s.ServiceName), t.Paint(statusStyle(value(s.Status)), value(s.Status)), cl.link(value(s.ServiceUrl))})
	}
	t.Table(p.out, []string{"SERVICE", "STATUS", "URL"}, rows)
	return nil
}

func statusStyle(status string) show.Style {
	switch status {
	case apprunner.ServiceStatusRunning:
		return show.Good
	case apprunner.ServiceStatusCreateFailed, apprunner.ServiceStatusDeleteFailed:
		return show.Bad
	case apprunner.ServiceStatusOperationInProgress:
		return show.Note
	}
	return show.Plain
}

// services lists the account's services that are not deleted.
func (c *client) services(ctx context.Context) (all []apprunner.ServiceSummary, err error) {
	in := &apprunner.ListServicesRequest{}
	for {
		page, err := caller.Call[apprunner.ListServicesResponse](ctx, c.api, &apprunner.API, "ListServices", in)
		if err != nil {
			return nil, err
		}
		for _, s := range page.ServiceSummaryList {
			if value(s.Status) != apprunner.ServiceStatusDeleted {
				all = append(all, s)
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return all, nil
		}
	}
}

// service finds a service by its name; ok is false when there is none.
func (c *client) service(ctx context.Context, name string) (s apprunner.Service, ok bool, err error) {
	all, err := c.services(ctx)
	if err != nil {
		return s, false, explain(err)
	}
	for _, found := range all {
		if value(found.ServiceName) != name {
			continue
		}
		out, err := caller.Call[apprunner.DescribeServiceResponse](ctx, c.api, &apprunner.API, "DescribeService", &apprunner.DescribeServiceRequest{ServiceArn: found.ServiceArn})
		if err != nil {
			return s, false, explain(err)
		}
		return *out.Service, true, nil
	}
	return s, false, nil
}

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/cmd/slipway/internal/caller"
	"slipway.dev/slipway/cmd/slipway/internal/folder"
	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/server"
	"slipway.dev/slipway/internal/wire/apprunner"
)

// deployBranch is the branch of the hosted repository that folders are deployed from.
const deployBranch = "main"

// deployOptions are the flags of deploy.
type deployOptions struct {
	name, runtime, build, start string
	port                        int
	env                         []string
	auto                        bool
}

func (p *program) deploy() *cobra.Command {
	var o deployOptions
	c := &cobra.Command{
		Use: "deploy DIR", Short: "Deploy a folder and show its address",
		Long: "Deploys a folder: commits its files to a git repository that Slipway hosts, makes or updates the service, and follows the\n" +
			"deployment. An apprunner.yaml in the folder says how to build and start; without one it is found out, and the flags override it.\n" +
			"Files that .gitignore leaves out are left out. The exit code is 1 when the deployment fails.",
		Example: "  slipway deploy .\n  slipway deploy ./api --name orders-api --env LOG_LEVEL=debug",
		Args:    arguments("a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			cl, err := p.connect(cmd)
			if err != nil {
				return err
			}
			_, err = p.deployFolder(cmd.Context(), cl, dir, o)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "", "name of the service (default: the folder's)")
	f.StringVar(&o.runtime, "runtime", "", "runtime, such as PYTHON_311, NODEJS_22 or GO_1")
	f.StringVar(&o.build, "build", "", "`command` that builds the application")
	f.StringVar(&o.start, "start", "", "`command` that starts the application")
	f.IntVar(&o.port, "port", 0, "port the application listens on (default 8080)")
	f.StringArrayVar(&o.env, "env", nil, "environment variable as `NAME=VALUE`; may be repeated")
	f.BoolVar(&o.auto, "auto", false, "deploy again at every push to the hosted repository")
	dataDirFlag(f)
	return c
}

// deployFolder returns the address of the service.
func (p *program) deployFolder(ctx context.Context, cl *client, dir string, o deployOptions) (string, error) {
	if o.name == "" {
		o.name = folder.ServiceName(dir)
	}
	plan, err := folder.Detect(dir, folder.Override{Runtime: strings.ToUpper(o.runtime), Build: o.build, Start: o.start})
	if err != nil {
		return "", err
	}
	source, err := o.source(plan)
	if err != nil {
		return "", err
	}
	if plan.FromFile {
		if err := p.checkFile(dir); err != nil {
			return "", err
		}
	}
	progress := show.NewProgress(p.out, show.Detect(p.out, p.env), time.Now)
	defer progress.Close()
	d := &deployment{client: cl, progress: progress, name: o.name}
	if !plan.FromFile {
		progress.Say(show.Dim, fmt.Sprintf("%s: runtime %s, build %q, start %q (found %s)", o.name, plan.Runtime, plan.Build, plan.Start, plan.Why))
	}
	svc, err := d.run(ctx, dir, source)
	if err != nil {
		progress.Fail()
		return "", err
	}
	return cl.link(value(svc.ServiceUrl)), nil
}

func (p *program) checkFile(dir string) error {
	path := filepath.Join(dir, folder.ConfigFile)
	data, err := readAtMost(path, maxValidated)
	if err != nil {
		return err
	}
	remarks, accepted := server.CheckFile(data, path)
	for _, r := range remarks {
		fmt.Fprintln(p.err, r)
	}
	if !accepted {
		return fmt.Errorf("%s is not valid; nothing was deployed", path)
	}
	return nil
}

// source makes the source configuration; the repository's address is filled in later.
func (o deployOptions) source(plan folder.Plan) (*apprunner.SourceConfiguration, error) {
	code := &apprunner.CodeConfiguration{ConfigurationSource: new(apprunner.ConfigurationSourceRepository)}
	if plan.FromFile {
		if len(o.env) > 0 || o.port != 0 {
			return nil, fmt.Errorf("--env and --port have no effect beside an %s: put them there, or say how to build with --runtime, --build and --start", folder.ConfigFile)
		}
	} else {
		env := map[string]string{}
		for _, pair := range o.env {
			k, v, ok := strings.Cut(pair, "=")
			if !ok || k == "" {
				return nil, usageError{fmt.Errorf("--env %s: the form is NAME=VALUE", pair)}
			}
			env[k] = v
		}
		port := o.port
		if port == 0 {
			port = 8080
		}
		code.ConfigurationSource = new(apprunner.ConfigurationSourceApi)
		code.CodeConfigurationValues = &apprunner.CodeConfigurationValues{
			Runtime: &plan.Runtime, BuildCommand: &plan.Build, StartCommand: &plan.Start,
			Port: new(strconv.Itoa(port)), RuntimeEnvironmentVariables: env,
		}
	}
	return &apprunner.SourceConfiguration{
		AutoDeploymentsEnabled: &o.auto,
		CodeRepository: &apprunner.CodeRepository{
			CodeConfiguration: code,
			SourceCodeVersion: &apprunner.SourceCodeVersion{Type: new(apprunner.SourceCodeVersionTypeBranch), Value: new(deployBranch)},
		},
	}, nil
}

// deployment is one run of deploy.
type deployment struct {
	*client
	progress *show.Progress
	name     string
}

func (d *deployment) run(ctx context.Context, dir string, source *apprunner.SourceConfiguration) (apprunner.Service, error) {
	url, user, password, err := d.gitURL(ctx, d.name)
	if err != nil {
		return apprunner.Service{}, err
	}
	svc, exists, err := d.ready(ctx)
	if err != nil {
		return svc, err
	}
	d.progress.Step("Sending the folder")
	pushed, err := folder.Push(ctx, dir, "Deploy "+d.name, folder.Remote{URL: url, Branch: deployBranch, Username: user, Password: password, CAFile: d.ca})
	if err != nil {
		return svc, err
	}
	d.progress.Step(fmt.Sprintf("Asking for a deployment of commit %.12s (%d files, %d KB)", pushed.Commit, pushed.Files, (pushed.Bytes+1023)/1024))
	source.CodeRepository.RepositoryUrl = &url
	svc, operation, err := d.start(ctx, svc, exists, source)
	if err != nil {
		return svc, explain(err)
	}
	d.progress.Done()
	return svc, d.follow(ctx, svc, operation)
}

// ready finds the service and waits while another operation works on it.
func (d *deployment) ready(ctx context.Context) (svc apprunner.Service, exists bool, err error) {
	waiting := false
	for {
		svc, exists, err = d.service(ctx, d.name)
		switch {
		case err != nil || !exists:
			return svc, exists, err
		case value(svc.Status) == apprunner.ServiceStatusPaused:
			return svc, true, fmt.Errorf("%s is paused; resume it first: aws apprunner resume-service --service-arn %s", d.name, value(svc.ServiceArn))
		case value(svc.Status) == apprunner.ServiceStatusDeleteFailed:
			return svc, true, fmt.Errorf("%s could not be deleted and takes no deployments; delete it again: aws apprunner delete-service --service-arn %s", d.name, value(svc.ServiceArn))
		case svc.SourceConfiguration != nil && svc.SourceConfiguration.ImageRepository != nil:
			return svc, true, fmt.Errorf("%s is an image service; deploy the folder under another name with --name", d.name)
		case value(svc.Status) != apprunner.ServiceStatusOperationInProgress:
			return svc, true, nil
		}
		if !waiting {
			d.progress.Step("Waiting for another operation on " + d.name)
			waiting = true
		}
		if err := pause(ctx, time.Second); err != nil {
			return svc, true, err
		}
	}
}

// start makes the service, or deploys the newest commit to it with the settings given.
func (d *deployment) start(ctx context.Context, svc apprunner.Service, exists bool, source *apprunner.SourceConfiguration) (apprunner.Service, string, error) {
	if !exists {
		out, err := caller.Call[apprunner.CreateServiceResponse](ctx, d.api, &apprunner.API, "CreateService", &apprunner.CreateServiceRequest{ServiceName: &d.name, SourceConfiguration: source})
		if err != nil {
			return svc, "", err
		}
		return *out.Service, value(out.OperationId), nil
	}
	if sameSource(svc.SourceConfiguration, source) && value(svc.Status) == apprunner.ServiceStatusRunning {
		out, err := caller.Call[apprunner.StartDeploymentResponse](ctx, d.api, &apprunner.API, "StartDeployment", &apprunner.StartDeploymentRequest{ServiceArn: svc.ServiceArn})
		if err != nil {
			return svc, "", err
		}
		return svc, value(out.OperationId), nil
	}
	out, err := caller.Call[apprunner.UpdateServiceResponse](ctx, d.api, &apprunner.API, "UpdateService", &apprunner.UpdateServiceRequest{ServiceArn: svc.ServiceArn, SourceConfiguration: source})
	if err != nil {
		return svc, "", err
	}
	return *out.Service, value(out.OperationId), nil
}

// sameSource tells whether an update would change nothing of the source's settings.
func sameSource(have, want *apprunner.SourceConfiguration) bool {
	if have == nil || have.CodeRepository == nil || have.CodeRepository.CodeConfiguration == nil {
		return false
	}
	a, b := have.CodeRepository.CodeConfiguration, want.CodeRepository.CodeConfiguration
	if value(have.CodeRepository.RepositoryUrl) != value(want.CodeRepository.RepositoryUrl) ||
		value(have.AutoDeploymentsEnabled) != value(want.AutoDeploymentsEnabled) || value(a.ConfigurationSource) != value(b.ConfigurationSource) {
		return false
	}
	if b.CodeConfigurationValues == nil {
		return true
	}
	if a.CodeConfigurationValues == nil {
		return false
	}
	return settingsText(a.CodeConfigurationValues) == settingsText(b.CodeConfigurationValues)
}

func settingsText(v *apprunner.CodeConfigurationValues) string {
	return fmt.Sprint(value(v.Runtime), "\x00", value(v.BuildCommand), "\x00", value(v.StartCommand), "\x00", value(v.Port), "\x00", v.RuntimeEnvironmentVariables)
}

// pause waits, or returns the reason why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

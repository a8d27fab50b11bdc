package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"

	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/server"
	"slipway.dev/slipway/internal/wire/apprunner"
)

//go:embed sample
var sample embed.FS

// demoName is the service that the sample becomes.
const demoName = "hello"

// demo deploys the sample, unless it is running already, and tells what to try next.
func (p *program) demo(ctx context.Context, conf server.Config) error {
	cl, err := fromDataDir(conf.DataDir)
	if err != nil {
		return err
	}
	svc, exists, err := cl.service(ctx, demoName)
	if err != nil {
		return err
	}
	if !exists || value(svc.Status) == apprunner.ServiceStatusCreateFailed {
		if err := p.deploySample(ctx, cl); err != nil {
			return err
		}
		if svc, _, err = cl.service(ctx, demoName); err != nil {
			return err
		}
	}
	p.tryNext(cl, svc, conf)
	return nil
}

func (p *program) deploySample(ctx context.Context, cl *client) error {
	dir, err := os.MkdirTemp("", "slipway-sample-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := fs.Sub(sample, "sample")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	_, err = p.deployFolder(ctx, cl, dir, deployOptions{name: demoName, auto: true})
	return err
}

func (p *program) tryNext(cl *client, svc apprunner.Service, conf server.Config) {
	t := show.Detect(p.out, p.env)
	host := value(svc.ServiceUrl)
	url, user, _, err := cl.gitURL(context.Background(), demoName)
	if err != nil {
		url = err.Error()
	}
	at := ""
	if conf.DataDir != (server.Config{}).WithDefaults(p.env).DataDir && p.env(server.EnvName("data-dir")) == "" {
		at = " --data-dir " + conf.DataDir
	}
	fmt.Fprintf(p.out, "\n%s\n\n", t.Paint(show.Bold, "Try next"))
	for _, row := range [][2]string{
		{"open it", cl.link(host)},
		{"or with curl", fmt.Sprintf("curl --cacert %s --connect-to ::%s https://%s/", conf.CAFile(), cl.https, host)},
		{"use the AWS CLI", fmt.Sprintf(". %s && aws apprunner list-services", conf.CredentialsFile())},
		{"change it", fmt.Sprintf("git clone %s  (user %s, the password is the secret key), commit, git push", url, user)},
		{"deploy your own", "slipway deploy DIR" + at},
		{"read its log", "slipway logs " + demoName + " -f" + at},
		{"stop it all", "slipway down" + at},
	} {
		fmt.Fprintf(p.out, "  %s%s\n", t.Paint(show.Dim, fmt.Sprintf("%-17s", row[0])), row[1])
	}
	fmt.Fprintln(p.out)
}

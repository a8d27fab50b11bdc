package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/build"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/instance/oci"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/network/host"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/observe/alarms"
	"slipway.dev/slipway/internal/observe/dashboards"
	"slipway.dev/slipway/internal/observe/events"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/reconcile"
	"slipway.dev/slipway/internal/reconcile/meter"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/secret/parameter"
	"slipway.dev/slipway/internal/secret/runtimeenv"
	"slipway.dev/slipway/internal/source"
	"slipway.dev/slipway/internal/store"
)

// System is the control role with all its rooms, built and joined but not running.
type System struct {
	conf  Config
	log   *slog.Logger
	scope apprunner.Scope

	db          *store.DB
	iam         *iam.Directory
	keys        *kms.Keys
	secrets     *secret.Secrets
	parameters  *parameter.Parameters
	environment *runtimeenv.Environment
	audit       *observe.Audit
	logs        *observe.Logs
	events      *events.Bus
	metricData  *metrics.Metrics
	meter       *meter.Meter
	alarms      *alarms.Alarms
	dashboards  *dashboards.Dashboards
	images      *image.Store
	git         *source.Git
	host        *source.Host
	watcher     *source.Watcher
	hooks       *source.Hooks
	driver      *oci.Driver
	builder     *build.Builder
	control     *control.Control
	networks    *network.Network
	work        *reconcile.Reconciler
	deploy      *imageDeployments
	edge        *edge.Client
	names       *names
	vpcs        *host.Host
	keeper      *host.Keeper
	domains     *domain.Registrar
	// standing is nil without an ACME authority
	standing *domain.Standing
	creds    *iam.InstanceEndpoint
	front    *front

	memory  thrift
	closers []func() error
}

// newSystem builds every room, lower ones first. What was opened is closed again when one of them fails.
func newSystem(ctx context.Context, c Config, log *slog.Logger) (*System, error) {
	s := &System{conf: c, log: log, scope: apprunner.Scope{Account: c.Account, Region: c.Region}, edge: edge.NewClient(c.edgeSocket())}
	for _, open := range []func(context.Context) error{
		s.openRecords, s.openEvents, s.openAudit, s.openIdentities, s.openKeys, s.openSecrets, s.openEnvironment, s.openImages, s.openInstances, s.openMetrics, s.openNetworks, s.openNames, s.openKeeper, s.openSource, s.openControl, s.openWork, s.openDomains, s.openFront,
	} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close closes the rooms, upper ones first.
func (s *System) Close() (err error) {
	for n := len(s.closers) - 1; n >= 0; n-- {
		err = errors.Join(err, s.closers[n]())
	}
	return err
}

func (s *System) closing(f func() error) { s.closers = append(s.closers, f) }

func (s *System) openRecords(ctx context.Context) (err error) {
	if s.db, err = store.Open(ctx, s.conf.path("slipway.db")); err != nil {
		return err
	}
	s.closing(s.db.Close)
	if s.logs, err = observe.Open(ctx, observe.Config{Dir: s.conf.path("logs"), DB: s.db, Log: s.log}); err != nil {
		return fmt.Errorf("open the log store: %w", err)
	}
	s.closing(s.logs.Close)
	return nil
}

func (s *System) openImages(ctx context.Context) (err error) {
	mirrors := map[string]image.Upstream{}
	for prefix, m := range s.conf.Mirrors {
		mirrors[prefix] = image.Upstream{Base: m.base(), Username: m.Username, Password: m.Password}
	}
	s.images, err = image.Open(ctx, image.Config{
		Dir: s.conf.path("images"), DB: s.db, Scope: s.scope, RegistryHosts: []string{s.conf.APIAddr, s.conf.apiHost()},
		ProxyEndpoint: s.conf.APIURL(), Mirrors: mirrors, Keys: copies{s.keys, s.scope}, Authorize: s.mayUseRegistry, OwnsAccount: s.ownsAccount, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("open the image store: %w", err)
	}
	return nil
}

func (s *System) openInstances(ctx context.Context) (err error) {
	conf, err := s.conf.driver(s.log)
	if err != nil {
		return err
	}
	if s.driver, err = oci.New(ctx, conf); err != nil {
		return err
	}
	s.closing(s.driver.Close)
	return nil
}

// driver is the configuration of the native instance driver, the same for running and for taking down.
func (c Config) driver(log *slog.Logger) (oci.Config, error) {
	id, err := c.installation()
	if err != nil {
		return oci.Config{}, err
	}
	conf := oci.Config{Dir: c.DataDir, Installation: id, Log: log}
	if c.NetworkPool != "" {
		if conf.Pool, err = netip.ParsePrefix(c.NetworkPool); err != nil {
			return conf, fmt.Errorf("network-pool %q: %w", c.NetworkPool, err)
		}
	}
	for _, cidr := range c.AllowEgress {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			return conf, fmt.Errorf("allow-egress %q: %w", cidr, err)
		}
		conf.AllowPrivate = append(conf.AllowPrivate, p)
	}
	return conf, nil
}

// installation is the name that keeps this installation's interfaces, tables and control groups apart from others', made once.
func (c Config) installation() (string, error) {
	path := c.path("installation")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		b, err = firstOnce(path, apprunner.NewID()[:8])
	}
	if err != nil {
		return "", fmt.Errorf("installation id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// firstOnce writes a file unless another process was faster, and returns what it holds then.
func firstOnce(path, text string) ([]byte, error) {
	tmp := path + "." + text
	defer os.Remove(tmp)
	if err := writeFile(tmp, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

func (s *System) openControl(ctx context.Context) (err error) {
	epoch, err := s.epoch(ctx)
	if err != nil {
		return err
	}
	seal, err := keyFile(s.conf.path("connections.key"))
	if err != nil {
		return err
	}
	s.control, err = control.New(control.Config{
		DB: s.db, Suffix: s.conf.Domain, Log: s.log, Roles: s.iam, StrictRoles: s.conf.strictRoles(), FirstConnector: s.linkedRole(networkingPrincipal), Epoch: epoch, SealKey: seal,
		CheckRepository: func(url string) error { _, err := source.ParseURL(url); return err },
		ServiceQuota:    s.conf.ServiceQuota, Retention: s.conf.Retention, Quotas: s.conf.quotaValues(), QuotaCeiling: s.conf.QuotaCeiling,
		MaxInstances: s.conf.MaxInstances, Networks: vpcs{}, Keys: entrusted{s.keys}, IngressWork: true, Providers: providers{s.git}, ProviderHosts: s.conf.providers(),
	})
	if err != nil {
		return err
	}
	s.deploy = &imageDeployments{db: s.db, control: s.control, log: s.log, waiting: map[string]string{}}
	s.images.OnPush(s.announcePush)
	s.images.OnPush(s.deploy.pushed)
	return nil
}

// epoch is when the installation was made.
func (s *System) epoch(ctx context.Context) (t time.Time, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		v, found, err := tx.Setting("epoch")
		if err != nil {
			return err
		}
		if !found {
			v = time.Now().UTC().Format(time.RFC3339Nano)
			if err := tx.PutSetting("epoch", v); err != nil {
				return err
			}
		}
		t, err = time.Parse(time.RFC3339Nano, v)
		return err
	})
	return t, err
}

func (s *System) openWork(context.Context) (err error) {
	s.builder, err = build.New(build.Config{
		Images: buildImages{s.images}, Sandbox: buildSandbox{s.driver}, Dir: s.conf.path("builds"), RuntimesDir: s.conf.CacheDir + "/runtimes",
		BuildEnv: build.PassedOn(os.Environ()), CABundle: firstFile(os.Getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt"),
		Timeout: s.conf.BuildTimeout,
	})
	if err != nil {
		return err
	}
	if s.creds, err = iam.NewInstanceEndpoint(iam.InstanceEndpointConfig{Directory: s.iam, URL: oci.CredentialsURL, Log: s.log}); err != nil {
		return err
	}
	env := map[string]string{}
	if s.conf.InstanceEndpoint {
		env["AWS_ENDPOINT_URL"] = strings.TrimSuffix(oci.CredentialsURL, "/")
	}
	s.work, err = reconcile.New(reconcile.Config{
		Environment: env,
		DB:          s.db, Repositories: s.git, Builder: s.builder, Images: s.images, Instances: s.driver, Router: s.edge, Logs: s.logs,
		Certificates: s.names, Credentials: s.creds, Secrets: s.environment, PullAs: s.pullAs, Log: s.log, ScratchDir: s.conf.path("checkouts"), AccessDir: s.conf.accessDir(),
		StartTimeout: s.conf.StartTimeout, DrainTimeout: s.conf.DrainTimeout, StopGrace: s.conf.StopGrace, QuietTime: s.conf.QuietTime, ConnectionCredential: s.connectionCredential,
		Networks: shownVPCs{s.networks, s.vpcs, s.keeper}, Ingresses: s.control,
		ReleaseKey:   entrusted{s.keys}.Release,
		FirstService: s.linkedRole(servicesPrincipal), Fault: faultFrom(os.Getenv("SLIPWAY_FAULT")),
	})
	return err
}

func firstFile(paths ...string) string {
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p
		}
	}
	return ""
}

package server

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/store"
)

// front is everything behind the API listener: every AWS API, the registry, the console, git, webhooks, health and metrics.
type front struct {
	sys *System
	mux *http.ServeMux
	aws http.Handler // the AWS APIs alone
}

func (s *System) openFront(ctx context.Context) error {
	key, err := s.secretSetting(ctx, "pagination-key")
	if err != nil {
		return err
	}
	tokens, err := api.NewTokens(key)
	if err != nil {
		return err
	}
	services, err := s.services(tokens)
	if err != nil {
		return err
	}
	conf := api.Config{Services: services, Identities: s.iam, Audit: s.audit, Begin: beginRecord, Account: s.conf.Account, Log: s.log}
	if s.conf.APIRate > 0 {
		conf.Throttle = api.NewLimiter(s.conf.APIRate).Allow
	}
	aws, err := api.New(conf)
	if err != nil {
		return err
	}
	people, err1 := s.signIn()
	pages, err2 := s.console()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	f := &front{sys: s, mux: http.NewServeMux(), aws: aws}
	f.mux.Handle("/", aws)
	f.mux.Handle("/v2/", s.images.Registry())
	f.mux.Handle("POST /console/signin", people)
	f.mux.Handle("/console/", pages)
	f.mux.Handle("/git/", s.host)
	f.mux.Handle("/hooks/", s.hooks)
	f.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	f.mux.HandleFunc("GET /readyz", f.ready)
	f.mux.Handle("GET /metrics", s.metrics())
	s.front = f
	return nil
}

func (s *System) services(tokens *api.Tokens) ([]*api.Service, error) {
	apps := api.AppRunnerConfig{Control: s.control, Tokens: tokens, RepositoryPolicy: s.images.PolicyOf, Keys: s.keys, Rights: s.iam, LowerCaseStatuses: s.conf.LowerCaseStatuses}
	runner, err1 := api.NewAppRunner(apps)
	own, err0 := api.NewSlipway(apps)
	ecr, err2 := api.NewECR(s.images)
	logs, err3 := api.NewLogs(s.logs)
	sts, err4 := api.NewSTS(s.iam)
	ids, err5 := api.NewIAM(api.IAMConfig{Directory: s.iam, InUse: s.needLinkedRole})
	quotas, err6 := api.NewQuotas(s.control, tokens)
	trails, err7 := api.NewCloudTrail(s.audit)
	certificates, err8 := api.NewACM(s.names.custom, tokens)
	firewall, err9 := api.NewWAF(s.control, tokens)
	bus, err10 := api.NewEvents(s.events, tokens)
	nets, err11 := api.NewEC2(s.networks, tokens, s.conf.apiHost())
	keys, err13 := api.NewKMS(s.keys, s.iam, tokens)
	figures, err14 := s.cloudWatch(tokens)
	hidden, err12 := s.secretServices(tokens)
	return append([]*api.Service{runner, own, ecr, logs, sts, ids, quotas, trails, certificates, firewall, bus, nets, keys, figures}, hidden...),
		errors.Join(err14, err13, err12, err11, err0, err1, err2, err3, err4, err5, err6, err7, err8, err9, err10)
}

// secretSetting is a random key that is made once and kept in the database.
func (s *System) secretSetting(ctx context.Context, name string) (key []byte, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		v, found, err := tx.Setting(name)
		if err != nil {
			return err
		}
		if !found {
			v = apprunner.NewID() + apprunner.NewID()
			if err := tx.PutSetting(name, v); err != nil {
				return err
			}
		}
		key, err = hex.DecodeString(v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", name, err)
	}
	return key, nil
}

// ready answers 200 when requests are served: the edge routes by the present table and the database answers.
func (f *front) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	st, err := f.sys.edge.Status(ctx)
	switch {
	case err != nil:
		http.Error(w, "the edge does not answer yet: "+err.Error(), http.StatusServiceUnavailable)
	case st.TableVersion == 0:
		http.Error(w, "the edge has no routing table yet", http.StatusServiceUnavailable)
	case !f.sys.work.Published(): // it may route by one from before, whose instances are gone
		http.Error(w, "the edge does not route by the present table yet", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ready")
	}
}

// serveHTTP answers on a listener until ctx ends, and lets requests in flight finish for a moment. Without secure it speaks plain HTTP.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, secure *tls.Config) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	defer stop()
	serve := func() error { return srv.Serve(l) }
	if secure != nil {
		srv.TLSConfig = secure
		serve = func() error { return srv.ServeTLS(l, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	<-finished // Serve returns when the end begins
	return nil
}

// openIdentities opens the identities and writes down where clients find everything.
func (s *System) openIdentities(ctx context.Context) (err error) {
	s.iam, err = iam.Open(ctx, iam.Config{DB: s.db, KeyFile: s.conf.path("iam.key"), Log: s.log})
	if err != nil {
		return fmt.Errorf("open the identities: %w", err)
	}
	key, err := s.iam.EnsureRoot(ctx, s.conf.Account)
	if err != nil {
		return err
	}
	if err := s.accessRoleAtFirst(ctx); err != nil {
		return err
	}
	return s.writeCredentials(key)
}

// writeCredentials writes credentials.env (design §2).
func (s *System) writeCredentials(key iam.AccessKey) error {
	var b strings.Builder
	vars := [][2]string{
		{"AWS_ENDPOINT_URL", s.conf.APIURL()},
		{"AWS_ACCESS_KEY_ID", key.ID},
		{"AWS_SECRET_ACCESS_KEY", key.Secret},
		{"AWS_REGION", s.conf.Region},
		{"AWS_DEFAULT_REGION", s.conf.Region},
		{"SLIPWAY_HTTPS", s.conf.HTTPSAddr},
		{"SLIPWAY_HTTP", s.conf.HTTPAddr},
		{"SLIPWAY_DNS", s.conf.DNSAddr},
		{"SLIPWAY_CA", s.conf.CAFile()},
	}
	if s.conf.apiTLS() && s.conf.APICert == "" {
		vars = append(vars, [2]string{"AWS_CA_BUNDLE", s.conf.CAFile()})
	}
	for _, kv := range vars {
		fmt.Fprintf(&b, "export %s='%s'\n", kv[0], kv[1])
	}
	return writeFile(s.conf.CredentialsFile(), []byte(b.String()), 0o600)
}

// mayUseRegistry answers the registry's questions about rights.
func (s *System) mayUseRegistry(ctx context.Context, a image.Access) error {
	p, err := s.iam.PrincipalOf(ctx, a.Principal)
	if err != nil {
		return err
	}
	return s.iam.AuthorizeResource(ctx, p, iam.Request{Action: a.Action, Resource: a.Resource}, a.Policy)
}

// pullAs is the access role itself (§14). A role that does not exist is nobody's, which only passes where roles need not exist.
func (s *System) pullAs(ctx context.Context, roleARN string) string {
	if roleARN == "" {
		return ""
	}
	if exists, _, err := s.iam.RoleTrusts(ctx, roleARN, buildPrincipal, ""); err == nil && !exists && !s.conf.strictRoles() {
		return ""
	}
	return roleARN
}

// mayPush lets holders of an access key push to hosted repositories.
func (s *System) mayPush(ctx context.Context, user, password string) error {
	p, err := s.iam.Password(ctx, user, password)
	if err != nil {
		return err
	}
	return s.iam.Authorize(ctx, p, iam.Request{Action: "slipway:GitAccess", Resource: "arn:aws:slipway:" + s.conf.Region + ":" + p.Account + ":git/*"})
}

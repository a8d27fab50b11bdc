package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance/instancetest"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

type none struct {
	repositories
	builder
	images
	logs
	credentials
}

type noSecrets struct{ secrets }

func (none) Certificates(context.Context) ([]edge.Certificate, error) { return nil, nil }
func (none) Challenges() []edge.Challenge                             { return nil }
func (none) Append(context.Context, apprunner.Scope, string, string, []observe.Event) error {
	return nil
}

// crowd is a reconciler with so many services that serve, each with an instance and a custom domain, over a real store and edge.
func crowd(b *testing.B, services int) *Reconciler {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	db, err := store.Open(b.Context(), filepath.Join(dir, "slipway.db"))
	must(err)
	b.Cleanup(func() { db.Close() })
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(app.Close)
	must(db.Update(b.Context(), func(tx *store.Tx) error {
		for n := range services {
			svc := apprunner.Service{
				Scope: apprunner.Scope{Account: "123456789012", Region: "us-east-1"}, ID: fmt.Sprintf("%032x", n), Name: fmt.Sprint("svc", n), DeploymentID: "d",
				URL: fmt.Sprintf("s%d.us-east-1.test", n), Status: apprunner.StatusRunning, CreatedAt: noon, UpdatedAt: noon,
			}
			svc.Network.Public, svc.HealthCheck.Protocol, svc.HealthCheck.Interval = true, apprunner.HealthTCP, 20
			svc.AutoScaling.MinSize, svc.AutoScaling.MaxSize, svc.AutoScaling.MaxConcurrency = 1, 25, 100
			d := apprunner.CustomDomain{Name: fmt.Sprintf("www%d.example.com", n), ServiceARN: svc.ARN(), Status: apprunner.DomainActive, CreatedAt: noon, CertifiedAt: noon}
			i := apprunner.Instance{ID: fmt.Sprintf("%016x", n), ServiceARN: svc.ARN(), DeploymentID: "d", Phase: apprunner.PhaseActive, Address: app.Listener.Addr().String(), CreatedAt: noon}
			if err := tx.InsertService(svc); err != nil {
				return err
			}
			if err := tx.InsertDomain(d); err != nil {
				return err
			}
			if err := tx.PutInstance(i); err != nil {
				return err
			}
		}
		return nil
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	control, err := edge.ListenControl(filepath.Join(dir, "edge.sock"))
	must(err)
	front, err := edge.New(edge.Config{Plain: l, Control: control})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = front.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	var nothing none
	r, err := New(Config{
		DB: db, Repositories: nothing, Builder: nothing, Images: nothing, Instances: instancetest.NewWorld().Driver(), Router: edge.NewClient(filepath.Join(dir, "edge.sock")),
		Logs: nothing, Certificates: nothing, Credentials: nothing, Secrets: noSecrets{}, Log: slog.New(slog.DiscardHandler), ScratchDir: dir,
	})
	must(err)
	_, err = r.publishOnce(b.Context(), true)
	must(err)
	return r
}

// BenchmarkThousandServices measures what a change costs while a thousand services serve.
func BenchmarkThousandServices(b *testing.B) {
	r := crowd(b, 1000)
	b.Run("look", func(b *testing.B) { // after a change in the records
		for b.Loop() {
			if _, err := r.look(b.Context(), time.Minute); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("count", func(b *testing.B) { // with all counters read anew, as once a second
		for b.Loop() {
			if _, err := r.look(b.Context(), 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("publish", func(b *testing.B) { // when nothing that is routed has changed
		for b.Loop() {
			if _, err := r.publishOnce(b.Context(), false); err != nil {
				b.Fatal(err)
			}
		}
	})
}

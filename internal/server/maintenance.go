package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"slipway.dev/slipway/internal/apprunner"
)

// maintenanceRequest is what `slipway maintenance` asks control for.
type maintenanceRequest struct {
	Service string // ARN; empty: every running one
}

// serveOperator answers, over a socket that only the installation's owner can reach, what no API is for.
func (s *System) serveOperator(ctx context.Context) error {
	l, err := listenOwner(s.conf.operatorSocket())
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /maintenance", func(w http.ResponseWriter, r *http.Request) {
		var in maintenanceRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		moved, err := s.maintain(r.Context(), in.Service)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		_ = json.NewEncoder(w).Encode(moved) // who asked may be gone; the work goes on
	})
	s.serveInside(mux)
	return serveHTTP(ctx, l, mux, nil)
}

// maintain begins to move one service, or all that can be moved, and returns their ARNs.
func (s *System) maintain(ctx context.Context, arn string) (moved []string, err error) {
	if arn != "" {
		a, err := apprunner.ParseARN(arn)
		if err != nil {
			return nil, err
		}
		return []string{arn}, s.control.Maintain(ctx, a.Scope, arn)
	}
	list, err := s.control.Maintained(ctx)
	for _, svc := range list {
		if merr := s.control.Maintain(ctx, svc.Scope, svc.ARN()); merr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", svc.Name, merr))
			continue
		}
		moved = append(moved, svc.ARN())
	}
	return moved, err
}

// Maintain has services moved to new instances of the version they run (§5.1): arn names one, "" means all that run. It returns which, as
// soon as the work has begun.
func Maintain(ctx context.Context, dataDir, arn string) (moved []string, err error) {
	c, err := readConfig(dataDir)
	if err != nil {
		return nil, fmt.Errorf("Slipway is not running over %s", dataDir)
	}
	err = c.askOperator(ctx, http.MethodPost, "/maintenance", maintenanceRequest{Service: arn}, &moved)
	return moved, err
}

// operatorSocket is where control is asked for what no API is for.
func (c Config) operatorSocket() string { return c.path("run", "control.sock") }

// socketClient talks HTTP over a unix socket.
func socketClient(path string) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", path)
	}}}
}

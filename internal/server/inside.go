package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"slipway.dev/slipway/internal/network/host"
)

// attachment is what a process asks control for that runs a command inside a subnet.
type attachment struct {
	Subnet string
	Groups []string // none: the default one of the VPC
	Holder string   // the process, see holder
}

// plugPatience is how long a VPC may take to be shown with a new interface.
const plugPatience = 20 * time.Second

// attach gives a command an interface in a subnet and returns when it can be plugged in.
func (s *System) attach(ctx context.Context, in attachment) (p host.Place, err error) {
	i, err := s.networks.AttachCommand(ctx, in.Subnet, in.Groups, in.Holder)
	if err != nil {
		return p, err
	}
	short, cancel := context.WithTimeout(ctx, plugPatience)
	defer cancel()
	if err := s.keeper.Await(short, i.ID); err != nil {
		return p, errors.Join(err, s.networks.DetachCommand(context.WithoutCancel(ctx), i.ID))
	}
	l, err := s.networks.Layout(ctx)
	for _, vpc := range l.VPCs {
		if vpc.ID == i.VPCID {
			p = s.vpcs.Place(vpc, i)
		}
	}
	return p, err
}

// serveInside answers what `slipway vpc exec` asks.
func (s *System) serveInside(mux *http.ServeMux) {
	mux.HandleFunc("POST /vpc/interfaces", func(w http.ResponseWriter, r *http.Request) {
		var in attachment
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		place, err := s.attach(r.Context(), in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		_ = json.NewEncoder(w).Encode(place) // who asked may be gone, which the keeper notices
	})
	mux.HandleFunc("DELETE /vpc/interfaces/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := s.networks.DetachCommand(r.Context(), r.PathValue("id")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// Inside is a command that runs inside a subnet of a VPC.
type Inside struct {
	Subnet string
	Groups []string // none: the default one of the VPC
	host.Command
}

// RunInside runs a command inside a subnet, with an address of its own, until it ends, and returns its exit code. It needs root.
func RunInside(ctx context.Context, dataDir string, in Inside) (code int, err error) {
	c, err := readConfig(dataDir)
	if err != nil {
		return 0, fmt.Errorf("Slipway is not running over %s", dataDir)
	}
	who, err := holder(os.Getpid())
	if err != nil {
		return 0, err
	}
	var place host.Place
	if err := c.askOperator(ctx, http.MethodPost, "/vpc/interfaces", attachment{in.Subnet, in.Groups, who}, &place); err != nil {
		return 0, err
	}
	code, err = place.Run(ctx, in.Command)
	over, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	// Control takes back what it does not hear of here, once this process has ended.
	_ = c.askOperator(over, http.MethodDelete, "/vpc/interfaces/"+place.InterfaceID, nil, nil)
	return code, err
}

// askOperator asks control over the socket of the installation's owner. in and out may be nil.
func (c Config) askOperator(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	client := socketClient(c.operatorSocket())
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the control plane: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("ask the control plane: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(answer)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// maxTableBytes bounds a published table: 1,000 services with certificates of their own are about 10 MB.
const maxTableBytes = 256 << 20

// maxStatusWait is how long one long poll is held.
const maxStatusWait = 30 * time.Second

// controlHandler serves the control socket:
//
//	PUT  /table            200 once requests are routed by it and it is on disk; 400 says what is wrong with it
//	GET  /status[?wait=V]  the status; with wait, held until its Version is not V any more (at most 30 s)
//	GET  /status?wait=V&news  the same, and of the services only those that changed after V, if nothing else did
//	GET  /healthz          200 while connections are accepted
//	POST /drain            202; the edge stops accepting, finishes what is in flight and ends
//	POST /successor        a [Handover] for a younger edge, which is told every table from now on
//	POST /farewell         the last status of an elder edge that ends
//	POST /accept           204; an edge that took over from another one accepts connections
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /table", s.putTable)
	mux.HandleFunc("GET /status", s.getStatus)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-s.stopAccept:
			http.Error(w, "draining", http.StatusServiceUnavailable)
			return
		case <-s.accept:
		default:
			http.Error(w, "not accepting yet", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /successor", s.welcomeYounger)
	mux.HandleFunc("POST /farewell", s.takeFarewell)
	mux.HandleFunc("POST /accept", func(w http.ResponseWriter, _ *http.Request) {
		s.Accept()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		s.BeginDrain()
	})
	return mux
}

func (s *Server) putTable(w http.ResponseWriter, r *http.Request) {
	var t Table
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTableBytes)).Decode(&t); err != nil {
		http.Error(w, "the table is not valid JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	publish, from := s.Publish, r.URL.Query().Get("from")
	if from != "" {
		publish = s.receive
	}
	err := publish(t)
	if _, rejected := err.(*rejectedTable); rejected {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.passOn(r.Context(), t, from)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// rejectedTable is the fault of who made the table.
type rejectedTable struct{ err error }

func (e *rejectedTable) Error() string { return "table rejected: " + e.err.Error() }
func (e *rejectedTable) Unwrap() error { return e.err }

// Publish switches to t and saves it. A rejected table changes nothing. When only saving failed, t is in use, and the error
// says that a restart would serve by an older one.
func (s *Server) Publish(t Table) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if err := s.routing.apply(t, false); err != nil {
		return &rejectedTable{err}
	}
	if s.cfg.StateDir == "" {
		return nil
	}
	return saveTable(s.cfg.StateDir, t)
}

func (s *Server) getStatus(w http.ResponseWriter, r *http.Request) {
	seen, err := strconv.ParseUint(r.URL.Query().Get("wait"), 10, 64)
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), maxStatusWait)
		defer cancel()
		s.hub.await(ctx, seen)
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Has("news") {
		if news, ok := s.news(seen); ok {
			json.NewEncoder(w).Encode(news)
			return
		}
	}
	st := s.Status()
	s.addElder(r.Context(), &st)
	json.NewEncoder(w).Encode(st)
}

// Status returns what the edge knows now.
func (s *Server) Status() Status {
	st := s.routing.status()
	s.describe(&st)
	return st
}

// describe fills in what is not of single services.
func (s *Server) describe(st *Status) {
	st.Draining = s.draining.Load()
	st.StartedAt = s.started
	st.Connections = s.conns.count()
}

// ListenControl listens on the unix socket path, mode 0600, taking the path over from an older edge in one step: the socket is
// bound beside it and renamed onto it. The older edge keeps its own socket, which nobody can reach any more.
func ListenControl(path string) (net.Listener, error) {
	temp := fmt.Sprintf("%s.%d-%d", path, os.Getpid(), time.Now().UnixNano()%1e9)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // the path may be a younger edge's by then
	err = os.Chmod(temp, 0o600)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		l.Close()
		os.Remove(temp)
		return nil, fmt.Errorf("take over control socket: %w", err)
	}
	return l, nil
}

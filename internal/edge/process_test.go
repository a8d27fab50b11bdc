package edge

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary play other processes: EDGE_TEST_ROLE=edge runs an edge by the table in EDGE_TEST_STATE on the
// listeners of EDGE_TEST_PLAIN and EDGE_TEST_HTTPS, and on the UDP socket that is file 3 where EDGE_TEST_HTTP3 is set;
// EDGE_TEST_ROLE=app an application on EDGE_TEST_PLAIN.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv("EDGE_TEST_ROLE") {
	case "edge":
		err = runEdge()
	case "app":
		err = runApp(os.Getenv("EDGE_TEST_PLAIN"))
	default:
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func runEdge() error {
	cfg := Config{StateDir: os.Getenv("EDGE_TEST_STATE")}
	var err error
	if os.Getenv("EDGE_TEST_HTTP3") != "" {
		cfg.Limits.ClientStall = time.Hour // nobody learns by waiting that the edge has gone
		if cfg.HTTP3, err = net.FilePacketConn(os.NewFile(3, "udp")); err != nil {
			return err
		}
	}
	if cfg.Plain, err = net.Listen("tcp", os.Getenv("EDGE_TEST_PLAIN")); err != nil {
		return err
	}
	if cfg.HTTPS, err = net.Listen("tcp", os.Getenv("EDGE_TEST_HTTPS")); err != nil {
		return err
	}
	s, err := New(cfg)
	if err != nil {
		return err
	}
	if path := os.Getenv("EDGE_TEST_PROFILE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return s.Run(ctx)
}

// runApp is an application that costs next to nothing: 1 KB for every request head, whatever it says.
func runApp(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n" + strings.Repeat("x", 1024))
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			r := bufio.NewReader(c)
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}
		}()
	}
}

// benchTable is the table of the comparison with other proxies: host bench.test, one application.
func benchTable(app string, cert Certificate) Table {
	return Table{Version: 1, Certificates: []Certificate{cert}, Routes: []Route{{
		ServiceARN: appARN, Hosts: []string{"bench.test", "127.0.0.1"}, MaxConcurrency: 200,
		Targets: []Target{{InstanceID: "i1", Address: app, Phase: Active}},
	}}}
}

// TestWriteBenchState writes what an edge process of the comparison needs into EDGE_TEST_STATE: table and certificate.
func TestWriteBenchState(t *testing.T) {
	dir := os.Getenv("EDGE_TEST_STATE")
	if dir == "" {
		t.Skip("only for the comparison with other proxies")
	}
	ca := newAuthority(t)
	cert := ca.issue("bench.test")
	check(t, saveTable(dir, benchTable(os.Getenv("EDGE_TEST_APP"), cert)))
	check(t, os.WriteFile(dir+"/haproxy.pem", append(append([]byte(nil), cert.CertPEM...), cert.KeyPEM...), 0o600))
	if _, err := json.Marshal(cert); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"slipway.dev/slipway/internal/edge"
)

// This file measures what size costs: many services in the table, many connections that lie idle.

// manyServices prints what a request costs with 2,000 services in the table, beside the same with one.
func (b *bench) manyServices(ctx context.Context, s *stage) error {
	const services = 2000
	table := s.table()
	for n := 1; n < services; n++ {
		r := table.Routes[0]
		r.ServiceID = fmt.Sprintf("%032x", n)
		r.ServiceARN = "arn:aws:apprunner:us-east-1:123456789012:service/bench-" + strconv.Itoa(n) + "/" + r.ServiceID
		r.Hosts = []string{r.ServiceID + ".localhost"}
		r.Targets = []edge.Target{{InstanceID: r.ServiceID, Address: s.backend, Phase: edge.Active}}
		table.Routes = append(table.Routes, r)
	}
	many, err := s.startEdgeWith(ctx, "edge-many", table)
	if err != nil {
		return err
	}
	defer many.child.stop()
	t := traffic{name: "edge-cpu-h1-tls-1k-of-2000-services", path: "/1k", secure: true}
	costs := map[*proxy][]float64{}
	for range b.rounds {
		for _, p := range []*proxy{many, s.subjects[0]} {
			got, err := s.costOf(ctx, p, t, pick(b, 3, 1))
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			b.note("%s through %s: %v", t.name, p.name, got)
			costs[p] = append(costs[p], got.each())
		}
	}
	b.print(figure{name: t.name, value: median(costs[many]), unit: "us", peer: "one-service", other: median(costs[s.subjects[0]])})
	return nil
}

// idleConnections prints the resident memory of an edge that holds 10,000 TLS connections, each of which has made a request.
func (b *bench) idleConnections(ctx context.Context, s *stage) error {
	for _, proto := range []string{"h1", "h2"} {
		p, err := s.startEdgeWith(ctx, "edge-idle-"+proto, s.table())
		if err != nil {
			return err
		}
		err = b.idleConnectionsOf(ctx, p, proto)
		p.child.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) idleConnectionsOf(ctx context.Context, p *proxy, proto string) error {
	before, err := memoryIn(p.child.cmd.Process.Pid, "Rss:")
	if err != nil {
		return err
	}
	conns := pick(b, 10_000, 500)
	crowd := &crowd{address: p.secure, http2: proto == "h2"}
	defer crowd.leave()
	if err := crowd.gather(ctx, conns); err != nil {
		return err
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // buffers that were lent go back meanwhile
		return err
	}
	after, err := memoryIn(p.child.cmd.Process.Pid, "Rss:")
	b.note("%d idle %s connections: %.1f MB before, %.1f MB after", conns, proto, megabytes(before), megabytes(after))
	b.print(figure{name: fmt.Sprintf("edge-memory-%d-idle-%s-tls", conns, proto), value: megabytes(after), unit: "MB"})
	return err
}

func megabytes(n int64) float64 { return float64(n) / (1 << 20) }

// crowd is a number of idle clients.
type crowd struct {
	address string
	http2   bool

	mu    sync.Mutex
	conns []net.Conn
}

// gather lets n clients come, a few at a time, and each make one request.
func (c *crowd) gather(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	turns := make(chan struct{}, n)
	for range n {
		turns <- struct{}{}
	}
	close(turns)
	const together = 16
	results := make(chan error, together)
	for range together {
		go func() {
			var err error
			for range turns {
				if err == nil {
					err = c.join(ctx)
				}
			}
			results <- err
		}()
	}
	var err error
	for range together {
		err = errors.Join(err, <-results)
	}
	return err
}

// join connects one client.
func (c *crowd) join(ctx context.Context) error {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"} //nolint:gosec // our own certificate on loopback
	if c.http2 {
		config.NextProtos = []string{http2.NextProtoTLS}
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.conns = append(c.conns, conn)
	c.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if c.http2 {
		return askHTTP2(conn)
	}
	return askHTTP1(conn)
}

func askHTTP1(conn net.Conn) error {
	if _, err := io.WriteString(conn, "GET /1k HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	answer, buf := "", make([]byte, 4<<10)
	for !strings.HasSuffix(answer, "\n") || len(answer) < 1<<10 {
		n, err := conn.Read(buf)
		if answer += string(buf[:n]); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		return fmt.Errorf("answered %.40q", answer)
	}
	return nil
}

// askHTTP2 makes a request whose head is nothing but entries of HPACK's static table and the path and host as literals.
func askHTTP2(conn net.Conn) error {
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	f := http2.NewFramer(conn, conn)
	f.SetReuseFrames()
	if err := f.WriteSettings(); err != nil {
		return err
	}
	head := append([]byte{0x82, 0x87, 0x04, 3}, "/1k\x01\x09localhost"...) // GET, https, :path, :authority
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head, EndStream: true, EndHeaders: true}); err != nil {
		return err
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return err
		}
		if frame.Header().StreamID == 1 && frame.Header().Flags.Has(http2.FlagDataEndStream) {
			return nil
		}
	}
}

// leave closes all connections.
func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.(*tls.Conn).NetConn().Close()
	}
}

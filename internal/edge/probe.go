package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// prober asks instances over the network.
type prober struct {
	dialer net.Dialer
	client http.Client
	h2c    http.Client // for those that speak only HTTP/2
}

// newProber returns a prober that neither follows redirects (a 302 is an answer, §19.1) nor keeps connections.
func newProber() *prober {
	p := &prober{}
	only2 := &http.Protocols{}
	only2.SetUnencryptedHTTP2(true)
	p.client, p.h2c = p.over(nil), p.over(only2)
	return p
}

// over returns a client that speaks the protocols given; nil is HTTP/1.1.
func (p *prober) over(protocols *http.Protocols) http.Client {
	return http.Client{
		Transport: &http.Transport{
			DialContext:            p.dial,
			Protocols:              protocols,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// firstDial is how long the first try to connect may take.
const firstDial = 100 * time.Millisecond

// dial connects, trying again with growing patience until ctx ends: what is sent to an instance whose network comes up at this moment
// is lost, and the kernel would not send it again within a second.
func (p *prober) dial(ctx context.Context, network, address string) (net.Conn, error) {
	for patience := firstDial; ; patience *= 2 {
		short, cancel := context.WithTimeout(ctx, patience)
		conn, err := p.dialer.DialContext(short, network, address)
		late := short.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !late {
			return conn, err
		}
	}
}

// ask checks one target once (§19.1).
func (p *prober) ask(ctx context.Context, address string, h HealthCheck) (failed string) {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	if h.Protocol == HTTP {
		return p.askHTTP(ctx, address, h)
	}
	conn, err := p.dial(ctx, "tcp", address)
	if err != nil {
		return describe(err, h.Timeout)
	}
	conn.Close()
	return ""
}

// askHTTP requests the path; 200 to 399 is healthy.
func (p *prober) askHTTP(ctx context.Context, address string, h HealthCheck) (failed string) {
	path := h.Path
	if path[0] != '/' {
		path = "/" + path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return fmt.Sprintf("health check path %q is not a valid path", h.Path)
	}
	req.Header.Set("User-Agent", "slipway-health-check")
	client := &p.client
	if h.h2c {
		client = &p.h2c
	}
	resp, err := client.Do(req)
	if err != nil {
		return describe(err, h.Timeout)
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Sprintf("HTTP %d", resp.StatusCode)
	}
	return ""
}

// describe says in a few words what came back instead of an answer.
func describe(err error, timeout time.Duration) string {
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to the instance"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Sprintf("no answer within %g s", timeout.Seconds())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "connection closed without an answer"
	}
	return "the answer is not valid HTTP"
}

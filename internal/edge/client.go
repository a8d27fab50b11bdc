package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Client talks to an edge over its control socket. Every call makes a new connection, so it always reaches the edge that took
// the path over last.
type Client struct{ http http.Client }

// NewClient returns a client of the edge behind the unix socket path. It connects when it is used.
func NewClient(socketPath string) *Client {
	var d net.Dialer
	return &Client{http: http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socketPath)
		},
	}}}
}

// Publish hands t over. When it returns nil, requests are routed by t and it is on the edge's disk.
func (c *Client) Publish(ctx context.Context, t Table) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("publish table: %w", err)
	}
	return c.call(ctx, http.MethodPut, "/table", body, nil)
}

// Status reads the status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var st Status
	return st, c.call(ctx, http.MethodGet, "/status", nil, &st)
}

// Wait returns the status as soon as its Version differs from seen, or after 30 s as it is. A target that becomes healthy is
// known here within a millisecond.
func (c *Client) Wait(ctx context.Context, seen uint64) (Status, error) {
	var st Status
	return st, c.call(ctx, http.MethodGet, "/status?wait="+strconv.FormatUint(seen, 10), nil, &st)
}

// News is [Client.Wait] for who knows a status already: of an edge with many services only those that have changed since come over the
// socket, and the counters of the others stay as they are known.
func (c *Client) News(ctx context.Context, known Status) (Status, error) {
	var st Status
	err := c.call(ctx, http.MethodGet, "/status?news&wait="+strconv.FormatUint(known.Version, 10), nil, &st)
	if err == nil && st.Partial {
		st = known.with(st)
	}
	return st, err
}

// Drain tells the edge to stop accepting, finish what is in flight and end. It returns at once.
func (c *Client) Drain(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/drain", nil, nil)
}

// Accept tells an edge that took over from another one to accept connections.
func (c *Client) Accept(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/accept", nil, nil)
}

// Ready returns nil while the edge accepts connections.
func (c *Client) Ready(ctx context.Context) error {
	return c.call(ctx, http.MethodGet, "/healthz", nil, nil)
}

// call sends one request and decodes the answer into out where there is one.
func (c *Client) call(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://edge"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return fmt.Errorf("edge: %s", strings.TrimSpace(string(text)))
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("edge: read status: %w", err)
	}
	return nil
}

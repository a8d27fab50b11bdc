package server

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"
)

// awaitReady reports true when both roles serve, false when ctx ends before.
func (s *supervisor) awaitReady(ctx context.Context) bool {
	for ctx.Err() == nil {
		if s.c.serves(ctx) {
			return true
		}
		pause(ctx, 20*time.Millisecond)
	}
	return false
}

// serves asks the API, as a client on this machine does, whether requests are served.
func (c Config) serves(ctx context.Context) bool {
	client := &http.Client{Timeout: 2 * time.Second}
	if c.apiTLS() {
		roots, err := c.apiRoots()
		if err != nil {
			return false // the local CA is made by the control role
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
		defer transport.CloseIdleConnections()
		client.Transport = transport
	}
	return probe(ctx, client, c.APIURL()+"/readyz")
}

func probe(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

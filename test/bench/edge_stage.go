package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// stage is everything the edge part measures on: one backend and the proxies before it.
type stage struct {
	dir       string
	proxies   core // all proxies take turns on this one
	load      core // load and backend
	cert, key []byte
	backend   string // host:port
	children  []*child
	subjects  []*proxy // edge first
}

// proxy is one of the things compared.
type proxy struct {
	name          string
	plain, secure string // host:port
	child         *child
}

// setStage starts backend and proxies. The caller strikes the stage, also after an error.
func setStage(ctx context.Context, dir string) (*stage, error) {
	s := &stage{dir: dir}
	var err error
	if s.proxies, s.load, err = cores(); err != nil {
		return s, err
	}
	if err := s.makeFiles(); err != nil {
		return s, err
	}
	if err := s.startBackend(ctx); err != nil {
		return s, err
	}
	starts := []func(context.Context) (*proxy, error){s.startEdge, s.startHAProxy, s.startNginx}
	if _, err := exec.LookPath("caddy"); err == nil { // Debian has it, but nothing else needs it
		starts = append(starts, s.startCaddy)
	}
	for _, start := range starts {
		p, err := start(ctx)
		if p != nil {
			s.subjects = append(s.subjects, p)
			s.children = append(s.children, p.child)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *stage) strike() {
	for _, c := range s.children {
		c.stop()
	}
}

// serves waits until the proxy passes requests on.
func (p *proxy) serves(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // our own certificate on loopback
	}}
	for _, at := range []string{"http://" + local(p.plain), "https://" + local(p.secure)} {
		err := p.child.ready(ctx, func() error { return fetch(ctx, client, at+"/1k") })
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// local names this machine as all proxies route it.
func local(addr string) string { return strings.Replace(addr, "127.0.0.1", "localhost", 1) }

func fetch(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n == 0) {
		err = fmt.Errorf("%s answers %s and %d bytes", url, res.Status, n)
	}
	return err
}

// makeFiles writes the certificate in the forms the proxies want, what the backend serves, and the scripts for wrk.
func (s *stage) makeFiles() error {
	var err error
	if s.cert, s.key, err = selfSigned("localhost"); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"cert.pem": s.cert, "key.pem": s.key, "both.pem": append(s.cert[:len(s.cert):len(s.cert)], s.key...),
		"www/1k": text(1 << 10), "www/64k": text(64 << 10), "get.lua": []byte(wrkReport), "post.lua": []byte(wrkPost + wrkReport),
	} {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func text(size int) []byte { return []byte(strings.Repeat("0123456789abcde\n", size/16)) }

// selfSigned makes a certificate of the type that Slipway's own authority issues: ECDSA P-256.
func selfSigned(host string) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), nil
}

// freeAddresses finds ports that nothing listens on.
func freeAddresses(n int) ([]string, error) {
	var list []string
	var held []net.Listener
	var err error
	for range n {
		l, lerr := net.Listen("tcp", "127.0.0.1:0")
		if lerr != nil {
			err = lerr
			break
		}
		held = append(held, l)
		list = append(list, l.Addr().String())
	}
	for _, l := range held {
		err = errors.Join(err, l.Close())
	}
	return list, err
}

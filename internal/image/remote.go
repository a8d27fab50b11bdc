package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"slipway.dev/slipway/internal/apprunner"
)

const (
	blobAttempts = 5
	retryPause   = 200 * time.Millisecond
	stallTimeout = 60 * time.Second // without one byte, a transfer is given up and continued anew
	headTimeout  = 60 * time.Second // for manifests and the handshake
)

// remote reads a repository of another registry.
type remote struct {
	store      *Store
	registry   name.Registry
	repository string // path there
	display    string // as the user wrote it
	cred       Credential

	connect sync.Mutex
	client  *http.Client // after the handshake
}

// upstreamSource reads a repository of a configured registry; rest is the path below the upstream's base.
func (s *Store) upstreamSource(up Upstream, rest string, r Reference) (source, error) {
	u, err := url.Parse(up.Base)
	if err != nil {
		return nil, err
	}
	path := strings.Trim(strings.Trim(u.Path, "/")+"/"+strings.Trim(rest, "/"), "/")
	return s.remoteSource(u.Host, path, r.Name(), Credential{Username: up.Username, Password: up.Password})
}

func (s *Store) remoteSource(host, repository, display string, cred Credential) (source, error) {
	if host == dockerHub {
		host = name.DefaultRegistry
	}
	reg, err := name.NewRegistry(host, name.StrictValidation)
	if err != nil {
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "the registry %q is not a valid host name: %w", clip(host), err)
	}
	return &remote{store: s, registry: reg, repository: repository, display: display, cred: cred}, nil
}

// http does the registry's handshake (Basic, bearer token, or nothing) once and returns the client for all that follows.
func (r *remote) http(ctx context.Context) (*http.Client, error) {
	r.connect.Lock()
	defer r.connect.Unlock()
	if r.client != nil {
		return r.client, nil
	}
	auth := authn.Anonymous
	if r.cred.Username != "" || r.cred.Password != "" {
		auth = authn.FromConfig(authn.AuthConfig{Username: r.cred.Username, Password: r.cred.Password})
	}
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	scope := "repository:" + r.repository + ":pull"
	rt, err := transport.NewWithContext(ctx, r.registry, auth, noPlainHTTP{r.store.cfg.Transport}, []string{scope})
	if err != nil {
		return nil, r.failure("", err)
	}
	r.client = &http.Client{Transport: rt}
	return r.client, nil
}

// noPlainHTTP keeps credentials and images off the open network, whatever a registry's redirects or a private address suggest.
type noPlainHTTP struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (n noPlainHTTP) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !loopback(req.URL.Host) {
		return nil, fmt.Errorf("plain http to %s is not allowed; only loopback addresses may go without TLS", req.URL.Host)
	}
	return n.next.RoundTrip(req)
}

var manifestTypes = strings.Join([]string{mediaOCIIndex, mediaDockerList, mediaOCIManifest, mediaDockerManifest}, ", ")

// request asks for one thing of the repository. The status is one of those wanted.
func (r *remote) request(ctx context.Context, method, path string, header http.Header, want ...int) (*http.Response, error) {
	client, err := r.http(ctx)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: r.registry.Scheme(), Host: r.registry.RegistryStr(), Path: "/v2/" + r.repository + "/" + path}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, r.failure(path, err)
	}
	if err := transport.CheckError(resp, want...); err != nil {
		resp.Body.Close()
		return nil, r.failure(path, err)
	}
	return resp, nil
}

func (r *remote) resolve(ctx context.Context, version string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	resp, err := r.request(ctx, http.MethodHead, "manifests/"+version, http.Header{"Accept": {manifestTypes}}, http.StatusOK)
	if err == nil {
		resp.Body.Close()
		if d := resp.Header.Get("Docker-Content-Digest"); validDigest(d) {
			return d, nil
		}
	} else if isCode(err, CodeImageNotFound) || isCode(err, apprunner.CodeAccessDenied) {
		return "", err
	}
	body, _, err := r.manifest(ctx, version) // registries that do not answer HEAD as they should
	return digestOf(body), err
}

func (r *remote) manifest(ctx context.Context, version string) ([]byte, string, error) {
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	resp, err := r.request(ctx, http.MethodGet, "manifests/"+version, http.Header{"Accept": {manifestTypes}}, http.StatusOK)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxManifest+1))
	if err != nil {
		return nil, "", r.failure("manifests/"+version, err)
	}
	want := version
	if !validDigest(want) {
		want = resp.Header.Get("Docker-Content-Digest")
	}
	if validDigest(want) && digestOf(body) != want {
		return nil, "", refuse("the registry %s sent a manifest that does not match its digest %s", r.registry.RegistryStr(), want)
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		mediaType = ""
	}
	return body, mediaType, nil
}

// blob downloads a blob, continuing where a broken connection stopped.
func (r *remote) blob(ctx context.Context, d descriptor) error {
	if d.Size > r.store.limits.BlobBytes {
		return tooLarge("blob "+d.Digest, r.store.limits.BlobBytes)
	}
	if r.store.common.has(d.Digest) {
		return nil
	}
	key := "blob/" + r.registry.RegistryStr() + "/" + r.repository + "@" + d.Digest
	return r.store.shared.do(ctx, key, func(ctx context.Context) error {
		held := r.store.leases.take(d.Digest)
		defer held.release()
		return r.download(ctx, d)
	})
}

func (r *remote) download(ctx context.Context, d descriptor) error {
	w, err := r.store.newBlobWriter()
	if err != nil {
		return err
	}
	defer w.abort()
	for attempt := 1; ; attempt++ {
		before := w.size
		err := r.transfer(ctx, d, w)
		if err == nil {
			break
		}
		if w.size > before {
			attempt = 1
		}
		if attempt >= blobAttempts || !transient(err) || wait(ctx, time.Duration(attempt)*retryPause) != nil {
			return fmt.Errorf("download %s: %w", d.Digest, err)
		}
		r.store.log.InfoContext(ctx, "blob transfer continues", "digest", d.Digest, "at", w.size, "error", err)
	}
	if _, err := w.commit(d.Digest); errors.Is(err, errDigest) {
		return refuse("the registry %s sent content that does not match its digest: %v", r.registry.RegistryStr(), err)
	} else if err != nil {
		return err
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// transfer adds to w what one connection gives, up to the promised size. A connection on which nothing moves is given up.
func (r *remote) transfer(ctx context.Context, d descriptor, w *blobWriter) error {
	stalled := apprunner.Errorf(apprunner.CodeUnavailable, "the registry %s sent nothing for %s", r.registry.RegistryStr(), stallTimeout)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stallTimeout, func() { cancel(stalled) })
	defer watch.Stop()
	err := r.receive(ctx, d, w, watch)
	if err != nil && errors.Is(context.Cause(ctx), stalled) {
		return stalled
	}
	return err
}

func (r *remote) receive(ctx context.Context, d descriptor, w *blobWriter, watch *time.Timer) error {
	resp, err := r.open(ctx, d, w.size)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := &watchedReader{resp.Body, watch}
	if resp.StatusCode == http.StatusOK && w.size > 0 { // the registry knows no ranges
		if _, err := io.CopyN(io.Discard, body, w.size); err != nil {
			return r.failure("blobs/"+d.Digest, err)
		}
	}
	if _, err = io.Copy(w, io.LimitReader(body, d.Size-w.size)); err != nil {
		return r.failure("blobs/"+d.Digest, err)
	}
	if w.size < d.Size {
		return r.failure("blobs/"+d.Digest, io.ErrUnexpectedEOF)
	}
	return nil
}

// open asks for a blob from a byte on; a registry that cannot do ranges sends all of it.
func (r *remote) open(ctx context.Context, d descriptor, from int64) (*http.Response, error) {
	path := "blobs/" + d.Digest
	if from == 0 {
		return r.request(ctx, http.MethodGet, path, nil, http.StatusOK)
	}
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, d.Size-1)}}
	resp, err := r.request(ctx, http.MethodGet, path, header, http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable)
	if err != nil || resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		return resp, err
	}
	resp.Body.Close()
	return r.request(ctx, http.MethodGet, path, nil, http.StatusOK)
}

type watchedReader struct {
	r     io.Reader
	watch *time.Timer
}

// Read implements io.Reader.
func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.watch.Reset(stallTimeout)
	}
	return n, err
}

// transient tells whether asking again may help.
func transient(err error) bool { return isCode(err, apprunner.CodeUnavailable) }

// failure turns what went wrong at another registry into a sentence for the user.
func (r *remote) failure(path string, err error) error {
	var own *apprunner.Error
	if errors.As(err, &own) {
		return own
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	host := r.registry.RegistryStr()
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return apprunner.Errorf(apprunner.CodeUnavailable, "the registry %s cannot be reached: %w", host, err).
			WithHint("Check the host name and that this server has a way to it.")
	}
	switch code := answer.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return apprunner.Errorf(apprunner.CodeAccessDenied, "the registry %s denied access to %s (HTTP %d)", host, r.display, code).
			WithHint("Check the credentials, and that the repository exists: registries answer so for unknown names as well.")
	case code == http.StatusNotFound:
		return notThere(CodeImageNotFound, "the registry %s has no %s (%s)", host, r.display, strings.Replace(path, "/", " ", 1))
	case code == http.StatusTooManyRequests:
		return apprunner.Errorf(apprunner.CodeUnavailable, "the registry %s refuses for now: too many requests (HTTP 429)", host).
			WithHint("Use credentials with a higher limit, or a mirror.")
	case code >= 500:
		return apprunner.Errorf(apprunner.CodeUnavailable, "the registry %s failed with HTTP %d: %w", host, code, err)
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "the registry %s refused %s: %w", host, r.display, err)
}

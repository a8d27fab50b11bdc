package caller

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// FromEnvironment makes a client of the usual AWS environment: AWS_ENDPOINT_URL; AWS_REGION or AWS_DEFAULT_REGION; AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; AWS_CA_BUNDLE; and for what is missing the profile AWS_PROFILE, or else the one called
// default, of the files AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or else of ~/.aws. A profile that is named comes before keys in the
// environment. The keys of a profile stand in it or are what its credential_process prints.
func FromEnvironment(env func(string) string) (*Client, error) {
	p, err := readProfile(env)
	if err != nil {
		return nil, err
	}
	c := &Client{
		Endpoint: cmp.Or(env("AWS_ENDPOINT_URL"), p.values["endpoint_url"]),
		Region:   cmp.Or(env("AWS_REGION"), env("AWS_DEFAULT_REGION"), p.values["region"]),
	}
	switch {
	case c.Endpoint == "":
		return nil, errors.New("AWS_ENDPOINT_URL does not say where Slipway is")
	case c.Region == "":
		return nil, errors.New("no region is set: set AWS_REGION")
	}
	if ca := cmp.Or(env("AWS_CA_BUNDLE"), p.values["ca_bundle"]); ca != "" {
		if c.HTTP, err = Trusting(ca); err != nil {
			return nil, err
		}
	}
	keys := Keys{ID: env("AWS_ACCESS_KEY_ID"), Secret: env("AWS_SECRET_ACCESS_KEY"), Token: env("AWS_SESSION_TOKEN")}
	if !keys.complete() || env("AWS_PROFILE") != "" {
		c.Keys, err = p.keys()
		return c, err
	}
	c.Keys = Always(keys)
	return c, nil
}

// Always gives the same keys for every request.
func Always(k Keys) func(context.Context) (Keys, error) {
	return func(context.Context) (Keys, error) { return k, nil }
}

func (k Keys) complete() bool { return k.ID != "" && k.Secret != "" }

// Trusting is an HTTP client that trusts the certificates of a file beside the system's.
func Trusting(caFile string) (*http.Client, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("trust the API: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(pem)
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: t}, nil
}

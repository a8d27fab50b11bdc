package server

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"slipway.dev/slipway/internal/observe"
)

// isOriginOrNone tells whether a text is empty or the address of an HTTP server.
func isOriginOrNone(s string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.User == nil
}

// trailS3 is the store that trails write to; nil is the data directory.
func (c Config) trailS3() (*observe.S3, error) {
	if c.TrailS3 == "" {
		return nil, nil
	}
	if c.TrailS3Credentials == "" {
		return nil, fmt.Errorf("trail-s3 needs trail-s3-credentials: a file with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where it is not %s, AWS_REGION", c.Region)
	}
	text, err := os.ReadFile(c.TrailS3Credentials)
	if err != nil {
		return nil, fmt.Errorf("credentials of the store for trails: %w", err)
	}
	vars := shellVars(string(text))
	s := &observe.S3{
		Endpoint: c.TrailS3, Region: vars["AWS_REGION"], KeyID: vars["AWS_ACCESS_KEY_ID"], Secret: vars["AWS_SECRET_ACCESS_KEY"], Token: vars["AWS_SESSION_TOKEN"],
	}
	if s.Region == "" {
		s.Region = c.Region
	}
	if s.KeyID == "" || s.Secret == "" {
		return nil, fmt.Errorf("%s has no lines AWS_ACCESS_KEY_ID=… and AWS_SECRET_ACCESS_KEY=…", c.TrailS3Credentials)
	}
	return s, nil
}

// shellVars reads lines such as export NAME='value'.
func shellVars(text string) map[string]string {
	vars := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if found {
			vars[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `'"`)
		}
	}
	return vars
}

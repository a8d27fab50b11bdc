package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"slipway.dev/slipway/internal/observe/events"
)

// openEvents opens the event bus.
func (s *System) openEvents(ctx context.Context) (err error) {
	endpoints, err := s.conf.eventEndpoints()
	if err != nil {
		return err
	}
	s.events, err = events.Open(ctx, events.Config{
		DB: s.db, Logs: s.logs, Endpoints: endpoints, Managed: managedRules, Random: rand.Float64, Now: time.Now, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("open the event bus: %w", err)
	}
	return nil
}

// eventEndpoints are the web hooks of the settings, with their secrets.
func (c Config) eventEndpoints() (map[string]events.Endpoint, error) {
	secrets, err := readEventSecrets(c.EventSecrets)
	if err != nil {
		return nil, err
	}
	endpoints := map[string]events.Endpoint{}
	for arn, url := range c.EventTargets {
		e := events.Endpoint{URL: url, Plain: c.EventHTTP, Secret: []byte(secrets["*"])}
		if own := secrets[arn]; own != "" {
			e.Secret = []byte(own)
		}
		if err := e.Check(); err != nil {
			return nil, fmt.Errorf("event-targets: the address for %s: %w", arn, err)
		}
		endpoints[arn] = e
	}
	return endpoints, nil
}

// readEventSecrets reads lines of an ARN, or * for all others, an equals sign and a secret.
func readEventSecrets(path string) (map[string]string, error) {
	secrets := map[string]string{}
	if path == "" {
		return secrets, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("event-secrets: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		arn, secret, found := strings.Cut(line, "=")
		if !found || secret == "" {
			return nil, fmt.Errorf("event-secrets: %s holds a line that is not ARN=secret or *=secret", path)
		}
		secrets[strings.TrimSpace(arn)] = strings.TrimSpace(secret)
	}
	return secrets, nil
}

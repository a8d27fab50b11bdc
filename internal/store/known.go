package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
)

// Whoever looks at the whole of the records does so at every change, and most of them are as they were. So what was decoded is kept:
// instances by their text, which is compared with that of the row, and routed hosts by the version of the domains.

// knownInstances are all instances that a reader saw last, by the text of their records. They are never changed.
type knownInstances map[string]apprunner.Instance

// allInstances reads all instances and decodes those that were not known.
func (t *Tx) allInstances() (list []apprunner.Instance, err error) {
	t.db.mu.Lock()
	known := t.db.instances
	t.db.mu.Unlock()
	next, fresh := make(knownInstances, len(known)), false
	err = t.Each(`SELECT body FROM instances ORDER BY id`, nil, func(r Row) error {
		var body sql.RawBytes
		if err := r.Scan(&body); err != nil {
			return err
		}
		i, ok := known[string(body)]
		if !ok {
			fresh = true
			if err := json.Unmarshal(body, &i); err != nil {
				return fmt.Errorf("decode a stored instance: %w", err)
			}
		}
		next[string(body)] = i
		list = append(list, i)
		return nil
	})
	if err == nil && (fresh || len(next) != len(known)) {
		t.db.mu.Lock()
		t.db.instances = next
		t.db.mu.Unlock()
	}
	return list, err
}

// knownHosts are the routed hosts as of one version of the domains. They are never changed.
type knownHosts struct {
	version string
	hosts   map[string][]string
}

// RoutedHosts are the custom host names that reach a service, by its ARN. They are shared with other readers and must not be changed.
func (t *Tx) RoutedHosts() (map[string][]string, error) {
	version, err := t.DomainsVersion()
	if err != nil {
		return nil, err
	}
	t.db.mu.Lock()
	known := t.db.hosts
	t.db.mu.Unlock()
	if known != nil && t.snapshot && known.version == version {
		return known.hosts, nil
	}
	all, err := t.Domains("")
	if err != nil {
		return nil, err
	}
	hosts := map[string][]string{}
	for _, d := range all {
		if d.Routed() {
			hosts[d.ServiceARN] = slices.Concat(hosts[d.ServiceARN], d.Hosts())
		}
	}
	if t.snapshot { // what is not committed must not be known to others
		t.db.mu.Lock()
		t.db.hosts = &knownHosts{version, hosts}
		t.db.mu.Unlock()
	}
	return hosts, nil
}

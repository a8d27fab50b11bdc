package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/shim"
)

const (
	recordFile = "instance.json"
	imageFile  = "disk.ext4"
	scratchDir = "scratch"
	bundleDir  = "bundle"
)

// record is what the driver wrote down about an instance before it made anything. With the shim's files beside it, it is all a
// new driver needs.
type record struct {
	ID           string
	ServiceARN   string
	DeploymentID string
	Address      netip.Addr
	Egress       instance.Egress
	Uplink       string // path of the namespace with EgressUplink
	UplinkID     string // which one it was at the start
	MemoryMiB    int
	CreatedAt    time.Time
	Shim         shim.Process    // set before the shim gets its first order
	Stopped      bool            // only the log is left
	Trimmed      instance.Cursor // what TrimLogs was told last
}

func (r record) write(dir string) error { return writeJSON(filepath.Join(dir, recordFile), r) }

func readRecord(dir string) (record, error) {
	var r record
	err := readJSON(filepath.Join(dir, recordFile), &r)
	if err == nil && (r.ID != filepath.Base(dir) || !r.Address.IsValid()) {
		err = fmt.Errorf("%s does not describe an instance", filepath.Join(dir, recordFile))
	}
	return r, err
}

// writeJSON puts a value in place whole. The records describe processes and interfaces, which a power cut ends as well, so they
// are not forced to the disk; a torn one is treated as none.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path+".tmp", b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// subdirs names the directories in dir; a missing one has none.
func subdirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list, nil
}

package image

import (
	"encoding/json"
	"fmt"
	"time"
)

// ImageConfig is what an image says about how it wants to run.
type ImageConfig struct {
	Entrypoint   []string
	Cmd          []string
	Env          []string // NAME=value
	WorkingDir   string
	User         string
	ExposedPorts []string // "8080/tcp"
	Labels       map[string]string
	StopSignal   string
}

// configFile is the part of an image's configuration this room reads.
type configFile struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant"`
	Config       struct {
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		Env          []string            `json:"Env"`
		WorkingDir   string              `json:"WorkingDir"`
		User         string              `json:"User"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Labels       map[string]string   `json:"Labels"`
		StopSignal   string              `json:"StopSignal"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// parseConfig reads an image configuration and checks what the rest relies on.
func parseConfig(body []byte) (configFile, error) {
	var c configFile
	if err := json.Unmarshal(body, &c); err != nil {
		return configFile{}, refuse("the image's configuration is not valid JSON: %v", err)
	}
	for _, id := range c.RootFS.DiffIDs {
		if !validDigest(id) {
			return configFile{}, refuse("the image's configuration names the layer %q, which is not a sha256 digest", clip(id))
		}
	}
	return c, nil
}

func (c configFile) platform() platform {
	return platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}
}

func (c configFile) words() ImageConfig {
	return ImageConfig{
		Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, Env: c.Config.Env,
		WorkingDir: c.Config.WorkingDir, User: c.Config.User,
		ExposedPorts: sortedKeys(c.Config.ExposedPorts), Labels: c.Config.Labels, StopSignal: c.Config.StopSignal,
	}
}

type historyEntry struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// extendConfig gives the configuration of an image with one more layer. Members this room does not know are kept.
func extendConfig(base []byte, arch, diffID string, cfg ImageConfig, at time.Time) ([]byte, error) {
	doc := map[string]json.RawMessage{}
	if base != nil {
		if err := json.Unmarshal(base, &doc); err != nil {
			return nil, fmt.Errorf("read the base image's configuration: %w", err)
		}
	}
	var known configFile
	var history []json.RawMessage
	inner := map[string]json.RawMessage{}
	for key, dest := range map[string]any{"rootfs": &known.RootFS, "history": &history, "config": &inner} {
		if raw := doc[key]; raw != nil {
			if err := json.Unmarshal(raw, dest); err != nil {
				return nil, fmt.Errorf("read the base image's %s: %w", key, err)
			}
		}
	}
	if base == nil {
		set(doc, "architecture", arch)
		set(doc, "os", "linux")
	}
	if inner == nil {
		inner = map[string]json.RawMessage{}
	}
	cfg.write(inner)
	entry, err := json.Marshal(historyEntry{at, "slipway"})
	if err != nil {
		return nil, err
	}
	set(doc, "created", at)
	set(doc, "config", inner)
	set(doc, "history", append(history, entry))
	set(doc, "rootfs", map[string]any{"type": "layers", "diff_ids": append(known.RootFS.DiffIDs, diffID)})
	return json.Marshal(doc)
}

// write puts the words into a "config" object.
func (c ImageConfig) write(inner map[string]json.RawMessage) {
	ports := map[string]struct{}{}
	for _, p := range c.ExposedPorts {
		ports[p] = struct{}{}
	}
	set(inner, "Entrypoint", c.Entrypoint)
	set(inner, "Cmd", c.Cmd)
	set(inner, "Env", c.Env)
	set(inner, "WorkingDir", c.WorkingDir)
	set(inner, "User", c.User)
	set(inner, "ExposedPorts", ports)
	set(inner, "Labels", c.Labels)
	set(inner, "StopSignal", c.StopSignal)
}

// set writes a value that cannot fail to marshal; empty ones are left out, as OCI has them.
func set(doc map[string]json.RawMessage, key string, value any) {
	raw, err := json.Marshal(value)
	if text := string(raw); err != nil || text == "null" || text == `""` || text == "{}" {
		delete(doc, key)
		return
	}
	doc[key] = raw
}

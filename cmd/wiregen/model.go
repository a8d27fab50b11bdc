package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// model is a service-2.json. Traits that no codec understands are refused when it is read, so that none is lost silently.
type model struct {
	Name   string // directory, such as "apprunner"
	Source string // file, relative to the project, for the header

	Metadata   metadata
	Operations map[string]operation
	Shapes     map[string]*shape
	Paginated  map[string]bool
}

type metadata struct {
	APIVersion string `json:"apiVersion"`
	Protocol   string `json:"protocol"`
	// Protocols are all that the service speaks, where there is more than one; the first is Protocol.
	Protocols []string `json:"protocols"`
	// QueryCompatible services tell clients of other protocols the error codes of the query protocol too.
	QueryCompatible *struct{} `json:"awsQueryCompatible"`
	JSONVersion     string    `json:"jsonVersion"`
	TargetPrefix    string    `json:"targetPrefix"`
	EndpointPrefix  string    `json:"endpointPrefix"`
	SigningName     string    `json:"signingName"`
	XMLNamespace    string    `json:"xmlNamespace"`
	ServiceFullName string    `json:"serviceFullName"`
}

type operation struct {
	Name string `json:"name"`
	HTTP struct {
		Method     string `json:"method"`
		RequestURI string `json:"requestUri"`
	} `json:"http"`
	Input  *shapeRef  `json:"input"`
	Output *shapeRef  `json:"output"`
	Errors []shapeRef `json:"errors"`
	// Read, and of no consequence for the tables: any request may be compressed.
	RequestCompression json.RawMessage `json:"requestcompression"`
}

type shapeRef struct {
	Shape         string `json:"shape"`
	LocationName  string `json:"locationName"`
	QueryName     string `json:"queryName"` // in requests of the EC2 protocol
	ResultWrapper string `json:"resultWrapper"`
	// Read, and of no consequence on the wire:
	Box               bool            `json:"box"`
	Deprecated        bool            `json:"deprecated"`
	DeprecatedMessage string          `json:"deprecatedMessage"`
	DeprecatedSince   string          `json:"deprecatedSince"`
	IdempotencyToken  bool            `json:"idempotencyToken"`
	ContextParam      json.RawMessage `json:"contextParam"`
	Documentation     string          `json:"documentation"`
}

type shape struct {
	Type      string      `json:"type"`
	Members   members     `json:"members"`
	Required  []string    `json:"required"`
	Member    *shapeRef   `json:"member"`
	Key       *shapeRef   `json:"key"`
	Value     *shapeRef   `json:"value"`
	Flattened bool        `json:"flattened"`
	Min       json.Number `json:"min"`
	Max       json.Number `json:"max"`
	Pattern   string      `json:"pattern"`
	Enum      []string    `json:"enum"`
	Sensitive bool        `json:"sensitive"`
	Exception bool        `json:"exception"`
	Fault     bool        `json:"fault"`
	Error     *errorTrait `json:"error"`
	// Read, and of no consequence on the wire:
	Box               bool     `json:"box"`
	Union             bool     `json:"union"`
	Synthetic         bool     `json:"synthetic"`
	XMLOrder          []string `json:"xmlOrder"`
	Deprecated        bool     `json:"deprecated"`
	DeprecatedMessage string   `json:"deprecatedMessage"`
	DeprecatedSince   string   `json:"deprecatedSince"`
	Documentation     string   `json:"documentation"`
}

type errorTrait struct {
	Code           string `json:"code"`
	HTTPStatusCode int    `json:"httpStatusCode"`
	SenderFault    bool   `json:"senderFault"`
}

// member is one member of a structure; members keeps them in the order of the file, which becomes the order of fields.
type member struct {
	Name string
	Ref  shapeRef
}

type members []member

// UnmarshalJSON reads an object in its order.
func (m *members) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		e := member{Name: name.(string)}
		if err := dec.Decode(&e.Ref); err != nil {
			return fmt.Errorf("member %s: %w", e.Name, err)
		}
		*m = append(*m, e)
	}
	return nil
}

// readModels reads every <dir>/<service>/<version>/service-2.json, sorted by service. display is how the header names dir.
func readModels(dir, display string) ([]*model, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "service-2.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no models in %s", dir)
	}
	var out []*model
	for _, f := range files {
		rel, err := filepath.Rel(dir, f)
		if err != nil {
			return nil, err
		}
		m, err := readModel(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rel, err)
		}
		m.Source = path.Join(display, filepath.ToSlash(rel))
		out = append(out, m)
	}
	return out, nil
}

// rawModel is the part of a model file that is read shape by shape.
type rawModel struct {
	Metadata   metadata                   `json:"metadata"`
	Operations map[string]operation       `json:"operations"`
	Shapes     map[string]json.RawMessage `json:"shapes"`
}

// readModel reads a service-2.json and the service-2.<name>.json beside it, which add operations and shapes to it.
func readModel(file string) (*model, error) {
	versionDir := filepath.Dir(file)
	more, err := filepath.Glob(filepath.Join(versionDir, "service-2.*.json"))
	if err != nil {
		return nil, err
	}
	raw := rawModel{Operations: map[string]operation{}, Shapes: map[string]json.RawMessage{}}
	for _, f := range append([]string{file}, more...) {
		if err := raw.add(f); err != nil {
			return nil, err
		}
	}
	m := &model{Name: filepath.Base(filepath.Dir(versionDir)), Metadata: raw.Metadata, Operations: raw.Operations, Shapes: map[string]*shape{}}
	for _, name := range slices.Sorted(maps.Keys(raw.Shapes)) {
		dec := json.NewDecoder(bytes.NewReader(raw.Shapes[name]))
		dec.DisallowUnknownFields()
		s := &shape{}
		if err := dec.Decode(s); err != nil {
			return nil, fmt.Errorf("shape %s: %w", name, err)
		}
		m.Shapes[name] = s
	}
	m.Paginated, err = readPaginators(filepath.Join(versionDir, "paginators-1.json"))
	return m, err
}

// add reads one file. A name is defined once.
func (r *rawModel) add(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var part rawModel
	if err := json.Unmarshal(data, &part); err != nil {
		return err
	}
	if part.Metadata.Protocol != "" {
		r.Metadata = part.Metadata
	}
	for name, op := range part.Operations {
		if _, twice := r.Operations[name]; twice {
			return fmt.Errorf("%s: the operation %s is there already", filepath.Base(file), name)
		}
		r.Operations[name] = op
	}
	for name, s := range part.Shapes {
		if _, twice := r.Shapes[name]; twice {
			return fmt.Errorf("%s: the shape %s is there already", filepath.Base(file), name)
		}
		r.Shapes[name] = s
	}
	return nil
}

func readPaginators(file string) (map[string]bool, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var raw struct {
		Pagination map[string]json.RawMessage `json:"pagination"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("paginators: %w", err)
	}
	out := map[string]bool{}
	for op := range raw.Pagination {
		out[op] = true
	}
	return out, nil
}

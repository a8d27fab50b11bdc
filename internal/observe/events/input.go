package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/events/pattern"
)

// envelope is an event as it stands in the outbox, and as rules match it and targets receive it (adjacent §6.1).
type envelope struct {
	seq     int64
	scope   apprunner.Scope
	arrived time.Time // when it was held against the rules
	direct  []string  // ARNs that it goes to without a rule

	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  json.RawMessage `json:"resources"`
	Detail     json.RawMessage `json:"detail,omitempty"`
}

// text is v as JSON, with < > and & as they are.
func text(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// parsed is the event as patterns and paths look at it.
func (e *envelope) parsed() (map[string]any, error) {
	b, err := text(e)
	if err != nil {
		return nil, err
	}
	return pattern.Parse(b)
}

// shaper makes what is sent for an event out of it.
type shaper func(*envelope, Rule) ([]byte, error)

// shaper reads what the target is to be sent.
func (t Target) shaper() (shaper, error) {
	switch {
	case t.Input != "":
		if !json.Valid([]byte(t.Input)) {
			return nil, errors.New("Input is not JSON")
		}
		return func(*envelope, Rule) ([]byte, error) { return []byte(t.Input), nil }, nil
	case t.InputPath != "":
		steps, err := parsePath(t.InputPath)
		if err != nil {
			return nil, fmt.Errorf("InputPath: %w", err)
		}
		return func(e *envelope, _ Rule) ([]byte, error) { return partOf(e, steps) }, nil
	case t.Transform != nil:
		return t.Transform.shaper()
	}
	return func(e *envelope, _ Rule) ([]byte, error) { return text(e) }, nil
}

// partOf is what a path leads to in an event, null where there is nothing.
func partOf(e *envelope, steps []step) ([]byte, error) {
	event, err := e.parsed()
	if err != nil {
		return nil, err
	}
	v, _ := follow(steps, event)
	return text(v)
}

// piece is a part of a template: a text, or a variable inside or outside a quoted text.
type piece struct {
	text     string
	variable string
	quoted   bool
}

// The variables that every template has.
const (
	varRuleARN   = "aws.events.rule-arn"
	varRuleName  = "aws.events.rule-name"
	varIngestion = "aws.events.event.ingestion-time"
	varEvent     = "aws.events.event" // without its detail
	varWhole     = "aws.events.event.json"
)

func (t *Transform) shaper() (shaper, error) {
	paths := map[string][]step{}
	for name, path := range t.Paths {
		if strings.HasPrefix(name, "aws.") {
			return nil, fmt.Errorf("InputPathsMap: the variable %q begins with aws., which is reserved", name)
		}
		steps, err := parsePath(path)
		if err != nil {
			return nil, fmt.Errorf("InputPathsMap, %s: %w", name, err)
		}
		paths[name] = steps
	}
	pieces, err := parseTemplate(t.Template, paths)
	if err != nil {
		return nil, fmt.Errorf("InputTemplate: %w", err)
	}
	return func(e *envelope, r Rule) ([]byte, error) { return fill(pieces, paths, e, r) }, nil
}

// parseTemplate cuts a template at its variables. What is left must be JSON: an object, or quoted texts, one behind the other.
func parseTemplate(template string, paths map[string][]step) (pieces []piece, err error) {
	quoted, begin := false, 0
	for i := 0; i < len(template); i++ {
		switch c := template[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '<':
			name, isVariable := variableAt(template[i:])
			if !isVariable {
				continue
			}
			if _, known := paths[name]; !known && !reserved(name) {
				return nil, fmt.Errorf("the variable <%s> is not in InputPathsMap", name)
			}
			pieces = append(pieces, piece{text: template[begin:i]}, piece{variable: name, quoted: quoted})
			begin = i + len(name) + 2
			i = begin - 1
		}
	}
	if begin < len(template) {
		pieces = append(pieces, piece{text: template[begin:]})
	}
	return pieces, checkTemplate(pieces)
}

// variableAt reads <name> at the beginning of a text.
func variableAt(text string) (name string, is bool) {
	name, _, closed := strings.Cut(text[1:], ">")
	strange := strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
	return name, closed && name != "" && strange == ""
}

func reserved(name string) bool {
	return name == varRuleARN || name == varRuleName || name == varIngestion || name == varEvent || name == varWhole
}

func checkTemplate(pieces []piece) error {
	var sample strings.Builder
	for _, p := range pieces {
		sample.WriteString(p.text)
		if p.variable != "" && !p.quoted {
			sample.WriteString("null")
		}
	}
	d := json.NewDecoder(strings.NewReader(sample.String()))
	for n := 0; ; n++ {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is not JSON with <variables>: %w", err)
		}
	}
}

// fill puts the event's values in the places of the variables. A value that is not there is null, and nothing inside a text.
func fill(pieces []piece, paths map[string][]step, e *envelope, r Rule) ([]byte, error) {
	event, err := e.parsed()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, p := range pieces {
		out.WriteString(p.text)
		if p.variable == "" {
			continue
		}
		v, there := variable(p.variable, paths, event, e, r)
		if !there && p.quoted {
			continue
		}
		b, err := text(v)
		if err != nil {
			return nil, err
		}
		if p.quoted {
			if b, err = insideText(v, b); err != nil {
				return nil, err
			}
		}
		out.Write(b)
	}
	return out.Bytes(), nil
}

// insideText is a value, whose JSON is b, as a part of a quoted text.
func insideText(v any, b []byte) ([]byte, error) {
	if _, is := v.(string); !is {
		quoted, err := text(string(b))
		if err != nil {
			return nil, err
		}
		b = quoted
	}
	return b[1 : len(b)-1], nil
}

func variable(name string, paths map[string][]step, event map[string]any, e *envelope, r Rule) (v any, there bool) {
	switch name {
	case varRuleARN:
		return r.ARN(), true
	case varRuleName:
		return r.Name, true
	case varIngestion:
		return e.arrived.UTC().Format(time.RFC3339), true
	case varWhole:
		return event, true
	case varEvent:
		rest := *e
		rest.Detail = nil
		return rest, true
	}
	return follow(paths[name], event)
}

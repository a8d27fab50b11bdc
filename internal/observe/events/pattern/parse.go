package pattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// member is a field of an object in a pattern. Patterns keep their order, so that the first fault is the one that is told.
type member struct {
	name  string
	value any // []member, []any, string, json.Number, bool or nil
}

// parse reads a JSON text in which no object has two fields of a name.
func parse(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the end of the pattern")
	}
	return v, nil
}

func parseValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	switch t {
	case json.Delim('{'):
		return parseObject(d)
	case json.Delim('['):
		return parseArray(d)
	}
	return t, nil
}

func parseObject(d *json.Decoder) (any, error) {
	list, seen := []member{}, map[string]bool{}
	for d.More() {
		name, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		m := member{name: fmt.Sprint(name)}
		if seen[m.name] {
			return nil, fmt.Errorf("%q is there twice", m.name)
		}
		seen[m.name] = true
		if m.value, err = parseValue(d); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	_, err := parseValue(d) // the closing brace, or what is there in its place
	return list, err
}

func parseArray(d *json.Decoder) (any, error) {
	list := []any{}
	for d.More() {
		v, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := parseValue(d)
	return list, err
}

// Parse reads an event for [Pattern.Matches]. It fails for what is no JSON object.
func Parse(event []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(event))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("the event is no JSON object: %w", err)
	}
	if _, err := d.Token(); object == nil || !errors.Is(err, io.EOF) {
		return nil, errors.New("the event is not one JSON object")
	}
	return object, nil
}

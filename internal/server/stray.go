package server

import (
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner/spell"
)

// otherVariables are those of Slipway that are no settings: what credentials.env sets, and what its processes tell each other.
var otherVariables = []string{
	"SLIPWAY_CONFIG", "SLIPWAY_HTTPS", "SLIPWAY_HTTP", "SLIPWAY_DNS", "SLIPWAY_CA",
	"SLIPWAY_FAULT", elderVariable, fdsVariable, reportVariable, resumeVariable,
}

// StrayVariables tells of the variables of an environment ("NAME=value" each) that begin like settings and are none, a sentence each:
// nobody reads them.
func StrayVariables(environ []string) (sentences []string) {
	var known []string
	for _, s := range settings() {
		known = append(known, EnvName(s.name))
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "SLIPWAY_") || value == "" || slices.Contains(known, name) || slices.Contains(otherVariables, name) {
			continue
		}
		text := name + " is not a setting and is ignored"
		if meant := spell.Nearest(name, known); meant != "" {
			text += fmt.Sprintf("; did you mean %s?", meant)
		}
		sentences = append(sentences, text)
	}
	return sentences
}

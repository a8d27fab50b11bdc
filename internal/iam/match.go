package iam

import "strings"

// glob is a pattern with its wildcards told apart from letters, so that what a policy variable puts in never acts as a wildcard.
type glob []rune

const (
	anyRun rune = -1 - iota // any number of characters: *
	anyOne                  // exactly one: ?
)

// parseGlob reads * and ? as wildcards.
func parseGlob(s string) glob {
	g := make(glob, 0, len(s))
	for _, r := range s {
		g = append(g, wildcard(r))
	}
	return g
}

func wildcard(r rune) rune {
	switch r {
	case '*':
		return anyRun
	case '?':
		return anyOne
	}
	return r
}

// match tells whether the pattern covers all of s. Its time is bounded by len(g)*len(s): the last star alone is retried.
func (g glob) match(s string) bool { return g.matchRunes([]rune(s)) }

func (g glob) matchRunes(text []rune) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(g) && g[p] == anyRun:
			star, mark = p, t
			p++
		case p < len(g) && (g[p] == anyOne || g[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(g) && g[p] == anyRun {
		p++
	}
	return p == len(g)
}

// matchARN compares part by part, so that a wildcard reaches over slashes but not over a colon: "arn:aws:*:*:service/x" cannot
// borrow from its neighbour. The last part of the pattern takes all that is left.
func (g glob) matchARN(arn string) bool {
	if len(g) == 1 && g[0] == anyRun {
		return true
	}
	parts := g.split(6)
	texts := strings.SplitN(arn, ":", len(parts))
	if len(texts) != len(parts) {
		return false
	}
	for i, p := range parts {
		if !p.match(texts[i]) {
			return false
		}
	}
	return true
}

// split cuts the pattern at its first n-1 colons.
func (g glob) split(n int) []glob {
	var parts []glob
	start := 0
	for i, r := range g {
		if r == ':' && len(parts) < n-1 {
			parts = append(parts, g[start:i])
			start = i + 1
		}
	}
	return append(parts, g[start:])
}

// matchAction compares action names, which have no case.
func matchAction(pattern, action string) bool {
	return parseGlob(strings.ToLower(pattern)).match(strings.ToLower(action))
}

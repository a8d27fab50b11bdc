package pattern

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression in RE2 syntax. It may be used by several goroutines at once.
type Pattern struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

// Of makes a pattern of a regular expression. One that is malformed panics at its first use: give every pattern a test.
func Of(text string) *Pattern { return &Pattern{text: text} }

// Compiled is the regular expression.
func (p *Pattern) Compiled() *regexp.Regexp {
	p.once.Do(func() { p.re = regexp.MustCompile(p.text) })
	return p.re
}

// MatchString tells whether s holds a match.
func (p *Pattern) MatchString(s string) bool { return p.Compiled().MatchString(s) }

// FindStringSubmatch gives the leftmost match in s and those of its groups; nil without any.
func (p *Pattern) FindStringSubmatch(s string) []string { return p.Compiled().FindStringSubmatch(s) }

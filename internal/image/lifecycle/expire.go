package lifecycle

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Image is what a policy looks at.
type Image struct {
	Digest   string
	Tags     []string
	PushedAt time.Time
}

// Expired are the digests of the images that a policy ends now. An image that a rule speaks of is none of the business of the rules
// after it, whether it ends or stays.
func (p Policy) Expired(images []Image, now time.Time) []string {
	left := slices.Clone(images)
	slices.SortStableFunc(left, func(a, b Image) int { // newest first; images of one moment in the order of their digests
		return cmp.Or(b.PushedAt.Compare(a.PushedAt), cmp.Compare(a.Digest, b.Digest))
	})
	var out []string
	for _, r := range p.Rules {
		seen := 0
		left = slices.DeleteFunc(left, func(i Image) bool {
			if !r.Selection.chooses(i) {
				return false
			}
			seen++
			if r.Selection.ends(seen, i, now) {
				out = append(out, i.Digest)
			}
			return true
		})
	}
	return out
}

func (s Selection) chooses(i Image) bool {
	switch s.TagStatus {
	case anyImage:
		return true
	case untagged:
		return len(i.Tags) == 0
	}
	for _, p := range s.Prefixes {
		if !slices.ContainsFunc(i.Tags, func(tag string) bool { return strings.HasPrefix(tag, p) }) {
			return false
		}
	}
	for _, p := range s.Patterns {
		if !slices.ContainsFunc(i.Tags, func(tag string) bool { return fits(tag, p) }) {
			return false
		}
	}
	return true
}

// ends tells whether the seen-th newest image that a rule speaks of ends.
func (s Selection) ends(seen int, i Image, now time.Time) bool {
	if s.CountType == byCount {
		return seen > s.CountNumber
	}
	return now.Sub(i.PushedAt) > time.Duration(s.CountNumber)*24*time.Hour
}

// fits tells whether a tag has the form of a pattern, in which * stands for any text.
func fits(tag, pattern string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	if !more {
		return tag == pattern
	}
	tag, ok := strings.CutPrefix(tag, first)
	if !ok {
		return false
	}
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		i := strings.Index(tag, part)
		if i < 0 {
			return false
		}
		tag = tag[i+len(part):]
	}
	return strings.HasSuffix(tag, last)
}

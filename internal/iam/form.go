package iam

import "slipway.dev/slipway/internal/apprunner/pattern"

// form is what a text of ASCII looks like and how long it is. The length is not in the expression, which would be compiled to as many
// states.
type form struct {
	look        *pattern.Pattern
	least, most int
}

// MatchString tells whether a text has the form.
func (f form) MatchString(s string) bool {
	return len(s) >= f.least && len(s) <= f.most && f.look.MatchString(s)
}

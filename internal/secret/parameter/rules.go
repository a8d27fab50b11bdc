package parameter

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
)

// New is a value that a parameter is to get, or a parameter to be made.
type New struct {
	Name        string
	Value       string
	Type        Type // empty: that of the parameter that is there
	Description *string
	KeyID       string // of a SecureString; empty: ManagedKey
	Overwrite   bool   // a parameter that is there gets another version
	Pattern     *string
	Tags        map[string]string
	Tier        Tier   // empty: Standard, or Advanced where the parameter is that already
	By          string // ARN of who writes
}

// check holds the rules that need no records.
func (n New) check(sc apprunner.Scope) error {
	switch {
	case n.Value == "":
		return invalid("The parameter has no value; 1 to %d characters are allowed.", maxAdvanced)
	case strings.Contains(n.Name, ":"):
		return invalid("Parameter name %q must not hold a colon: PutParameter takes the name alone, without ARN, version or label.", clip(n.Name))
	case n.Overwrite && len(n.Tags) > 0:
		return invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	case n.KeyID != "" && n.Type != SecureString:
		return invalid("KeyId is only allowed with the type SecureString, not with %q.", n.Type)
	case len(n.Tags) > maxTags:
		return tooManyTags(len(n.Tags))
	}
	return checkName(sc, n.Name)
}

func tooManyTags(n int) error {
	return apprunner.Errorf(CodeTooManyTags, "The parameter would have %d tags; at most %d are allowed.", n, maxTags)
}

// checkName holds the rules of a parameter's name.
func checkName(sc apprunner.Scope, name string) error {
	levels := strings.Split(bare(name), "/")
	first := strings.ToLower(levels[0])
	switch {
	case strings.HasPrefix(first, "aws"), strings.HasPrefix(first, "ssm"):
		return invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	case len(levels) > 1 && !strings.HasPrefix(name, "/"):
		return invalid("Parameter name: must be a fully qualified name: %q has levels and must begin with a slash.", clip(name))
	case len(levels) > maxLevels:
		return apprunner.Errorf(CodeLevels, "The parameter name has %d levels; at most %d are allowed.", len(levels), maxLevels)
	case len(ARN(sc, name)) > maxFullName:
		return invalid("The parameter's ARN would have %d characters; at most %d are allowed.", len(ARN(sc, name)), maxFullName)
	}
	for _, l := range levels {
		if l == "" || strings.ContainsFunc(l, func(r rune) bool { return !nameRune(r) }) {
			return invalid("Parameter name: sub-paths, between slashes, are formed of letters, numbers and the symbols .-_ and are not empty; %q is not.", clip(name))
		}
	}
	return nil
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_'
}

// over is the version that n makes of a parameter that is there.
func (n New) over(was Parameter) (Version, error) {
	v := was.Present()
	v.Labels = nil
	if n.Type != "" && n.Type != was.Type {
		return v, apprunner.Errorf(CodeTypeMismatch, "Parameter Store doesn't support changing the type of a parameter: %s is a %s. Make another parameter.", was.Name, was.Type)
	}
	switch {
	case was.Type != SecureString:
		v.KeyID = ""
	case n.KeyID != "":
		v.KeyID = n.KeyID
	}
	return v, n.fill(&v, v.Tier)
}

// first is the first version of a parameter.
func (n New) first() (Version, error) {
	if n.Type == "" {
		return Version{}, invalid("A parameter type is required when you create a parameter.")
	}
	v := Version{KeyID: n.KeyID}
	if n.Type == SecureString && v.KeyID == "" {
		v.KeyID = ManagedKey
	}
	return v, n.fill(&v, "")
}

func (n New) fill(v *Version, present Tier) (err error) {
	if n.Description != nil {
		v.Description = *n.Description
	}
	if n.Pattern != nil {
		v.Pattern = *n.Pattern
	}
	v.ModifiedBy = n.By
	if v.Tier, err = n.tier(present); err != nil {
		return err
	}
	return n.fits(v.Pattern)
}

// tier settles the tier of a value.
func (n New) tier(present Tier) (Tier, error) {
	size, tier := utf8.RuneCountInString(n.Value), n.Tier
	switch {
	case tier == "" && present != "":
		tier = present
	case tier == "":
		tier = Standard
	case tier == Intelligent && (size > maxStandard || present == Advanced):
		tier = Advanced
	case tier == Intelligent:
		tier = Standard
	case tier == Standard && present == Advanced:
		return "", invalid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	}
	if tier == Standard && size > maxStandard {
		return "", invalid("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.", maxStandard)
	}
	if size > maxAdvanced {
		return "", invalid("Advanced tier parameters support a maximum parameter value of %d characters.", maxAdvanced)
	}
	return tier, nil
}

// fits holds the value against the pattern it must match as a whole.
func (n New) fits(pattern string) error {
	if pattern == "" {
		return nil
	}
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return apprunner.Errorf(CodeBadPattern, "The request does not meet the regular expression requirement: %v", err)
	}
	if !re.MatchString(n.Value) {
		return apprunner.Errorf(CodePattern, "Parameter value, cannot be validated against allowedPattern: %s", clip(pattern))
	}
	return nil
}

func (v Version) isNumber(text string) bool { return strconv.FormatInt(v.Number, 10) == text }

// badLabel tells whether a label is not allowed: it would read as a version or belongs to AWS.
func badLabel(l string) bool {
	low := strings.ToLower(l)
	return l == "" || l[0] >= '0' && l[0] <= '9' || strings.HasPrefix(low, "aws") || strings.HasPrefix(low, "ssm") ||
		strings.ContainsFunc(l, func(r rune) bool { return !nameRune(r) })
}

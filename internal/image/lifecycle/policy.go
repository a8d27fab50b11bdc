package lifecycle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Policy is a policy's rules by priority.
type Policy struct{ Rules []Rule }

// Rule ends images that its selection chooses.
type Rule struct {
	Priority    int       `json:"rulePriority"`
	Description string    `json:"description"`
	Selection   Selection `json:"selection"`
	Action      struct {
		Type string `json:"type"` // "expire"
	} `json:"action"`
}

// Selection chooses images by their tags, and of those the ones that are too many or too old.
type Selection struct {
	TagStatus   string   `json:"tagStatus"`      // tagged, untagged or any
	Prefixes    []string `json:"tagPrefixList"`  // an image needs a tag for each of them
	Patterns    []string `json:"tagPatternList"` // the same, with * for any text
	CountType   string   `json:"countType"`      // imageCountMoreThan or sinceImagePushed
	CountUnit   string   `json:"countUnit"`      // days, with sinceImagePushed
	CountNumber int      `json:"countNumber"`    // 1 or more
}

const (
	tagged   = "tagged"
	untagged = "untagged"
	anyImage = "any"

	byCount = "imageCountMoreThan"
	byAge   = "sinceImagePushed"

	// maxRules is how many rules ECR allows in a policy.
	maxRules = 50
)

// Parse reads a policy. What is not evaluated here is refused.
func Parse(text string) (Policy, error) {
	var p struct {
		Rules []Rule `json:"rules"`
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("the policy cannot be read: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Policy{}, errors.New("something follows the policy")
	}
	if len(p.Rules) == 0 || len(p.Rules) > maxRules {
		return Policy{}, fmt.Errorf("the policy has %d rules; 1 to %d are allowed", len(p.Rules), maxRules)
	}
	slices.SortStableFunc(p.Rules, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	for i, r := range p.Rules {
		if err := r.check(); err != nil {
			return Policy{}, fmt.Errorf("rule %d: %w", r.Priority, err)
		}
		if i > 0 && p.Rules[i-1].Priority == r.Priority {
			return Policy{}, fmt.Errorf("two rules have rulePriority %d", r.Priority)
		}
		if r.Selection.TagStatus == anyImage && i < len(p.Rules)-1 {
			return Policy{}, fmt.Errorf("rule %d: a rule for any image must have the highest rulePriority, so that it comes last", r.Priority)
		}
	}
	return Policy{p.Rules}, nil
}

func (r Rule) check() error {
	if r.Priority < 1 {
		return errors.New("rulePriority must be 1 or more")
	}
	if r.Action.Type != "expire" {
		return fmt.Errorf("action type %q is not served; use expire", r.Action.Type)
	}
	return errors.Join(r.Selection.checkTags(), r.Selection.checkCount())
}

func (s Selection) checkTags() error {
	listed := len(s.Prefixes) + len(s.Patterns)
	switch {
	case s.TagStatus != tagged && s.TagStatus != untagged && s.TagStatus != anyImage:
		return fmt.Errorf("tagStatus %q is none of tagged, untagged, any", s.TagStatus)
	case s.TagStatus == tagged && listed == 0:
		return errors.New("tagStatus tagged needs tagPrefixList or tagPatternList")
	case s.TagStatus != tagged && listed > 0:
		return fmt.Errorf("tagPrefixList and tagPatternList go with tagStatus tagged, not %s", s.TagStatus)
	case len(s.Prefixes) > 0 && len(s.Patterns) > 0:
		return errors.New("tagPrefixList and tagPatternList exclude each other")
	}
	return nil
}

func (s Selection) checkCount() error {
	switch {
	case s.CountNumber < 1:
		return errors.New("countNumber must be 1 or more")
	case s.CountType == byCount && s.CountUnit != "":
		return errors.New("countUnit goes with countType sinceImagePushed")
	case s.CountType == byAge && s.CountUnit != "days":
		return fmt.Errorf("countUnit %q is not allowed; use days", s.CountUnit)
	case s.CountType != byCount && s.CountType != byAge:
		return fmt.Errorf("countType %q is not served; use imageCountMoreThan or sinceImagePushed", s.CountType)
	}
	return nil
}

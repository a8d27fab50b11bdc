package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFailures is how many failed constraints one error reports.
const maxFailures = 10

// Failure is one constraint that a request does not meet.
type Failure struct {
	// Path is the member in the spelling of AWS messages, such as sourceConfiguration.imageRepository.imageIdentifier; entries
	// of a list are path.N.member with N from 1.
	Path string
	// Value is the offending value, shortened; empty, with Shown false, for structures and for sensitive values.
	Value string
	Shown bool
	// Constraint is the sentence that says what the value has to meet.
	Constraint string
}

func (f Failure) String() string {
	switch {
	case f.Constraint == notNull:
		return fmt.Sprintf("Value null at '%s' failed to satisfy constraint: %s", f.Path, f.Constraint)
	case f.Shown:
		return fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: %s", f.Value, f.Path, f.Constraint)
	}
	return fmt.Sprintf("Value at '%s' failed to satisfy constraint: %s", f.Path, f.Constraint)
}

// Missing tells whether the failure is that a required member is absent.
func (f Failure) Missing() bool { return f.Constraint == notNull }

const notNull = "Member must not be null"

// ValidationError is a request that breaks constraints of the model.
type ValidationError struct {
	// Failures are the first ones, in the order of the model.
	Failures []Failure
	// Total is how many there are.
	Total int
}

// Error words the failures as AWS does.
func (e *ValidationError) Error() string {
	var b strings.Builder
	noun := "errors"
	if e.Total == 1 {
		noun = "error"
	}
	fmt.Fprintf(&b, "%d validation %s detected: ", e.Total, noun)
	for i, f := range e.Failures {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.String())
	}
	return b.String()
}

// Validate checks a request, as Decode returns it, against the constraints of the model. The error is a *ValidationError.
func (s *Service) Validate(op *Operation, in any) error {
	if op.Input == None {
		return nil
	}
	c := checker{s: s, optional: op.Optional}
	c.structure(reflect.ValueOf(in).Elem(), &s.Shapes[op.Input])
	if c.total == 0 {
		return nil
	}
	return &ValidationError{Failures: c.failures, Total: c.total}
}

type checker struct {
	s        *Service
	optional []string
	path     []string
	failures []Failure
	total    int
}

func (c *checker) where() string { return strings.Join(c.path, ".") }

// below runs check one step further down.
func (c *checker) below(step string, check func()) {
	c.path = append(c.path, step)
	check()
	c.path = c.path[:len(c.path)-1]
}

func (c *checker) fail(f Failure) {
	if c.total++; len(c.failures) < maxFailures {
		f.Path = c.where()
		c.failures = append(c.failures, f)
	}
}

func (c *checker) structure(v reflect.Value, sh *Shape) {
	for i := range sh.Members {
		m := &sh.Members[i]
		f := v.Field(i)
		if f.IsNil() && !m.Required {
			continue
		}
		c.below(lowerFirst(m.Name), func() {
			switch {
			case !f.IsNil():
				c.value(f, &c.s.Shapes[m.Shape])
			case !c.relaxed():
				c.fail(Failure{Constraint: notNull})
			}
		})
	}
}

// relaxed tells whether the present path lies below one of the operation's optional prefixes.
func (c *checker) relaxed() bool {
	for _, prefix := range c.optional {
		if strings.HasPrefix(c.where(), prefix+".") {
			return true
		}
	}
	return false
}

func (c *checker) value(v reflect.Value, sh *Shape) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.Kind {
	case Structure:
		c.structure(v, sh)
	case List:
		c.size(v.Len(), sh, Failure{})
		for i := range v.Len() {
			c.below(strconv.Itoa(i+1), func() {
				c.below("member", func() { c.value(v.Index(i), &c.s.Shapes[sh.Value]) })
			})
		}
	case Map:
		c.size(v.Len(), sh, Failure{})
		c.entries(v, sh)
	case String:
		c.text(v.String(), sh)
	case Blob:
		c.size(v.Len(), sh, Failure{})
	case Integer, Long:
		c.number(v.Int(), sh)
	case Float, Double:
		f := v.Float()
		c.inRange(sh, strconv.FormatFloat(f, 'g', -1, 64), sh.Min.Set && f < float64(sh.Min.N), sh.Max.Set && f > float64(sh.Max.N))
	}
}

func (c *checker) entries(v reflect.Value, sh *Shape) {
	key, value := &c.s.Shapes[sh.Key], &c.s.Shapes[sh.Value]
	for _, k := range sortedKeys(v) {
		check := func() {
			c.below("key", func() { c.text(k, key) })
			c.below("value", func() { c.value(v.MapIndex(reflect.ValueOf(k)), value) })
		}
		if key.Sensitive {
			check()
			continue
		}
		c.below(clip(k), check)
	}
}

// text checks a string: its characters are counted, not its bytes.
func (c *checker) text(s string, sh *Shape) {
	f := shown(sh, s)
	c.size(utf8.RuneCountInString(s), sh, f)
	if sh.Pattern != nil && !sh.Pattern.Match(s) {
		f.Constraint = "Member must satisfy regular expression pattern: " + sh.Pattern.Model
		c.fail(f)
	}
	if sh.Enum != nil && !slices.Contains(sh.Enum, s) {
		f.Constraint = "Member must satisfy enum value set: [" + strings.Join(sh.Enum, ", ") + "]"
		c.fail(f)
	}
}

// shown begins a failure that quotes the value, if its shape allows that.
func shown(sh *Shape, value string) Failure {
	if sh.Sensitive {
		return Failure{}
	}
	return Failure{Value: clip(value), Shown: true}
}

func (c *checker) size(n int, sh *Shape, f Failure) {
	if sh.Min.Set && int64(n) < sh.Min.N {
		f.Constraint = fmt.Sprintf("Member must have length greater than or equal to %d", sh.Min.N)
		c.fail(f)
	}
	if sh.Max.Set && int64(n) > sh.Max.N {
		f.Constraint = fmt.Sprintf("Member must have length less than or equal to %d", sh.Max.N)
		c.fail(f)
	}
}

func (c *checker) number(n int64, sh *Shape) {
	c.inRange(sh, strconv.FormatInt(n, 10), sh.Min.Set && n < sh.Min.N, sh.Max.Set && n > sh.Max.N)
}

func (c *checker) inRange(sh *Shape, value string, low, high bool) {
	f := shown(sh, value)
	if low {
		f.Constraint = fmt.Sprintf("Member must have value greater than or equal to %d", sh.Min.N)
		c.fail(f)
	}
	if high {
		f.Constraint = fmt.Sprintf("Member must have value less than or equal to %d", sh.Max.N)
		c.fail(f)
	}
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

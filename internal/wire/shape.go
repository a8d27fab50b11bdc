package wire

import (
	"regexp"
	"sync"
)

// Kind is the sort of a shape.
type Kind uint8

// The kinds of the AWS model language. Their Go types are: *T for a Structure member and T inside lists and maps; []T; map[string]T;
// string, bool, int32, int64, float64, float64, time.Time (all behind a pointer when they are members); []byte.
const (
	Structure Kind = iota + 1
	List
	Map
	String
	Boolean
	Integer
	Long
	Float
	Double
	Timestamp
	Blob
)

// Ref names a shape: its index in the table of its service. References are numbers because shapes may contain themselves.
type Ref int32

// None is the reference of an operation that has no input or no output.
const None Ref = -1

// Bound is a limit that may be missing.
type Bound struct {
	Set bool
	N   int64
}

// Shape is one entry of a service's table.
type Shape struct {
	Name string
	Kind Kind

	// Members of a Structure stand in the order of the fields of its Go struct.
	Members []Member
	// Key and Value are the parts of a Map; a List has Value only.
	Key, Value Ref
	// Flattened lists and maps have no element around their entries in query and XML protocols. Item, ItemKey and ItemValue are
	// the names of those entries where the model changes them ("member", "key" and "value" otherwise).
	Flattened                bool
	Item, ItemKey, ItemValue string

	// Min and Max bound the characters of a String, the bytes of a Blob, the entries of a List or Map, the value of a number.
	Min, Max Bound
	Pattern  *Pattern
	Enum     []string
	// Sensitive values never appear in a message.
	Sensitive bool
}

// Member is one member of a structure.
type Member struct {
	Name     string
	Shape    Ref
	Required bool
	// Alias is the name on the wire in query and XML protocols where it differs from Name.
	Alias string
	// Query is the name in requests of the EC2 protocol where that is not the name on the wire with a capital letter.
	Query string
}

func (m *Member) wireName() string {
	if m.Alias != "" {
		return m.Alias
	}
	return m.Name
}

// Pattern is a regular expression that has to match the whole of a string. It is compiled when it is first needed: most of a
// model's patterns are never used by one process.
type Pattern struct {
	// Model is the text of the model, which messages show.
	Model string
	// Expr is what is matched, in RE2 syntax.
	Expr string

	once sync.Once
	re   *regexp.Regexp
}

// Match tells whether the pattern matches the whole of s.
func (p *Pattern) Match(s string) bool {
	p.once.Do(func() { p.re = regexp.MustCompile(`^(?:` + p.Expr + `)$`) })
	return p.re.MatchString(s)
}

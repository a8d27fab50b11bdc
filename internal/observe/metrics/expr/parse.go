package expr

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxDepth is how deep an expression may nest.
const maxDepth = 40

// Expr is an expression that has been read. It is read-only.
type Expr struct {
	root  node
	names []string
	all   bool
}

// Names are the ids that the expression needs, each once.
func (e *Expr) Names() []string { return e.names }

// All tells whether it needs all metrics of the request (METRICS).
func (e *Expr) All() bool { return e.all }

// Parse reads an expression. The error says what is wrong, for who wrote it.
func Parse(text string) (*Expr, error) {
	tokens, err := split(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, e: &Expr{}}
	if p.e.root, err = p.binary(0); err != nil {
		return nil, err
	}
	if t := p.next(); t.text != "" {
		return nil, fmt.Errorf("unexpected %q", t.text)
	}
	return p.e, nil
}

// token is a word of an expression; the end is an empty one.
type token struct {
	text   string
	quoted bool
}

var words = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9_]*|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|==|!=|<=|>=|&&|\|\||[-+*/^()\[\],<>])`)
})

func split(text string) (tokens []token, err error) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if quote := text[0]; quote == '"' || quote == '\'' {
			body, rest, closed := strings.Cut(text[1:], string(quote))
			if !closed {
				return nil, fmt.Errorf("the text that begins at %s does not end", text)
			}
			tokens, text = append(tokens, token{body, true}), rest
			continue
		}
		word := words().FindString(text)
		if word == "" {
			return nil, fmt.Errorf("unexpected %q", text)
		}
		tokens, text = append(tokens, token{text: word}), text[len(word):]
	}
	return tokens, nil
}

type parser struct {
	tokens []token
	depth  int
	e      *Expr
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

func (p *parser) next() token {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) take(text string) bool {
	if t := p.peek(); t.text != text || t.quoted {
		return false
	}
	p.next()
	return true
}

func (p *parser) want(text string) error {
	if p.take(text) {
		return nil
	}
	if t := p.peek(); t.text != "" {
		return fmt.Errorf("expected %q before %q", text, t.text)
	}
	return fmt.Errorf("expected %q at the end", text)
}

// levels are the operators, those that bind least first.
var levels = [...][]string{{"||"}, {"&&"}, {"<", "<=", ">", ">=", "==", "!="}, {"+", "-"}, {"*", "/"}}

func (p *parser) binary(level int) (node, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil {
		op := p.peek()
		if op.quoted || !slices.Contains(levels[level], op.text) {
			return left, nil
		}
		p.next()
		var right node
		if right, err = p.binary(level + 1); err == nil {
			left = operation{op.text, left, right}
		}
	}
	return nil, err
}

// unary reads a sign and a power, which binds more than the sign.
func (p *parser) unary() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("the expression nests deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	if p.take("-") {
		of, err := p.unary()
		return operation{"-", number(0), of}, err
	}
	base, err := p.primary()
	if err != nil || !p.take("^") {
		return base, err
	}
	exponent, err := p.unary()
	return operation{"^", base, exponent}, err
}

func (p *parser) primary() (node, error) {
	switch t := p.next(); {
	case t.text == "" && !t.quoted:
		return nil, fmt.Errorf("the expression ends too early")
	case t.quoted:
		return text(t.text), nil
	case t.text == "(":
		inner, err := p.binary(0)
		if err == nil {
			err = p.want(")")
		}
		return inner, err
	case t.text == "[":
		items, err := p.items("]")
		return array(items), err
	case t.text[0] >= '0' && t.text[0] <= '9' || t.text[0] == '.':
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, fmt.Errorf("the number %s is too large", t.text)
		}
		return number(f), nil
	case t.text[0] >= 'a' && t.text[0] <= 'z':
		if !slices.Contains(p.e.names, t.text) {
			p.e.names = append(p.e.names, t.text)
		}
		return name(t.text), nil
	default:
		return p.function(t.text)
	}
}

// items reads what stands between brackets, up to the closing one.
func (p *parser) items(end string) (list []node, err error) {
	if p.take(end) {
		return nil, nil
	}
	for {
		item, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		if list = append(list, item); !p.take(",") {
			return list, p.want(end)
		}
	}
}

// function reads a call, or one of the words that stand for themselves.
func (p *parser) function(name string) (node, error) {
	if f := strings.ToUpper(name); f == "REPEAT" || f == "LINEAR" {
		return text(f), nil
	}
	f, known := functions[name]
	if !known {
		return nil, fmt.Errorf("%q is neither an id, which begins with a small letter, nor a function that is served here", name)
	}
	if err := p.want("("); err != nil {
		return nil, err
	}
	args, err := p.items(")")
	if err != nil {
		return nil, err
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, fmt.Errorf("%s takes %d to %d arguments, not %d", name, f.least, f.most, len(args))
	}
	p.e.all = p.e.all || name == "METRICS"
	return call{name, f, args}, nil
}

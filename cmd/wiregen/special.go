package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// expressions replace a pattern of a model by one that this server holds values against: where the model's is no RE2 (look-ahead)
// or says something else than it means. Keys are service/shape. Messages still show the model's text.
var expressions = map[string]string{
	// An unescaped dot would accept "0x25 vCPU"; the literal lists of §6.2 count (Appendix B).
	"apprunner/Cpu":    `256|512|1024|2048|4096|(0\.25|0\.5|1|2|4) vCPU`,
	"apprunner/Memory": `512|1024|2048|3072|4096|6144|8192|10240|12288|(0\.5|1|2|3|4|6|8|10|12) GB`,
	// An empty build command means that there is no build step (§6.1).
	"apprunner/BuildCommand": `[^\x0a\x0d]*`,
	// Unescaped dots again, in the host name.
	"apprunner/ImageIdentifier": `([0-9]{12}\.dkr\.ecr\.[a-z\-]+-[0-9]{1}\.amazonaws\.com\/((?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*)(:([\w+\-=._:\/@])+|@([\w:]+))?)` +
		`|(public\.ecr\.aws\/.+\/((?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*)(:([\w+\-=._:\/@])+|@([\w:]+))?)`,
	// ^(?!aws:).+ spelled out.
	"apprunner/TagKey": `[^a].*|a([^w].*)?|aw([^s].*)?|aws([^:].*)?`,
	// No dash at the beginning of a label.
	"acm/DomainNameString": `(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?\.)+[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]`,
	// No two dashes in a row, none at an end; the length limits are bounds of their own.
	"iam/accountAliasType": `[a-z0-9]+(-[a-z0-9]+)*`,
	// ^(?!\s*$).+ spelled out.
	"events/PathParameter": `.*\S.*`,
}

// optional relaxes required members: operation -> prefixes of member paths below which they may be absent.
var optional = map[string][]string{
	// What an update leaves out keeps its value, also inside the repository that the service has (§7.2).
	"apprunner/UpdateService": {"sourceConfiguration.codeRepository", "sourceConfiguration.imageRepository"},
}

var (
	// Models write characters as \uXXXX; the five-digit forms they contain are meant as such.
	unicodeEscape = regexp.MustCompile(`\\u(10FFFF|10000|[0-9A-Fa-f]{4})`)
	repeat        = regexp.MustCompile(`\{(\d+),(\d+)\}`)
)

// expression gives the RE2 expression for a shape's pattern; "" where the pattern allows everything.
func expression(service, name string, s *shape) (string, error) {
	expr, special := expressions[service+"/"+name]
	switch {
	case special:
	case s.Pattern == "" || s.Pattern == ".*" || s.Pattern == `[\s\S]*`:
		return "", nil
	default:
		expr = unicodeEscape.ReplaceAllString(s.Pattern, `\x{$1}`)
		expr = dropImpliedRepeats(expr, s)
		expr = strings.TrimPrefix(expr, "^")
		if !strings.HasSuffix(expr, `\$`) {
			expr = strings.TrimSuffix(expr, "$")
		}
	}
	if _, err := regexp.Compile(`^(?:` + expr + `)$`); err != nil {
		return "", fmt.Errorf("pattern of %s/%s is no RE2 (%w); give it an expression in special.go", service, name, err)
	}
	return expr, nil
}

// dropImpliedRepeats takes away upper repeat bounds that RE2 cannot count (above 1,000) and that the maximum length of the shape
// enforces anyway.
func dropImpliedRepeats(expr string, s *shape) string {
	limit, err := strconv.Atoi(s.Max.String())
	if err != nil {
		return expr
	}
	return repeat.ReplaceAllStringFunc(expr, func(r string) string {
		m := repeat.FindStringSubmatch(r)
		high, _ := strconv.Atoi(m[2]) // digits by the expression
		if high <= 1000 || high < limit {
			return r
		}
		return "{" + m[1] + ",}"
	})
}

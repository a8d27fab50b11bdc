package waf

import (
	"bytes"
	"html"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

// The detectors know the shapes that attacks usually have. They are simple, see what is in front of them decoded once, and like every
// such detector find neither all attacks nor only attacks: they are a net before an application that is sound by itself.

// sqlShapes are looked for at every sensitivity, in small letters, with comments and blanks made one blank.
var sqlShapes = pattern.Of(`` +
	`\bunion\b(?: all| distinct)?[ (]+select\b` + // another result
	`|['"\x60)] ?(?:or|and|xor|\|\||&&)\b? ?\(*(?:not )?['"\x60]?[\w.]+['"\x60]? ?(?:=|<|>|!=|\blike\b|\bin\b|\bis\b|\bbetween\b|\bregexp\b)` + // x' or 1=1
	`|\b(?:or|and|xor) \(*(?:not )?\d+ ?(?:=|<|>) ?\d+` + // 1 or 1=1
	`|\b(?:or|and|xor) \(*['"\x60](\w*)['"\x60] ?(?:=|<|>|\blike\b) ?['"\x60]` + // or 'a'='a
	`|; ?(?:drop|delete|insert|update|alter|create|truncate|exec|execute|shutdown|declare|grant|merge)\b` + // another statement
	`|['"\x60] ?\)* ?(?:--|#|;)` + // the end of the statement is cut off: admin'--
	`|\b(?:sleep|benchmark|pg_sleep|load_file|extractvalue|updatexml|xp_cmdshell|dbms_pipe\.receive_message|utl_http\.request) ?\(` +
	`|\bwaitfor delay\b|\bxp_cmdshell\b|\binto (?:out|dump)file\b` +
	`|\bselect\b.{1,200}\bfrom\b.{0,40}\b(?:information_schema|sys(?:objects|\.|columns)|mysql\.|pg_catalog|pg_user|sqlite_master|all_tables|dual)` +
	`|\bcase when\b.{1,100}\bthen\b`)

// sqlHighShapes are looked for besides at the sensitivity HIGH: they are in honest text too.
var sqlHighShapes = pattern.Of(`` +
	`\bselect\b.{1,200}\bfrom\b|\binsert into\b|\bdelete from\b|\bupdate\b.{1,100}\bset\b|\bdrop (?:table|database|view|index)\b` +
	`|['"\x60] ?(?:or|and|xor|\|\|)\b|\border by \d|\bgroup by\b.{1,60}\bhaving\b|\bhaving \d|['"\x60] ?\+ ?['"\x60]|\b(?:char|chr|concat|ascii|substring|hex) ?\(`)

func looksLikeSQL(b []byte, high bool) bool {
	b = compressSpace(replaceComments(lowered(opened(b))))
	return sqlShapes.Compiled().Match(b) || high && sqlHighShapes.Compiled().Match(b)
}

// scriptShapes are ways in which text becomes a script of a page.
var scriptShapes = pattern.Of(`(?i)` +
	`<[\s/]*script\b` +
	`|<[\s/]*(?:iframe|frame|frameset|object|embed|applet|base|meta|svg|math|xml|xss|link|style|portal|template|noscript)\b` +
	`|<[a-z!?][^>]{0,500}[\s/"'\x60]on[a-z]{3,30}\s*=` + // an element with a handler
	`|["'\x60][^<>]{0,200}\bon[a-z]{3,30}\s*=\s*\S` + // out of an attribute into a handler
	`|(?:java|vb|live)\s*script\s*:` +
	`|\bdata\s*:\s*(?:text/html|image/svg\+xml|application/xhtml)` +
	`|<[a-z][^>]{0,500}\b(?:srcdoc|formaction|xlink:href)\s*=` +
	`|\bexpression\s*\(|@import\b|-moz-binding` +
	`|["'\x60)]\s*[;+\-*/,|&}]+\s*(?:alert|prompt|confirm|eval|fetch)\s*[(\x60]` + // out of a text into a call
	`|\b(?:document\s*\.\s*(?:cookie|write|location|domain)|window\s*\.\s*(?:location|name)|string\s*\.\s*fromcharcode)`)

func looksLikeScript(b []byte) bool {
	b = opened(b)
	// Blanks and controls inside of "java script:" are passed over by browsers.
	return scriptShapes.Compiled().Match(b) || scriptShapes.Compiled().Match(bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, b))
}

// opened undoes one layer of URL escapes and of entities.
func opened(b []byte) []byte {
	if bytes.IndexByte(b, '%') >= 0 {
		b = unescape(b, '%', "u", false)
	}
	if bytes.IndexByte(b, '&') >= 0 {
		b = []byte(html.UnescapeString(string(b)))
	}
	return b
}

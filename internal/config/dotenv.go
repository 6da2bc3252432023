package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseDotenv reads a .env file as python-dotenv 1.2 does, so that a working file keeps its meaning: export, single and
// double quotes with their escapes, values over several lines, comments, ${NAME} and ${NAME:-default}. An unbraced $NAME
// is text. A key without "=" has no value and sets nothing. Where python-dotenv leaves a line out that it cannot read,
// this is an error that names the line: a setting must not get lost by a missing quote.
func ParseDotenv(text string, getenv func(string) (string, bool)) (map[string]string, error) {
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") { // the environment could not hold a NUL
		return nil, errors.New("it is not UTF-8 text")
	}
	text = newlines.Replace(strings.TrimPrefix(text, "\ufeff"))
	p := &dotenv{text: text, line: 1}
	values, bare := map[string]string{}, map[string]bool{}
	look := func(name string) (string, bool) {
		if value, ok := getenv(name); ok { // the environment wins in expansions too
			return value, true
		}
		value, ok := values[name]
		return value, ok || bare[name] // a key without a value is empty, not missing
	}
	for p.skip(isSpace); p.text != ""; p.skip(isSpace) {
		name, value, given, err := p.binding()
		if err != nil {
			return nil, err
		}
		if name == "" { // a comment
			continue
		}
		if given {
			values[name] = expand(value, look)
		} else {
			delete(values, name)
		}
		bare[name] = !given
	}
	return values, nil
}

var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// isSpace is what \s matches in Python.
func isSpace(r rune) bool { return unicode.IsSpace(r) || ('\x1c' <= r && r <= '\x1f') }

func isBlank(r rune) bool { return r != '\n' && isSpace(r) }

type dotenv struct {
	text string
	line int
}

func (p *dotenv) advance(n int) string {
	taken := p.text[:n]
	p.line += strings.Count(taken, "\n")
	p.text = p.text[n:]
	return taken
}

// skip goes over the runes of a kind, and tells whether there were any.
func (p *dotenv) skip(kind func(rune) bool) bool {
	return p.advance(len(p.text)-len(strings.TrimLeftFunc(p.text, kind))) != ""
}

func (p *dotenv) restOfLine() string {
	if end := strings.IndexByte(p.text, '\n'); end >= 0 {
		return p.advance(end)
	}
	return p.advance(len(p.text))
}

func (p *dotenv) wrong(what string) error { return fmt.Errorf("line %d: %s", p.line, what) }

func (p *dotenv) binding() (name, value string, given bool, err error) {
	if rest, ok := strings.CutPrefix(p.text, "export"); ok && strings.TrimLeftFunc(rest, isBlank) != rest {
		p.advance(len("export"))
		p.skip(isBlank)
	}
	if strings.HasPrefix(p.text, "#") { // a comment, alone or behind export
		return "", "", false, p.end()
	}
	if name, err = p.key(); err != nil {
		return "", "", false, err
	}
	p.skip(isBlank)
	if !strings.HasPrefix(p.text, "=") {
		return name, "", false, p.end()
	}
	p.advance(1)
	if p.skip(isBlank) && strings.HasPrefix(p.text, "#") { // KEY= # comment; but KEY=#text is text
		return name, "", true, p.end()
	}
	if value, err = p.value(); err != nil {
		return "", "", false, err
	}
	return name, value, true, p.end()
}

func (p *dotenv) key() (string, error) {
	if strings.HasPrefix(p.text, "'") {
		end := strings.IndexByte(p.text[1:], '\'')
		if end < 1 {
			return "", p.wrong("a quoted name is empty or does not end")
		}
		return strings.Trim(p.advance(end+2), "'"), nil
	}
	end := strings.IndexFunc(p.text, func(r rune) bool { return r == '=' || r == '#' || isSpace(r) })
	if end < 0 {
		end = len(p.text)
	}
	if end == 0 {
		return "", p.wrong("a name is missing before =")
	}
	return p.advance(end), nil
}

var comment = regexp.MustCompile(`[\s\v\x1c-\x1f\x{85}\p{Z}]+#.*`) // a # starts a comment only behind a blank

func (p *dotenv) value() (string, error) {
	if p.text == "" {
		return "", nil
	}
	quote := p.text[0]
	if quote != '\'' && quote != '"' {
		return strings.TrimRightFunc(comment.ReplaceAllString(p.restOfLine(), ""), isSpace), nil
	}
	for i := 1; i < len(p.text); i++ {
		switch p.text[i] {
		case '\\':
			i++
		case quote:
			raw := p.advance(i + 1)
			return unescape(raw[1:len(raw)-1], quote), nil
		}
	}
	return "", p.wrong("a quoted value does not end")
}

var doubleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`, `\a`, "\a", `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v")
var singleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`)

func unescape(s string, quote byte) string {
	if quote == '"' {
		return doubleEscapes.Replace(s)
	}
	return singleEscapes.Replace(s)
}

func (p *dotenv) end() error {
	p.skip(isBlank)
	if strings.HasPrefix(p.text, "#") {
		p.restOfLine()
	}
	if p.text != "" && p.text[0] != '\n' {
		return p.wrong("there is something behind the value")
	}
	return nil
}

// variable is python-dotenv's: a name has no colon, so that ${A:B} is text.
var variable = regexp.MustCompile(`\$\{([^}:]*)(?::-([^}]*))?\}`)

func expand(value string, look func(string) (string, bool)) string {
	return variable.ReplaceAllStringFunc(value, func(reference string) string {
		parts := variable.FindStringSubmatch(reference)
		if found, ok := look(parts[1]); ok {
			return found
		}
		return parts[2]
	})
}

package config

import (
	"fmt"
	"strings"
)

// ParseDotenv reads a .env file as python-dotenv does, so that a working file keeps its meaning: export, single and
// double quotes with their escapes, values over several lines, comments, ${NAME} and ${NAME:-default}. An unbraced $NAME
// is text. A key without "=" has no value and sets nothing. A line that cannot be read is an error that names it.
func ParseDotenv(text string, getenv func(string) (string, bool)) (map[string]string, error) {
	p := &dotenv{text: strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), line: 1}
	values := map[string]string{}
	look := func(name string) (string, bool) {
		if value, ok := getenv(name); ok { // the environment wins in expansions too
			return value, true
		}
		value, ok := values[name]
		return value, ok
	}
	for p.skipBlank(); p.text != ""; p.skipBlank() {
		name, value, given, err := p.binding()
		if err != nil {
			return nil, err
		}
		if given {
			values[name] = expand(value, look)
		}
	}
	return values, nil
}

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

func (p *dotenv) skipBlank() {
	for p.text != "" {
		switch trimmed := strings.TrimLeft(p.text, " \t\n\v\f"); {
		case trimmed != p.text:
			p.advance(len(p.text) - len(trimmed))
		case p.text[0] == '#':
			p.restOfLine()
		default:
			return
		}
	}
}

func (p *dotenv) restOfLine() string {
	if end := strings.IndexByte(p.text, '\n'); end >= 0 {
		return p.advance(end)
	}
	return p.advance(len(p.text))
}

func (p *dotenv) blanks() { p.advance(len(p.text) - len(strings.TrimLeft(p.text, " \t\v\f"))) }

func (p *dotenv) wrong(what string) error { return fmt.Errorf("line %d: %s", p.line, what) }

func (p *dotenv) binding() (name, value string, given bool, err error) {
	if rest, ok := strings.CutPrefix(p.text, "export"); ok && rest != "" && strings.ContainsRune(" \t\v\f", rune(rest[0])) {
		p.advance(len("export"))
		p.blanks()
	}
	if name, err = p.key(); err != nil {
		return "", "", false, err
	}
	p.blanks()
	if !strings.HasPrefix(p.text, "=") {
		return name, "", false, p.end()
	}
	p.advance(1)
	p.blanks()
	if value, err = p.value(); err != nil {
		return "", "", false, err
	}
	return name, value, true, p.end()
}

func (p *dotenv) key() (string, error) {
	if strings.HasPrefix(p.text, "'") {
		end := strings.IndexByte(p.text[1:], '\'')
		if end < 1 {
			return "", p.wrong("a quoted name does not end")
		}
		return strings.Trim(p.advance(end+2), "'"), nil
	}
	end := strings.IndexAny(p.text, "=# \t\n\v\f")
	if end < 0 {
		end = len(p.text)
	}
	if end == 0 {
		return "", p.wrong("a name is missing before =")
	}
	return p.advance(end), nil
}

func (p *dotenv) value() (string, error) {
	if p.text == "" {
		return "", nil
	}
	quote := p.text[0]
	if quote != '\'' && quote != '"' {
		raw := p.restOfLine()
		for i := 1; i < len(raw); i++ { // a # starts a comment only behind a blank
			if raw[i] == '#' && strings.ContainsRune(" \t\v\f", rune(raw[i-1])) {
				raw = raw[:i]
				break
			}
		}
		if strings.HasPrefix(raw, "#") {
			raw = ""
		}
		return strings.TrimRight(raw, " \t\v\f"), nil
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
	p.blanks()
	if strings.HasPrefix(p.text, "#") {
		p.restOfLine()
	}
	if p.text != "" && p.text[0] != '\n' {
		return p.wrong("there is something behind the value")
	}
	return nil
}

func expand(value string, look func(string) (string, bool)) string {
	var b strings.Builder
	for {
		start := strings.Index(value, "${")
		if start < 0 {
			break
		}
		end := strings.IndexByte(value[start:], '}')
		if end < 0 {
			break
		}
		name, fallback, _ := strings.Cut(value[start+2:start+end], ":-")
		b.WriteString(value[:start])
		if found, ok := look(name); ok {
			b.WriteString(found)
		} else {
			b.WriteString(fallback)
		}
		value = value[start+end+1:]
	}
	b.WriteString(value)
	return b.String()
}

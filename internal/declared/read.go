package declared

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// reader walks a document and notes all that is wrong with it.
type reader struct {
	file  *File
	wrong Problems
	rules int // how many there were
}

func (r *reader) fail(at *yaml.Node, format string, args ...any) {
	line := 0
	if at != nil {
		line = at.Line
	}
	r.wrong = append(r.wrong, Problem{line, fmt.Sprintf(format, args...)})
}

// plain refuses what makes a document mean more, or other, than it shows: anchors, aliases and tags.
func (r *reader) plain(n *yaml.Node) {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		r.fail(n, "anchors and aliases are refused: write out what is meant")
		return
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.fail(n, "tags are refused: %s", n.Tag)
	}
	for _, child := range n.Content {
		r.plain(child)
	}
}

// object is a mapping whose fields are known.
type object struct {
	*reader
	at     *yaml.Node
	fields map[string]*yaml.Node
}

func (r *reader) object(n *yaml.Node, what string, known ...string) object {
	o := object{r, n, map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		r.fail(n, "%s must have fields: %s", what, strings.Join(known, ", "))
		return o
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch name := key.Value; {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, name):
			r.fail(key, "%s has no field %q; there are %s", what, name, strings.Join(known, ", "))
		case o.fields[name] != nil:
			r.fail(key, "%s is there twice in %s", name, what)
		default:
			o.fields[name] = n.Content[i+1]
		}
	}
	return o
}

// list gives the items of a list that may be missing.
func (o object) list(field string) []*yaml.Node {
	n := o.fields[field]
	switch {
	case n == nil:
		return nil
	case n.Kind != yaml.SequenceNode:
		o.fail(n, "%s must be a list", field)
		return nil
	}
	return n.Content
}

// longest is the longest text of a file, in bytes.
const longest = 1024

// text gives a text as it is written, whatever YAML takes it for: an id is digits, and a group may be called true.
func (r *reader) text(n *yaml.Node, field string) string { return r.written(n, field, unreadable) }

func (r *reader) written(n *yaml.Node, field string, bad func(rune) bool) string {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		r.fail(n, "%s must be a text", field)
	case len(n.Value) > longest:
		r.fail(n, "%s must not be longer than %d bytes", field, longest)
	case strings.ContainsFunc(n.Value, bad):
		r.fail(n, "%s has a character that cannot be seen", field)
	default:
		return n.Value
	}
	return ""
}

func unreadable(r rune) bool {
	return unicode.IsControl(r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

func (o object) optional(field string) string {
	if n := o.fields[field]; n != nil {
		return o.text(n, field)
	}
	return ""
}

// prose is a text of several lines.
func (o object) prose(field string) string {
	if n := o.fields[field]; n != nil {
		return o.written(n, field, func(r rune) bool { return r != '\n' && r != '\t' && unreadable(r) })
	}
	return ""
}

func (o object) required(field string) string {
	if n := o.fields[field]; n != nil {
		value := o.text(n, field)
		if value == "" && n.Value == "" {
			o.fail(n, "%s must not be empty", field)
		}
		return value
	}
	if o.at.Kind == yaml.MappingNode {
		o.fail(o.at, "%s is missing", field)
	}
	return ""
}

func (o object) truth(field string, otherwise bool) bool {
	n := o.fields[field]
	if n == nil {
		return otherwise
	}
	if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		o.fail(n, "%s must be true or false", field)
	}
	return n.Value == "true"
}

func (o object) number(field string) int {
	n := o.fields[field]
	if n == nil {
		if o.at.Kind == yaml.MappingNode {
			o.fail(o.at, "%s is missing", field)
		}
		return 0
	}
	value, err := strconv.ParseInt(n.Value, 10, 32)
	if n.Kind != yaml.ScalarNode || err != nil {
		o.fail(n, "%s must be a whole number", field)
	}
	return int(value)
}

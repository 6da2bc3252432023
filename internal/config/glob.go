package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// groupPatterns takes OIDC_GROUP_NAME_PATTERN.
func groupPatterns(c *Config, v string) (err error) {
	c.OIDC.GroupPatterns, err = globs(split(v, ","))
	return err
}

// unrelated are names that have nothing in common: a pattern of all of them says nothing.
var unrelated = []string{"a", "zz9", "Finance Team", "x-y_z.1", "[eu] ops", "mlflow"}

// globs reads shell patterns of group names, as Python's fnmatchcase does. One that matches every name is refused: it would
// let in whoever has an account at the provider.
func globs(patterns []string) ([]*regexp.Regexp, error) {
	var all []*regexp.Regexp
	for _, pattern := range patterns {
		compiled, err := glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", pattern, err)
		}
		if !slices.ContainsFunc(unrelated, func(name string) bool { return !compiled.MatchString(name) }) {
			return nil, fmt.Errorf("the pattern %q matches every group; it must have something of the name", pattern)
		}
		all = append(all, compiled)
	}
	return all, nil
}

// glob compiles a shell pattern: * is any text, ? any character, [abc], [a-z] and [!abc] one of a set. It matches whole
// names, to the letter. A bracket that is not closed is itself.
func glob(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for rest := pattern; rest != ""; {
		switch rest[0] {
		case '*':
			b.WriteString(`.*`)
			rest = rest[1:]
		case '?':
			b.WriteString(`.`)
			rest = rest[1:]
		case '[':
			set, after, closed := bracket(rest[1:])
			if !closed {
				b.WriteString(`\[`)
				rest = rest[1:]
				continue
			}
			class, err := classOf(set)
			if err != nil {
				return nil, err
			}
			b.WriteString(class)
			rest = after
		default:
			end := strings.IndexAny(rest, "*?[")
			if end < 0 {
				end = len(rest)
			}
			b.WriteString(regexp.QuoteMeta(rest[:end]))
			rest = rest[end:]
		}
	}
	b.WriteString(`\z`)
	return regexp.Compile(b.String())
}

// bracket gives what is between brackets, and what comes after. A closing one in the first place is one of the set.
func bracket(text string) (set, after string, closed bool) {
	start := 0
	if strings.HasPrefix(text, "!") {
		start++
	}
	if strings.HasPrefix(text[start:], "]") {
		start++
	}
	end := strings.IndexByte(text[start:], ']')
	if end < 0 {
		return "", "", false
	}
	return text[:start+end], text[start+end+1:], true
}

// classOf gives a set of characters as a regular expression has it.
func classOf(set string) (string, error) {
	open := "["
	if rest, not := strings.CutPrefix(set, "!"); not {
		open, set = "[^", rest
	}
	var b strings.Builder
	runes := []rune(set)
	for i := 0; i < len(runes); i++ {
		from, to := runes[i], runes[i]
		if i+2 < len(runes) && runes[i+1] == '-' {
			to = runes[i+2]
			i += 2
		}
		if to < from {
			return "", errors.New("a range of it is the wrong way round")
		}
		fmt.Fprintf(&b, `\x{%x}-\x{%x}`, from, to)
	}
	return open + b.String() + "]", nil
}

package importer

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
)

// Patterns of the predecessor are Python's (re), and ours are RE2. Most are the same in both; some are written differently, some
// would mean something else if they were not, and some have no counterpart. None may come to mean something else unnoticed.

// The classes of Python, which are of all of Unicode; those of RE2 are of ASCII.
const (
	digits = `\p{Nd}`
	words  = `\p{L}\p{N}_`
	blanks = `\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`
)

// translate writes a pattern of Python's as one of RE2 that matches the same names. The error says why there is none.
func translate(python string) (string, error) {
	if strings.ContainsRune(python, utf8.RuneError) || !utf8.ValidString(python) || strings.ContainsRune(python, 0) {
		return "", fmt.Errorf("it holds characters that are none")
	}
	t := translator{rest: python}
	if err := t.all(); err != nil {
		return "", err
	}
	if _, err := authz.CompilePattern(t.out.String()); err != nil {
		var unknown *syntax.Error
		if errors.As(err, &unknown) {
			return "", fmt.Errorf("RE2 has nothing for its %s", unknown.Expr)
		}
		return "", err
	}
	return t.out.String(), nil
}

type translator struct {
	rest string
	out  strings.Builder
}

func (t *translator) all() error {
	for t.rest != "" {
		var err error
		switch {
		case t.rest[0] == '\\':
			err = t.escape(false)
		case t.rest[0] == '[':
			err = t.class()
		case strings.HasPrefix(t.rest, "{,"):
			t.none() // RE2 takes it for a text
		case strings.HasPrefix(t.rest, "(?"):
			err = t.group()
		default:
			t.take(1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take copies some bytes.
func (t *translator) take(n int) {
	t.out.WriteString(t.rest[:n])
	t.rest = t.rest[n:]
}

// put writes something in place of some bytes.
func (t *translator) put(text string, n int) {
	t.out.WriteString(text)
	t.rest = t.rest[n:]
}

// none writes a repetition without a lower bound: {,3} is {0,3}.
func (t *translator) none() {
	end := strings.IndexByte(t.rest, '}')
	if end > 0 && strings.Trim(t.rest[2:end], "0123456789") == "" {
		t.put("{0,", 2) // and {,} has no upper bound either
		return
	}
	t.take(1)
}

// group copies how a group begins. What RE2 has no word for, it refuses itself.
func (t *translator) group() error {
	if strings.HasPrefix(t.rest, "(?<") && !strings.HasPrefix(t.rest, "(?<=") && !strings.HasPrefix(t.rest, "(?<!") {
		return fmt.Errorf("Python has no group that begins with %.4s", t.rest) //nolint:staticcheck // a name
	}
	if rest := strings.TrimLeft(t.rest[2:], "aiLmsux-U"); strings.ContainsAny(t.rest[2:len(t.rest)-len(rest)], "aLuxU") {
		return fmt.Errorf("its flags have no counterpart in RE2")
	}
	t.take(2)
	return nil
}

// escape copies or translates what follows a backslash, in a class or outside.
func (t *translator) escape(inClass bool) error {
	if len(t.rest) < 2 {
		return fmt.Errorf("it ends with a backslash")
	}
	bracket := func(text string) string {
		if inClass {
			return text
		}
		return "[" + text + "]"
	}
	switch c := t.rest[1]; c {
	case 'd':
		t.put(digits, 2)
	case 'D':
		t.put(`\P{Nd}`, 2)
	case 'w':
		t.put(bracket(words), 2)
	case 's':
		t.put(bracket(blanks), 2)
	case 'W', 'S':
		if inClass {
			return fmt.Errorf(`\%c in a class has no counterpart in RE2`, c)
		}
		t.put(map[byte]string{'W': "[^" + words + "]", 'S': "[^" + blanks + "]"}[c], 2)
	case 'b', 'B':
		if !inClass {
			return fmt.Errorf(`\%c is about ASCII alone in RE2, and about all letters in Python`, c)
		}
		if c == 'B' {
			return fmt.Errorf(`\B in a class is an error in Python`)
		}
		t.put(`\x08`, 2) // a backspace
	case 'Z':
		t.put(`\z`, 2)
	case 'z', 'p', 'P', 'Q', 'E', 'C', 'X', 'K', 'G', 'R', 'h', 'H':
		return fmt.Errorf(`Python does not know \%c`, c) //nolint:staticcheck // a name
	case 'u', 'U':
		size := map[byte]int{'u': 4, 'U': 8}[c]
		if len(t.rest) < 2+size || strings.Trim(t.rest[2:2+size], "0123456789abcdefABCDEF") != "" {
			return fmt.Errorf(`\%c needs %d digits`, c, size)
		}
		t.put(`\x{`+t.rest[2:2+size]+`}`, 2+size)
	case 'x':
		if strings.HasPrefix(t.rest[2:], "{") {
			return fmt.Errorf(`Python does not know \x{`) //nolint:staticcheck // a name
		}
		t.take(2)
	default:
		t.take(2)
	}
	return nil
}

// class copies a class of characters. In Python a [ inside is one; RE2 has names of classes there.
func (t *translator) class() error {
	t.take(1)
	if strings.HasPrefix(t.rest, "^") {
		t.take(1)
	}
	if strings.HasPrefix(t.rest, "]") { // the first is a character
		t.put(`\]`, 1)
	}
	for t.rest != "" {
		switch t.rest[0] {
		case ']':
			t.take(1)
			return nil
		case '[':
			t.put(`\[`, 1)
		case '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			t.take(1)
		}
	}
	return fmt.Errorf("a class of characters has no end")
}

package importer

import (
	"regexp"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
)

// What Python's re.match says of each name (measured with Python 3.12).
func TestPatternsMeanWhatTheyMeantInPython(t *testing.T) {
	for python, names := range map[string]map[string]bool{
		`\d+`:           {"12": true, "\u0663": true, "x": false},
		`\w+$`:          {"prod": true, "ämter": true, "名前": true, "a-b": false, "": false},
		`\W`:            {"-": true, "é": false, " ": true},
		`\s\S`:          {"\u00a0x": true, "xx": false, "\x1cy": true},
		`[\w-]+\Z`:      {"a-b": true, "é-b": true, "a b": false},
		`[^\d]`:         {"1": false, "\u0663": false, "a": true},
		`a{,2}b`:        {"b": true, "aab": true, "aaab": false},
		`a{,}b`:         {"aaaab": true, "x": false},
		`[[:alpha:]]`:   {"a:]": false, ":]": true, "a": false},
		`[]x]+`:         {"]x": true, "y": false},
		`[^]x]`:         {"y": true, "]": false},
		`[a[]`:          {"[": true, "a": true, "b": false},
		`\u00e9t\u00e9`: {"été": true, "ete": false},
		`(?i)PROD`:      {"prod": true, "xprod": false},
		`(?P<n>a)b`:     {"ab": true, "b": false},
		`prod|test`:     {"production": true, "atest": false},
		`^ann-.*`:       {"ann-1": true, "xann-": false},
		`.*\.v[0-9]$`:   {"m.v1": true, "m.v12": false},
		`[\b]`:          {"\b": true, "b": false},
		`[\s]x`:         {"\u3000x": true, "x": false},
		`a\-b`:          {"a-b": true, "ab": false},
		`(?:a|b){2,3}c`: {"abc": true, "c": false},
		`\x41`:          {"A": true, "B": false},
		`[\d_]+x`:       {"\u0663_x": true, "x": false},
		`{,`:            {"{,": true, "x": false},
		`a{,x}`:         {"a{,x}": true, "a": false},
	} {
		text, err := translate(python)
		if err != nil {
			t.Errorf("%s: %v", python, err)
			continue
		}
		compiled, err := authz.CompilePattern(text)
		if err != nil {
			t.Errorf("%s became %s: %v", python, text, err)
			continue
		}
		for name, want := range names {
			if compiled.MatchString(name) != want {
				t.Errorf("%s became %s, which says %v of %q", python, text, !want, name)
			}
		}
	}
}

// What has no counterpart, or would come to mean something else, is not carried over as a pattern.
func TestPatternsWithoutACounterpart(t *testing.T) {
	for python, why := range map[string]string{
		`^(?!secret).*`:          "(?!",
		`(?<=a)b`:                "(?<=",
		`(?=a)`:                  "(?=",
		`(a)\1`:                  `\1`,
		`(?P<n>a)(?P=n)`:         "(?P",
		`(?>a)b`:                 "(?>",
		`a*+`:                    "*+",
		`(?(1)a|b)`:              "(?(",
		`\bprod\b`:               "ASCII",
		`[\W]`:                   "class",
		`(?x) a`:                 "flags",
		`(?a)\w`:                 "flags",
		`(?#note)a`:              "(?#",
		`\pL`:                    "Python does not know",
		`\Qa\E`:                  "Python does not know",
		`(?<n>a)`:                "no group",
		"":                       "empty",
		`a\`:                     "backslash",
		strings.Repeat("é", 200): "255 bytes",
		"a\x00":                  "none",
	} {
		text, err := translate(python)
		if err == nil {
			t.Errorf("%q became %q", python, text)
		} else if !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", python, err, why)
		}
	}
}

// The attack: hold a pattern that the importer reads as one that matches more. Of ASCII, where both languages agree on the classes, the
// translation matches what the original does, if RE2 takes that at all; and whatever it is, it compiles or is refused.
func FuzzTranslate(f *testing.F) {
	for _, seed := range []string{`^ann-.*`, `\w+-\d`, `[\w-]+`, `a{2,3}`, `(?i)x|y`, `[^]a]`, `\Z`, `[a[]`, `(?P<n>x)`} {
		f.Add(seed, "ann-1")
		f.Add(seed, "x]")
	}
	different := regexp.MustCompile(`\[:|\{,|\\[ZzuUbBsSpPQECXKGRhH]|\[\^?\]`) // what RE2 reads otherwise
	f.Fuzz(func(t *testing.T, python, name string) {
		text, err := translate(python)
		if err != nil {
			return
		}
		compiled, err := authz.CompilePattern(text)
		if err != nil {
			t.Fatalf("%q became %q: %v", python, text, err)
		}
		for _, r := range python + name {
			if r > '~' || r < ' ' {
				return
			}
		}
		original, err := authz.CompilePattern(python)
		if err != nil || different.MatchString(python) {
			return
		}
		if original.MatchString(name) != compiled.MatchString(name) {
			t.Errorf("%q became %q, and they differ on %q", python, text, name)
		}
	})
}

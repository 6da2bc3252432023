package authz_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

func TestPatternsMatchAsPythonsMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"prod", "prod", true}, {"prod", "production", true}, {"prod", "my-prod", false}, {"prod$", "production", false}, {"^prod", "prod", true},
		{"a|b", "b", true}, {"a|b", "cb", false}, {"a|b$", "ab", true}, {".*", "", true}, {".*b", "aab", true}, {".+", "", false},
		{"prod", "x\nprod", false}, {"(?m)^prod", "x\nprod", false}, {"(?m)prod$", "prod\nx", true}, {".*prod", "x\nprod", false}, {"(?s).*prod", "x\nprod", true},
		{"(?i)PROD", "prod", true}, {"(?i)a|B", "b", true}, {`\Aprod\z`, "prod", true}, {`\bprod`, "prod", true}, {"", "x", false}, {`\Qa.b\E`, "a.b", true}, {`\Qa.b\E`, "axb", false},
	} {
		compiled, err := authz.CompilePattern(c.pattern)
		if err != nil {
			if c.pattern != "" {
				t.Errorf("%q: %v", c.pattern, err)
			}
			continue
		}
		if compiled.MatchString(c.name) != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.name, !c.want)
		}
	}
}

// The attack: a pattern that closes the group around it, and so matches names that its own reading would not.
func TestAttackPatternsThatEscapeTheirAnchor(t *testing.T) {
	for pattern, why := range map[string]string{
		"":                         "must not be empty",
		")|(":                      "unexpected )",
		"a)|(?:.*":                 "unexpected )",
		"(":                        "missing closing )",
		"[":                        "missing closing ]",
		`\Qa`:                      "missing closing )",
		`a\`:                       "trailing backslash",
		`(?=a)`:                    "invalid or unsupported Perl syntax",
		`(?<!a)b`:                  "invalid named capture",
		`(a)\1`:                    "invalid escape sequence",
		`(?#c)a`:                   "invalid or unsupported Perl syntax",
		"a{1001}":                  "invalid repeat count",
		"\xff":                     "invalid UTF-8",
		strings.Repeat("a", 256):   "at most 255 bytes, this one 256",
		strings.Repeat("ä", 128):   "at most 255 bytes, this one 256",
		"((a{100}){100}){100}":     "invalid repeat count",
		"(((a{9}){9}){9}){9}{100}": "invalid",
	} {
		if compiled, err := authz.CompilePattern(pattern); err == nil || compiled != nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q gave %v, want %q", pattern, err, why)
		}
	}
	if _, err := authz.CompilePattern(strings.Repeat("a", 255)); err != nil {
		t.Errorf("255 bytes: %v", err)
	}
}

// A pattern that is accepted matches a name only from its start: whatever stands before, it must match too.
func FuzzCompilePattern(f *testing.F) {
	for _, seed := range []string{"prod", "a|b", ")|(", `\Qa`, "(?i)x", "(?m)^a", `x\E)|(?:`, "[)]|(a"} {
		f.Add(seed, "name")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		compiled, err := authz.CompilePattern(pattern)
		if err != nil {
			return
		}
		if pattern == "" || len(pattern) > authz.MaxPattern {
			t.Fatalf("%q was accepted", pattern)
		}
		for _, at := range compiled.FindAllStringIndex(name, -1) {
			if at[0] != 0 {
				t.Fatalf("%q matches %q at %d", pattern, name, at[0])
			}
		}
	})
}

func TestParseOrder(t *testing.T) {
	order, err := authz.ParseOrder([]string{" Group-Regex", "user"})
	if err != nil || !slices.Equal(order, []authz.Source{authz.GroupPattern, authz.User}) {
		t.Errorf("%v, %v", order, err)
	}
	var names []string
	for _, s := range authz.DefaultOrder() {
		names = append(names, s.String())
	}
	if again, err := authz.ParseOrder(names); err != nil || !slices.Equal(again, authz.DefaultOrder()) {
		t.Errorf("the default order reads as %v, %v", again, err)
	}
	for _, wrong := range [][]string{nil, {}, {""}, {"roles"}, {"user", "USER"}, {"user", "regex ", " regex"}} {
		if order, err := authz.ParseOrder(wrong); err == nil {
			t.Errorf("%q gave %v", wrong, order)
		}
	}
}

func TestEachYieldsWhatHasAGrantOnce(t *testing.T) {
	rows := []authz.Grant{{Source: authz.User, Kind: kind.Experiment, Resource: "1"}, {Source: authz.Group, Kind: kind.Experiment, Resource: "1"},
		{Source: authz.Group, Kind: kind.Experiment, Resource: "2"}, {Source: authz.Group, Kind: kind.RegisteredModel, Resource: "3"}}
	for _, c := range []struct {
		order []authz.Source
		want  []string
	}{{authz.DefaultOrder(), []string{"1", "2"}}, {[]authz.Source{authz.User}, []string{"1"}}, {[]authz.Source{authz.UserPattern}, nil}} {
		var got []string
		authz.Compile(c.order, rows).Each(kind.Experiment, func(id string) { got = append(got, id) })
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v:\n%s", c.order, diff)
		}
	}
}

// The rows belong to their maker: what it does with them later must not change what was decided on.
func TestCompiledGrantsDoNotChange(t *testing.T) {
	rows := []authz.Grant{{Source: authz.User, Kind: kind.Experiment, Resource: "1", Level: kind.Read}}
	g := authz.Compile(authz.DefaultOrder(), rows)
	rows[0].Level = kind.Manage
	if d := (authz.Rules{}).Decide(authz.Subject{Active: true}, g, authz.Resource{Kind: kind.Experiment, ID: "1"}, kind.Read); d.Level != kind.Read {
		t.Errorf("decided %+v", d)
	}
}

// many is a person with a thousand exact grants and a hundred patterns.
func many() *authz.Grants {
	var rows []authz.Grant
	for i := range 1000 {
		rows = append(rows, authz.Grant{Source: authz.Source(i % 2), Kind: kind.Experiment, Resource: fmt.Sprint(i), Level: kind.Read})
	}
	for i := range 100 {
		rows = append(rows, authz.Grant{Source: authz.UserPattern, Kind: kind.RegisteredModel, Pattern: fmt.Sprintf("team-%d/.*", i), Priority: i, Level: kind.Edit})
	}
	return authz.Compile(authz.DefaultOrder(), rows)
}

var asked = map[string]authz.Resource{
	"user":    {Kind: kind.Experiment, ID: "500"},
	"group":   {Kind: kind.Experiment, ID: "501"},
	"none":    {Kind: kind.Experiment, ID: "x"},
	"pattern": {Kind: kind.RegisteredModel, ID: "team-50/m", Name: "team-50/m"},
}

func TestDecideOnExactGrantsDoesNotAllocate(t *testing.T) {
	g, rules := many(), authz.Rules{}
	for name, resource := range asked {
		if resource.Name != "" { // regexp keeps its machines in a pool, which may be empty
			continue
		}
		if n := testing.AllocsPerRun(100, func() { rules.Decide(person, g, resource, kind.Read) }); n != 0 {
			t.Errorf("%s: %v allocations a decision", name, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	g, rules := many(), authz.Rules{}
	for name, resource := range asked {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rules.Decide(person, g, resource, kind.Read)
			}
		})
	}
}

package terminal

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is read as a scope is written so that the same is read again, and is never one that narrows nothing.
func FuzzParseScope(f *testing.F) {
	for _, seed := range []string{"read", "read experiment", "experiment:1 registered_model:a%20b", "prompt@team:x%3Ay", "experiment:", "@x", "a:b:c", "read  read", "registered_model:a+b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scope, err := parseScope(text)
		if err != nil {
			return
		}
		if scope.Everything() && !scope.ReadOnly {
			t.Errorf("%q narrows nothing", text)
		}
		again, err := parseScope(scopeText(scope))
		if diff := cmp.Diff(scope, again); err != nil || diff != "" {
			t.Errorf("%q is written %q: %v\n%s", text, scopeText(scope), err, diff)
		}
	})
}

package api

import (
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// What is accepted for a scorer has one spelling, and that is the one by which listings show what is held.
func FuzzScorerOf(f *testing.F) {
	for _, pattern := range []string{"1/a", "1/my%20scorer%2F1", "1/%C3%A4~-._", "1/a b", "1/a+b", "01/a", "1/", "/a", "1/%2", "1/%2f", "1/a/b", "1/%00", "1/%FF", "1", "*"} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		resource, err := scorerOf(pattern)
		if err != nil {
			return
		}
		if _, shown := inMLflow(authz.Grant{Kind: kind.Scorer, Resource: resource}); shown.Pattern != pattern {
			t.Errorf("%q is held as %q, and shown as %q", pattern, resource, shown.Pattern)
		}
	})
}

// The oracle is Python's urllib.parse.quote(name, safe="").
func TestQuoteAsPythonDoes(t *testing.T) {
	for name, want := range map[string]string{
		"a b/c": "a%20b%2Fc", "-._~": "-._~", "ä☃": "%C3%A4%E2%98%83", "a+b": "a%2Bb", "!*'()": "%21%2A%27%28%29", "$&,:;=@": "%24%26%2C%3A%3B%3D%40",
		"100%": "100%25", "\x7f": "%7F", "[]{}|^`\"<>\\#?": "%5B%5D%7B%7D%7C%5E%60%22%3C%3E%5C%23%3F",
	} {
		if got := quote(name); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

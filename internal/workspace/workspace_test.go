package workspace_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

func TestRead(t *testing.T) {
	unnamed := workspace.Scope{Name: "default"}
	for _, c := range []struct {
		name   string
		values []string
		want   workspace.Scope
	}{
		{"absent", nil, unnamed},
		{"empty", []string{""}, unnamed},
		{"blank", []string{" \t "}, unnamed},
		{"the default one", []string{"default"}, workspace.Scope{Name: "default", Named: true}},
		{"another", []string{"team-a"}, workspace.Scope{Name: "team-a", Named: true}},
		{"two bytes", []string{"a1"}, workspace.Scope{Name: "a1", Named: true}},
		{"two hyphens", []string{"a--b"}, workspace.Scope{Name: "a--b", Named: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := workspace.Read(c.values)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

// The attack: a spelling of a workspace that the decision takes for another one than MLflow, or one behind another.
func TestReadRefusesEveryOtherSpelling(t *testing.T) {
	for name, values := range map[string][]string{
		"upper case": {"Team-A"}, "padded": {" team-a"}, "padded behind": {"team-a "}, "no-break space": {"team-a\u00a0"}, "line separator": {"\u2028team-a"},
		"file separator": {"team-a\x1c"}, "only a no-break space": {"\u00a0"}, "full width": {"ｔeam"}, "list": {"team-a,team-b"}, "path": {"../team-a"}, "slash": {"team/a"},
		"encoded": {"team%2da"}, "underscore": {"team_a"}, "dot": {"team.a"}, "star": {"*"}, "NUL": {"team-a\x00"}, "new line": {"team-a\n"}, "one byte": {"a"}, "hyphen first": {"-a"},
		"hyphen last": {"a-"}, "64 bytes": {strings.Repeat("a", 64)}, "reserved": {"workspaces"}, "reserved too": {"ajax-api"},
		"twice": {"team-a", "team-b"}, "twice the same": {"team-a", "team-a"}, "behind a blank one": {"", "team-a"},
	} {
		if got, err := workspace.Read(values); !errs.Is(err, errs.Invalid) || got != (workspace.Scope{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestContext(t *testing.T) {
	if got := workspace.Of(t.Context()); got != (workspace.Scope{}) || workspace.Stored(t.Context()) != "" {
		t.Errorf("without one: %+v", got)
	}
	for name, stored := range map[string]string{"default": "", "team-a": "team-a"} {
		ctx := context.WithoutCancel(workspace.In(t.Context(), workspace.Scope{Name: name, Named: true}))
		if got := workspace.Of(ctx); got.Name != name || !got.Named || workspace.Stored(ctx) != stored {
			t.Errorf("%s: %+v, stored as %q", name, got, workspace.Stored(ctx))
		}
	}
}

// mlflows is MLflow's own pattern (3.17.2), whose $ also matches before a last line feed.
var mlflows = regexp.MustCompile(`\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z`)

func FuzzValid(f *testing.F) {
	for _, seed := range []string{"default", "team-a", "a", "-a", "A", "a\n", "api", strings.Repeat("x", 63), strings.Repeat("x", 64)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		reserved := name == "workspaces" || name == "api" || name == "ajax-api" || name == "static-files"
		if want := len(name) >= 2 && len(name) <= 63 && mlflows.MatchString(name) && !reserved; workspace.Valid(name) != want {
			t.Fatalf("%q: want %v", name, want)
		}
	})
}

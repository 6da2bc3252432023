package authz_test

import (
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// What a trial says is what is decided once the pattern is given.
func TestTrialIsWhatWouldBeDecided(t *testing.T) {
	rows := []authz.Grant{
		{ID: 1, Source: authz.UserPattern, Kind: kind.Experiment, Pattern: "team-a/.*", Priority: 5, Level: kind.Read},
		{ID: 2, Source: authz.User, Kind: kind.Experiment, Resource: "9", Level: kind.Use},
		{ID: 1, Source: authz.GroupPattern, Kind: kind.Experiment, Pattern: ".*", Priority: 9, Level: kind.Read, Group: "red"},
	}
	for name, c := range map[string]struct {
		tried authz.Grant
		rows  []authz.Grant // once it is given
	}{
		"one more":                         {authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Pattern: "team-a/x", Priority: 1, Level: kind.Manage}, rows},
		"one that comes later":             {authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Pattern: "team-a/x", Priority: 7, Level: kind.Manage}, rows},
		"one that refuses":                 {authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Pattern: "team", Priority: 5, Level: kind.NoPermissions}, rows},
		"in the place of another":          {authz.Grant{ID: 1, Source: authz.UserPattern, Kind: kind.Experiment, Pattern: "team-b/.*", Priority: 5, Level: kind.Edit}, rows[1:]},
		"of another source, of that id":    {authz.Grant{ID: 1, Source: authz.GroupPattern, Kind: kind.Experiment, Pattern: "team-b/.*", Priority: 5, Level: kind.Edit}, rows[:2]},
		"of a kind without any":            {authz.Grant{Source: authz.UserPattern, Kind: kind.Prompt, Pattern: ".*", Level: kind.Edit}, rows},
		"of another workspace":             {authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Workspace: "lab", Pattern: ".*", Priority: 1, Level: kind.Edit}, rows},
		"of the default one, by its name":  {authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Workspace: "default", Pattern: ".*", Priority: 1, Level: kind.Edit}, rows},
		"of all, in the middle of a name":  {authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Workspace: "*", Pattern: "x", Priority: 1, Level: kind.Edit}, rows},
		"that would escape what is around": {authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Pattern: "a|.*x", Priority: 1, Level: kind.Edit}, rows},
	} {
		t.Run(name, func(t *testing.T) {
			rules, who := authz.Rules{}, authz.Subject{Active: true}
			now := authz.Compile(authz.DefaultOrder(), rows)
			trial, err := now.Try(c.tried)
			if err != nil {
				t.Fatal(err)
			}
			given := authz.Compile(authz.DefaultOrder(), append([]authz.Grant{c.tried}, c.rows...))
			alone := authz.Compile(authz.DefaultOrder(), []authz.Grant{c.tried})
			same := authz.Compile(authz.DefaultOrder(), rows)
			for _, k := range []kind.Name{kind.Experiment, kind.Prompt} {
				for _, on := range []authz.Resource{{Kind: k, ID: "1", Name: "team-a/x"}, {Kind: k, ID: "2", Name: "team-b/x"}, {Kind: k, ID: "9", Name: "team-a/y"}, {Kind: k, ID: "3", Name: ""}} {
					if got, want := rules.Decide(who, trial.Grants(), on, kind.Read).Level, rules.Decide(who, given, on, kind.Read).Level; got != want {
						t.Errorf("on %v it would be %s, and is %s", on, got, want)
					}
					if got, want := k == c.tried.Kind && trial.Speaks(on), len(rules.Explain(who, alone, on, kind.Read).Considered) > 0; got != want {
						t.Errorf("it speaks of %v: %v, and is asked: %v", on, got, want)
					}
					if got, want := rules.Decide(who, now, on, kind.Read).Level, rules.Decide(who, same, on, kind.Read).Level; got != want {
						t.Errorf("by trying, %s on %v became %s", want, on, got)
					}
				}
			}
		})
	}
	if _, err := authz.Compile(authz.DefaultOrder(), rows).Try(authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Pattern: ")|("}); err == nil {
		t.Error("a pattern that is none is tried")
	}
}

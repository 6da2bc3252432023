package authz_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// A model and a prompt share their name and the grants on it, while patterns are each kind's own.
func TestModelsAndPrompts(t *testing.T) {
	model := authz.Resource{Kind: kind.RegisteredModel, ID: "fraud", Name: "fraud"}
	prompt := model
	prompt.Kind = kind.Prompt
	pattern := func(k kind.Name, level kind.Level) authz.Grant {
		return authz.Grant{Source: regex, Kind: k, Pattern: ".*", Level: level}
	}
	named := func(k kind.Name, level kind.Level) authz.Grant {
		return authz.Grant{Source: user, Kind: k, Resource: "fraud", Level: level}
	}
	for name, c := range map[string]struct {
		rows            []authz.Grant
		asModel, prompt kind.Level
		alike           bool
	}{
		"nothing":                                  {nil, none, none, true},
		"a grant on the name":                      {[]authz.Grant{named(kind.RegisteredModel, edit)}, edit, edit, true},
		"a grant made on the side of prompts":      {[]authz.Grant{named(kind.Prompt, edit)}, edit, edit, true},
		"a pattern of models opens no prompt":      {[]authz.Grant{pattern(kind.RegisteredModel, manage)}, manage, none, false},
		"a pattern of prompts opens no model":      {[]authz.Grant{pattern(kind.Prompt, manage)}, none, manage, false},
		"each pattern for its own kind":            {[]authz.Grant{pattern(kind.RegisteredModel, read), pattern(kind.Prompt, edit)}, read, edit, false},
		"patterns that say the same":               {[]authz.Grant{pattern(kind.RegisteredModel, read), pattern(kind.Prompt, read)}, read, read, true},
		"a refusal of models leaves prompts alone": {[]authz.Grant{pattern(kind.RegisteredModel, none), pattern(kind.Prompt, edit)}, none, edit, false},
		"the grant before the patterns":            {[]authz.Grant{named(kind.RegisteredModel, read), pattern(kind.Prompt, manage)}, read, read, true},
		"a refusal on the name before them":        {[]authz.Grant{named(kind.Prompt, none), pattern(kind.RegisteredModel, manage)}, none, none, true},
	} {
		t.Run(name, func(t *testing.T) {
			rules, g := authz.Rules{}, authz.Compile(authz.DefaultOrder(), c.rows)
			if got := rules.Decide(person, g, model, read).Level; got != c.asModel {
				t.Errorf("as a model %s, want %s", got, c.asModel)
			}
			if got := rules.Decide(person, g, prompt, read).Level; got != c.prompt {
				t.Errorf("as a prompt %s, want %s", got, c.prompt)
			}
			if got := rules.Alike(person, g, model, prompt); got != c.alike {
				t.Errorf("alike: %v, want %v", got, c.alike)
			}
			patterned := len(c.rows) > 0 && c.rows[len(c.rows)-1].Source == regex
			for _, k := range []kind.Name{kind.RegisteredModel, kind.Prompt} {
				if got := g.NeedsName(k); got != patterned {
					t.Errorf("%s needs to be told apart: %v, want %v", k, got, patterned)
				}
				if got := rules.Select(person, g, k, read).Exact; got == patterned {
					t.Errorf("the selection of %s is exact: %v", k, got)
				}
			}
			if restricted := (authz.Rules{RestrictCreation: true}); restricted.DecideCreate(person, g, prompt).Allowed &&
				!(patterned && c.rows[len(c.rows)-1].Kind == kind.Prompt) {
				t.Error("a prompt may be created by another kind's pattern")
			}
		})
	}
}

// A scorer's own grants decide; where there is none its experiment does, with all that decides there.
func TestScorersFallBackToTheirExperiment(t *testing.T) {
	experiment := authz.Resource{Kind: kind.Experiment, ID: "17", Name: "prod/fraud"}
	scorer := authz.Resource{Kind: kind.Scorer, ID: kind.Within("17", "judge"), Name: "judge", Parent: &experiment}
	on := func(r authz.Resource, source authz.Source, level kind.Level) authz.Grant {
		return authz.Grant{Source: source, Kind: r.Kind, Resource: r.ID, Level: level}
	}
	matches := func(k kind.Name, pattern string, level kind.Level) authz.Grant {
		return authz.Grant{Source: regex, Kind: k, Pattern: pattern, Level: level}
	}
	for name, c := range map[string]struct {
		rows       []authz.Grant
		unless     kind.Level
		want       kind.Level
		experiment kind.Level
	}{
		"nothing":                                     {nil, none, none, none},
		"the default":                                 {nil, read, read, read},
		"the experiment's grant":                      {[]authz.Grant{on(experiment, user, edit)}, none, edit, edit},
		"the experiment's group":                      {[]authz.Grant{on(experiment, group, manage)}, none, manage, manage},
		"the experiment's pattern":                    {[]authz.Grant{matches(kind.Experiment, "prod", use)}, none, use, use},
		"a refusal on the scorer":                     {[]authz.Grant{on(experiment, user, manage), on(scorer, user, none)}, manage, none, manage},
		"a group's refusal on the scorer":             {[]authz.Grant{on(experiment, user, manage), on(scorer, group, none)}, none, none, manage},
		"a refusal by a pattern":                      {[]authz.Grant{on(experiment, user, manage), matches(kind.Scorer, "judge", none)}, none, none, manage},
		"less on the scorer than on the experiment":   {[]authz.Grant{on(experiment, user, manage), on(scorer, user, read)}, none, read, manage},
		"more on the scorer, nothing of the rest":     {[]authz.Grant{on(scorer, user, manage)}, none, manage, none},
		"a refusal on the experiment, not the scorer": {[]authz.Grant{on(experiment, user, none), on(scorer, user, read)}, none, read, none},
		"a pattern of scorers is no experiment's":     {[]authz.Grant{matches(kind.Scorer, ".*", manage)}, none, manage, none},
		"a pattern of scorers, another name":          {[]authz.Grant{matches(kind.Scorer, "prod", manage)}, none, none, none},
		"a scorer of the same name elsewhere": {[]authz.Grant{{Source: user, Kind: kind.Scorer, Resource: kind.Within("1", "7/judge"), Level: manage},
			{Source: user, Kind: kind.Scorer, Resource: kind.Within("18", "judge"), Level: manage}}, none, none, none},
	} {
		t.Run(name, func(t *testing.T) {
			rules, g := authz.Rules{Default: c.unless}, authz.Compile(authz.DefaultOrder(), c.rows)
			if got := rules.Decide(person, g, scorer, read).Level; got != c.want {
				t.Errorf("on the scorer %s, want %s", got, c.want)
			}
			if got := rules.Decide(person, g, experiment, read).Level; got != c.experiment {
				t.Errorf("on the experiment %s, want %s", got, c.experiment)
			}
			if rules.Select(person, g, kind.Scorer, read).Exact {
				t.Error("which scorers are readable cannot be said without their experiments")
			}
		})
	}
	rows := []authz.Grant{on(experiment, user, manage), matches(kind.Scorer, "judge", read)}
	e := authz.Rules{}.Explain(person, authz.Compile(authz.DefaultOrder(), rows), scorer, read)
	if diff := cmp.Diff([]authz.Grant{rows[1], rows[0]}, e.Considered); diff != "" {
		t.Errorf("an explanation shows the scorer's grants and then the experiment's:\n%s", diff)
	}
}

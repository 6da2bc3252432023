package authz_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// draw makes a scope out of the small sets of the worlds.
func draw(random *rand.Rand) *authz.Scope {
	s := &authz.Scope{ReadOnly: random.IntN(2) == 0}
	for _, k := range worldKinds {
		if random.IntN(4) == 0 {
			s.Kinds = append(s.Kinds, k)
		}
	}
	for range random.IntN(4) {
		s.Resources = append(s.Resources, authz.Scoped{Kind: worldKinds[random.IntN(2)], ID: worldIDs[random.IntN(3)]})
	}
	return s
}

// Every function that decides knows the scope, also of an administrator: what they say agrees with plain words, and never
// is more than without it.
func TestScopedDecideAgreesWithTheModel(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 3_000 {
		data := make([]byte, random.IntN(60))
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		w := decode(data)
		w.subject.Scope = draw(random)
		w.check(t)
		g, free := authz.Compile(w.order, w.rows), w.subject
		free.Scope = nil
		for i, id := range worldIDs {
			r := authz.Resource{Kind: worldKinds[random.IntN(2)], ID: id, Name: worldNames[i]}
			if w.rules.Decide(w.subject, g, r, kind.Read).Level > w.rules.Decide(free, g, r, kind.Read).Level {
				t.Fatalf("%+v: the scope gives more of %+v than there is", w, r)
			}
			if w.rules.DecideCreate(w.subject, g, r).Allowed && !w.rules.DecideCreate(free, g, r).Allowed {
				t.Fatalf("%+v: the scope lets %+v be made", w, r)
			}
		}
	}
}

// A name means another resource in each workspace: a token for one must not open its namesake.
func TestScopeIsOfOneWorkspace(t *testing.T) {
	rules := authz.Rules{Default: kind.Manage, Workspaces: true}
	root := authz.Subject{Admin: true, Active: true}
	server := authz.Resource{Kind: kind.MCPServer, ID: "m", Name: "m"}
	for name, one := range map[string]struct{ scoped, in, want string }{
		"the default one":            {"", "default", "MANAGE"},
		"the default one by name":    {"default", "default", "MANAGE"},
		"the same":                   {"blue", "blue", "MANAGE"},
		"a namesake":                 {"blue", "red", "NO_PERMISSIONS"},
		"a namesake in the default":  {"blue", "default", "NO_PERMISSIONS"},
		"a namesake of the default":  {"", "blue", "NO_PERMISSIONS"},
		"workspaces are off again":   {"blue", "", "NO_PERMISSIONS"},
		"workspaces were always off": {"", "", "MANAGE"},
	} {
		t.Run(name, func(t *testing.T) {
			s := root
			s.Scope = &authz.Scope{Resources: []authz.Scoped{{Kind: kind.MCPServer, Workspace: one.scoped, ID: "m"}}}
			g := authz.Compile(authz.DefaultOrder(), nil).In(one.in)
			d := rules.Decide(s, g, server, kind.Read)
			if d.Level.String() != one.want {
				t.Errorf("it gives %s, want %s", d.Level, one.want)
			}
			if got := rules.Select(s, g, kind.MCPServer, kind.Read); d.Allowed != slices.Contains(got.IDs, "m") || got.All {
				t.Errorf("a search finds %+v", got)
			}
			if !rules.Member(s, g) && one.in != "" {
				t.Error("the token's owner is not in the workspace any more")
			}
		})
	}
}

// A scope that holds an experiment holds the scorers in it, and no others; one of a kind holds nothing that only shares its
// names with the kind. Where that has to be looked at, no search is let through as it is.
func TestScopeOfKindsThatAreMixed(t *testing.T) {
	rules, g := authz.Rules{}, authz.Compile(authz.DefaultOrder(), nil)
	in := func(experiment string) authz.Resource {
		return authz.Resource{Kind: kind.Scorer, ID: kind.Within(experiment, "s"), Name: "s", Parent: &authz.Resource{Kind: kind.Experiment, ID: experiment}}
	}
	named := func(k kind.Name) authz.Resource { return authz.Resource{Kind: k, ID: "n", Name: "n"} }
	one := func(k kind.Name, id string) authz.Scope {
		return authz.Scope{Resources: []authz.Scoped{{Kind: k, ID: id}}}
	}
	of := func(k kind.Name) authz.Scope { return authz.Scope{Kinds: []kind.Name{k}} }
	for name, c := range map[string]struct {
		scope authz.Scope
		on    authz.Resource
		holds bool
	}{
		"a scorer of the experiment":        {one(kind.Experiment, "1"), in("1"), true},
		"a scorer of another experiment":    {one(kind.Experiment, "1"), in("2"), false},
		"the scorer":                        {one(kind.Scorer, "1/s"), in("1"), true},
		"its namesake":                      {one(kind.Scorer, "1/s"), in("2"), false},
		"the experiment of a scorer":        {one(kind.Scorer, "1/s"), *in("1").Parent, false},
		"scorers of experiments":            {of(kind.Experiment), in("1"), true},
		"experiments of scorers":            {of(kind.Scorer), *in("1").Parent, false},
		"prompts":                           {of(kind.Prompt), named(kind.Prompt), true},
		"models where prompts are named":    {of(kind.Prompt), named(kind.RegisteredModel), false},
		"prompts where models are named":    {of(kind.RegisteredModel), named(kind.Prompt), false},
		"a model with the name of a prompt": {one(kind.Prompt, "n"), named(kind.RegisteredModel), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := authz.Subject{Admin: true, Active: true, Scope: &c.scope}
			if got := rules.Decide(s, g, c.on, kind.Manage).Allowed; got != c.holds {
				t.Errorf("the scope holds it: %v", got)
			}
			for _, k := range []kind.Name{kind.RegisteredModel, kind.Prompt, kind.Scorer} {
				if got := rules.Select(s, g, k, kind.Read); got.Exact {
					t.Errorf("a search of %s is not looked at: %+v", k, got)
				}
			}
			if c.on.Kind.Kept() == kind.RegisteredModel && rules.Alike(s, g, named(kind.RegisteredModel), named(kind.Prompt)) {
				t.Error("a model and a prompt are alike to it")
			}
		})
	}
}

func TestScopesThatMeanNothingAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                  ``,
		"null":                     `null`,
		"no object":                `[]`,
		"narrows nothing":          `{}`,
		"narrows nothing, in full": `{"read_only":false,"kinds":[],"resources":[]}`,
		"unknown field":            `{"kinds":["experiment"],"verbs":["GET"]}`,
		"unknown kind":             `{"kinds":["everything"]}`,
		"unknown kind of resource": `{"resources":[{"kind":"x","id":"1"}]}`,
		"no id":                    `{"resources":[{"kind":"experiment"}]}`,
		"a place of what has none": `{"resources":[{"kind":"experiment","id":"1","workspace":"w"}]}`,
		"two":                      `{"read_only":true}{"read_only":true}`,
		"too many":                 `{"resources":[` + strings.Repeat(`{"kind":"experiment","id":"1"},`, authz.MaxScoped) + `{"kind":"experiment","id":"1"}]}`,
	} {
		if s, err := authz.ParseScope([]byte(text)); err == nil {
			t.Errorf("%s is taken for %+v", name, s)
		}
	}
}

func FuzzParseScope(f *testing.F) {
	f.Add([]byte(`{"read_only":true,"kinds":["experiment"],"resources":[{"kind":"registered_model","workspace":"w","id":"m"}]}`))
	f.Add([]byte(`{"READ_ONLY":true}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := authz.ParseScope(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		same, err := authz.ParseScope(again)
		if err != nil || !cmp.Equal(s, same) && !cmp.Equal(again, must(json.Marshal(same))) {
			t.Errorf("%s became %s: %v", text, again, err)
		}
		if d := (authz.Rules{}).Decide(authz.Subject{Admin: true, Active: true, Scope: s}, authz.Compile(nil, nil),
			authz.Resource{Kind: kind.GatewaySecret, ID: "not in any scope that names resources"}, kind.Manage); d.Allowed && (s.ReadOnly || !slices.Contains(s.Kinds, kind.GatewaySecret)) {
			t.Errorf("%s gives all of a secret", text)
		}
	})
}

func must[T any](value T, _ error) T { return value }

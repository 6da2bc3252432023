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
	model := authz.Resource{Kind: kind.RegisteredModel, ID: "m", Name: "m"}
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
			s.Scope = &authz.Scope{Resources: []authz.Scoped{{Kind: kind.RegisteredModel, Workspace: one.scoped, ID: "m"}}}
			g := authz.Compile(authz.DefaultOrder(), nil).In(one.in)
			d := rules.Decide(s, g, model, kind.Read)
			if d.Level.String() != one.want {
				t.Errorf("it gives %s, want %s", d.Level, one.want)
			}
			if got := rules.Select(s, g, kind.RegisteredModel, kind.Read); d.Allowed != slices.Contains(got.IDs, "m") || got.All {
				t.Errorf("a search finds %+v", got)
			}
			if !rules.Member(s, g) && one.in != "" {
				t.Error("the token's owner is not in the workspace any more")
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

package authz

import (
	"math/rand/v2"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// A scope that is within another one leaves nothing that the other does not leave.
func TestScopesWithinOthersLeaveNoMore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	kinds, ids, spaces := []kind.Name{kind.Experiment, kind.RegisteredModel, kind.Prompt}, []string{"1", "2"}, []string{"", "team"}
	one := func() Scoped {
		return Scoped{Kind: kinds[random.IntN(len(kinds))], ID: ids[random.IntN(2)], Workspace: spaces[random.IntN(2)]}
	}
	scope := func() *Scope {
		s := &Scope{ReadOnly: random.IntN(2) == 0}
		if random.IntN(10) == 0 {
			return nil
		}
		for range random.IntN(3) {
			s.Resources = append(s.Resources, one())
		}
		for range random.IntN(2) {
			s.Kinds = append(s.Kinds, kinds[random.IntN(len(kinds))])
		}
		return s
	}
	within := 0
	for range 20_000 {
		a, b := scope(), scope()
		if !a.Within(b) {
			continue
		}
		within++
		for _, space := range spaces {
			g := Compile(DefaultOrder(), nil).In(space)
			for _, k := range kinds {
				if a.creates(k) && !b.creates(k) {
					t.Fatalf("%+v creates %s, and %+v does not", a, k, b)
				}
				for _, id := range ids {
					on := Resource{Kind: k, ID: id, Name: id}
					if a.limit(g, on, kind.Manage) > b.limit(g, on, kind.Manage) {
						t.Fatalf("%+v leaves more of %+v in %q than %+v", a, on, space, b)
					}
				}
			}
		}
	}
	if within < 500 {
		t.Errorf("%d pairs show nothing", within)
	}
}

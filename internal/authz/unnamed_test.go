package authz

import (
	"math/rand/v2"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// What is decided without a name is what is decided with any, and where it is not, some names are decided otherwise.
func TestUnnamedIsWhatEveryNameGives(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	levels := []kind.Level{kind.NoPermissions, kind.Read, kind.Edit}
	one := func() Grant {
		g := Grant{ID: random.Int64N(4), Kind: kind.Experiment, Resource: "1", Level: levels[random.IntN(3)], Priority: random.IntN(2)}
		switch g.Source = Source(random.IntN(int(sources))); g.Source {
		case UserPattern, GroupPattern:
			g.Resource, g.Pattern = "", []string{"a", "b", "ab", "("}[random.IntN(4)]
		case Role:
			g.Resource, g.Denies = []string{"1", Everything}[random.IntN(2)], random.IntN(6) == 0
		}
		if random.IntN(4) == 0 && g.Pattern == "" {
			g.Kind, g.Resource = kind.Scorer, "1/s"
		}
		return g
	}
	sure := 0
	for range 3000 {
		rows := make([]Grant, random.IntN(5))
		for i := range rows {
			rows[i] = one()
		}
		order := DefaultOrder()
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		g, r, s := Compile(order, rows), Rules{Default: levels[random.IntN(3)]}, Subject{Active: true}
		outer := Resource{Kind: kind.Experiment, ID: "1"}
		inner := Resource{Kind: kind.Scorer, ID: "1/s", Name: "s", Parent: &outer}
		for _, on := range []*Resource{&outer, &inner} {
			outer.Name = ""
			e, all := r.Unnamed(s, g, *on)
			if all {
				sure++
			}
			for _, name := range []string{"c", "a", "b", "ab"} {
				outer.Name = name
				if d := r.Decide(s, g, *on, kind.Read); all && (d.Level != e.Level || d.Reason != e.Reason) {
					t.Fatalf("%+v without a name, %+v with %q, of %+v in %v", e.Decision, d, name, rows, order)
				}
			}
		}
	}
	if sure < 1000 {
		t.Errorf("only %d are decided", sure)
	}
}

func TestUnnamedWhereNamesDecide(t *testing.T) {
	pattern := func(k kind.Name, level kind.Level) Grant {
		return Grant{Source: UserPattern, Kind: k, Pattern: "x", Level: level}
	}
	user := Grant{Source: User, Kind: kind.RegisteredModel, Resource: "m", Level: kind.Edit}
	experiment, model := Resource{Kind: kind.Experiment, ID: "1"}, Resource{Kind: kind.RegisteredModel, ID: "m", Name: "xm"}
	for name, tc := range map[string]struct {
		rows []Grant
		on   Resource
		want bool
	}{
		"nothing is held":                  {nil, experiment, true},
		"a pattern that may match":         {[]Grant{pattern(kind.Experiment, kind.Read)}, experiment, false},
		"a pattern that gives the default": {[]Grant{pattern(kind.Experiment, kind.NoPermissions)}, experiment, false}, // by another reason
		"a pattern of another kind":        {[]Grant{pattern(kind.Scorer, kind.Read)}, experiment, true},
		"a model or a prompt":              {[]Grant{pattern(kind.Prompt, kind.Read)}, model, false},
		"one that is held itself":          {[]Grant{pattern(kind.Prompt, kind.Read), user}, model, true},
	} {
		if _, sure := (Rules{}).Unnamed(Subject{Active: true}, Compile(DefaultOrder(), tc.rows), tc.on); sure != tc.want {
			t.Errorf("%s: %v", name, sure)
		}
	}
}

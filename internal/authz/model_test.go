package authz_test

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// world is one random state to decide in: everything in it was drawn from small sets, so that rules meet.
type world struct {
	rules   authz.Rules
	subject authz.Subject
	order   []authz.Source
	rows    []authz.Grant
}

var (
	worldIDs      = []string{"1", "2", "3"}
	worldNames    = []string{"a", "ab", "b"}
	worldPatterns = []string{"a", ".*", "b", "ab", "a$", "b|a", "(", "c"}
	worldKinds    = []kind.Name{kind.Experiment, kind.RegisteredModel}
)

// compiled are the patterns as they stand, not anchored.
var compiled = func() map[string]*regexp.Regexp {
	all := map[string]*regexp.Regexp{}
	for _, p := range worldPatterns {
		if p != "(" {
			all[p] = regexp.MustCompile(p)
		}
	}
	return all
}()

// decode makes a world of any bytes.
func decode(data []byte) world {
	next := func(n int) int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b) % n
	}
	w := world{subject: authz.Subject{Active: next(8) != 0, Admin: next(8) == 1}}
	w.rules = authz.Rules{Default: kind.Level(next(5)), RestrictCreation: next(2) == 1}
	pool := authz.DefaultOrder()
	for n := next(4) + 1; n > 0; n-- {
		i := next(len(pool))
		w.order = append(w.order, pool[i])
		pool = slices.Delete(pool, i, i+1)
	}
	for len(data) > 0 {
		g := authz.Grant{ID: int64(len(data)), Source: authz.Source(next(5)), Kind: worldKinds[next(2)], Level: kind.Level(next(5))}
		switch g.Source {
		case authz.User, authz.Group:
			g.Resource = worldIDs[next(3)]
		case authz.Role:
			g = rolePermission(g, next)
		default:
			g.Pattern, g.Priority = worldPatterns[next(len(worldPatterns))], next(3)-1
		}
		w.rows = append(w.rows, g)
	}
	return w
}

// rolePermission is a permission as roles have them: on one resource, on all of a kind, on a part, on the workspace.
func rolePermission(g authz.Grant, next func(int) int) authz.Grant {
	g.Resource = append(worldIDs, authz.Everything)[next(4)]
	if g.Level == kind.NoPermissions {
		g.Denies = true
	}
	switch next(6) {
	case 0:
		entry, _ := kind.Of(g.Kind)
		g.Part, g.Resource = entry.Parts[next(len(entry.Parts))], authz.Everything
	case 1:
		if g.Level == kind.Use || g.Level == kind.Manage {
			g.Kind, g.Resource = kind.Workspace, authz.Everything
		}
	}
	return g
}

// role is what roles say of a resource: whether they deny it, what they give, and what they hold it to.
func (w world) role(r authz.Resource) (denied bool, gives, most kind.Level) {
	most = kind.Manage
	if !slices.Contains(w.order, authz.Role) {
		return false, kind.NoPermissions, most
	}
	parts := map[string]kind.Level{}
	for _, g := range w.rows {
		switch {
		case g.Source != authz.Role:
		case g.Kind == kind.Workspace:
			if g.Level == kind.Manage {
				gives, parts = kind.Manage, nil
			}
		case g.Kind != r.Kind || g.Resource != r.ID && g.Resource != authz.Everything:
		case g.Denies:
			denied = true
		case g.Part == "":
			gives = max(gives, g.Level)
		case parts != nil:
			parts[g.Part] = max(parts[g.Part], g.Level)
		}
	}
	for _, level := range parts {
		most = min(most, level)
	}
	return denied, gives, most
}

func (w world) manages() bool {
	return slices.ContainsFunc(w.rows, func(g authz.Grant) bool {
		return g.Source == authz.Role && g.Kind == kind.Workspace && g.Level == kind.Manage
	})
}

// say is the rules in the plainest words: what a source says of a resource, and whether it says anything.
func (w world) say(source authz.Source, r authz.Resource) (kind.Level, bool) {
	if source == authz.Role {
		_, gives, _ := w.role(r)
		return gives, gives != kind.NoPermissions
	}
	var speaking []authz.Grant
	for _, g := range w.rows {
		if g.Source != source || g.Kind != r.Kind {
			continue
		}
		if g.Pattern == "" && g.Resource == r.ID {
			speaking = append(speaking, g)
		}
		switch {
		case g.Pattern == "(": // does not compile: refuses all
			g.Level = kind.NoPermissions
			speaking = append(speaking, g)
		case g.Pattern != "":
			if at := compiled[g.Pattern].FindStringIndex(r.Name); at != nil && at[0] == 0 { // the leftmost match is at the start
				speaking = append(speaking, g)
			}
		}
	}
	if len(speaking) == 0 {
		return kind.NoPermissions, false
	}
	first := slices.MinFunc(speaking, func(a, b authz.Grant) int { return a.Priority - b.Priority }).Priority
	level := kind.NoPermissions
	for _, g := range speaking {
		if g.Priority == first && g.Level == kind.NoPermissions {
			return kind.NoPermissions, true
		}
		if g.Priority == first {
			level = max(level, g.Level)
		}
	}
	return level, true
}

func (w world) level(r authz.Resource) kind.Level {
	level := w.unscoped(r)
	switch scope := w.subject.Scope; {
	case scope == nil:
	case !scoped(scope, r):
		return kind.NoPermissions
	case scope.ReadOnly:
		return min(level, kind.Read)
	}
	return level
}

// scoped tells whether a scope is about a resource.
func scoped(s *authz.Scope, r authz.Resource) bool {
	for _, k := range s.Kinds {
		if k == r.Kind {
			return true
		}
	}
	for _, one := range s.Resources {
		if one.Kind == r.Kind && one.ID == r.ID {
			return true
		}
	}
	return len(s.Kinds)+len(s.Resources) == 0
}

func (w world) unscoped(r authz.Resource) kind.Level {
	if !w.subject.Active {
		return kind.NoPermissions
	}
	if w.subject.Admin {
		return kind.Manage
	}
	denied, _, most := w.role(r)
	if denied {
		return kind.NoPermissions
	}
	for _, source := range w.order {
		if level, says := w.say(source, r); says {
			return min(level, most)
		}
	}
	return min(w.rules.Default, most)
}

func (w world) mayCreate(r authz.Resource) bool {
	if s := w.subject.Scope; s != nil && (s.ReadOnly || len(s.Kinds)+len(s.Resources) > 0 && !slices.Contains(s.Kinds, r.Kind)) {
		return false
	}
	if !w.subject.Active || w.subject.Admin {
		return w.subject.Active
	}
	if denied, _, _ := w.role(r); denied {
		return false
	}
	if !w.rules.RestrictCreation {
		return true
	}
	for _, source := range w.order {
		if source == authz.Role && w.manages() {
			return true
		}
		if source != authz.UserPattern && source != authz.GroupPattern {
			continue
		}
		if level, says := w.say(source, r); says {
			return level >= kind.Edit
		}
	}
	return w.rules.Default >= kind.Edit
}

// check holds every function that decides against the model, and against each other.
func (w world) check(t *testing.T) {
	t.Helper()
	g := authz.Compile(w.order, w.rows)
	for _, k := range worldKinds {
		for need := kind.NoPermissions; need <= kind.Manage; need++ {
			selection := w.rules.Select(w.subject, g, k, need)
			if listed := slices.Sorted(slices.Values(selection.IDs)); len(slices.Compact(listed)) != len(selection.IDs) {
				t.Fatalf("%+v: an id is selected twice: %v", w, selection.IDs)
			}
			for i, id := range append(worldIDs, "none has a grant on it") {
				r := authz.Resource{Kind: k, ID: id, Name: append(worldNames, "c")[i]}
				d := w.rules.Decide(w.subject, g, r, need)
				level := w.level(r)
				if want := level >= need && level != kind.NoPermissions; d.Level != level || d.Allowed != want {
					t.Fatalf("%+v\n%+v needs %s: decided %+v, the model says %s", w, r, need, d, level)
				}
				if e := w.rules.Explain(w.subject, g, r, need); !cmp.Equal(d, e.Decision) {
					t.Fatalf("%+v\n%+v: explained %+v, decided %+v", w, r, e.Decision, d)
				} else if d.Grant != nil && !slices.Contains(e.Considered, *d.Grant) {
					t.Fatalf("%+v\n%+v: the grant that decided is not among those considered", w, r)
				}
				if selection.Exact && (selection.All != slices.Contains(selection.IDs, id)) != d.Allowed {
					t.Fatalf("%+v\n%+v needs %s: selected %+v, decided %+v", w, r, need, selection, d)
				}
				if !selection.Exact && !g.NeedsName(k) && (w.subject.Scope.Everything() || !kind.Mixed(k)) {
					t.Fatalf("%+v: the selection of %s is not exact without patterns", w, k)
				}
				if c := w.rules.DecideCreate(w.subject, g, r); c.Allowed != w.mayCreate(r) {
					t.Fatalf("%+v\n%+v: creating decided %+v", w, r, c)
				}
			}
		}
	}
}

func TestDecideAgreesWithTheModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		data := make([]byte, random.IntN(80))
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		decode(data).check(t)
	}
}

func FuzzDecide(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 4, 0})
	f.Add([]byte{1, 0, 4, 1, 3, 0, 0, 0, 0, 2, 1, 4, 6, 1, 3, 1, 0, 2, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 300 {
			decode(data).check(t)
		}
	})
}

// More grants to a group, or a higher level, never take anything away, unless it is a refusal.
func TestRefusalAloneTakesAway(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2_000 {
		data := make([]byte, 8+random.IntN(40))
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		w := decode(data)
		w.order = []authz.Source{authz.Group}
		r := authz.Resource{Kind: kind.Experiment, ID: "1", Name: "a"}
		before := w.level(r)
		if _, says := w.say(authz.Group, r); !says {
			continue // the default does not add up with grants
		}
		w.rows = append(w.rows, authz.Grant{Source: authz.Group, Kind: r.Kind, Resource: r.ID, Level: kind.Level(1 + random.IntN(4))})
		if after := w.rules.Decide(w.subject, authz.Compile(w.order, w.rows), r, kind.Read).Level; after < before {
			t.Fatalf("%+v: %s became %s", w, before, after)
		}
	}
}

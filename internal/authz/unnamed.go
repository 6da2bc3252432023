package authz

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

// Unnamed decides on a resource of which nobody can say what it, or what it is in, is called, nor which of the kinds it is that
// share their names. It tells whether that is the decision whatever the answer was.
func (r Rules) Unnamed(s Subject, g *Grants, on Resource) (Explanation, bool) {
	unnamed := on.Kind
	if on.Parent != nil {
		unnamed = on.Parent.Kind
	}
	e := r.Explain(s, g.matching(unnamed, 0, nil), on, kind.Read)
	same := func(d Decision) bool {
		return d.Level == e.Level && d.Reason == e.Reason && (d.Grant == nil) == (e.Grant == nil) && (d.Grant == nil || *d.Grant == *e.Grant)
	}
	for k := range kind.All() {
		other := on
		if other.Kind = k.Name; k.Name != on.Kind && k.Name.Kept() == on.Kind.Kept() && !same(r.Decide(s, g, other, kind.Read)) {
			return e, false
		}
	}
	for source := range g.patterns { // of those that match, the first one that is asked decides
		for i := range g.patterns[source][unnamed] {
			if !same(r.Decide(s, g.matching(unnamed, Source(source), &g.patterns[source][unnamed][i]), on, kind.Read)) {
				return e, false
			}
		}
	}
	return e, true
}

// matching gives the grants as they are for a resource whose name one pattern of a kind matches, and no other; nil: none does.
func (g *Grants) matching(k kind.Name, source Source, one *pattern) *Grants {
	as := *g
	for i, patterns := range g.patterns {
		as.patterns[i] = map[kind.Name][]pattern{}
		for of, all := range patterns {
			if of != k {
				as.patterns[i][of] = all
			}
		}
	}
	if one != nil {
		matched := *one
		matched.matches = nil
		as.patterns[source][k] = []pattern{matched}
	}
	return &as
}

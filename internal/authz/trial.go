package authz

import (
	"maps"
	"slices"
)

// Trial is a pattern that is not given yet, beside all that is granted to a subject.
type Trial struct {
	pattern *pattern
	with    *Grants
}

// Try adds a pattern to what is granted, in the place of the one of the same source with the same ID, where there is one. What it
// cannot compile it refuses.
func (g *Grants) Try(one Grant) (*Trial, error) {
	if _, err := CompilePattern(one.Pattern); err != nil {
		return nil, err
	}
	p := compile(one)
	with := *g
	with.patterns[one.Source] = maps.Clone(g.patterns[one.Source])
	if with.patterns[one.Source] == nil {
		with.patterns[one.Source] = patternsByKind{}
	}
	all := slices.DeleteFunc(slices.Clone(g.patterns[one.Source][one.Kind]), func(other pattern) bool { return one.ID != 0 && other.grant.ID == one.ID })
	all = append(all, p)
	sortPatterns(all)
	with.patterns[one.Source][one.Kind] = all
	return &Trial{&p, &with}, nil
}

// Grants are what would be granted.
func (t *Trial) Grants() *Grants { return t.with }

// Speaks tells whether the pattern is for a resource.
func (t *Trial) Speaks(on Resource) bool { return t.with.speaks(t.pattern, on) }

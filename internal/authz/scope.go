package authz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Scope is what a credential is narrowed to, beside what its owner may do: it takes away, and gives nothing. Without Kinds
// and Resources it is about everything; else it holds what is of one of the kinds, and each of the resources.
type Scope struct {
	ReadOnly  bool        `json:"read_only,omitempty"`
	Kinds     []kind.Name `json:"kinds,omitempty"`
	Resources []Scoped    `json:"resources,omitempty"`
}

// Scoped is one resource of a scope, as grants hold it.
type Scoped struct {
	Kind      kind.Name `json:"kind"`
	Workspace string    `json:"workspace,omitempty"` // "" for the default one, and of kinds that are one in all workspaces
	ID        string    `json:"id"`
}

// MaxScoped is how many resources a scope may name.
const MaxScoped = 100

// ParseScope reads a scope as it is stored. What is not understood whole is refused: a part that is left out could be the
// one that takes away.
func ParseScope(text []byte) (*Scope, error) {
	var s *Scope
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return nil, fmt.Errorf("reading a scope: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("reading a scope: something follows it")
	}
	if s == nil {
		return nil, fmt.Errorf("reading a scope: it is null")
	}
	return s, s.Check()
}

// Check says what is wrong with a scope.
func (s *Scope) Check() error {
	if !s.ReadOnly && s.Everything() {
		return fmt.Errorf("a scope must be read-only, or name kinds or resources; this one narrows nothing")
	}
	if len(s.Resources) > MaxScoped {
		return fmt.Errorf("a scope names at most %d resources, this one %d", MaxScoped, len(s.Resources))
	}
	kinds := slices.Clone(s.Kinds)
	for _, one := range s.Resources {
		kinds = append(kinds, one.Kind)
		if one.ID == "" {
			return fmt.Errorf("a resource of a scope has no id")
		}
		if one.Workspace != "" && kind.Everywhere(one.Kind) {
			return fmt.Errorf("a %s is one in all workspaces, and named without one", one.Kind)
		}
	}
	for _, k := range kinds {
		if _, ok := kind.Of(k); !ok {
			return fmt.Errorf("a scope names the unknown kind %q", k)
		}
	}
	return nil
}

// Everything tells whether the scope is about all kinds and resources. So is that of a credential without one.
func (s *Scope) Everything() bool { return s == nil || len(s.Kinds) == 0 && len(s.Resources) == 0 }

// limit gives what the scope leaves of a level.
func (s *Scope) limit(g *Grants, on Resource, level kind.Level) kind.Level {
	switch {
	case s == nil:
		return level
	case !s.holds(g, on):
		return kind.NoPermissions
	case s.ReadOnly:
		return min(level, kind.Read)
	}
	return level
}

// holds tells whether a resource is in the scope: itself, or with what it has its name within, as its runs and traces are.
func (s *Scope) holds(g *Grants, on Resource) bool {
	return s.Everything() || slices.Contains(s.Kinds, on.Kind) || on.Parent != nil && s.holds(g, *on.Parent) ||
		slices.ContainsFunc(s.Resources, func(one Scoped) bool { return one.Kind == on.Kind && one.ID == on.ID && one.here(g) })
}

// here tells whether a resource of the scope is one of the request's workspace.
func (one Scoped) here(g *Grants) bool {
	return kind.Everywhere(one.Kind) || stored(one.Workspace) == g.workspace
}

// creates tells whether the scope leaves the right to make something of a kind. A scope that names single resources of the
// kind does not: what is new is none of them.
func (s *Scope) creates(k kind.Name) bool {
	return s == nil || !s.ReadOnly && (s.Everything() || slices.Contains(s.Kinds, k))
}

// narrowed says which resources of a kind the subject has at least the level on, as far as its scope goes; false where the
// scope leaves all of the kind, so that the grants alone decide.
func (r Rules) narrowed(s Subject, g *Grants, k kind.Name, need kind.Level) (Selection, bool) {
	switch scope := s.Scope; {
	case scope == nil:
		return Selection{}, false
	case scope.ReadOnly && need > kind.Read:
		return Selection{Exact: true}, true
	case scope.Everything():
		return Selection{}, false
	case kind.Mixed(k): // what is listed as the kind may be of another, or within what the scope holds
		return Selection{}, true
	case slices.Contains(scope.Kinds, k):
		return Selection{}, false
	case !s.Admin && g.NeedsName(k):
		return Selection{}, true
	}
	selection := Selection{Exact: true}
	for _, one := range s.Scope.Resources {
		on := Resource{Kind: k, ID: one.ID, Name: one.ID}
		if one.Kind == k && one.here(g) && !slices.Contains(selection.IDs, one.ID) && r.Decide(s, g, on, need).Allowed {
			selection.IDs = append(selection.IDs, one.ID)
		}
	}
	return selection, true
}

// Within tells whether a scope leaves nothing that another one does not leave; nil leaves everything. What cannot be told from the
// names alone is not within: that a resource is in another one of the scope, as a scorer in its experiment.
func (s *Scope) Within(of *Scope) bool {
	switch {
	case of == nil:
		return true
	case s == nil, of.ReadOnly && !s.ReadOnly:
		return false
	case of.Everything():
		return true
	case s.Everything():
		return false
	}
	return !slices.ContainsFunc(s.Kinds, func(k kind.Name) bool { return !slices.Contains(of.Kinds, k) }) &&
		!slices.ContainsFunc(s.Resources, func(one Scoped) bool {
			return !slices.Contains(of.Kinds, one.Kind) && !slices.ContainsFunc(of.Resources, func(other Scoped) bool {
				return one.Kind == other.Kind && one.ID == other.ID && stored(one.Workspace) == stored(other.Workspace)
			})
		})
}

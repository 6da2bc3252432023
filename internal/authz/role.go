package authz

import (
	"cmp"
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Everything is how a role's permission names all of a kind in the role's workspace, as MLflow writes it.
const Everything = "*"

// roles are the permissions of a subject's roles, those of MLflow's own role-based access control. A role is in one
// workspace, and says nothing of another; not even of what has the same id in all of them.
type roles struct {
	grants  map[key][]Grant   // on one resource or on Everything of a kind; what denies comes first, then the strongest
	limits  map[key]*Grant    // of a kind: the weakest of what is said of its parts
	parts   map[part]Grant    // the strongest of each
	present map[string]*Grant // by workspace: a permission by which the subject is in it
}

// part is a part of a kind in a workspace.
type part struct{ name, workspace string }

// add takes a permission in. A part has no grants of its own here: what a role says of runs cannot give more on them than
// the experiment gives, but it can give less, and then the experiment is held to that.
func (r *roles) add(row Grant) {
	if r.grants == nil {
		*r = roles{grants: map[key][]Grant{}, limits: map[key]*Grant{}, parts: map[part]Grant{}, present: map[string]*Grant{}}
	}
	row.Workspace = stored(row.Workspace)
	if !row.Denies && row.Workspace != "" {
		r.present[row.Workspace] = &row
	}
	k := key{row.Kind, row.Workspace, row.Resource}
	switch {
	case row.Kind == kind.Workspace:
		row.Resource = placeName(row.Workspace)
		k.workspace, k.resource = "", row.Resource
	case row.Part != "" && !row.Denies:
		at := part{row.Part, row.Workspace}
		if before, ok := r.parts[at]; !ok || before.Level < row.Level {
			r.parts[at] = row
		}
		return
	}
	r.grants[k] = append(r.grants[k], row)
}

// finish orders what has been added.
func (r *roles) finish() {
	for _, all := range r.grants {
		slices.SortStableFunc(all, func(a, b Grant) int {
			switch {
			case a.Denies != b.Denies && a.Denies:
				return -1
			case a.Denies != b.Denies:
				return 1
			}
			return int(b.Level) - int(a.Level)
		})
	}
	for _, said := range r.parts {
		k := key{said.Kind, said.Workspace, Everything}
		if before := r.limits[k]; before == nil || said.Level < before.Level || said.Level == before.Level && said.ID < before.ID {
			r.limits[k] = &said
		}
	}
}

// placeName is a workspace's name as it is written, of one as grants have it.
func placeName(workspace string) string {
	if workspace == "" {
		return kind.DefaultWorkspace
	}
	return workspace
}

// roleKeys are under what permissions of roles speak of a resource: itself, and all of its kind.
func (g *Grants) roleKeys(on Resource) [2]key {
	if on.Kind == kind.Workspace {
		return [2]key{{on.Kind, "", on.ID}, {on.Kind, "", on.ID}}
	}
	return [2]key{{on.Kind, g.workspace, on.ID}, {on.Kind, g.workspace, Everything}}
}

// veto finds what a role denies of a resource, or of what it has its name within; nil when no role does.
func (g *Grants) veto(on Resource) *Grant {
	if len(g.roles.grants) == 0 {
		return nil
	}
	for {
		for _, k := range g.roleKeys(on) {
			if all := g.roles.grants[k]; len(all) > 0 && all[0].Denies {
				return &all[0]
			}
		}
		if on.Parent == nil {
			return nil
		}
		on = *on.Parent
	}
}

// byRole finds the strongest of what roles give on a resource, where none denies it; nil when none gives anything. Whoever
// manages a workspace has MANAGE on all that is in it.
func (g *Grants) byRole(on Resource) *Grant {
	if len(g.roles.grants) == 0 {
		return nil
	}
	best := g.manages()
	if on.Kind == kind.Workspace {
		best = nil
	}
	for _, k := range g.roleKeys(on) {
		if all := g.roles.grants[k]; len(all) > 0 && (best == nil || all[0].Level > best.Level) {
			best = &all[0]
		}
	}
	return best
}

// manages finds a role's MANAGE on the request's workspace; nil when there is none.
func (g *Grants) manages() *Grant {
	all := g.roles.grants[key{kind.Workspace, "", placeName(g.workspace)}]
	if len(all) > 0 && all[0].Level == kind.Manage {
		return &all[0]
	}
	return nil
}

// limited holds a decision on a resource to what roles say of the parts of its kind.
func (g *Grants) limited(on Resource, d Decision) Decision {
	if len(g.roles.limits) == 0 {
		return d
	}
	limit := g.roles.limits[key{on.Kind, g.workspace, Everything}]
	if limit == nil || d.Level <= limit.Level || g.manages() != nil {
		return d
	}
	return Decision{Level: limit.Level, Reason: Granted, Grant: limit}
}

// consideredRoles are the permissions of roles that speak of a resource.
func (g *Grants) consideredRoles(on Resource) []Grant {
	keys := g.roleKeys(on)
	all := slices.Clone(g.roles.grants[keys[0]])
	if on.Kind == kind.Workspace {
		if in := g.roles.present[on.ID]; in != nil && !slices.Contains(all, *in) {
			all = append(all, *in)
		}
		return all
	}
	if keys[1] != keys[0] {
		all = append(all, g.roles.grants[keys[1]]...)
	}
	if manages := g.manages(); manages != nil {
		all = append(all, *manages)
	}
	for at, said := range g.roles.parts {
		if said.Kind == on.Kind && at.workspace == g.workspace {
			all = append(all, said)
		}
	}
	return all
}

// generalRoles are the permissions of roles on all of a kind, and on its parts.
func (g *Grants) generalRoles(k kind.Name) []Grant {
	if k == kind.Workspace { // a role is in one workspace
		return nil
	}
	all := slices.Clone(g.roles.grants[key{k, g.workspace, Everything}])
	for at, said := range g.roles.parts {
		if said.Kind == k && at.workspace == g.workspace {
			all = append(all, said)
		}
	}
	slices.SortStableFunc(all, func(a, b Grant) int { return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.ID, b.ID)) })
	return all
}

// tellsApart tells whether roles speak of a kind whose names are another's too, so that a decision must know which it is.
func (r *roles) tellsApart(k kind.Name) bool {
	shared := func(of kind.Name) bool { return of.Kept() == k.Kept() && kind.Shared(of) }
	if !kind.Shared(k) {
		return false
	}
	for at := range r.grants {
		if shared(at.kind) {
			return true
		}
	}
	for at := range r.limits {
		if shared(at.kind) {
			return true
		}
	}
	return false
}

// Manages tells whether a grant, of whichever source, gives MANAGE on a workspace: whoever holds it administers the
// workspace's roles. Where workspaces are off there is the default one alone, and only roles speak of it. What everybody
// has by default makes nobody an administrator.
func (r Rules) Manages(s Subject, g *Grants, workspace string) bool {
	if !s.Active || s.Scope != nil {
		return false
	}
	if s.Admin {
		return true
	}
	on := Resource{Kind: kind.Workspace, ID: placeName(stored(workspace)), Name: placeName(stored(workspace))}
	if !r.Workspaces {
		all := g.roles.grants[key{kind.Workspace, "", on.ID}]
		return on.ID == kind.DefaultWorkspace && len(all) > 0 && all[0].Level == kind.Manage
	}
	d := r.effective(s, g, on)
	return d.Reason == Granted && d.Level == kind.Manage
}

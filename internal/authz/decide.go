package authz

import (
	"iter"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Rules are the settings that every decision shares.
type Rules struct {
	// Default is the level of whoever no source says anything about.
	Default kind.Level
	// RestrictCreation asks for EDIT on a new name before it may be created.
	RestrictCreation bool
	// Workspaces puts each request into a workspace. Its level takes the place of Default in all but the default one.
	Workspaces bool
}

// Subject is what a decision needs to know of a person, beside the grants.
type Subject struct {
	Admin  bool
	Active bool
	Scope  *Scope // what the credential is narrowed to, also where the subject is an administrator; nil: it is not
}

// Resource is what is decided about. Name is what patterns match; for kinds that are keyed by name it equals ID.
type Resource struct {
	Kind kind.Name
	ID   string
	Name string
	// Parent decides where no source holds a grant for the resource itself; nil where it has none.
	Parent *Resource
}

// Reason says which rule decided.
type Reason string

// The reasons for a decision.
const (
	Deactivated Reason = "deactivated"
	Admin       Reason = "admin"
	Granted     Reason = "grant"
	ByDefault   Reason = "default"
	ByWorkspace Reason = "workspace"
	Creation    Reason = "creation"
	ByScope     Reason = "scope" // of the credential, which leaves less than its owner has
)

// Decision is the answer: the effective level, and why.
type Decision struct {
	Allowed bool
	Level   kind.Level
	Reason  Reason
	Grant   *Grant // the grant that decided, when Reason is Granted, or one on the workspace, when it is ByWorkspace
}

// Decide says whether the subject has at least the needed level on the resource. It is the only place where that is said.
func (r Rules) Decide(s Subject, g *Grants, on Resource, need kind.Level) Decision {
	d := r.effective(s, g, on)
	if left := s.Scope.limit(g, on, d.Level); left < d.Level {
		d = Decision{Level: left, Reason: ByScope}
	}
	d.Allowed = d.Level >= need && d.Level != kind.NoPermissions
	return d
}

func (r Rules) effective(s Subject, g *Grants, on Resource) Decision {
	switch {
	case !s.Active:
		return Decision{Reason: Deactivated}
	case s.Admin:
		return Decision{Level: kind.Manage, Reason: Admin}
	}
	if veto := g.veto(on); veto != nil {
		return Decision{Reason: Granted, Grant: veto}
	}
	return r.granted(g, on)
}

// granted decides by the sources, where no role denies.
func (r Rules) granted(g *Grants, on Resource) Decision {
	for _, source := range g.order {
		if grant := g.first(source, on); grant != nil {
			return g.limited(on, Decision{Level: grant.Level, Reason: Granted, Grant: grant})
		}
	}
	if on.Parent != nil {
		return g.limited(on, r.granted(g, *on.Parent))
	}
	return g.limited(on, r.otherwise(g, on))
}

// otherwise decides where no source holds a grant: by the level on the workspace that the resource is in. Whoever is in it
// by a role, and does not manage it, has nothing from that on what others made there.
func (r Rules) otherwise(g *Grants, on Resource) Decision {
	d := r.standing(g, on)
	if on.Kind == kind.Workspace || d.Grant == nil || d.Grant.Source != Role || d.Level == kind.Manage {
		return d
	}
	if g.workspace == "" {
		return Decision{Level: r.Default, Reason: ByDefault}
	}
	return Decision{Reason: ByWorkspace}
}

// standing is the level on the workspace that a resource is in. On the default workspace, in which everybody is, that level
// is the default one where no source says another; on others it is none, or READ for whom a role gives anything in it.
func (r Rules) standing(g *Grants, on Resource) Decision {
	switch {
	case !r.Workspaces:
		return Decision{Level: r.Default, Reason: ByDefault}
	case on.Kind == kind.Workspace && on.ID == kind.DefaultWorkspace:
		return Decision{Level: r.Default, Reason: ByDefault}
	case on.Kind == kind.Workspace && g.roles.present[on.ID] != nil:
		return Decision{Level: kind.Read, Reason: Granted, Grant: g.roles.present[on.ID]}
	case on.Kind == kind.Workspace || !g.placed:
		return Decision{Reason: ByDefault}
	}
	d := r.effective(Subject{Active: true}, g, g.place())
	if d.Reason == Granted || g.workspace != "" {
		d.Reason = ByWorkspace
	}
	return d
}

// place is the workspace of the request as a resource.
func (g *Grants) place() Resource {
	name := placeName(g.workspace)
	return Resource{Kind: kind.Workspace, ID: name, Name: name}
}

// Member tells whether the subject may be in the request's workspace at all: everybody is in the default one, and in
// others whoever may read them. A scope says nothing of that: it is about what is inside.
func (r Rules) Member(s Subject, g *Grants) bool {
	if !r.Workspaces || g.placed && g.workspace == "" {
		return s.Active
	}
	return g.placed && r.effective(s, g, g.place()).Level >= kind.Read
}

// first finds the grant of a source that speaks for the resource, nil when none does.
func (g *Grants) first(source Source, on Resource) *Grant {
	if source == Role {
		return g.byRole(on)
	}
	if exact := g.exact[source]; exact != nil {
		if rows := exact[g.key(on.Kind, on.ID)]; len(rows) > 0 {
			return &rows[0]
		}
	}
	all := g.patterns[source][on.Kind]
	for i := range all {
		if g.speaks(&all[i], on) {
			return &all[i].grant
		}
	}
	return nil
}

// DecideCreate says whether the subject may create a resource of the kind under the name.
// Anybody signed in may, unless creation is restricted: then the patterns that match the name must give EDIT,
// or, when none matches, the workspace's level or the default one. A workspace asks for USE in any case; the default one
// does where a source holds a grant on it.
func (r Rules) DecideCreate(s Subject, g *Grants, on Resource) Decision {
	switch {
	case !s.Active:
		return Decision{Reason: Deactivated}
	case !s.Scope.creates(on.Kind):
		return Decision{Reason: ByScope}
	case s.Admin:
		return Decision{Allowed: true, Level: kind.Manage, Reason: Admin}
	}
	if veto := g.veto(on); veto != nil {
		return Decision{Reason: Granted, Grant: veto}
	}
	if r.Workspaces && on.Kind != kind.Workspace {
		if d := r.standing(g, on); d.Level < kind.Use && (d.Reason == ByWorkspace || !g.placed) {
			return d
		}
	}
	if !r.RestrictCreation {
		return Decision{Allowed: true, Level: kind.Manage, Reason: Creation}
	}
	for _, source := range g.order {
		var grant *Grant
		switch source {
		case UserPattern, GroupPattern:
			grant = g.first(source, on)
		case Role: // no other permission of a role is about what is not there yet
			grant = g.manages()
		}
		if grant != nil {
			return Decision{Allowed: grant.Level >= kind.Edit, Level: grant.Level, Reason: Granted, Grant: grant}
		}
	}
	d := r.otherwise(g, on)
	d.Allowed = d.Level >= kind.Edit
	return d
}

// Explanation is a decision with every grant that was considered, in the order in which the sources were asked; those on
// the resource's parent follow.
type Explanation struct {
	Decision
	Considered []Grant
}

// Explain decides by the same code as Decide and lists the grants that speak of the resource.
func (r Rules) Explain(s Subject, g *Grants, on Resource, need kind.Level) Explanation {
	e := Explanation{Decision: r.Decide(s, g, on, need)}
	for at := &on; at != nil; at = at.Parent {
		e.Considered = append(e.Considered, g.considered(*at)...)
	}
	return e
}

func (g *Grants) considered(on Resource) []Grant {
	var all []Grant
	for _, source := range g.order {
		if source == Role {
			all = append(all, g.consideredRoles(on)...)
			continue
		}
		all = append(all, g.exact[source][g.key(on.Kind, on.ID)]...)
		for _, p := range g.patterns[source][on.Kind] {
			if g.speaks(&p, on) {
				all = append(all, p.grant)
			}
		}
	}
	return all
}

// General gives what is held on more of a kind than single resources, in the order in which it is asked: patterns, and
// permissions of roles on all of it or on a part.
func (g *Grants) General(k kind.Name) []Grant {
	var all []Grant
	for _, source := range g.order {
		if source == Role {
			all = append(all, g.generalRoles(k)...)
			continue
		}
		for _, p := range g.patterns[source][k] {
			if in := p.grant.Workspace; in == Everywhere || in == g.workspace || k == kind.Workspace {
				all = append(all, p.grant)
			}
		}
	}
	return all
}

// NeedsName tells whether the subject holds patterns of the kind, or of one that shares its grants, or permissions of roles
// on one of two kinds that share their names, so that a decision must know the resource's name, and which of them it is.
func (g *Grants) NeedsName(k kind.Name) bool {
	for _, source := range g.order {
		for of, patterns := range g.patterns[source] {
			if of.Kept() == k.Kept() && len(patterns) > 0 {
				return true
			}
		}
	}
	return g.roles.tellsApart(k)
}

// Alike tells whether the subject has the same level on each of several resources, so that it need not be known which of
// them is meant.
func (r Rules) Alike(s Subject, g *Grants, on ...Resource) bool {
	for _, other := range on[1:] {
		if r.Decide(s, g, other, kind.Read).Level != r.Decide(s, g, on[0], kind.Read).Level {
			return false
		}
	}
	return true
}

// Selection says which resources of a kind a subject may read, where that can be said without looking at each.
type Selection struct {
	// All is true when everything but IDs may be read; else nothing but IDs may.
	All bool
	// IDs are the exceptions, without order.
	IDs []string
	// Exact is false when patterns or parents decide, so that each resource has to be looked at.
	Exact bool
}

// Select gives the resources of a kind on which the subject has at least the level.
func (r Rules) Select(s Subject, g *Grants, k kind.Name, need kind.Level) Selection {
	if !s.Active {
		return Selection{Exact: true}
	}
	if selection, narrowed := r.narrowed(s, g, k, need); narrowed {
		return selection
	}
	if s.Admin {
		return Selection{All: true, Exact: true}
	}
	if entry, _ := kind.Of(k); g.NeedsName(k) || entry.Parent != "" {
		return Selection{}
	}
	other := Resource{Kind: k, ID: "\x00", Name: "\x00"} // which no grant is on
	selection := Selection{All: r.Decide(s, g, other, need).Allowed, Exact: true}
	g.Each(k, func(id string) {
		if r.Decide(s, g, Resource{Kind: k, ID: id, Name: id}, need).Allowed != selection.All {
			selection.IDs = append(selection.IDs, id)
		}
	})
	return selection
}

// Each yields the single resources of a kind that hold a grant of the source order, each once.
func (g *Grants) Each(k kind.Name, yield func(id string)) {
	seen := map[string]bool{}
	for id := range g.named(k) {
		if !seen[id] {
			seen[id] = true
			yield(id)
		}
	}
}

// named yields the resources of a kind that a grant is on, some of them more than once.
func (g *Grants) named(k kind.Name) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, source := range g.order {
			for key := range g.exact[source] {
				if key.kind == k.Kept() && g.here(key) && !yield(key.resource) {
					return
				}
			}
		}
		for key := range g.roles.grants {
			if key.kind == k && (key.workspace == g.workspace || k == kind.Workspace) && key.resource != Everything && !yield(key.resource) {
				return
			}
		}
		for workspace := range g.roles.present {
			if k == kind.Workspace && !yield(workspace) {
				return
			}
		}
	}
}

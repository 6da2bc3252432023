package importer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// Difference is a decision that is another one here than there.
type Difference struct {
	User   string
	On     Resource // without a kind: everything
	Before string
	After  string
}

// String is a difference in one line.
func (d Difference) String() string {
	if d.On.Kind == "" {
		return fmt.Sprintf("%s: %s before, %s after", d.User, d.Before, d.After)
	}
	in := ""
	if d.On.Workspace != "" {
		in = " in " + d.On.Workspace
	}
	called := d.On.ID
	if d.On.Name != "" && d.On.Name != d.On.ID && d.On.Kind == kind.Experiment {
		called += " (" + d.On.Name + ")"
	}
	return fmt.Sprintf("%s on %s %s%s: %s before, %s after", d.User, d.On.Kind, called, in, d.Before, d.After)
}

// Comparison is what came of comparing decisions.
type Comparison struct {
	Decisions int
	Unnamed   int // decisions about experiments whose names are not known, where patterns decide
	Differ    int

	each func(Difference)
}

func (c *Comparison) differs(d Difference) {
	c.Differ++
	c.each(d)
}

// Compare makes every decision as it is there and as it is here: of each user, on each resource that a grant names, and on others. Each that
// differs is given as it is found: a setting that differs makes millions of them.
func (s *Source) Compare(after takeover.Contents, rules authz.Rules, order []authz.Source, more []Resource, each func(Difference)) Comparison {
	c := Comparison{each: each}
	experiments := map[string]Resource{} // those that are known, with name and workspace
	for _, one := range more {
		if one.Kind == kind.Experiment {
			experiments[one.ID] = one
		}
	}
	all, seen := more, map[string]bool{}
	for _, one := range more {
		seen[one.key()] = true
	}
	for _, one := range s.Old.Named() {
		if known, is := experiments[one.ID]; is && one.Kind == kind.Experiment {
			one = known
		}
		if one.Experiment != nil {
			if known, is := experiments[one.Experiment.ID]; is {
				one.Experiment, one.Workspace = &known, known.Workspace
			}
		}
		if !seen[one.key()] {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Resource) int { return cmp.Compare(a.key(), b.key()) })
	holds := index(after)
	users := s.Old.Users()
	slices.Sort(users)
	for _, user := range users {
		s.compareUser(&c, user, after.Users[user], authz.Compile(order, holds.of(user)), rules, all)
	}
	return c
}

// key tells resources apart.
func (r Resource) key() string { return string(r.Kind) + "\x00" + r.Workspace + "\x00" + r.ID }

func (s *Source) compareUser(c *Comparison, user string, u takeover.User, grants *authz.Grants, rules authz.Rules, all []Resource) {
	subject := authz.Subject{Admin: u.Admin, Active: u.Active}
	if s.Old.Admin(user) != (u.Admin && u.Active) { // one line in place of one for each resource
		says := map[bool]string{true: "an administrator", false: "no administrator"}
		c.Decisions++
		c.differs(Difference{User: user, Before: says[s.Old.Admin(user)], After: says[u.Admin && u.Active]})
		return
	}
	for _, on := range all {
		in := grants
		if rules.Workspaces {
			in = grants.In(on.place())
		}
		decided := rules.Decide(subject, in, on.asDecided(), kind.Read)
		if s.unnamed(on) && grants.NeedsName(kind.Experiment) && !exact(decided) {
			c.Unnamed++
			continue
		}
		c.Decisions++
		level, sure := s.Old.Level(user, on)
		before := level.String()
		if !sure {
			before = "decided by a pattern that is set aside"
		}
		if !sure || decided.Level != level {
			c.differs(Difference{User: user, On: on, Before: before, After: decided.Level.String()})
		}
	}
}

// exact tells whether a grant on the very resource decided. The default order asks for those first; where another one does not, there and
// here ask the patterns alike without a name.
func exact(d authz.Decision) bool {
	return d.Grant != nil && (d.Grant.Source == authz.User || d.Grant.Source == authz.Group)
}

// unnamed tells whether it is not known what patterns of experiments match.
func (s *Source) unnamed(on Resource) bool {
	return on.Kind == kind.Experiment && on.Name == "" || on.Experiment != nil && on.Experiment.Name == ""
}

func (r Resource) place() string {
	if r.Workspace == "" {
		return kind.DefaultWorkspace
	}
	return r.Workspace
}

func (r Resource) asDecided() authz.Resource {
	on := authz.Resource{Kind: r.Kind, ID: r.ID, Name: r.Name}
	if r.Experiment != nil {
		parent := r.Experiment.asDecided()
		on.Parent = &parent
	}
	return on
}

// held are the grants of everybody, as decisions need them.
type held struct {
	own    map[takeover.Principal][]authz.Grant
	groups map[string][]string
	roles  map[string][]takeover.Role
	given  map[takeover.Role][]authz.Grant
}

// index finds what each principal holds.
func index(c takeover.Contents) held {
	h := held{map[takeover.Principal][]authz.Grant{}, map[string][]string{}, map[string][]takeover.Role{}, map[takeover.Role][]authz.Grant{}}
	for m := range c.Memberships {
		if !slices.Contains(h.groups[m.User], m.Group) {
			h.groups[m.User] = append(h.groups[m.User], m.Group)
		}
	}
	source := func(p takeover.Principal, user, group authz.Source) authz.Source {
		if p.Group != "" {
			return group
		}
		return user
	}
	over := func(expires int64) bool { return expires != 0 && expires <= time.Now().Unix() }
	for g, given := range c.Grants {
		if over(given.Expires) {
			continue
		}
		level, _ := kind.ParseLevel(given.Level) // one that is not known refuses
		h.own[g.Principal] = append(h.own[g.Principal], authz.Grant{Source: source(g.Principal, authz.User, authz.Group), Kind: kind.Name(g.Kind), Workspace: g.Workspace,
			Resource: g.Resource, Level: level, Group: g.Group})
	}
	for p, ruled := range c.Patterns {
		if over(ruled.Expires) {
			continue
		}
		level, _ := kind.ParseLevel(ruled.Level)
		h.own[p.Principal] = append(h.own[p.Principal], authz.Grant{Source: source(p.Principal, authz.UserPattern, authz.GroupPattern), Kind: kind.Name(p.Kind), Workspace: p.Workspace,
			Pattern: p.Text, Priority: ruled.Priority, Level: level, Group: p.Group})
	}
	for a := range c.Assignments {
		h.roles[a.User] = append(h.roles[a.User], a.Role)
	}
	for role := range c.Roles {
		if role.Owner != "" {
			h.roles[role.Owner] = append(h.roles[role.Owner], role)
		}
	}
	for p, permitted := range c.Permissions {
		g := authz.Grant{Source: authz.Role, Kind: kind.Name(p.Type), Workspace: p.Workspace, Resource: permitted.Resource, Role: p.Name, Denies: permitted.Level == directory.Deny}
		if entry, part := kind.WithPart(p.Type); part {
			g.Kind, g.Part = entry.Name, p.Type
		}
		g.Level, _ = kind.ParseLevel(permitted.Level)
		h.given[p.Role] = append(h.given[p.Role], g)
	}
	return h
}

// of gives all that a user holds.
func (h held) of(user string) []authz.Grant {
	all := slices.Clone(h.own[takeover.Principal{User: user}])
	for _, group := range h.groups[user] {
		all = append(all, h.own[takeover.Principal{Group: group}]...)
	}
	for _, role := range h.roles[user] {
		all = append(all, h.given[role]...)
	}
	return all
}

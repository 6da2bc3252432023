package importer

import (
	"regexp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// Resource is something that a decision is about.
type Resource struct {
	Kind       kind.Name
	Workspace  string // which it is in; "" for the default one
	ID, Name   string
	Experiment *Resource // of a scorer
}

// held is the resource as grants on it hold it: its workspace is left out where an id means one thing in all of them.
func (r Resource) held() Resource {
	if kind.Everywhere(r.Kind) {
		r.Workspace = ""
	}
	return Resource{Kind: r.Kind, Workspace: r.Workspace, ID: r.ID}
}

// Old decides as the predecessor does.
type Old interface {
	// Users are those who are known there.
	Users() []string
	// Admin tells whether a user may do everything there.
	Admin(user string) bool
	// Level is what a user may there; false where it cannot be told, because a pattern decides that has no counterpart here.
	Level(user string, on Resource) (kind.Level, bool)
	// Named are the resources that grants name.
	Named() []Resource
}

type oldUser struct{ admin, active bool }

type oldPattern struct {
	matches  *regexp.Regexp // nil: it has no counterpart
	priority int
	level    string
}

// oldPlugin decides as the plugin does (utils/grant_context.py, resolve).
type oldPlugin struct {
	order      []authz.Source
	fallback   kind.Level
	workspaces bool
	users      map[string]oldUser
	members    map[string][]string
	grants     map[takeover.Grant]string
	patterns   map[takeover.Pattern][]oldPattern // by holder, kind and workspace, without a text
}

func newOldPlugin(s Settings) *oldPlugin {
	return &oldPlugin{order: s.Order, fallback: s.Default, workspaces: s.Workspaces, users: map[string]oldUser{}, members: map[string][]string{},
		grants: map[takeover.Grant]string{}, patterns: map[takeover.Pattern][]oldPattern{}}
}

func (o *oldPlugin) grant(g takeover.Grant, level string) {
	if before, twice := o.grants[g]; twice {
		level = stricter(before, level)
	}
	o.grants[g] = level
}

// everywhere takes in a grant of before there were workspaces, which counts in each.
func (o *oldPlugin) everywhere(g takeover.Grant, level string, places []string) {
	o.grant(g, level)
	for _, g.Workspace = range places {
		o.grant(g, level)
	}
}

func (o *oldPlugin) pattern(p takeover.Pattern, python string, priority int, level string) {
	one := oldPattern{priority: priority, level: level}
	if text, err := translate(python); err == nil {
		one.matches, _ = authz.CompilePattern(text) // it was compiled before
	}
	p.Text = ""
	o.patterns[p] = append(o.patterns[p], one)
}

// Users are those who are known there (Old).
func (o *oldPlugin) Users() []string {
	var all []string
	for name := range o.users {
		all = append(all, name)
	}
	return all
}

// Admin tells whether a user may do everything there (Old).
func (o *oldPlugin) Admin(user string) bool { return o.users[user].admin && o.users[user].active }

// Named are the resources that grants name (Old).
func (o *oldPlugin) Named() []Resource {
	seen := map[Resource]bool{}
	var all []Resource
	for g := range o.grants {
		on := Resource{Kind: kind.Name(g.Kind), Workspace: g.Workspace, ID: g.Resource, Name: g.Resource}
		if seen[on] {
			continue
		}
		seen[on] = true
		if on.Kind == kind.Scorer {
			parent, name := kind.Parts(on.ID)
			on.Name, on.Experiment = name, &Resource{Kind: kind.Experiment, ID: parent}
		}
		if on.Kind == kind.Experiment {
			on.Name = "" // which grants do not hold
		}
		all = append(all, on)
	}
	return all
}

// Level decides (Old).
func (o *oldPlugin) Level(user string, on Resource) (kind.Level, bool) {
	u, known := o.users[user]
	switch {
	case !known || !u.active:
		return kind.NoPermissions, true
	case u.admin:
		return kind.Manage, true
	}
	level, found, sure := o.walk(user, on)
	if !sure || found {
		return level, sure
	}
	if on.Experiment != nil {
		return o.Level(user, *on.Experiment)
	}
	if o.workspaces && on.Workspace != "" && on.Kind != kind.Workspace {
		level, found, sure := o.walk(user, Resource{Kind: kind.Workspace, ID: on.Workspace, Name: on.Workspace})
		if !found {
			level = kind.NoPermissions
		}
		return level, sure
	}
	return o.fallback, true
}

// walk asks the sources in their order. It is not sure where a pattern without a counterpart could decide.
func (o *oldPlugin) walk(user string, on Resource) (level kind.Level, found, sure bool) {
	own, groups := []takeover.Principal{{User: user}}, []takeover.Principal{}
	for _, group := range o.members[user] {
		groups = append(groups, takeover.Principal{Group: group})
	}
	for _, source := range o.order {
		switch source {
		case authz.User:
			level, found = o.exact(own, on)
		case authz.Group:
			level, found = o.exact(groups, on)
		case authz.UserPattern:
			if level, found, sure = o.matching(own, on); !sure {
				return kind.NoPermissions, false, false
			}
		case authz.GroupPattern:
			if level, found, sure = o.matching(groups, on); !sure {
				return kind.NoPermissions, false, false
			}
		}
		if found {
			return level, true, true
		}
	}
	return kind.NoPermissions, false, true
}

func (o *oldPlugin) exact(of []takeover.Principal, on Resource) (best kind.Level, found bool) {
	on = on.held()
	for _, one := range of {
		name, ok := o.grants[takeover.Grant{Principal: one, Kind: string(on.Kind.Kept()), Workspace: on.Workspace, Resource: on.ID}]
		if !ok {
			continue
		}
		level, _ := kind.ParseLevel(name) // it was read before
		best, found = wins(best, level, found), true
	}
	return best, found
}

// wins is which of two levels of one source counts: a refusal, else the higher.
func wins(a, b kind.Level, both bool) kind.Level {
	switch {
	case !both:
		return b
	case a == kind.NoPermissions || b == kind.NoPermissions:
		return kind.NoPermissions
	}
	return max(a, b)
}

func (o *oldPlugin) matching(of []takeover.Principal, on Resource) (best kind.Level, found, sure bool) {
	at := 0
	unsure, from := false, 0
	places := []string{on.Workspace, authz.Everywhere}
	if on.Kind == kind.Workspace {
		places = []string{""}
	}
	for _, one := range of {
		for _, in := range places {
			for _, p := range o.patterns[takeover.Pattern{Principal: one, Kind: string(on.Kind), Workspace: in}] {
				switch {
				case p.matches == nil:
					if !unsure || p.priority < from {
						unsure, from = true, p.priority
					}
				case p.matches.MatchString(on.Name):
					level, _ := kind.ParseLevel(p.level)
					if !found || p.priority < at {
						best, at, found = level, p.priority, true
					} else if p.priority == at {
						best = wins(best, level, true)
					}
				}
			}
		}
	}
	if unsure && (!found || from <= at) {
		return kind.NoPermissions, false, false
	}
	return best, found, true
}

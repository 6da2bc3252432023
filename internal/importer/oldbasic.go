package importer

import (
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// oldBasic decides as MLflow's basic-auth app does (mlflow/server/auth/requirements.py): about a resource itself, not about the
// runs, traces and versions in it.
type oldBasic struct {
	fallback   kind.Level
	workspaces bool
	byRole     bool // else the tables of before there were roles count
	users      map[string]oldUser
	assigned   map[string][]takeover.Role
	given      map[takeover.Role]map[Resource][]string // own roles hold what is given directly
}

func newOldBasic(s Settings) *oldBasic {
	return &oldBasic{fallback: s.Default, workspaces: s.Workspaces, users: map[string]oldUser{}, assigned: map[string][]takeover.Role{},
		given: map[takeover.Role]map[Resource][]string{}}
}

// direct takes in what one user is given in a workspace.
func (o *oldBasic) direct(user, in string, on Resource, level string) {
	o.add(takeover.Role{Workspace: placeOf(in), Owner: user}, on, level)
}

func (o *oldBasic) permit(role takeover.Role, of, resource, permission string) {
	on := Resource{Kind: kind.Name(of), ID: resource}
	if role.Workspace != kind.DefaultWorkspace {
		on.Workspace = role.Workspace
	}
	o.add(role, on, permission)
}

func (o *oldBasic) add(role takeover.Role, on Resource, level string) {
	if o.given[role] == nil {
		o.given[role] = map[Resource][]string{}
	}
	on = on.held()
	o.given[role][on] = append(o.given[role][on], level)
}

// Users are those who are known there (Old).
func (o *oldBasic) Users() []string {
	var all []string
	for name := range o.users {
		all = append(all, name)
	}
	return all
}

// Admin tells whether a user may do everything there (Old).
func (o *oldBasic) Admin(user string) bool { return o.users[user].admin }

// Named are the resources that grants name (Old).
func (o *oldBasic) Named() []Resource {
	seen := map[Resource]bool{}
	var all []Resource
	for role, given := range o.given {
		for on := range given {
			if role.Workspace != kind.DefaultWorkspace && on.Kind != kind.Workspace {
				on.Workspace = role.Workspace // elsewhere it counts for nothing
			}
			if _, known := kind.Of(on.Kind); !known || on.ID == authz.Everything || seen[on] {
				continue
			}
			seen[on] = true
			one := on
			one.Name = on.ID
			if on.Kind == kind.Scorer {
				parent, name := kind.Parts(on.ID)
				one.Name, one.Experiment = name, &Resource{Kind: kind.Experiment, Workspace: on.Workspace, ID: parent}
			}
			all = append(all, one)
		}
	}
	return all
}

// Level decides (Old).
func (o *oldBasic) Level(user string, on Resource) (kind.Level, bool) {
	switch u, known := o.users[user]; {
	case !known:
		return kind.NoPermissions, true
	case u.admin:
		return kind.Manage, true
	}
	place := placeOf(on.Workspace)
	if !o.byRole {
		place = placeOf(on.held().Workspace) // ids meant one thing in all workspaces
	}
	roles := append([]takeover.Role{{Workspace: place, Owner: user}}, o.assigned[user]...)
	if level, found := o.fold(roles, on, place); found {
		return level, true
	}
	if on.Experiment != nil && o.byRole {
		return o.Level(user, *on.Experiment)
	}
	if !o.byRole && o.workspaces && on.Kind != kind.Workspace {
		if level, found := o.fold([]takeover.Role{{Workspace: kind.DefaultWorkspace, Owner: user}},
			Resource{Kind: kind.Workspace, ID: placeOf(on.Workspace)}, kind.DefaultWorkspace); found {
			return level, true
		}
	}
	if o.workspaces && on.Workspace != "" {
		return kind.NoPermissions, true
	}
	return o.fallback, true
}

// fold is what the roles in a workspace say of a resource together: a denial, else the strongest, and no less than everybody has.
func (o *oldBasic) fold(roles []takeover.Role, on Resource, place string) (kind.Level, bool) {
	on = on.held()
	best, found := kind.NoPermissions, false
	for _, role := range roles {
		if role.Workspace != place && on.Kind != kind.Workspace {
			continue
		}
		given := o.given[role]
		if o.byRole && on.Kind != kind.Workspace {
			for _, level := range given[Resource{Kind: kind.Workspace, ID: authz.Everything}] {
				if level == kind.Manage.String() {
					return kind.Manage, true
				}
			}
		}
		every := Resource{Kind: on.Kind, Workspace: on.Workspace, ID: authz.Everything}
		for _, level := range append(append([]string{}, given[on]...), given[every]...) {
			if level == directory.Deny {
				return kind.NoPermissions, true
			}
			parsed, _ := kind.ParseLevel(level)
			best, found = max(best, parsed), true
		}
	}
	if found && best != kind.NoPermissions {
		best = max(best, o.fallback)
	}
	return best, found
}

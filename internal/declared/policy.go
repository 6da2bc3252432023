// Package declared is policy as code: who there is and who may do what, entry by entry, as a file declares it and as the
// users database has it, and what has to change for the two to be the same.
package declared

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// What says what an entry is.
type What string

// The sorts of entries.
const (
	User       What = "user"
	Owner      What = "owner" // of a service account
	Group      What = "group"
	Member     What = "member" // of a group, by the hand of an administrator
	Grant      What = "grant"  // on one resource
	Pattern    What = "pattern"
	Role       What = "role"
	Permission What = "permission" // of a role, or of a user's own
	Assignment What = "assignment" // of a role to a user
	Rule       What = "rule"       // that gives groups a level in workspaces by their names
)

// order is that in which entries need one another: each sort after those that it names.
var order = []What{User, Owner, Group, Member, Grant, Pattern, Role, Permission, Assignment, Rule}

// Key is what makes an entry the same one in a file and in the database.
type Key struct {
	What      What   `json:"what"`
	User      string `json:"user,omitempty"`  // who it is, or who holds it; of a permission: whose own it is; of an owner: the service account
	Group     string `json:"group,omitempty"` // the same of a group; of a member: of which
	Kind      string `json:"kind,omitempty"`  // of a permission: the type, as MLflow calls it
	Workspace string `json:"workspace,omitempty"`
	Role      string `json:"role,omitempty"`
	Rule      string `json:"rule,omitempty"`
	Resource  string `json:"resource,omitempty"` // of a pattern: the regular expression; of a permission: as MLflow's API names it
}

// Value is what is said of an entry. Each sort has its own of these.
type Value struct {
	DisplayName string    `json:"display_name,omitempty"`
	Admin       bool      `json:"admin,omitempty"`
	Inactive    bool      `json:"inactive,omitempty"`
	Service     bool      `json:"service,omitempty"`
	Level       string    `json:"level,omitempty"`
	Priority    int       `json:"priority,omitempty"`
	Held        string    `json:"held,omitempty"` // of a permission: the resource as grants hold it
	Description string    `json:"description,omitempty"`
	Owner       string    `json:"owner,omitempty"`
	Pattern     string    `json:"pattern,omitempty"` // of a rule
	Enforced    bool      `json:"enforced,omitempty"`
	Disabled    bool      `json:"disabled,omitempty"`
	Turn        int       `json:"-"` // of a rule: the smallest is asked first
	Expires     time.Time `json:"expires_at,omitzero"`
}

// Entry is what the database says of one key. By is who else than an administrator sees to it, such as an identity provider: it
// is not a file's to remove then. ID is that of a grant's, or a permission's, row, which is never used again.
type Entry struct {
	Value
	By string
	ID int64
}

// ByHand tells whether administrators alone see to the entry.
func (e Entry) ByHand() bool { return byHand(e.By) }

// Policy is all that there is.
type Policy map[Key]Entry

func (k Key) compare(other Key) int {
	return cmp.Or(cmp.Compare(slices.Index(order, k.What), slices.Index(order, other.What)), cmp.Compare(k.Workspace, other.Workspace), cmp.Compare(k.Role, other.Role), cmp.Compare(k.Rule, other.Rule),
		cmp.Compare(k.Group, other.Group), cmp.Compare(k.User, other.User), cmp.Compare(k.Kind, other.Kind), cmp.Compare(k.Resource, other.Resource))
}

// Keys gives all keys, in the order of files and plans.
func (p Policy) Keys() []Key { return sorted(p) }

// sorted gives keys in the order of files and plans.
func sorted[V any](all map[Key]V) []Key { return slices.SortedFunc(maps.Keys(all), Key.compare) }

// Holder names who holds an entry.
func (k Key) Holder() string {
	if k.Group != "" {
		return "group " + k.Group
	}
	return "user " + k.User
}

func in(workspace string) string {
	switch workspace {
	case "", kind.DefaultWorkspace:
		return ""
	case everywhere:
		return " of every workspace"
	}
	return " of the workspace " + workspace
}

// String names the entry for people.
func (k Key) String() string {
	switch k.What {
	case User:
		return "user " + k.User
	case Owner:
		return "owner of service account " + k.User
	case Rule:
		return "workspace rule " + k.Rule
	case Group:
		return "group " + k.Group
	case Member:
		return fmt.Sprintf("member %s of group %s", k.User, k.Group)
	case Grant:
		return fmt.Sprintf("grant of %s on %s %s%s", k.Holder(), k.Kind, k.Resource, in(k.Workspace))
	case Pattern:
		return fmt.Sprintf("pattern of %s on %s %q%s", k.Holder(), k.Kind, k.Resource, in(k.Workspace))
	case Role:
		return fmt.Sprintf("role %s%s", k.Role, in(k.Workspace))
	case Permission:
		of := "role " + k.Role
		if k.User != "" {
			of = "user " + k.User
		}
		return fmt.Sprintf("permission of %s on %s %s%s", of, k.Kind, k.Resource, in(k.Workspace))
	}
	return fmt.Sprintf("role %s%s for user %s", k.Role, in(k.Workspace), k.User)
}

// says gives a value in words, for an entry of its sort.
func (v Value) says(what What) string {
	var words []string
	add := func(when bool, format string, args ...any) {
		if when {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	switch what {
	case User:
		add(v.Admin, "administrator")
		add(v.Service, "service account")
		add(v.Inactive, "deactivated")
		add(true, "called %q", v.DisplayName)
	case Role:
		add(v.Description != "", "%q", v.Description)
	case Owner:
		add(true, "%s", v.Owner)
	case Rule:
		add(true, "%s by %q", v.Level, v.Pattern)
		add(v.Enforced, "enforced")
		add(!v.Enforced, "reported")
		add(v.Disabled, "disabled")
	default:
		add(v.Level != "", "%s", v.Level)
		add(what == Pattern, "priority %d", v.Priority)
	}
	add(!v.Expires.IsZero(), "until %s", v.Expires.UTC().Format(time.RFC3339))
	return strings.Join(words, ", ")
}

// administered tells whether anybody administers: an administrator who is active.
func (p Policy) administered() bool {
	for k, e := range p {
		if k.What == User && e.Admin && !e.Inactive {
			return true
		}
	}
	return false
}

// byHand tells whether administrators alone see to an entry.
func byHand(source string) bool { return source == "" || source == directory.Manual }

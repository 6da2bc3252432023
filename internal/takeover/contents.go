// Package takeover says what a users database holds, and plans how what a predecessor's database holds comes into it.
package takeover

// Contents is all that is carried over, and all of that kind that is here, each thing by what it is known by. Names stand for
// people, groups, rules and roles: ids mean nothing in another database. Times are seconds since 1970.
type Contents struct {
	Users       map[string]User
	Groups      map[string]Group
	Memberships map[Membership]Held
	Identities  map[Identity]Whose
	Grants      map[Grant]Given
	Patterns    map[Pattern]Ruled
	Passwords   map[string]Password
	Tokens      map[Token]Named
	Rules       map[string]Rule
	Roles       map[Role]Described
	Permissions map[Permission]Permitted
	Assignments map[Assignment]Held
}

// New gives contents that hold nothing yet.
func New() Contents {
	return Contents{Users: map[string]User{}, Groups: map[string]Group{}, Memberships: map[Membership]Held{}, Identities: map[Identity]Whose{},
		Grants: map[Grant]Given{}, Patterns: map[Pattern]Ruled{}, Passwords: map[string]Password{}, Tokens: map[Token]Named{},
		Rules: map[string]Rule{}, Roles: map[Role]Described{}, Permissions: map[Permission]Permitted{}, Assignments: map[Assignment]Held{}}
}

// Held says nothing more than that something is there.
type Held struct{}

// User is a person or a service account.
type User struct {
	DisplayName string
	Admin       bool
	Active      bool
	Service     bool
	ManagedBy   string
}

// Group is a group of users.
type Group struct{ ExternalID string }

// Membership is a user in a group, by the word of a source.
type Membership struct{ User, Group, Source string }

// Identity is how a provider knows a person.
type Identity struct{ Provider, Subject string }

// Whose is the user of an identity, and whether its provider takes them for an administrator.
type Whose struct {
	User  string
	Admin bool
}

// Principal is who holds something: a user or a group.
type Principal struct {
	User  string `json:",omitempty"`
	Group string `json:",omitempty"`
}

// String names the principal in messages.
func (p Principal) String() string {
	if p.Group != "" {
		return "group " + p.Group
	}
	return "user " + p.User
}

// Grant is a principal's grant on one resource, as grants hold it.
type Grant struct {
	Principal
	Kind, Workspace, Resource string
}

// Given is what a grant gives, and the rule that gave it.
type Given struct {
	Level, Rule string
	Expires     int64 `json:",omitempty"` // 0: never, as at all predecessors
}

// Pattern is a principal's pattern of names.
type Pattern struct {
	Principal
	Kind, Workspace, Text string
}

// Ruled is what a pattern gives. One that is set aside refuses instead, whatever the name is.
type Ruled struct {
	Priority int
	Level    string
	Aside    Aside
	Expires  int64 `json:",omitempty"` // likewise
}

// Aside is what a pattern was that could not be carried over; empty where it could.
type Aside struct{ Text, Level, Reason string }

// Password is the secret without a name, as a predecessor hashed it.
type Password struct {
	Hash    string
	Expires int64
	Kept    bool // it is a local account's own
	Made    bool `json:"-"` // the end was made up when it was read
}

// Token is a token with a name.
type Token struct{ User, Name string }

// Named is the secret of such a token, as a predecessor hashed it; the hash of one of ours is not told.
type Named struct {
	Prefix, Hash, CreatedBy string
	Created, Expires        int64
}

// Rule attaches groups to workspaces.
type Rule struct {
	Pattern, Level    string
	Enforced, Enabled bool
	CreatedBy         string
}

// Role is a role of a workspace; one with an owner is that user's own, and has no name.
type Role struct{ Workspace, Name, Owner string }

// Described is what is said of a role.
type Described struct{ Description string }

// Permission is a permission of a role on what MLflow's API calls so.
type Permission struct {
	Role
	Type, Pattern string
}

// Permitted is the permission, and what grants call what it is on.
type Permitted struct{ Resource, Level string }

// Assignment is a user who has a role.
type Assignment struct {
	User string
	Role
}

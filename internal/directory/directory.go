// Package directory knows people and groups: who exists, who is a member of what, and how signing in provisions them.
package directory

import "time"

// User is a person or a service account.
type User struct {
	ID          int64
	Username    string // lower-cased; unique
	DisplayName string
	Admin       bool
	Active      bool
	Service     bool
	ManagedBy   string // "manual", or the provider that provisions it
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Group is a named set of users.
type Group struct {
	ID         int64
	Name       string
	ExternalID string
	Members    int
}

// Identity is how a provider knows a person. It is the pair that is trusted, never the e-mail address alone (OpenID Connect Core §5.7).
type Identity struct {
	Provider string
	Subject  string
}

// Handover is what changed its source with an account.
type Handover struct {
	Previous    string
	Memberships []Membership
}

// Membership is a group of a user, and the source that it is held from.
type Membership struct{ Group, From string }

// Login is what a verified sign-in says about a person.
type Login struct {
	Identity    Identity
	Username    string
	DisplayName string
	Groups      []string // the groups of the provider, all of them
	Admin       bool
	Separate    bool // never given an account that an administrator made beforehand
}

// Bearer is what the verified token of a program says.
type Bearer struct {
	Identity Identity
	Account  string // the service account that the program acts as; the identity is not looked at then
	Until    time.Time
	Issued   time.Time // zero: it does not say
	Says     *Login    // what counts of what it says of the person; nil: nothing
	Create   bool      // the person gets an account, if there is none
	Groups   bool      // its groups count
	Act      any       // the claims of RFC 8693 of who acts, and who may, as they came; nil: none
	MayAct   any
}

// SignIn is what a sign-in asks a provider for, and what its answer has to fit.
type SignIn struct {
	Redirect string    // the page of ours that the answer comes to
	State    string    // comes back as it is
	Nonce    string    // is in the ID token
	Verifier string    // of PKCE
	Since    time.Time // the person shows the provider who they are later than this; zero: when they like
	Other    bool      // somebody else signs in than who is signed in there
	Trial    bool      // nothing comes of it: the provider asks who it is, and gives nothing for later
}

// Heard is what a provider said in a sign-in of which nothing comes, as far as it came.
type Heard struct {
	Claims   map[string]any // of the verified ID token; nil: there was none
	UserInfo map[string]any // what the user-info endpoint said; nil: it was not asked
	Secrets  []string       // what was given beside that, which is shown to nobody
	Groups   string         // what says in which groups somebody is
	Login    Login          // what of all that counts
	Refused  error          // why that lets nobody in; nil: it does
}

// Tried is what would come of a sign-in.
type Tried struct {
	User    User
	New     bool     // there is no account yet
	Known   []string // the groups that are there already, of those that the provider names
	Groups  []string // in which the user would be, whoever says so
	Refused error    // why there would be no sign-in; nil: there would be
}

// Tokens are what a provider gives beside a sign-in.
type Tokens struct {
	ID       string    // the ID token
	Refresh  string    // asks the provider again; "" for none
	Session  string    // the provider's own session (sid), "" when it has no name
	IssuedAt time.Time // when it signed in, by its own clock
	ShownAt  time.Time // when the person showed it who they are; zero: it does not say
	Until    time.Time // when what it says ends; zero: it does not say
}

// Logout is what a provider says when a person, or one of its sessions, ends there (OpenID Connect Back-Channel Logout 1.0).
type Logout struct {
	Identity Identity // the subject is "" when a session alone ends
	Session  string   // "" for all of the person's
	TokenID  string
	IssuedAt time.Time
	Expires  time.Time
}

// Who manages an account or a membership, where that is no identity provider, whose name stands there else.
const (
	Manual = "manual" // an administrator, and no provider may take it away
	SCIM   = "scim"
	// Imported is a membership that a predecessor knew of a person. The first word of any provider about the person takes its place.
	Imported = "imported"
)

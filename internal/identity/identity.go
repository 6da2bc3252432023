// Package identity names who a request is from: the subject, and by which credential it was known.
package identity

import (
	"context"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
)

// Credential is the way in which a subject proved who it is.
type Credential uint8

// The kinds of credential; a request carries exactly one.
const (
	None Credential = iota
	Session
	AccessToken
	Bearer
	Password // an account's own, which its owner chose
)

// String gives the name that logs use.
func (c Credential) String() string {
	return [...]string{"none", "session", "access_token", "bearer", "password"}[c]
}

// Subject is an authenticated principal. It carries no permissions: those are decided per request.
type Subject struct {
	UserID      int64
	Username    string
	DisplayName string
	Admin       bool // may administer: an administrator, whose credential is not narrowed
	Active      bool
	Service     bool // a service account, which cannot sign in with a browser
	Credential  Credential
	ShownAt     time.Time    // when the person showed a provider who they are, by a session; zero: nobody knows
	Session     string       // the hashed id of the session; "" without one
	Scope       *authz.Scope // what the credential is narrowed to; nil: it is not
	Actor       string       // who acts for the subject with an exchanged token; "": the subject itself
	All         bool         // holds everything, as far as the scope goes: an administrator with a narrowed credential
}

// Narrow leaves the subject what is in a scope; nil leaves it all. Whoever comes with a narrowed credential administers
// nothing, and has as an administrator only what the scope says.
func (s *Subject) Narrow(to *authz.Scope) {
	if to != nil {
		s.Scope, s.All, s.Admin = to, s.All || s.Admin, false
	}
}

// Decider is the subject as decisions see it.
func (s *Subject) Decider() authz.Subject {
	return authz.Subject{Admin: s.Admin || s.All, Active: s.Active, Scope: s.Scope}
}

// How all begin that programs hold of us, so that people and scanners of secrets know one.
const (
	AccessPrefix  = "mlo_"
	RefreshPrefix = "mlr_"
	DevicePrefix  = "mld_" // codes of sign-ins at a terminal
	CodePrefix    = "mlc_"
)

// Ours tells whether a secret is one of ours, or was to be, in whatever case it is written: nobody else is shown it.
func Ours(secret string) bool {
	for _, prefix := range []string{AccessPrefix, RefreshPrefix, DevicePrefix, CodePrefix} {
		if len(secret) >= len(prefix) && strings.EqualFold(secret[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

type contextKey struct{}

// With returns a context that carries the subject.
func With(ctx context.Context, s *Subject) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// From gives the subject of the context, or nil for an anonymous request.
func From(ctx context.Context) *Subject {
	s, _ := ctx.Value(contextKey{}).(*Subject)
	return s
}

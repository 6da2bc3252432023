// Package identity names who a request is from: the subject, and by which credential it was known.
package identity

import "context"

// Credential is the way in which a subject proved who it is.
type Credential uint8

// The kinds of credential; a request carries exactly one.
const (
	None Credential = iota
	Session
	AccessToken
	Bearer
)

// String gives the name that logs use.
func (c Credential) String() string {
	return [...]string{"none", "session", "access_token", "bearer"}[c]
}

// Subject is an authenticated principal. It carries no permissions: those are decided per request.
type Subject struct {
	UserID      int64
	Username    string
	DisplayName string
	Admin       bool
	Active      bool
	Service     bool // a service account, which cannot sign in with a browser
	Credential  Credential
	Session     string // the hashed id of the session; "" without one
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

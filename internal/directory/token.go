package directory

import (
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
)

// AccessToken is the one access token of a user as it is stored: a hash of the secret and an expiry.
type AccessToken struct {
	UserID    int64
	Hash      [32]byte // SHA-256; the secret has 256 random bits, so a slow hash would add nothing
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Token is one of a user's access tokens that have names. There may be many, each for a purpose of its own.
type Token struct {
	ID        int64
	UserID    int64
	Name      string // unique for the user
	Prefix    string // how its secret begins, by which its owner knows it again
	Hash      [32]byte
	Scope     *authz.Scope // nil: all that the user may do
	CreatedAt time.Time
	CreatedBy string
	ExpiresAt time.Time
	UsedAt    time.Time // zero: never
	Exchanged bool
	Actor     *Actor // who acts for the user; nil: it comes of no exchange, or the user itself acts
}

// TokenOwner is whose access token a secret is, until when it is good, and what it is narrowed to.
type TokenOwner struct {
	User      User
	ExpiresAt time.Time
	TokenID   int64 // of a token with a name; 0 for the one without
	Scope     *authz.Scope
	Exchanged bool
	Actor     *Actor
}

// Password is the hash of a user's secret as a predecessor has made it. That of nobody, whose UserID is 0, is there to be
// checked all the same, so that an answer takes as long for a name that does not exist.
type Password struct {
	User      User
	Hash      string // as Werkzeug writes it
	ExpiresAt time.Time
	Kept      bool  // the account's own: it has no end, and is its owner's to change
	TokenID   int64 // of a token with a name; 0 for the secret without one
}

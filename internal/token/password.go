package token

import (
	"context"
	"crypto/sha256"
	"net/http"
	"regexp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Upgrader replaces a predecessor's hash by that of an access token.
type Upgrader interface {
	UpgradePassword(ctx context.Context, from directory.Password, to [32]byte) error
}

// upgradable is how many characters a secret has that no person has thought of. SHA-256 of one that can be guessed would be
// guessed fast out of a stolen database; such a secret keeps its slow hash until its owner makes an access token.
const upgradable = 24

// password knows a user by a secret that a predecessor has hashed; errs.Unauthenticated when it is not theirs. Other than
// access tokens these can be guessed, and so no attempt is made where there have been too many.
func (a *Authenticator) password(ctx context.Context, client, username, secret string) (directory.Password, error) {
	p, err := a.carried(ctx, client, username, secret)
	if errs.Is(err, errs.NotFound) {
		p, err = a.People.PasswordOf(ctx, username)
	}
	if errs.Is(err, errs.NotFound) {
		err = errBad
	}
	if err != nil {
		return directory.Password{}, err
	}
	ok, known := a.slow.known(p.Hash, secret)
	a.found(cachePasswords, known)
	if !known {
		if err := a.Failures.Allowed(ctx, client, username); err != nil {
			return directory.Password{}, err
		}
		if ok, err = a.slow.check(ctx, p.Hash, secret); err != nil {
			return directory.Password{}, err
		}
	}
	if !ok || p.User.ID == 0 || !p.User.Active || !p.Kept && !a.Now().Before(p.ExpiresAt) {
		return directory.Password{}, errBad
	}
	if len(secret) >= upgradable && !p.Kept {
		if err := a.Upgrades.UpgradePassword(ctx, p, sha256.Sum256([]byte(secret))); err != nil {
			a.Log.WarnContext(ctx, "the hash of a secret was not upgraded", "user", p.User.Username, "error", err)
		} else {
			a.Audit.Record(ctx, audit.Event{Name: audit.PasswordUpgraded, Account: p.User.Username, UserID: p.User.ID})
		}
	}
	return p, nil
}

// carriedShape is how the Python plugin writes tokens with names. What comes before the secret is stored as it is, to find the one hash.
var carriedShape = regexp.MustCompile(`\A(mlf_[0-9a-f]{8})_.`)

// carried finds a token with a name that the Python plugin has made, by how the secret begins.
func (a *Authenticator) carried(ctx context.Context, client, username, secret string) (directory.Password, error) {
	parts := carriedShape.FindStringSubmatch(secret)
	if parts == nil {
		return directory.Password{}, errBegins
	}
	if err := a.Failures.Allowed(ctx, client, username); err != nil {
		return directory.Password{}, err
	}
	return a.People.CarriedOf(ctx, username, parts[1])
}

var errBegins = errs.New(errs.NotFound, "the secret is not of the Python plugin's")

// Confirm tells whether a secret is the password of a user, or the access token that a predecessor's password became. It is
// asked of who is signed in already; attempts count as those to sign in do.
func (a *Authenticator) Confirm(r *http.Request, user directory.User, secret string) error {
	owner, err := a.People.ByToken(r.Context(), sha256.Sum256([]byte(secret)))
	if err == nil && a.good(owner) && owner.TokenID == 0 && owner.User.ID == user.ID {
		return nil
	}
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	client := a.Client(r)
	if _, err := a.password(r.Context(), client, user.Username, secret); err != nil {
		return a.failed(r.Context(), err, client, presented(user.Username, secret))
	}
	return nil
}

// HashPassword gives the hash of a new password. It takes as long as to check one.
func (a *Authenticator) HashPassword(ctx context.Context, secret string) (string, error) {
	return a.slow.hash(ctx, secret)
}

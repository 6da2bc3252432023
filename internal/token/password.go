package token

import (
	"context"
	"crypto/sha256"

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
func (a *Authenticator) password(ctx context.Context, client, username, secret string) (directory.User, error) {
	p, err := a.People.PasswordOf(ctx, username)
	if errs.Is(err, errs.NotFound) {
		err = errBad
	}
	if err != nil {
		return directory.User{}, err
	}
	ok, known := a.slow.known(p.Hash, secret)
	if !known {
		if err := a.Failures.Allowed(ctx, client, username); err != nil {
			return directory.User{}, err
		}
		if ok, err = a.slow.check(ctx, p.Hash, secret); err != nil {
			return directory.User{}, err
		}
	}
	if !ok || p.User.ID == 0 || !p.User.Active || !a.Now().Before(p.ExpiresAt) {
		return directory.User{}, errBad
	}
	if len(secret) >= upgradable {
		if err := a.Upgrades.UpgradePassword(ctx, p, sha256.Sum256([]byte(secret))); err != nil {
			a.Log.WarnContext(ctx, "the hash of a secret was not upgraded", "user", p.User.Username, "error", err)
		} else {
			a.Audit.Record(ctx, audit.Event{Name: audit.PasswordUpgraded, Account: p.User.Username, UserID: p.User.ID})
		}
	}
	return p.User, nil
}

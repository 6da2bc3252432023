package api

import (
	"context"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

type tokenRequest struct {
	Body *struct {
		Username   *string `json:"username,omitempty" nullable:"true"`
		Expiration *string `json:"expiration,omitempty" nullable:"true" doc:"a time in ISO 8601, UTC without an offset; at most a day more than the configured lifetime"`
	} `required:"false"`
}

type newToken struct {
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
	Message   string `json:"message"`
}

// accessToken makes the token without a name, in place of the one before.
func (a *API) accessToken(ctx context.Context, s *identity.Subject, in *tokenRequest) (newToken, error) {
	username, expiration := s.Username, ""
	if in.Body != nil && in.Body.Username != nil && *in.Body.Username != "" {
		username = *in.Body.Username
	}
	if in.Body != nil && in.Body.Expiration != nil {
		expiration = *in.Body.Expiration
	}
	user, err := a.supplied(ctx, s, username)
	if err != nil {
		return newToken{}, err
	}
	expires, err := a.expiry(expiration)
	if err != nil {
		return newToken{}, err
	}
	secret, hash := token.NewSecret()
	err = a.Store.SetAccessToken(ctx, directory.AccessToken{UserID: user.ID, Hash: hash, CreatedAt: a.Now(), ExpiresAt: expires})
	if a.done(ctx, err, s, audit.Event{Name: audit.TokenRotated, Account: user.Username, UserID: user.ID, After: audit.State{"expires_at": stamp(expires)}}) != nil {
		return newToken{}, err
	}
	return newToken{Token: secret, ExpiresAt: stamp(expires), Message: "Token for " + user.Username + " has been created"}, nil
}

// expiry says until when a token is good that was asked for with an expiration; none asks for the configured lifetime.
func (a *API) expiry(expiration string) (time.Time, error) {
	usual := a.Now().Add(a.TokenLifetime).UTC().Truncate(time.Second)
	if expiration == "" {
		return usual, nil
	}
	asked, err := parseTime(expiration)
	if err != nil {
		return time.Time{}, err
	}
	asked = asked.UTC().Truncate(time.Second)
	if !asked.After(a.Now()) || asked.After(usual.Add(24*time.Hour)) {
		return time.Time{}, errs.New(errs.Invalid, "expiration must lie in the future, and at most %d days ahead", int(a.TokenLifetime.Hours()/24))
	}
	return asked, nil
}

// The forms of ISO 8601 that Python's datetime.fromisoformat reads, but for the dates by weeks.
var (
	dates   = []string{"2006-01-02", "20060102"}
	clocks  = []string{"15:04:05.999999999", "150405.999999999", "15:04", "1504", "15"}
	offsets = []string{"", "Z07:00", "Z0700", "Z07"}
)

func parseTime(text string) (time.Time, error) {
	for _, date := range dates {
		if at, err := time.Parse(date, text); err == nil {
			return at, nil
		}
		if len(text) <= len(date) || !strings.ContainsRune("Tt ", rune(text[len(date)])) {
			continue
		}
		for _, clock := range clocks {
			for _, offset := range offsets {
				if at, err := time.Parse(date+clock+offset, text[:len(date)]+text[len(date)+1:]); err == nil {
					return at, nil
				}
			}
		}
	}
	return time.Time{}, errs.New(errs.Invalid, "expiration must be a time such as 2027-01-31T12:00:00Z")
}

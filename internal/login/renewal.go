package login

import (
	"context"
	"log/slog"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Renewal asks the provider of a session again about people who are signed in (session.Renewer): what it says by then of their groups, and
// whether they may sign in at all, counts from that moment on.
type Renewal struct {
	Choices Choices
	People  People
	Keys    *session.Keys
	Leeway  time.Duration // before the end of a token
	Audit   audit.Recorder
	Log     *slog.Logger
	Now     func() time.Time
}

// unsaid is how long a provider is believed that does not say how long it may be.
const unsaid = 15 * time.Minute

// Renew asks the provider again. It gives errs.Unauthenticated or errs.Denied when the person is signed out there, in none of
// the groups that may sign in, deactivated or deleted.
func (v *Renewal) Renew(ctx context.Context, record session.Record) (session.Record, error) {
	fresh, err := v.renew(ctx, record)
	e := audit.Event{Name: audit.SessionRenewed, UserID: record.UserID, Provider: record.Provider, Subject: record.Subject}
	switch {
	case err == nil:
		v.Audit.Record(ctx, e)
	case errs.Is(err, errs.Unauthenticated), errs.Is(err, errs.Denied):
		e.Name, e.Cause, e.Reason, e.Count = audit.SessionEnded, "renewal", err.Error(), 1
		v.Audit.Record(ctx, e)
	}
	return fresh, err
}

func (v *Renewal) renew(ctx context.Context, record session.Record) (session.Record, error) {
	c, ok := v.Choices.of(record.Provider)
	if !ok { // the settings name it no more
		return record, errs.New(errs.Unauthenticated, "its identity provider is not known here any more; sign in again")
	}
	refresh, err := v.Keys.Open(againPurpose, record.SealedRefresh)
	if err != nil { // there was none, or SECRET_KEY has changed
		return record, errs.New(errs.Unauthenticated, "the time for which the identity provider vouched is over; sign in again")
	}
	idToken, err := v.Keys.Open(tokenPurpose, record.SealedToken)
	if err != nil {
		idToken = nil // a provider without discovery gives none
	}
	login, tokens, err := c.Refresh(ctx, directory.Tokens{ID: string(idToken), Refresh: string(refresh)})
	if err != nil {
		return record, err
	}
	if login.Identity != (directory.Identity{Provider: record.Provider, Subject: record.Subject}) {
		return record, errs.New(errs.Unauthenticated, "the identity provider answered about somebody else; sign in again")
	}
	fresh, err := v.sealed(ctx, record, tokens)
	if err != nil {
		return record, err
	}
	// Whatever happens from here on, the token of before is used up.
	record.SealedToken, record.SealedRefresh = fresh.SealedToken, fresh.SealedRefresh
	user, err := v.People.ConfirmLogin(ctx, login)
	if errs.Is(err, errs.Conflict) { // the new name is another account's
		return record, errs.Wrap(errs.Denied, err, "your username has changed to one that another account has; an administrator has to link them")
	}
	if err != nil {
		return record, err
	}
	if user.ID != record.UserID {
		return record, errs.New(errs.Denied, "the account does not exist any more")
	}
	return fresh, nil
}

// sealed puts a provider's tokens into a record, and says when they are renewed. Without a refresh token nobody can be asked,
// and the session ends with what the provider said.
func (v *Renewal) sealed(ctx context.Context, record session.Record, tokens directory.Tokens) (session.Record, error) {
	record.SealedToken, record.SealedRefresh = nil, nil
	var err error
	if tokens.ID != "" {
		if record.SealedToken, err = v.Keys.Seal(tokenPurpose, []byte(tokens.ID)); err != nil {
			return record, err
		}
	}
	now := v.Now().UTC()
	record.TrustedUntil = tokens.Until.UTC()
	if tokens.Until.IsZero() {
		record.TrustedUntil = now.Add(unsaid)
	}
	record.RenewAt = record.TrustedUntil
	if tokens.Refresh == "" {
		v.Log.WarnContext(ctx, "the identity provider gave no refresh token, so the session ends with its token", "user_id", record.UserID, "at", record.TrustedUntil)
		return record, nil
	}
	life := max(0, record.TrustedUntil.Sub(now))
	record.RenewAt = record.TrustedUntil.Add(-min(v.Leeway, life/2)) // a token of a minute is not renewed at each request
	record.SealedRefresh, err = v.Keys.Seal(againPurpose, []byte(tokens.Refresh))
	return record, err
}

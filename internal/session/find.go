package session

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Query names sessions: those of a user; or those of a provider, by its own session, by its subject, or by both.
type Query struct {
	UserID   int64
	Provider string
	AtIssuer string
	Subject  string
}

// Found is a session that a store knows.
type Found struct {
	Key    Key
	Record Record
}

// Valid tells whether a query names anything: an empty one must not name all that is empty.
func (q Query) Valid() bool {
	if q.UserID != 0 {
		return q == Query{UserID: q.UserID}
	}
	return q.Provider != "" && (q.AtIssuer != "" || q.Subject != "")
}

// Names tells whether a query names a record, to the letter.
func (q Query) Names(r Record) bool {
	if !q.Valid() {
		return false
	}
	if q.UserID != 0 {
		return q.UserID == r.UserID
	}
	return q.Provider == r.Provider && (q.AtIssuer == "" || q.AtIssuer == r.AtIssuer) && (q.Subject == "" || q.Subject == r.Subject)
}

// Number is how people name a session: 52 bits of the hash, which a number of JavaScript holds. The cookie cannot be told
// from them.
func (k Key) Number() int64 {
	if len(k) < 13 {
		return 0
	}
	n, err := strconv.ParseInt(string(k[:13]), 16, 64)
	if err != nil {
		return 0
	}
	return n
}

// Prefix is the beginning of the hash, for people to tell sessions apart.
func (k Key) Prefix() string { return string(k[:min(8, len(k))]) }

// Find gives the sessions that a query names.
func (m *Manager) Find(ctx context.Context, q Query) ([]Found, error) {
	if !q.Valid() {
		return nil, errs.New(errs.Internal, "the query of sessions names none")
	}
	return m.Store.Find(ctx, q)
}

// List gives the sessions of all users, or as many as are wanted at most; it tells whether these are all. Tokens are not among
// what it gives.
func (m *Manager) List(ctx context.Context, most int) (found []Found, all bool, err error) {
	all = true
	err = m.Store.Each(ctx, func(f Found) bool {
		if all = len(found) < most; all {
			f.Record.SealedToken, f.Record.SealedRefresh = nil, nil // they are most of a record
			found = append(found, f)
		}
		return all
	})
	return found, all, err
}

// Count tells how many sessions of users there are.
func (m *Manager) Count(ctx context.Context) (int, error) {
	n := 0
	err := m.Store.Each(ctx, func(Found) bool { n++; return true })
	return n, err
}

// EndAll ends those of the sessions that a query names which the test picks, and says how many. In this process they end
// at once, on every other replica within a second.
func (m *Manager) EndAll(ctx context.Context, q Query, picks func(Found) bool) (int, error) {
	found, err := m.Find(ctx, q)
	if err != nil {
		return 0, err
	}
	ended := 0
	for _, one := range found {
		if !picks(one) {
			continue
		}
		if err := m.delete(ctx, one.Key); err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
}

// All picks every session.
func All(Found) bool { return true }

// Used tells whether a token that is good once was used already; MarkUsed says that it was. All replicas know of it.
func (m *Manager) Used(ctx context.Context, token string) (bool, error) {
	_, err := m.Store.Load(ctx, once(token))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// MarkUsed remembers a token that is good once, until it has expired.
func (m *Manager) MarkUsed(ctx context.Context, token string, until time.Time) error {
	return m.Store.Save(ctx, once(token), Record{CreatedAt: m.Now().UTC(), ExpiresAt: until.UTC(), EndsAt: until.UTC()})
}

// once is where a used token is kept: no cookie's id leads there, since those are hashed as 43 characters.
func once(token string) Key { return hash("used " + token) }

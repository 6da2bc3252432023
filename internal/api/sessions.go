package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// SessionRow is a session as the plugin shows it, with what helps its owner to know it again. None of it is, or leads to, what
// the cookie holds.
type SessionRow struct {
	ID        int64     `json:"pk" doc:"names the session here"`
	Prefix    string    `json:"session_id_prefix"`
	Provider  *string   `json:"provider_id" nullable:"true"`
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"last_seen_at" doc:"to the minute"`
	ExpiresAt time.Time `json:"expires_at"`
	Client    *string   `json:"client" nullable:"true" doc:"the address that signed in"`
	Current   bool      `json:"current" doc:"the session of this very request"`
}

type sessionList struct {
	Sessions []SessionRow `json:"sessions"`
}

// signedIn is a session, and whose it is.
type signedIn struct {
	Username string `json:"username"`
	SessionRow
}

type signedInList struct {
	Sessions []signedIn `json:"sessions"`
	Partial  bool       `json:"partial" doc:"there are more than the server looks through at once: a search finds the rest"`
}

type signedInQuery struct{ Paging }

type ownSession struct {
	ID int64 `path:"session_pk" minimum:"0"`
}

type userSession struct {
	UserPath
	ID int64 `path:"session_pk" minimum:"0"`
}

func (a *API) sessions(r *registrar) {
	addPagedIn(r, "/permissions/sessions", "Where everybody is signed in", a.everySession)
	add(r, http.MethodGet, "/users/current/sessions", 200, "Where I am signed in", func(ctx context.Context, s *identity.Subject, _ *none) (sessionList, error) {
		return a.sessionsOf(ctx, s, s.UserID)
	})
	add(r, http.MethodDelete, "/users/current/sessions", 200, "Sign out everywhere else", func(ctx context.Context, s *identity.Subject, _ *none) (revocation, error) {
		return a.endSessions(ctx, s, s.UserID, func(f session.Found) bool { return !current(s, f) })
	})
	add(r, http.MethodDelete, "/users/current/sessions/{session_pk}", 200, "End a session of mine", func(ctx context.Context, s *identity.Subject, in *ownSession) (revocation, error) {
		return a.endSession(ctx, s, s.UserID, in.ID)
	})
	add(r, http.MethodGet, "/users/{username}/sessions", 200, "Where a user is signed in", func(ctx context.Context, s *identity.Subject, in *UserPath) (sessionList, error) {
		id, err := a.whose(ctx, s, in.Username)
		if err != nil {
			return sessionList{}, err
		}
		return a.sessionsOf(ctx, s, id)
	})
	add(r, http.MethodDelete, "/users/{username}/sessions", 200, "End all sessions of a user", func(ctx context.Context, s *identity.Subject, in *UserPath) (revocation, error) {
		id, err := a.whose(ctx, s, in.Username)
		if err != nil {
			return revocation{}, err
		}
		return a.endSessions(ctx, s, id, session.All)
	})
	add(r, http.MethodDelete, "/users/{username}/sessions/{session_pk}", 200, "End a session of a user", func(ctx context.Context, s *identity.Subject, in *userSession) (revocation, error) {
		id, err := a.whose(ctx, s, in.Username)
		if err != nil {
			return revocation{}, err
		}
		return a.endSession(ctx, s, id, in.ID)
	})
}

const (
	mostSessions = 20_000 // that are looked through for one page
	mostSearched = 200    // users who are asked for one by one
)

// everySession lists where everybody is signed in, by users. Of a few users each one's sessions are found by themselves, and so all of
// them, however many there are of others.
func (a *API) everySession(ctx context.Context, s *identity.Subject, in *signedInQuery) (all listing[signedIn], within func([]signedIn) signedInList, err error) {
	if err := administrator(s); err != nil {
		return all, nil, err
	}
	users, err := a.Store.Users(ctx, false)
	if err != nil {
		return all, nil, err
	}
	names := map[int64]string{} // who is not known, such as a user who was deleted meanwhile, is not signed in
	for _, user := range users {
		if strings.Contains(strings.ToLower(user.Username), strings.ToLower(in.Search)) {
			names[user.ID] = user.Username
		}
	}
	found, whole, err := a.sessionsOfAll(ctx, names)
	if err != nil {
		return all, nil, err
	}
	slices.SortFunc(found, newestFirst)
	for _, f := range found {
		if name, known := names[f.Record.UserID]; known {
			all.rows = append(all.rows, signedIn{name, shownSession(s, f)})
		}
	}
	all.name = func(row signedIn) string { return row.Username }
	return all, func(rows []signedIn) signedInList { return signedInList{rows, !whole} }, nil
}

func (a *API) sessionsOfAll(ctx context.Context, names map[int64]string) (found []session.Found, whole bool, err error) {
	if len(names) > mostSearched {
		return a.Sessions.List(ctx, mostSessions)
	}
	for id := range names {
		theirs, err := a.Sessions.Find(ctx, session.Query{UserID: id})
		if err != nil {
			return nil, false, err
		}
		found = append(found, theirs...)
	}
	return found, true, nil
}

// whose gives the user whose sessions an administrator asks about.
func (a *API) whose(ctx context.Context, s *identity.Subject, username string) (int64, error) {
	if err := administrator(s); err != nil {
		return 0, err
	}
	user, err := a.Store.User(ctx, canonical(username))
	return user.ID, err
}

func current(s *identity.Subject, f session.Found) bool {
	return s.Session != "" && string(f.Key) == s.Session
}

func (a *API) sessionsOf(ctx context.Context, s *identity.Subject, userID int64) (sessionList, error) {
	found, err := a.Sessions.Find(ctx, session.Query{UserID: userID})
	if err != nil {
		return sessionList{}, err
	}
	slices.SortFunc(found, newestFirst)
	list := sessionList{Sessions: []SessionRow{}}
	for _, f := range found {
		list.Sessions = append(list.Sessions, shownSession(s, f))
	}
	return list, nil
}

func newestFirst(x, y session.Found) int {
	return cmp.Or(y.Record.CreatedAt.Compare(x.Record.CreatedAt), cmp.Compare(x.Key, y.Key))
}

func shownSession(s *identity.Subject, f session.Found) SessionRow {
	r := f.Record
	return SessionRow{ID: f.Key.Number(), Prefix: f.Key.Prefix(), Provider: some(r.Provider), CreatedAt: r.CreatedAt,
		SeenAt: later(r.CreatedAt, r.SeenAt), ExpiresAt: r.ExpiresAt, Client: some(r.Client), Current: current(s, f)}
}

// some gives a text, nil for none.
func some(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// endSession ends one session of a user. That of another is answered as none.
func (a *API) endSession(ctx context.Context, s *identity.Subject, userID, number int64) (revocation, error) {
	ended, err := a.endSessions(ctx, s, userID, func(f session.Found) bool { return f.Key.Number() == number })
	if err == nil && ended.Revoked == 0 {
		err = errs.New(errs.NotFound, "there is no such session")
	}
	return ended, err
}

func (a *API) endSessions(ctx context.Context, s *identity.Subject, userID int64, picks func(session.Found) bool) (revocation, error) {
	n, err := a.Sessions.EndAll(ctx, session.Query{UserID: userID}, picks)
	cause := "owner"
	if userID != s.UserID {
		cause = "administrator"
	}
	return revocation{int64(n)}, a.done(ctx, err, s, audit.Event{Name: audit.SessionEnded, UserID: userID, Cause: cause, Count: n})
}

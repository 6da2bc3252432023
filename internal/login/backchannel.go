package login

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

const (
	logoutMost  = 128 << 10 // bytes of a back-channel logout
	rememberFor = 24 * time.Hour
	issuedSlack = 30 * time.Second // by which a sign-in may seem later than the logout that ends it
)

// backchannel ends sessions when the provider says so, server to server (OpenID Connect Back-Channel Logout 1.0 §2.5).
func (l *Login) backchannel(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // §2.8
	client := l.Origin.Client(r)
	if err := l.Failures.Allowed(r.Context(), client, ""); err != nil { // a signature costs more than asking for one
		l.Audit.Record(r.Context(), audit.Event{Name: audit.RateLimited, Cause: "back-channel"})
		httpx.WriteError(w, r, l.Log, err)
		return
	}
	logout, ended, err := l.endAsTold(w, r)
	if err != nil {
		if !errs.Is(err, errs.Unavailable) {
			l.Failures.Note(r.Context(), client, "")
		}
		l.Audit.Record(r.Context(), audit.Event{Name: audit.LogoutRefused, Cause: "back-channel", Reason: err.Error()})
		refuseLogout(w, err)
		return
	}
	l.Audit.Record(r.Context(), audit.Event{Name: audit.SessionEnded, Provider: logout.Identity.Provider, Subject: logout.Identity.Subject, Cause: "back-channel", Count: ended})
	w.WriteHeader(http.StatusOK)
}

// refuseLogout answers in the form of §2.8. Whatever went wrong, also here, the status is 400.
func refuseLogout(w http.ResponseWriter, err error) {
	code, message := "invalid_request", "the logout token cannot be accepted"
	var coded *errs.Error
	if errors.As(err, &coded) && coded.Code != errs.Internal {
		message = coded.Message
	}
	if errs.Is(err, errs.Unavailable) || errs.Is(err, errs.Internal) {
		code = "server_error"
	}
	httpx.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": message})
}

func (l *Login) endAsTold(w http.ResponseWriter, r *http.Request) (directory.Logout, int, error) {
	raw, err := logoutToken(w, r)
	if err != nil {
		return directory.Logout{}, 0, err
	}
	issuer, _, err := jwt.Peek(raw)
	if err != nil {
		return directory.Logout{}, 0, err
	}
	c, ok := l.Choices.of(issuer)
	if !ok {
		return directory.Logout{}, 0, errs.New(errs.Unauthenticated, "the logout token is not valid: its issuer is not known here")
	}
	logout, err := c.LogoutToken(r.Context(), raw)
	if err != nil {
		return logout, 0, err
	}
	name := "logout token " + logout.Identity.Provider + " " + logout.TokenID
	used, err := l.Sessions.Used(r.Context(), name)
	if err != nil {
		return logout, 0, err
	}
	if used {
		return logout, 0, errs.New(errs.Invalid, "this logout token was used already")
	}
	ended, err := l.endSessions(r, logout)
	if err == nil { // one that could not be followed may be sent again
		err = l.Sessions.MarkUsed(r.Context(), name, earlier(logout.Expires, l.Now().Add(rememberFor)))
	}
	return logout, ended, err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// logoutToken reads the one field of the form. It is taken from nowhere else: addresses end up in logs.
func logoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", errs.New(errs.Invalid, "the logout token must come in a form (application/x-www-form-urlencoded)")
	}
	r.Body = http.MaxBytesReader(httpx.Servers(w), r.Body, logoutMost)
	if err := r.ParseForm(); err != nil {
		return "", errs.Wrap(errs.Invalid, err, "the form cannot be read")
	}
	given := r.PostForm["logout_token"]
	if len(given) != 1 || given[0] == "" {
		return "", errs.New(errs.Invalid, "the form must have one logout_token")
	}
	return given[0], nil
}

// endSessions ends the session that a logout names; where it names its person beside, also the sessions that the provider gave
// no name; and without a session all of the person's. What began after the logout is another sign-in: a logout that somebody
// kept, and sends again, ends nothing (by the provider's own clock).
func (l *Login) endSessions(r *http.Request, logout directory.Logout) (int, error) {
	q := session.Query{Provider: logout.Identity.Provider, Subject: logout.Identity.Subject}
	if q.Subject == "" {
		q.AtIssuer = logout.Session
	}
	return l.Sessions.EndAll(r.Context(), q, func(f session.Found) bool {
		meant := logout.Session == "" || f.Record.AtIssuer == "" || f.Record.AtIssuer == logout.Session
		return meant && !f.Record.IssuedAt.After(logout.IssuedAt.Add(issuedSlack))
	})
}

// frontchannel ends a session when a page of the provider, which shows this one in a frame, says so (OpenID Connect
// Front-Channel Logout 1.0 §2). The browser sends no cookie there, and so the provider's name of the session is what counts.
func (l *Login) frontchannel(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	client := l.Origin.Client(r)
	ended, frames, err := l.endFramed(r, client)
	if err != nil {
		event := audit.Event{Name: audit.LogoutRefused, Cause: "front-channel", Reason: err.Error()}
		if errs.Is(err, errs.Limited) {
			event.Name = audit.RateLimited
		}
		l.Audit.Record(r.Context(), event)
		httpx.WriteError(w, r, l.Log, err)
		return
	}
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors "+strings.Join(frames, " "))
	h.Set("Content-Type", "text/plain; charset=utf-8")
	l.Audit.Record(r.Context(), audit.Event{Name: audit.SessionEnded, Cause: "front-channel", Count: ended})
	w.WriteHeader(http.StatusOK)
}

func (l *Login) endFramed(r *http.Request, client string) (int, []string, error) {
	if err := l.Failures.Allowed(r.Context(), client, ""); err != nil {
		return 0, nil, err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["iss"]) != 1 || len(query["sid"]) != 1 || query["sid"][0] == "" {
		return 0, nil, errs.New(errs.Invalid, "the logout must name its issuer and one session (iss and sid)")
	}
	c, ok := l.Choices.of(query["iss"][0])
	if !ok {
		return 0, nil, errs.New(errs.Invalid, "this logout is not from an identity provider that is known here")
	}
	provider, frames, err := c.FrontChannel(r.Context(), query["iss"][0])
	if err != nil {
		return 0, nil, err
	}
	ended, err := l.Sessions.EndAll(r.Context(), session.Query{Provider: provider, AtIssuer: query["sid"][0]}, session.All)
	if err == nil && ended == 0 {
		l.Failures.Note(r.Context(), client, "") // looking for a session costs something, and names must not be guessed
	}
	return ended, frames, err
}

// Package login signs people in with a browser: the pages, the state of a sign-in under way, and logout.
package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Provider signs people in at an identity provider.
type Provider interface {
	Start(ctx context.Context, redirect, state, nonce, verifier string) (string, error)
	Finish(ctx context.Context, answer url.Values, redirect, nonce, verifier string) (directory.Login, string, error)
	Logout(ctx context.Context, idToken, returnTo string) string
}

// People stores what a sign-in says.
type People interface {
	RecordLogin(ctx context.Context, login directory.Login) (directory.User, error)
}

// Options are what the login pages are made of.
type Options struct {
	Provider     Provider
	ProviderID   string
	DisplayName  string
	AutoRedirect bool
	RedirectURI  string // empty: computed from the origin
	People       People
	Sessions     *session.Manager
	Keys         *session.Keys
	Origin       *httpx.Origin
	Authenticate func(*http.Request) (*identity.Subject, error)
	Log          *slog.Logger
	Now          func() time.Time
}

// Login serves the pages around signing in.
type Login struct{ Options }

// New makes the login pages.
func New(o Options) *Login { return &Login{o} }

// Mount adds the pages to a mux.
func (l *Login) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", l.page)
	mux.HandleFunc("GET /login/start", l.start)
	mux.HandleFunc("GET /callback", l.callback)
	mux.HandleFunc("GET /logout", l.confirmLogout)
	mux.HandleFunc("POST /logout", l.logout)
	mux.HandleFunc("GET /auth/status", l.status)
}

// state is a sign-in under way. It lives in an encrypted cookie of the browser that began it, so that no other browser can
// finish it and every replica can.
type state struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Next     string    `json:"next"`
	Until    time.Time `json:"until"`
}

const (
	statePurpose = "sign-in state"
	tokenPurpose = "id token"
	statePrefix  = "mlflow_oidc_signin_"
	hostPrefix   = "__Host-"
	stateFor     = 10 * time.Minute
	stateMost    = 5    // sign-ins under way in one browser
	nextMost     = 2048 // bytes of the page to return to: a browser drops a cookie of more than 4096
)

// next gives the page to return to, on this origin and below our prefix alone.
func (l *Login) next(r *http.Request) string {
	to := r.URL.Query().Get("next")
	if len(to) > nextMost {
		to = ""
	}
	return l.Origin.Return(to)
}

// address gives the address of a page of ours on this origin.
func (l *Login) address(page string) string { return l.Origin.Prefix + page }

func (l *Login) page(w http.ResponseWriter, r *http.Request) {
	start := l.address("/login/start?next=" + url.QueryEscape(l.next(r)))
	if l.AutoRedirect {
		http.Redirect(w, r, start, http.StatusSeeOther)
		return
	}
	render(w, http.StatusOK, view{Title: "Sign in to MLflow", Link: start, Label: l.DisplayName})
}

func (l *Login) start(w http.ResponseWriter, r *http.Request) {
	s := state{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(),
		Next: l.next(r), Until: l.Now().Add(stateFor)}
	to, err := l.Provider.Start(r.Context(), l.redirect(r), s.State, s.Nonce, s.Verifier)
	if err == nil {
		err = l.keep(w, r, s)
	}
	if err != nil {
		l.fail(w, r, err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (l *Login) redirect(r *http.Request) string {
	if l.RedirectURI != "" {
		return l.RedirectURI
	}
	return l.Origin.Base(r) + "/callback"
}

func (l *Login) callback(w http.ResponseWriter, r *http.Request) {
	s, err := l.take(w, r)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	login, idToken, err := l.Provider.Finish(r.Context(), r.URL.Query(), l.redirect(r), s.Nonce, s.Verifier)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	user, err := l.People.RecordLogin(r.Context(), login)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	record := session.Record{UserID: user.ID, Provider: login.Identity.Provider, Subject: login.Identity.Subject}
	if idToken != "" {
		if record.SealedToken, err = l.Keys.Seal(tokenPurpose, []byte(idToken)); err != nil {
			l.fail(w, r, err)
			return
		}
	}
	if err := l.Sessions.Start(w, r, record); err != nil {
		l.fail(w, r, err)
		return
	}
	l.Log.InfoContext(r.Context(), "signed in", "user", user.Username, "admin", user.Admin, "client", l.Origin.Client(r))
	l.land(w, r, s.Next)
}

// land leads to the page asked for. A browser keeps a strict cookie back from a redirect that another site began, and so
// the provider's answer would lead to the login page again; from a page of our own it goes on with the cookie.
func (l *Login) land(w http.ResponseWriter, r *http.Request, next string) {
	if l.Sessions.SameSite != http.SameSiteStrictMode {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	w.Header().Set("Refresh", "0; url="+next)
	render(w, http.StatusOK, view{Title: "You are signed in", Link: next, Label: "Go on"})
}

// cookieName gives each sign-in a cookie of its own, so that several tabs can sign in at once. Over TLS the name is one that
// no sibling domain can plant a cookie under (RFC 6265bis §4.1.3.2).
func (l *Login) cookieName(r *http.Request, stateValue string) string {
	sum := sha256.Sum256([]byte(stateValue))
	name := statePrefix + hex.EncodeToString(sum[:8])
	if l.Sessions.Secure(r) {
		return hostPrefix + name
	}
	return name
}

func (l *Login) keep(w http.ResponseWriter, r *http.Request, s state) error {
	plain, err := json.Marshal(s)
	if err != nil {
		return err
	}
	sealed, err := l.Keys.Seal(statePurpose, plain)
	if err != nil {
		return err
	}
	var pending []string // oldest first, as browsers send them (RFC 6265 §5.4)
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(strings.TrimPrefix(cookie.Name, hostPrefix), statePrefix) {
			pending = append(pending, cookie.Name)
		}
	}
	for _, name := range pending[:max(0, len(pending)-stateMost+1)] {
		l.cookie(w, r, name, "", -1)
	}
	l.cookie(w, r, l.cookieName(r, s.State), base64.RawURLEncoding.EncodeToString(sealed), int(stateFor.Seconds()))
	return nil
}

// take finds the sign-in that an answer belongs to, and removes it: it is used once.
func (l *Login) take(w http.ResponseWriter, r *http.Request) (state, error) {
	gone := errs.New(errs.Invalid, "this sign-in has expired, or was begun in another browser; start again")
	given := r.URL.Query()["state"]
	if len(given) != 1 || given[0] == "" {
		return state{}, gone
	}
	cookie, err := r.Cookie(l.cookieName(r, given[0]))
	if err != nil {
		return state{}, gone
	}
	l.cookie(w, r, cookie.Name, "", -1)
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return state{}, gone
	}
	plain, err := l.Keys.Open(statePurpose, sealed)
	if err != nil {
		return state{}, gone
	}
	var s state
	if json.Unmarshal(plain, &s) != nil || s.State != given[0] || l.Now().After(s.Until) {
		return state{}, gone
	}
	return s, nil
}

func (l *Login) cookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: l.Sessions.Secure(r), SameSite: http.SameSiteLaxMode})
}

// confirmLogout asks first: a link on another site must not sign anybody out.
func (l *Login) confirmLogout(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") == "same-origin" || !l.Sessions.Present(r) {
		l.logout(w, r)
		return
	}
	render(w, http.StatusOK, view{Title: "Sign out of MLflow?", Post: l.address("/logout"), Label: "Sign out"})
}

// logout ends the session here first, also when the provider is down, and then at the provider.
func (l *Login) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && !l.Origin.SameOrigin(r) {
		l.fail(w, r, errs.New(errs.Denied, "this request came from another site and was refused"))
		return
	}
	record, err := l.Sessions.End(w, r)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	idToken := ""
	if plain, err := l.Keys.Open(tokenPurpose, record.SealedToken); err == nil {
		idToken = string(plain)
	}
	if record.UserID != 0 {
		if to := l.Provider.Logout(r.Context(), idToken, l.Origin.Base(r)+"/login"); to != "" {
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
	}
	if l.AutoRedirect { // the login page would sign in again at once
		render(w, http.StatusOK, view{Title: "You are signed out", Link: l.address("/login"), Label: "Sign in again"})
		return
	}
	http.Redirect(w, r, l.address("/login"), http.StatusSeeOther)
}

func (l *Login) status(w http.ResponseWriter, r *http.Request) {
	type answer struct {
		Authenticated bool    `json:"authenticated"`
		Username      *string `json:"username"`
		Provider      *string `json:"provider"`
	}
	subject, err := l.Authenticate(r)
	if err != nil && !errs.Is(err, errs.Unauthenticated) {
		httpx.WriteError(w, r, l.Log, err)
		return
	}
	if subject == nil {
		httpx.WriteJSON(w, http.StatusOK, answer{})
		return
	}
	httpx.WriteJSON(w, http.StatusOK, answer{true, &subject.Username, &l.ProviderID})
}

func (l *Login) fail(w http.ResponseWriter, r *http.Request, err error) {
	l.Log.WarnContext(r.Context(), "sign-in failed", "path", r.URL.Path, "client", l.Origin.Client(r), "error", err)
	message := "Something went wrong; the server's log says more."
	var coded *errs.Error
	if errors.As(err, &coded) && coded.Code != errs.Internal {
		message = coded.Message
	}
	render(w, httpx.Status(err), view{Title: "You are not signed in", Message: message, Link: l.address("/login"), Label: "Back to the sign-in page"})
}

func random() string {
	bytes := make([]byte, 32)
	_, _ = rand.Read(bytes) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(bytes)
}

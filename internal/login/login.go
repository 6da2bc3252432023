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
	"html/template"
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
	stateFor     = 10 * time.Minute
	stateMost    = 5 // sign-ins under way in one browser
)

func (l *Login) page(w http.ResponseWriter, r *http.Request) {
	next := httpx.LocalPath(r.URL.Query().Get("next"))
	if l.AutoRedirect {
		http.Redirect(w, r, "/login/start?next="+url.QueryEscape(next), http.StatusSeeOther)
		return
	}
	render(w, http.StatusOK, view{Title: "Sign in to MLflow", Link: "/login/start?next=" + url.QueryEscape(next), Label: l.DisplayName})
}

func (l *Login) start(w http.ResponseWriter, r *http.Request) {
	s := state{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(),
		Next: httpx.LocalPath(r.URL.Query().Get("next")), Until: l.Now().Add(stateFor)}
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
	return l.Origin.Of(r) + "/callback"
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
	http.Redirect(w, r, s.Next, http.StatusSeeOther)
}

func cookieName(stateValue string) string {
	sum := sha256.Sum256([]byte(stateValue))
	return statePrefix + hex.EncodeToString(sum[:8])
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
	var kept int
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, statePrefix) {
			if kept++; kept >= stateMost {
				l.cookie(w, r, cookie.Name, "", -1)
			}
		}
	}
	l.cookie(w, r, cookieName(s.State), base64.RawURLEncoding.EncodeToString(sealed), int(stateFor.Seconds()))
	return nil
}

// take finds the sign-in that an answer belongs to, and removes it: it is used once.
func (l *Login) take(w http.ResponseWriter, r *http.Request) (state, error) {
	gone := errs.New(errs.Invalid, "this sign-in has expired, or was begun in another browser; start again")
	given := r.URL.Query()["state"]
	if len(given) != 1 || given[0] == "" {
		return state{}, gone
	}
	cookie, err := r.Cookie(cookieName(given[0]))
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
	render(w, http.StatusOK, view{Title: "Sign out of MLflow?", Post: "/logout", Label: "Sign out"})
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
		if to := l.Provider.Logout(r.Context(), idToken, l.Origin.Of(r)+"/login"); to != "" {
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
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
	render(w, httpx.Status(err), view{Title: "You are not signed in", Message: message, Link: "/login", Label: "Back to the sign-in page"})
}

func random() string {
	bytes := make([]byte, 32)
	_, _ = rand.Read(bytes) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(bytes)
}

type view struct{ Title, Message, Link, Post, Label string }

const style = `body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center;background:#f4f6f8;color:#11171c}` +
	`main{background:#fff;padding:2.5rem;border-radius:12px;max-width:26rem;box-shadow:0 1px 8px #0002;text-align:center}` +
	`a.button,button{display:inline-block;font:inherit;background:#0e538b;color:#fff;padding:.7rem 1.4rem;border:0;border-radius:6px;text-decoration:none;cursor:pointer}` +
	`@media(prefers-color-scheme:dark){body{background:#11171c;color:#e8ecf0}main{background:#1f272d}}`

var page = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8">` +
	`<meta name="viewport" content="width=device-width,initial-scale=1"><title>{{.Title}}</title><style>` + style + `</style></head>` +
	`<body><main><h1>{{.Title}}</h1>{{with .Message}}<p role="alert">{{.}}</p>{{end}}` +
	`{{if .Link}}<p><a class="button" href="{{.Link}}">{{.Label}}</a></p>{{end}}` +
	`{{if .Post}}<form method="post" action="{{.Post}}"><button>{{.Label}}</button></form>{{end}}</main></body></html>`))

var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'"
}()

func render(w http.ResponseWriter, status int, v view) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_ = page.Execute(w, v)
}

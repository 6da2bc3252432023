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

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Provider signs people in at an identity provider.
type Provider interface {
	Start(ctx context.Context, ask directory.SignIn) (string, error)
	Finish(ctx context.Context, answer url.Values, ask directory.SignIn) (directory.Login, directory.Tokens, error)
	Try(ctx context.Context, answer url.Values, ask directory.SignIn) directory.Heard
	Refresh(ctx context.Context, before directory.Tokens) (directory.Login, directory.Tokens, error)
	Logout(ctx context.Context, idToken, returnTo, state string) string
	LogoutToken(ctx context.Context, raw string) (directory.Logout, error)
	FrontChannel(ctx context.Context, issuer string) (provider string, frames []string, err error)
	Names(provider string) bool // tells whether identities of this name are the provider's
}

// People stores what a sign-in says.
type People interface {
	RecordLogin(ctx context.Context, login directory.Login) (directory.User, error)
	ConfirmLogin(ctx context.Context, login directory.Login) (directory.User, error)
}

// Failures bounds what one address may try in vain.
type Failures interface {
	Allowed(ctx context.Context, client, account string) error
	Note(ctx context.Context, client, account string)
}

// Options are what the login pages are made of.
type Options struct {
	Choices      Choices
	AutoRedirect bool   // to the one provider, where there is one alone
	Landing      string // the page of whoever asks for none; empty: the first one
	People       People
	Sessions     *session.Manager
	Keys         *session.Keys
	Renewal      *Renewal // nil: sessions do not follow the provider
	Failures     Failures // of logouts that the provider did not send
	Origin       *httpx.Origin
	Authenticate func(*http.Request) (*identity.Subject, error)
	Judge        Judge                            // of trials
	Ended        func(provider string, err error) // is told how each sign-in ended, nil for a session; nil: nobody is
	Audit        audit.Recorder
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
	mux.HandleFunc("GET /login/{provider}", l.start)
	mux.HandleFunc("GET /providers", l.providers)
	mux.HandleFunc("GET /callback", l.callback)
	mux.HandleFunc("GET /callback/{provider}", l.callback)
	mux.HandleFunc("GET /logout", l.confirmLogout)
	mux.HandleFunc("POST /logout", l.logout)
	mux.HandleFunc("POST /backchannel-logout", l.backchannel)
	mux.HandleFunc("GET /frontchannel-logout", l.frontchannel)
	mux.HandleFunc("GET /auth/status", l.status)
}

// state is a sign-in under way. It lives in an encrypted cookie of the browser that began it, so that no other browser can
// finish it and every replica can.
type state struct {
	Provider string    `json:"provider"` // its id: nobody else's answer is taken for one of it
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Next     string    `json:"next"`
	Until    time.Time `json:"until"`
	Since    time.Time `json:"since,omitzero"`  // see directory.SignIn
	Trial    string    `json:"trial,omitempty"` // the session that began it as a trial, of which nothing comes; "" of a sign-in
}

func (s state) ask(redirect string) directory.SignIn {
	return directory.SignIn{Redirect: redirect, State: s.State, Nonce: s.Nonce, Verifier: s.Verifier, Since: s.Since, Trial: s.Trial != ""}
}

const (
	statePurpose = "sign-in state"
	tokenPurpose = "id token"
	againPurpose = "refresh token"
	statePrefix  = "mlflow_oidc_signin_"
	stateFor     = 10 * time.Minute
	stateKept    = time.Hour // by the browser: who comes too late is told so, and still comes to the page asked for
	stateMost    = 5         // sign-ins under way in one browser
	nextMost     = 2048      // bytes of the page to return to: a browser drops a cookie of more than 4096
)

// next gives the page to return to, on this origin and below our prefix alone.
func (l *Login) next(r *http.Request) string {
	to := r.URL.Query().Get("next")
	if to == "" && l.Landing != "" {
		return l.address(l.Landing)
	}
	if len(to) > nextMost {
		to = ""
	}
	return l.Origin.Return(to)
}

// address gives the address of a page of ours on this origin.
func (l *Login) address(page string) string { return l.Origin.Prefix + page }

func (l *Login) page(w http.ResponseWriter, r *http.Request) {
	v := l.choices(r)
	if l.signedOut(w, r) {
		l.farewell(w, "You are signed out of MLflow, and at your identity provider.")
		return
	}
	if l.atOnce() {
		http.Redirect(w, r, v.Choices[0].Address, http.StatusSeeOther)
		return
	}
	var said *errs.Error
	if _, _, err := l.Sessions.Load(r); errors.As(err, &said) && (errors.Is(err, session.ErrNotFound) || said.Code == errs.Invalid) {
		v.Message = sentence(said.Message) // such as that one is in none of the groups any more
	}
	render(w, http.StatusOK, v)
}

// choices is the page on which one chooses where to sign in.
func (l *Login) choices(r *http.Request) view {
	v := view{Title: "Sign in to MLflow", Do: "You need an account to see the experiments, models and data that are kept here."}
	if l.next(r) != l.Origin.Return("") {
		v.Hint = "You will then come to the page that you asked for."
	}
	if len(l.Choices) == 0 {
		v.Do, v.Hint = "Nobody can sign in here with a browser, because no identity provider is set up.", ""
		v.Admin = "Set OIDC_DISCOVERY_URL, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET, or OIDC_PROVIDERS_FILE. Programs can use access tokens meanwhile."
	}
	for _, c := range l.Choices {
		to := l.startAt(c.ID, l.next(r))
		if fresh(r) {
			to += "&fresh=1"
		}
		v.Choices = append(v.Choices, link{to, c.DisplayName})
	}
	return v
}

// fresh tells whether the person is to show the provider anew who they are.
func fresh(r *http.Request) bool { return r.URL.Query().Get("fresh") == "1" }

// atOnce tells whether the sign-in page leads on by itself.
func (l *Login) atOnce() bool { return l.AutoRedirect && len(l.Choices) == 1 }

// startAt gives the page of ours from which a sign-in at a provider goes.
func (l *Login) startAt(provider, next string) string {
	if len(l.Choices) == 1 {
		provider = "start"
	}
	return l.address("/login/" + url.PathEscape(provider) + "?next=" + url.QueryEscape(next))
}

func (l *Login) start(w http.ResponseWriter, r *http.Request) {
	c, ok := l.Choices.chosen(r.PathValue("provider"))
	if !ok && r.PathValue("provider") == "" { // /login/start cannot know which one
		http.Redirect(w, r, l.address("/login?next="+url.QueryEscape(l.next(r))), http.StatusSeeOther)
		return
	}
	if !ok {
		missing := errs.New(errs.NotFound, "there is no such identity provider")
		if !httpx.Navigation(r) {
			httpx.WriteError(w, r, l.Log, missing)
			return
		}
		l.notSignedIn(w, r, state{Next: l.next(r)}, "", missing)
		return
	}
	s := state{Provider: c.ID, State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(),
		Next: l.next(r), Until: l.Now().Add(stateFor)}
	if fresh(r) {
		s.Since = l.Now().UTC()
	}
	ask := s.ask(l.redirect(r, c))
	ask.Other = r.URL.Query().Get("other") == "1"
	to, err := c.Start(r.Context(), ask)
	if err == nil {
		err = l.keep(w, r, s)
	}
	if err != nil {
		l.ended(s, err)
		l.fail(w, r, s, err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// ended tells how a sign-in ended.
func (l *Login) ended(s state, err error) {
	if l.Ended != nil && s.Trial == "" {
		l.Ended(s.Provider, err)
	}
}

// providers lists where one can sign in, for whoever makes a page of it.
func (l *Login) providers(w http.ResponseWriter, _ *http.Request) {
	type provider struct {
		ID          string `json:"id"`
		DisplayName string `json:"display_name"`
		Type        string `json:"type"`
		LoginURL    string `json:"login_url"`
	}
	all := []provider{}
	for _, c := range l.Choices {
		all = append(all, provider{c.ID, c.DisplayName, c.Type, l.address("/login/" + url.PathEscape(c.ID))})
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"providers": all})
}

func (l *Login) redirect(r *http.Request, c Choice) string {
	if c.RedirectURI != "" {
		return c.RedirectURI
	}
	return l.Origin.Base(r) + c.Callback
}

// asked gives the provider of a sign-in, if its answer came to that one's page: each has its own, so that no provider's answer
// can be passed off as another's (mix-up, RFC 9700 §4.4.2).
func (l *Login) asked(r *http.Request, s state) (Choice, error) {
	c, ok := l.Choices.chosen(s.Provider)
	at := "/callback"
	if id := r.PathValue("provider"); id != "" {
		at += "/" + id
	}
	if !ok || s.Provider == "" || c.Callback != at {
		return c, errs.New(errs.Unauthenticated, "the answer is not from the identity provider that was asked; start again")
	}
	return c, nil
}

func (l *Login) callback(w http.ResponseWriter, r *http.Request) {
	s, err := l.take(w, r)
	if err != nil {
		l.refuse(w, r, s, audit.Event{Provider: s.Provider}, err)
		return
	}
	c, err := l.asked(r, s)
	about := audit.Event{Provider: s.Provider}
	if err != nil {
		l.refuse(w, r, s, about, err)
		return
	}
	if s.Trial != "" {
		l.tried(w, r, s, c)
		return
	}
	login, tokens, err := c.Finish(r.Context(), r.URL.Query(), s.ask(l.redirect(r, c)))
	about.Subject, about.Account = login.Identity.Subject, login.Username // also of who may not sign in, once it is verified who that is
	if err != nil {
		l.refuse(w, r, s, about, err)
		return
	}
	user, err := l.People.RecordLogin(r.Context(), login)
	if err != nil {
		l.refuse(w, r, s, about, err)
		return
	}
	record := session.Record{UserID: user.ID, Provider: login.Identity.Provider, Subject: login.Identity.Subject,
		AtIssuer: tokens.Session, IssuedAt: tokens.IssuedAt, ShownAt: tokens.ShownAt, Client: l.Origin.Client(r)}
	if record, err = l.sealed(r.Context(), record, tokens); err == nil {
		err = l.Sessions.Start(w, r, record)
	}
	if err != nil {
		l.refuse(w, r, s, about, err)
		return
	}
	l.ended(s, nil)
	about.Name, about.Account, about.UserID = audit.SignedIn, user.Username, user.ID
	l.Audit.Record(r.Context(), about)
	about.Name = audit.SessionMade
	l.Audit.Record(r.Context(), about)
	l.land(w, r, s.Next)
}

// sealed puts the tokens that are needed later into a record.
func (l *Login) sealed(ctx context.Context, record session.Record, tokens directory.Tokens) (session.Record, error) {
	if l.Renewal != nil {
		return l.Renewal.sealed(ctx, record, tokens)
	}
	var err error
	if tokens.ID != "" {
		record.SealedToken, err = l.Keys.Seal(tokenPurpose, []byte(tokens.ID))
	}
	return record, err
}

// land leads to the page asked for. A browser keeps a strict cookie back from a redirect that another site began, and so
// the provider's answer would lead to the login page again; from a page of our own it goes on with the cookie.
func (l *Login) land(w http.ResponseWriter, r *http.Request, next string) {
	if l.Sessions.SameSite != http.SameSiteStrictMode {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	w.Header().Set("Refresh", "0; url="+next)
	render(w, http.StatusOK, view{Title: "You are signed in", Choices: []link{{next, "Go on"}}})
}

// cookieName gives each sign-in a cookie of its own, so that several tabs can sign in at once. Over TLS the name is one that
// no sibling domain can plant a cookie under (RFC 6265bis §4.1.3.2).
func (l *Login) cookieName(r *http.Request, stateValue string) string {
	sum := sha256.Sum256([]byte(stateValue))
	return l.hostOnly(r, statePrefix+hex.EncodeToString(sum[:8]))
}

func (l *Login) hostOnly(r *http.Request, name string) string {
	if l.Sessions.Secure(r) {
		return session.HostPrefix + name
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
		if strings.HasPrefix(strings.TrimPrefix(cookie.Name, session.HostPrefix), statePrefix) {
			pending = append(pending, cookie.Name)
		}
	}
	for _, name := range pending[:max(0, len(pending)-stateMost+1)] {
		l.cookie(w, r, name, "", -1)
	}
	l.cookie(w, r, l.cookieName(r, s.State), base64.RawURLEncoding.EncodeToString(sealed), int(stateKept.Seconds()))
	return nil
}

// take finds the sign-in that an answer belongs to, and removes it: it is used once. With an error it is one that nobody may go on with,
// and says at most where it was to lead.
func (l *Login) take(w http.ResponseWriter, r *http.Request) (state, error) {
	gone := errs.New(errs.Invalid, "this sign-in has expired, or was begun in another browser; start again").Because(errs.SignInGone)
	given := r.URL.Query()["state"]
	if len(given) != 1 || given[0] == "" {
		return state{}, gone
	}
	cookie, err := r.Cookie(l.cookieName(r, given[0]))
	if err != nil && len(r.Cookies()) == 0 {
		return state{}, gone.Because(errs.NoCookie)
	}
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
	if json.Unmarshal(plain, &s) != nil || s.State != given[0] {
		return state{}, gone
	}
	if l.Now().After(s.Until) {
		return s, gone.Because(errs.SignInExpired)
	}
	return s, nil
}

func (l *Login) cookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: l.Sessions.Secure(r), SameSite: http.SameSiteLaxMode})
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
	says := answer{Authenticated: true, Username: &subject.Username}
	if subject.Credential == identity.Session {
		if record, _, err := l.Sessions.Load(r); err == nil {
			if c, ok := l.Choices.of(record.Provider); ok {
				says.Provider = &c.DisplayName
			}
		}
	} else if c, ok := l.Choices.chosen(""); ok {
		says.Provider = &c.DisplayName
	}
	httpx.WriteJSON(w, http.StatusOK, says)
}

// refuse answers a sign-in that ends without a session.
func (l *Login) refuse(w http.ResponseWriter, r *http.Request, s state, about audit.Event, err error) {
	l.ended(s, err)
	about.Name, about.Reason = audit.SignInRefused, err.Error()
	l.Audit.Record(r.Context(), about)
	l.notSignedIn(w, r, s, about.Account, err)
}

func (l *Login) fail(w http.ResponseWriter, r *http.Request, s state, err error) {
	l.Log.WarnContext(r.Context(), "a page of signing in or out failed", "path", r.URL.Path, "client", l.Origin.Client(r), "request", w.Header().Get(httpx.RequestID), "error", err)
	l.notSignedIn(w, r, s, "", err)
}

func random() string {
	bytes := make([]byte, 32)
	_, _ = rand.Read(bytes) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(bytes)
}

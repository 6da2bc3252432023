package login_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login/oidc"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/filesystem"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/storetest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// world is all that signing in needs, the true parts of it: provider, users database, sessions, and the pages.
type world struct {
	t        *testing.T
	idp      *devidp.Provider
	idpURL   string
	idpClock *sessiontest.Clock
	idpDown  atomic.Bool
	front    func(http.Handler) http.Handler // stands before the provider; nil: nothing
	clock    *sessiontest.Clock
	db       *store.DB
	dir      string                          // of the sessions
	kept     session.Store                   // nil: they are in the folder
	confirms func(login.People) login.People // what renewals see of the users database; nil: itself
	gateway  *httptest.Server
	handler  atomic.Pointer[http.Handler]
	settings config.OIDC
	others   []login.Choice // beside the provider
	secrets  []string
	sameSite http.SameSite
	landing  string // see login.Options
}

var (
	ann   = devidp.Person{Subject: "s-ann", Username: "ann", Email: "Ann@Example.com", Name: "Ann Lee", Groups: []string{"mlflow", "red"}}
	root  = devidp.Person{Subject: "s-root", Username: "root", Email: "root@example.com", Name: "Root", Groups: []string{"mlflow-admin"}}
	guest = devidp.Person{Subject: "s-guest", Username: "guest", Email: "guest@example.com", Name: "Guest", Groups: []string{"others"}}
)

func newWorld(t *testing.T, change func(*world)) *world {
	t.Helper()
	return serveWorld(t, httptest.NewServer, change)
}

func serveWorld(t *testing.T, serve func(http.Handler) *httptest.Server, change func(*world)) *world {
	t.Helper()
	w := &world{t: t, clock: sessiontest.NewClock(), idpClock: sessiontest.NewClock(), dir: filepath.Join(t.TempDir(), "sessions"),
		secrets: []string{"the-first-secret-key"}, sameSite: http.SameSiteLaxMode}
	w.gateway = serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*w.handler.Load()).ServeHTTP(rw, r) }))
	t.Cleanup(w.gateway.Close)
	var provider http.Handler
	idpServer := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.idpDown.Load() {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		if w.front != nil {
			w.front(provider).ServeHTTP(rw, r)
			return
		}
		provider.ServeHTTP(rw, r)
	}))
	t.Cleanup(idpServer.Close)
	w.idpURL = idpServer.URL
	var err error
	w.idp, err = devidp.New(devidp.Options{Issuer: w.idpURL, ClientID: "gateway", ClientSecret: "client-secret",
		RedirectURIs: []string{w.gateway.URL + "/callback"}, People: []devidp.Person{ann, root, guest}, Now: w.idpClock.Now, Key: key()})
	w.must(err)
	provider = w.idp.Handler()
	db, err := store.Connect(t.Context(), store.Options{Address: storetest.Ready(t)})
	w.must(err)
	t.Cleanup(func() { _ = db.Close() })
	w.db = db
	w.settings = config.OIDC{DiscoveryURL: w.idpURL + "/.well-known/openid-configuration", ClientID: "gateway", ClientSecret: "client-secret",
		Scopes: []string{"openid", "email", "profile"}, DisplayName: "Sign in with <Example>", Groups: []string{"mlflow"},
		AdminGroups: []string{"mlflow-admin"}, GroupsClaim: "groups", UsernameClaims: []string{"email", "preferred_username"},
		NameClaims: []string{"name"}, VerifyTLS: true, HTTPTimeout: 5 * time.Second}
	if change != nil {
		change(w)
	}
	w.restart()
	return w
}

// key is the first signing key of all providers here: making one takes longer than a test.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// withoutDiscovery takes the identity from the user-info endpoint.
func withoutDiscovery(w *world) {
	w.settings.DiscoveryURL = ""
	w.settings.AuthorizationURL, w.settings.TokenURL, w.settings.UserURL = w.idpURL+"/authorize", w.idpURL+"/token", w.idpURL+"/userinfo"
}

// restart begins anew with what is on disk alone.
func (w *world) restart() {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	kept := w.kept
	if kept == nil {
		files, err := filesystem.Open(w.dir, "p:", log, w.clock.Now)
		w.must(err)
		w.t.Cleanup(func() { _ = files.Close() })
		kept = files
	}
	origin := &httpx.Origin{}
	keys, err := session.NewKeys(w.secrets)
	w.must(err)
	provider := oidc.New(w.settings, w.clock.Now)
	choices := append(login.Choices{{Provider: provider, ID: config.Single, Type: "oidc", DisplayName: w.settings.DisplayName,
		RedirectURI: w.settings.RedirectURI, Callback: w.settings.Callback()}}, w.others...)
	options := session.Options{Store: kept, Log: log, CookieName: "session", Lifetime: time.Hour, MaxAge: 24 * time.Hour,
		SameSite: w.sameSite, Secure: origin.TLS, Now: w.clock.Now}
	var renewal *login.Renewal
	if w.settings.Refresh {
		people := login.People(w.db)
		if w.confirms != nil {
			people = w.confirms(people)
		}
		renewal = &login.Renewal{Choices: choices, People: people, Keys: keys, Leeway: w.settings.RefreshLeeway, Audit: audit.NewLog(log), Log: log, Now: w.clock.Now}
		options.Renewer = renewal
	}
	sessions, err := session.NewManager(options)
	w.must(err)
	people, err := directory.NewCache(w.db, authz.DefaultOrder())
	w.must(err)
	counter, err := limit.NewMemory(1000, w.clock.Now)
	w.must(err)
	auth, err := token.New(token.Options{Sessions: sessions, People: people, Verifier: provider, Audit: audit.NewLog(log), Failures: limit.NewFailures(counter, nil, log, w.clock.Now), Client: origin.Client, Now: w.clock.Now})
	w.must(err)
	mux := http.NewServeMux()
	in := login.New(login.Options{Choices: choices, AutoRedirect: w.settings.AutoRedirect, Landing: w.landing, People: w.db, Sessions: sessions, Keys: keys, Origin: origin, Authenticate: auth.Authenticate,
		Renewal: renewal, Audit: audit.NewLog(log), Failures: limit.NewFailures(counter, nil, log, w.clock.Now),
		Log: log, Now: w.clock.Now})
	in.Mount(mux)
	w.mountTrials(mux, in, auth)
	mux.HandleFunc("GET /whoami", func(rw http.ResponseWriter, r *http.Request) {
		subject, err := auth.Authenticate(r)
		if err != nil || subject == nil {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(rw, "%s admin=%v", subject.Username, subject.Admin)
	})
	handler := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set(httpx.RequestID, "request-7")
		mux.ServeHTTP(rw, r)
	}))
	w.handler.Store(&handler)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// people gives the stored users by name.
func (w *world) people() map[string]directory.User {
	w.t.Helper()
	users, err := w.db.Users(w.t.Context(), false)
	w.must(err)
	all := map[string]directory.User{}
	for _, u := range users {
		all[u.Username] = u
	}
	return all
}

func (w *world) groups(username string) []string {
	w.t.Helper()
	groups, err := w.db.GroupsOf(w.t.Context(), w.people()[username].ID)
	w.must(err)
	var names []string
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names
}

// sessionFiles counts the sessions in the store.
func (w *world) sessionFiles() int {
	w.t.Helper()
	names, err := filepath.Glob(filepath.Join(w.dir, "p_*.json"))
	w.must(err)
	return len(names)
}

// nobody checks that a refused sign-in left nothing behind.
func (w *world) nobody(b *browser) {
	w.t.Helper()
	if people := w.people(); len(people) != 0 {
		w.t.Errorf("stored people %v", people)
	}
	if n := w.sessionFiles(); n != 0 {
		w.t.Errorf("%d sessions were made", n)
	}
	if c := b.cookie("session"); c != "" {
		w.t.Error("the browser got a session cookie")
	}
}

// browser is a browser with its cookies, which follows no redirect by itself.
type browser struct {
	world  *world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, _ := cookiejar.New(nil) // fails never
	return &browser{w, &http.Client{Jar: jar, Transport: w.gateway.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is an answer whose body was read.
type answer struct {
	*http.Response
	body string
}

// leads gives where a redirect leads, "" for none.
func (a answer) leads() string { return a.Header.Get("Location") }

func (b *browser) do(method, address, form string, headers ...string) answer {
	b.world.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(form))
	b.world.must(err)
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := b.client.Do(r)
	b.world.must(err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	b.world.must(err)
	return answer{got, string(body)}
}

// get asks the gateway for a page.
func (b *browser) get(path string, headers ...string) answer {
	b.world.t.Helper()
	return b.do("GET", b.world.gateway.URL+path, "", headers...)
}

// begin starts a sign-in and gives the address at the provider.
func (b *browser) begin(next string) string {
	b.world.t.Helper()
	got := b.get("/login/start?next=" + url.QueryEscape(next))
	if got.StatusCode != http.StatusSeeOther {
		b.world.t.Fatalf("the sign-in did not start: %d %s", got.StatusCode, got.body)
	}
	return got.leads()
}

// choose says at the provider who one is, and gives the address that the provider leads back to.
func (b *browser) choose(at, subject string) string {
	b.world.t.Helper()
	got := b.do("POST", at, "person="+url.QueryEscape(subject))
	if !strings.HasPrefix(got.leads(), b.world.gateway.URL+"/callback?") {
		b.world.t.Fatalf("the provider leads to %q: %s", got.leads(), got.body)
	}
	return got.leads()
}

// signIn goes the whole way, and gives the answer to the callback.
func (b *browser) signIn(subject string) answer {
	b.world.t.Helper()
	return b.do("GET", b.choose(b.begin("/whoami"), subject), "")
}

// mustSignIn signs in and fails the test when that does not work.
func (b *browser) mustSignIn(subject string) {
	b.world.t.Helper()
	if got := b.signIn(subject); got.StatusCode != http.StatusSeeOther || got.leads() != "/whoami" {
		b.world.t.Fatalf("signing in as %s gave %d %s", subject, got.StatusCode, got.body)
	}
}

// whoami gives whom the gateway takes the browser for, "" for nobody.
func (b *browser) whoami() string {
	b.world.t.Helper()
	got := b.get("/whoami")
	if got.StatusCode == http.StatusUnauthorized {
		return ""
	}
	return got.body
}

func (b *browser) home() *url.URL {
	u, err := url.Parse(b.world.gateway.URL)
	b.world.must(err)
	return u
}

// cookie gives the value of the first cookie whose name has the prefix.
func (b *browser) cookie(prefix string) string {
	for _, c := range b.client.Jar.Cookies(b.home()) {
		if strings.HasPrefix(c.Name, prefix) {
			return c.Value
		}
	}
	return ""
}

// refused checks for a page that says why, and for its words.
func (b *browser) refused(got answer, status int, words string) {
	b.world.t.Helper()
	if got.StatusCode != status || !strings.Contains(got.body, words) {
		b.world.t.Errorf("got %d, want %d with %q: %s", got.StatusCode, status, words, got.body)
	}
	if got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		b.world.t.Errorf("the refusal is no page but %q", got.Header.Get("Content-Type"))
	}
}

func status(t *testing.T, b *browser) map[string]any {
	t.Helper()
	var says map[string]any
	got := b.get("/auth/status")
	if err := json.Unmarshal([]byte(got.body), &says); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", got.StatusCode, got.body, err)
	}
	return says
}

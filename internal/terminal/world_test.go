package terminal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
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
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login/oidc"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/terminal"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// world is two replicas of the authorization server over one users database. Whoever is named by the header As is signed in
// with a browser; tokens are looked up as ever.
type world struct {
	t     *testing.T
	clock *sessiontest.Clock
	db    *store.DB
	path  string
	log   *record
	at    [2]*httptest.Server
	turn  atomic.Int64 // the replicas answer by turns
	auth  *token.Authenticator
	idp   *devidp.Provider // whose tokens are exchanged, for the people of the world
}

// issuer starts the provider, and gives who verifies its tokens.
func (w *world) issuer() *oidc.Provider {
	w.t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	w.t.Cleanup(server.Close)
	var err error
	w.idp, err = devidp.New(devidp.Options{Issuer: server.URL, ClientID: "me", ClientSecret: "x", Now: w.clock.Now, Key: key()})
	w.must(err)
	handler = w.idp.Handler()
	return oidc.New(config.OIDC{DiscoveryURL: server.URL, ClientID: "me", HTTPTimeout: 10 * time.Second, VerifyTLS: true}, w.clock.Now)
}

var key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// record keeps what is logged.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(line)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

type noSessions struct{}

func (noSessions) Load(*http.Request) (session.Record, session.Key, error) {
	return session.Record{}, "", nil
}

const (
	lifetime = 12 * time.Hour
	login    = 30 * 24 * time.Hour
	wrong    = 5 // user codes a minute
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: sessiontest.NewClock(), path: filepath.Join(t.TempDir(), "auth.db"), log: &record{}}
	keys, err := session.NewKeys([]string{"the-first-secret-key"})
	w.must(err)
	issuer := w.issuer()
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for i := range w.at {
		db, err := store.Open(t.Context(), w.path)
		w.must(err)
		t.Cleanup(func() { _ = db.Close() })
		w.db = db
		counter, err := limit.NewMemory(wrong, w.clock.Now)
		w.must(err)
		failures := limit.NewFailures(counter, nil, log, w.clock.Now)
		people, err := directory.NewCache(db, authz.DefaultOrder()) // nobody watches, and so it asks the database each time
		w.must(err)
		origin := &httpx.Origin{}
		w.auth, err = token.New(token.Options{Sessions: noSessions{}, People: people, Verifier: issuer, Recorder: db, Failures: failures, Uses: token.NewUses(db, log, w.clock.Now),
			Client: origin.Client, Audit: audit.NewLog(log), Log: log, Now: w.clock.Now})
		w.must(err)
		mux := http.NewServeMux()
		terminal.New(terminal.Options{Store: db, Sealer: keys, Failures: failures, Origin: origin, Authenticate: w.authenticate(db, w.auth),
			Prove: w.auth.Prove, ExchangeFor: time.Hour, TokenLifetime: lifetime, Lifetime: login, Audit: audit.NewLog(log), Log: log, Now: w.clock.Now}).Mount(mux)
		w.at[i] = httptest.NewServer(mux)
		t.Cleanup(w.at[i].Close)
	}
	for _, name := range []string{"ann", "bob"} {
		_, err := w.db.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: w.idp.Issuer, Subject: name}, Username: name})
		w.must(err)
	}
	return w
}

func (w *world) authenticate(db *store.DB, auth *token.Authenticator) func(*http.Request) (*identity.Subject, error) {
	return func(r *http.Request) (*identity.Subject, error) {
		name := r.Header.Get("As")
		if name == "" || r.Header.Get("Authorization") != "" {
			return auth.Authenticate(r)
		}
		user, err := db.User(r.Context(), name)
		return token.Subject(user, identity.Session), err
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// answer is an answer whose body was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// says gives the JSON of an answer.
func (a answer) says() map[string]any {
	says := map[string]any{}
	_ = json.Unmarshal([]byte(a.body), &says)
	return says
}

func (a answer) text(name string) string { text, _ := a.says()[name].(string); return text }

func (w *world) do(method, path, form string, headers ...string) answer {
	w.t.Helper()
	base := w.at[w.turn.Add(1)%2].URL
	r, err := http.NewRequestWithContext(context.Background(), method, base+path, strings.NewReader(form))
	w.must(err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", base)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := http.DefaultTransport.RoundTrip(r)
	w.must(err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	w.must(err)
	return answer{got.StatusCode, got.Header, string(body)}
}

// post sends fields, in pairs, with the client's id.
func (w *world) post(path string, fields ...string) answer {
	w.t.Helper()
	form := url.Values{"client_id": {terminal.ClientID}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return w.do(http.MethodPost, path, form.Encode())
}

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	callback    = "http://127.0.0.1:41234/callback"
	verifier    = "the-verifier-of-the-program-0123456789-0123456789"
)

// ask begins the device flow.
func (w *world) ask(fields ...string) (device, user string) {
	w.t.Helper()
	got := w.post("/oauth/device_authorization", fields...)
	if got.status != http.StatusOK {
		w.t.Fatalf("%d %s", got.status, got.body)
	}
	return got.text("device_code"), got.text("user_code")
}

func (w *world) poll(device string) answer {
	w.t.Helper()
	return w.post("/oauth/token", "grant_type", deviceGrant, "device_code", device)
}

func (w *world) refresh(with string) answer {
	w.t.Helper()
	return w.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", with)
}

var hidden = regexp.MustCompile(`name="ticket" value="([^"]*)"`)

// question asks for a page as somebody, and gives what its form holds.
func (w *world) question(as, path string) (answer, string) {
	w.t.Helper()
	got := w.do(http.MethodGet, path, "", "As", as)
	found := hidden.FindStringSubmatch(got.body)
	if found == nil {
		return got, ""
	}
	return got, found[1]
}

// reply answers a page's question as somebody.
func (w *world) reply(as, path, ticket, with string, headers ...string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, path, url.Values{"ticket": {ticket}, "answer": {with}}.Encode(), append([]string{"As", as}, headers...)...)
}

// approve goes the person's way with a user code.
func (w *world) approve(as, user string) {
	w.t.Helper()
	_, ticket := w.question(as, "/oauth/device?user_code="+user)
	if got := w.reply(as, "/oauth/device", ticket, "approve"); got.status != http.StatusOK {
		w.t.Fatalf("%d %s", got.status, got.body)
	}
}

// signIn goes the whole way of the device flow, and gives the answer with the tokens.
func (w *world) signIn(as string, fields ...string) answer {
	w.t.Helper()
	device, user := w.ask(fields...)
	w.approve(as, user)
	got := w.poll(device)
	if got.status != http.StatusOK {
		w.t.Fatalf("%d %s", got.status, got.body)
	}
	return got
}

// authorizeQuery is what a program opens the browser with; pairs replace its fields, and remove them where they are empty.
func authorizeQuery(fields ...string) string {
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{"client_id": {terminal.ClientID}, "response_type": {"code"}, "redirect_uri": {callback}, "state": {"s"}, "client_name": {"laptop"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(fields); i += 2 {
		query.Set(fields[i], fields[i+1])
		if fields[i+1] == "" {
			query.Del(fields[i])
		}
	}
	return "/oauth/authorize?" + query.Encode()
}

// code goes the person's way of the browser's flow, and gives where the browser is led.
func (w *world) code(as string) url.Values {
	w.t.Helper()
	_, ticket := w.question(as, authorizeQuery())
	got := w.reply(as, "/oauth/authorize", ticket, "approve")
	to, err := url.Parse(got.header.Get("Location"))
	w.must(err)
	if got.status != http.StatusSeeOther || to.Scheme+"://"+to.Host+to.Path != callback {
		w.t.Fatalf("%d to %s: %s", got.status, to, got.body)
	}
	return to.Query()
}

func (w *world) redeem(code, redirect, verifier string) answer {
	w.t.Helper()
	return w.post("/oauth/token", "grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier)
}

// whose gives whom a token is for; nil for nobody.
func (w *world) whose(secret string) *identity.Subject {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	subject, err := w.auth.Authenticate(r)
	if err != nil {
		return nil
	}
	return subject
}

func (w *world) tokens(of string) []directory.Token {
	w.t.Helper()
	user, err := w.db.User(w.t.Context(), of)
	w.must(err)
	tokens, err := w.db.Tokens(w.t.Context(), user.ID)
	w.must(err)
	return tokens
}

// refused checks for an answer of OAuth.
func refused(t *testing.T, got answer, code string) {
	t.Helper()
	if got.status != http.StatusBadRequest || got.text("error") != code || got.text("access_token") != "" {
		t.Errorf("got %d %s, want %s", got.status, got.body, code)
	}
}

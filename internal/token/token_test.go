package token_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login/oidc"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/filesystem"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/storetest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// house is all that an Authenticator stands on, real: the users database, sessions in files, and an OpenID provider.
type house struct {
	t        *testing.T
	clock    *sessiontest.Clock
	db       *store.DB
	sessions *session.Manager
	idp      *devidp.Provider
	uses     *token.Uses
	auth     *token.Authenticator
}

const perMinute = 5

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, clock: sessiontest.NewClock()}
	var err error
	must := func() {
		if err != nil {
			t.Fatal(err)
		}
	}
	h.db, err = store.Connect(t.Context(), store.Options{Address: storetest.Ready(t)})
	must()
	t.Cleanup(func() { _ = h.db.Close() })
	people, err := directory.NewCache(h.db, authz.DefaultOrder())
	must()
	h.db.OnChange(people.Invalidate)
	log := slog.New(slog.DiscardHandler)
	files, err := filesystem.Open(filepath.Join(t.TempDir(), "s"), "p:", log, h.clock.Now)
	must()
	t.Cleanup(func() { _ = files.Close() })
	h.sessions, err = session.NewManager(session.Options{Store: files, Log: log, CookieName: "session", Lifetime: time.Hour, MaxAge: 24 * time.Hour,
		SameSite: http.SameSiteLaxMode, Secure: func(*http.Request) bool { return false }, Now: h.clock.Now})
	must()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	h.idp, err = devidp.New(devidp.Options{Issuer: server.URL, ClientID: "me", ClientSecret: "client-secret", Now: h.clock.Now, Key: keys()[0]})
	must()
	handler = h.idp.Handler()
	verifier := oidc.New(config.OIDC{DiscoveryURL: server.URL + "/.well-known/openid-configuration", ClientID: "me", ClientSecret: "client-secret",
		HTTPTimeout: 10 * time.Second, VerifyTLS: true}, h.clock.Now)
	counter, err := limit.NewMemory(perMinute, h.clock.Now)
	must()
	h.uses = token.NewUses(h.db, log, h.clock.Now)
	h.auth, err = token.New(token.Options{Sessions: h.sessions, People: people, Verifier: verifier, Audit: audit.NewLog(log), Failures: limit.NewFailures(counter, nil, log, h.clock.Now),
		Upgrades: h.db, Uses: h.uses, Client: (&httpx.Origin{}).Client, Log: log, Now: h.clock.Now})
	must()
	return h
}

// person signs somebody in for the first time and gives them an access token of an hour.
func (h *house) person(name string) (directory.User, string) {
	h.t.Helper()
	user, err := h.db.RecordLogin(h.t.Context(), directory.Login{Identity: directory.Identity{Provider: h.idp.Issuer, Subject: "sub-" + name}, Username: name})
	if err != nil {
		h.t.Fatal(err)
	}
	secret, hash := token.NewSecret()
	err = h.db.SetAccessToken(h.t.Context(), directory.AccessToken{UserID: user.ID, Hash: hash, CreatedAt: h.clock.Now(), ExpiresAt: h.clock.Now().Add(time.Hour)})
	if err != nil {
		h.t.Fatal(err)
	}
	return user, secret
}

func basic(user, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
}

// from makes a request from an address with Authorization headers.
func from(address string, authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = address + ":1234"
	r.Header["Authorization"] = authorization
	return r
}

// address gives each attempt an address of its own, so that the limits stay out of the way.
func address(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250+1) }

// answer is what the client gets for a refusal, byte for byte.
func answer(err error) string {
	w := httptest.NewRecorder()
	httpx.WriteError(w, httptest.NewRequest(http.MethodGet, "/", nil), slog.New(slog.DiscardHandler), err)
	return fmt.Sprint(w.Code, w.Header(), w.Body.String())
}

func (h *house) known(r *http.Request, want directory.User, by identity.Credential) {
	h.t.Helper()
	s, err := h.auth.Authenticate(r)
	if err != nil {
		h.t.Fatalf("refused: %v", err)
	}
	expected := token.Subject(want, by)
	if by == identity.Session {
		_, key, err := h.sessions.Load(r)
		if err != nil {
			h.t.Fatal(err)
		}
		expected.Session = string(key)
	}
	if diff := cmp.Diff(expected, s); diff != "" {
		h.t.Error(diff)
	}
}

func (h *house) refused(r *http.Request, code errs.Code) error {
	h.t.Helper()
	s, err := h.auth.Authenticate(r)
	if s != nil || !errs.Is(err, code) {
		h.t.Errorf("%v gave %+v, %v", r.Header, s, err)
	}
	return err
}

func TestAccessTokens(t *testing.T) {
	h := newHouse(t)
	ann, secret := h.person("ann")
	for i, header := range []string{basic("ann", secret), basic("ANN", secret), basic(" ann ", secret),
		"basic" + strings.TrimPrefix(basic("ann", secret), "Basic"), "BASIC" + strings.TrimPrefix(basic("ann", secret), "Basic"), "Basic  " + strings.TrimPrefix(basic("ann", secret), "Basic ")} {
		h.known(from(address(i), header), ann, identity.AccessToken)
	}
}

// The attack: learn which accounts exist, or which half of a credential was right, from how it is refused.
func TestAttackAccountEnumeration(t *testing.T) {
	h := newHouse(t)
	_, ann := h.person("ann")
	_, bob := h.person("bob")
	_, off := h.person("off")
	_, gone := h.person("gone")
	_, old := h.person("old")
	if err := h.db.SetActive(t.Context(), "off", false); err != nil {
		t.Fatal(err)
	}
	if err := h.db.DeleteUser(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	_, hash := token.NewSecret()
	user, err := h.db.User(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.db.SetAccessToken(t.Context(), directory.AccessToken{UserID: user.ID, Hash: hash, ExpiresAt: h.clock.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	_, expiredSecret := h.person("expired")
	want := ""
	for i, c := range []struct{ name, header string }{
		{"wrong password", basic("ann", "mlo_wrong")},
		{"unknown user", basic("nobody", "mlo_wrong")},
		{"unknown user with a right token", basic("nobody", ann)},
		{"token of another user", basic("ann", bob)},
		{"no user", basic("", ann)},
		{"no password", basic("ann", "")},
		{"deactivated", basic("off", off)},
		{"deleted", basic("gone", gone)},
		{"replaced token", basic("old", old)},
		{"the hash as password", basic("ann", fmt.Sprintf("%x", hash))},
		{"token and more", basic("ann", ann+" ")},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann"))},
		{"no base64", "Basic !!!"},
		{"half base64", strings.TrimRight(basic("ann", "abcd"), "=") + "!"},
		{"empty", "Basic "},
		{"scheme alone", "Basic"},
		{"over-long", basic("ann", strings.Repeat("a", 20<<10))},
		{"bearer that is no JWT", "Bearer x"},
		{"bearer that is no token", "Bearer mlo_wrong"},
		{"bearer of a deleted user", "Bearer " + gone},
		{"bearer of a deactivated user", "Bearer " + off},
		{"bearer empty", "Bearer "},
	} {
		got := answer(h.refused(from(address(i), c.header), errs.Unauthenticated))
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s is told apart:\n%s\n%s", c.name, got, want)
		}
	}
	h.clock.Advance(time.Hour)
	if got := answer(h.refused(from(address(100), basic("expired", expiredSecret)), errs.Unauthenticated)); got != want {
		t.Errorf("an expired token is told apart: %s", got)
	}
}

// The attack: two credentials in one request, of which the proxy decides on one and MLflow on the other.
func TestAttackSeveralCredentials(t *testing.T) {
	h := newHouse(t)
	_, secret := h.person("ann")
	h.refused(from(address(1), basic("ann", secret), basic("ann", secret)), errs.Invalid)
	h.refused(from(address(2), "Digest x"), errs.Unauthenticated)
	h.refused(from(address(3), ""), errs.Unauthenticated)
}

// The attack: keep a session from before the users database was made anew, where its id has become somebody else's.
func TestAttackSessionOfAnotherPersonsID(t *testing.T) {
	h := newHouse(t)
	bob, _ := h.person("bob")
	for name, record := range map[string]session.Record{
		"another subject":  {UserID: bob.ID, Provider: h.idp.Issuer, Subject: "sub-ann"},
		"another provider": {UserID: bob.ID, Provider: "another", Subject: "sub-bob"},
		"another id":       {UserID: bob.ID + 1, Provider: h.idp.Issuer, Subject: "sub-bob"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if err := h.sessions.Start(w, from(address(1)), record); err != nil {
				t.Fatal(err)
			}
			r := from(address(1))
			r.AddCookie(w.Result().Cookies()[0])
			h.refused(r, errs.Unauthenticated)
		})
	}
}

func TestSessions(t *testing.T) {
	h := newHouse(t)
	ann, _ := h.person("ann")
	w := httptest.NewRecorder()
	if err := h.sessions.Start(w, from(address(1)), session.Record{UserID: ann.ID, Provider: h.idp.Issuer, Subject: "sub-ann"}); err != nil {
		t.Fatal(err)
	}
	with := func(authorization ...string) *http.Request {
		r := from(address(1), authorization...)
		r.AddCookie(w.Result().Cookies()[0])
		return r
	}
	h.known(with(), ann, identity.Session)
	// A wrong Authorization header is not made good by a session.
	h.refused(with(basic("ann", "wrong")), errs.Unauthenticated)
	if s, err := h.auth.Authenticate(from(address(2))); s != nil || err != nil {
		t.Errorf("nobody is %+v, %v", s, err)
	}
	if err := h.db.SetActive(t.Context(), "ann", false); err != nil {
		t.Fatal(err)
	}
	h.refused(with(), errs.Unauthenticated)
	if err := h.db.SetActive(t.Context(), "ann", true); err != nil {
		t.Fatal(err)
	}
	h.known(with(), ann, identity.Session)
	if err := h.db.DeleteUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	h.refused(with(), errs.Unauthenticated)
}

func TestDatabaseThatIsDownIsNotAWrongPassword(t *testing.T) {
	h := newHouse(t)
	_, secret := h.person("ann")
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
	for range perMinute + 2 { // and it counts as no failure
		h.refused(from(address(1), basic("ann", secret)), errs.Unavailable)
	}
}

func TestLimits(t *testing.T) {
	h := newHouse(t)
	ann, secret := h.person("ann")
	wrong, right := basic("ann", "wrong"), basic("ann", secret)
	for range perMinute { // one address guesses
		h.refused(from("192.0.2.1", wrong), errs.Unauthenticated)
	}
	h.refused(from("192.0.2.1", wrong), errs.Limited)
	h.refused(from("192.0.2.1", "Bearer x"), errs.Limited)
	h.known(from("192.0.2.1", right), ann, identity.AccessToken) // others behind the same address go on working
	// The attack: lock the owner out by guessing. A right token of another address passes; a wrong one does not tell.
	h.refused(from("192.0.2.2", wrong), errs.Limited)
	h.known(from("192.0.2.2", right), ann, identity.AccessToken)
	h.refused(from("192.0.2.3", basic("bob", "wrong")), errs.Unauthenticated)
	h.clock.Advance(time.Minute)
	h.known(from("192.0.2.1", right), ann, identity.AccessToken)
	h.refused(from("192.0.2.1", wrong), errs.Unauthenticated)
}

func TestSuccessCostsNothing(t *testing.T) {
	h := newHouse(t)
	ann, secret := h.person("ann")
	for range 3 * perMinute {
		h.known(from("192.0.2.1", basic("ann", secret)), ann, identity.AccessToken)
	}
}

func TestBearer(t *testing.T) {
	h := newHouse(t)
	ann, _ := h.person("ann")
	good := h.idp.Token("sub-ann", nil)
	h.known(from(address(1), "Bearer "+good), ann, identity.Bearer)
	h.known(from(address(1), "bearer "+good), ann, identity.Bearer)
	h.refused(from(address(2), "Bearer "+h.idp.Token("sub-nobody", nil)), errs.Unauthenticated)
	h.clock.Advance(10 * time.Minute) // the token is in memory still, and must not be good for that
	h.refused(from(address(3), "Bearer "+good), errs.Unauthenticated)
	fresh := h.idp.Token("sub-ann", nil)
	h.known(from(address(4), "Bearer "+fresh), ann, identity.Bearer)
	if err := h.db.SetActive(t.Context(), "ann", false); err != nil {
		t.Fatal(err)
	}
	h.refused(from(address(5), "Bearer "+fresh), errs.Unauthenticated)
}

// The attack: a JWT that somebody else signed, or that was made for somebody else, or is good no more or not yet.
func TestAttackForgedJWTs(t *testing.T) {
	h := newHouse(t)
	h.person("ann")
	for i, fault := range []devidp.Fault{devidp.WrongIssuer, devidp.WrongAudience, devidp.Expired, devidp.NotYetValid, devidp.IssuedInFuture, devidp.NoExpiry,
		devidp.NoSubject, devidp.BadSignature, devidp.AlgorithmNone, devidp.AlgorithmHS256, devidp.PublicKeyAsSecret, devidp.UnknownKey, devidp.NoParty, devidp.WrongParty} {
		t.Run(string(fault), func(t *testing.T) {
			h.t = t
			h.idp.SetFaults(fault)
			raw := h.idp.Token("sub-ann", nil)
			h.idp.SetFaults()
			for range 2 { // nor from memory
				h.refused(from(address(i), "Bearer "+raw), errs.Unauthenticated)
			}
		})
	}
}

func TestProviderThatIsDownIsNoWrongToken(t *testing.T) {
	h := newHouse(t)
	h.person("ann")
	h.idp.SetFaults(devidp.DiscoveryDown)
	raw := h.idp.Token("sub-ann", nil)
	for range perMinute + 2 {
		h.refused(from(address(1), "Bearer "+raw), errs.Unavailable)
	}
}

func TestSecretsAreRandom(t *testing.T) {
	one, hash := token.NewSecret()
	two, _ := token.NewSecret()
	if one == two || !strings.HasPrefix(one, "mlo_") || len(one) != 4+43+6 || hash == [32]byte{} {
		t.Errorf("%q, %q", one, two)
	}
}

// What is no access token by its checksum is told from one without the database, and answered as any other that is wrong.
func TestChecksumOfTokens(t *testing.T) {
	h := newHouse(t)
	ann, good := h.person("ann")
	h.known(from(address(1), "Bearer "+good), ann, identity.AccessToken)
	for i := len("mlo_"); i < len(good); i++ {
		other := byte('A')
		if good[i] == other {
			other = 'B'
		}
		wrong := good[:i] + string(other) + good[i+1:]
		before := h.db.Queries()
		h.refused(from(address(i), "Bearer "+wrong), errs.Unauthenticated)
		if asked := h.db.Queries() - before; asked != 0 {
			t.Errorf("with another letter at %d the database was asked %d times", i, asked)
		}
	}
	h.refused(from(address(1), basic("ann", good[:len(good)-1])), errs.Unauthenticated)
	before := h.db.Queries()
	h.refused(from(address(2), "Bearer "+good[:len(good)-6]), errs.Unauthenticated) // as they were before they had one
	if h.db.Queries() == before {
		t.Error("a token without a checksum was not looked up")
	}
}

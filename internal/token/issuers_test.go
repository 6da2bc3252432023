package token_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workload"
)

// town is a house with three issuers: the provider at which people sign in, a partner, and one of jobs.
type town struct {
	*house
	partner, jobs *devidp.Provider
	asked         atomic.Int64 // requests to the issuers
	statements    atomic.Int64 // questions to the database, but for the change counter
}

// counted counts what the database is asked.
type counted struct {
	*store.DB
	n *atomic.Int64
}

func (c *counted) UserByIdentity(ctx context.Context, id directory.Identity) (directory.User, error) {
	c.n.Add(1)
	return c.DB.UserByIdentity(ctx, id)
}

func (c *counted) User(ctx context.Context, name string) (directory.User, error) {
	c.n.Add(1)
	return c.DB.User(ctx, name)
}

type recorder struct {
	*store.DB
	n *atomic.Int64
}

func (r recorder) RecordBearer(ctx context.Context, b directory.Bearer) error {
	r.n.Add(1)
	return r.DB.RecordBearer(ctx, b)
}

func (w *town) issuer(key *rsa.PrivateKey, audience string) *devidp.Provider {
	w.t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		handler.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(server.Close)
	idp, err := devidp.New(devidp.Options{Issuer: server.URL, ClientID: audience, ClientSecret: "x", Now: w.clock.Now, Key: key})
	if err != nil {
		w.t.Fatal(err)
	}
	handler = idp.Handler()
	return idp
}

var keys = sync.OnceValue(func() [3]*rsa.PrivateKey {
	var all [3]*rsa.PrivateKey
	for i := range all {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		all[i] = key
	}
	return all
})

func newTown(t *testing.T, change func(*config.OIDC)) *town {
	t.Helper()
	w := &town{house: newHouse(t)}
	w.idp, w.partner, w.jobs = w.issuer(keys()[0], "me"), w.issuer(keys()[1], "me"), w.issuer(keys()[2], "mlflow")
	provider := func(at *devidp.Provider) *oidc.Provider {
		settings := config.OIDC{DiscoveryURL: at.Issuer, ClientID: "me", GroupsClaim: "groups", Groups: []string{"mlflow"}, UsernameClaims: []string{"email"},
			HTTPTimeout: 10 * time.Second, VerifyTLS: true}
		change(&settings)
		return oidc.New(settings, w.clock.Now)
	}
	jobs, err := workload.New(config.Workload{Type: "jwt", Issuer: w.jobs.Issuer, Audience: "mlflow", DiscoveryURL: w.jobs.Issuer + "/.well-known/openid-configuration",
		Rules: []config.Rule{{Account: "robot", Claims: map[string]string{"sub": "job"}}, {Account: "ann", Claims: map[string]string{"sub": "person"}},
			{Account: "absent", Claims: map[string]string{"sub": "absent"}}}}, w.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	people, err := directory.NewCache(&counted{w.db, &w.statements}, authz.DefaultOrder())
	if err != nil {
		t.Fatal(err)
	}
	w.db.OnChange(people.Invalidate)
	ctx, stop := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() { defer close(watched); people.Watch(ctx) }()
	t.Cleanup(func() { stop(); <-watched })
	counter, err := limit.NewMemory(perMinute, w.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	w.auth, err = token.New(token.Options{Sessions: w.sessions, People: people, Verifier: token.NewIssuers(provider(w.idp), provider(w.partner), jobs), Recorder: recorder{w.db, &w.statements},
		Audit: audit.NewLog(slog.New(slog.DiscardHandler)), Failures: limit.NewFailures(counter, nil, slog.New(slog.DiscardHandler), w.clock.Now), Client: (&httpx.Origin{}).Client, Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *town) robot() directory.User {
	w.t.Helper()
	user, err := w.db.CreateUser(w.t.Context(), directory.User{Username: "robot", Service: true, ManagedBy: "manual"})
	if err != nil {
		w.t.Fatal(err)
	}
	return user
}

func TestTokensOfSeveralIssuers(t *testing.T) {
	w := newTown(t, func(*config.OIDC) {})
	ann, _ := w.person("ann")
	robot := w.robot()
	w.known(from(address(1), "Bearer "+w.idp.Token("sub-ann", nil)), ann, identity.Bearer)
	w.known(from(address(2), "Bearer "+w.jobs.Token("job", nil)), robot, identity.Bearer)
	for i, raw := range []string{
		w.partner.Token("sub-ann", nil),                                 // the subject of another issuer
		w.partner.Token("sub-ann", map[string]any{"iss": w.idp.Issuer}), // signed by B, as of A
		w.idp.Token("job", map[string]any{"iss": w.jobs.Issuer, "aud": "mlflow"}),
		w.jobs.Token("sub-ann", map[string]any{"iss": w.idp.Issuer, "aud": "me"}),
		w.jobs.Token("job", map[string]any{"aud": "me"}),
		w.idp.Token("sub-ann", map[string]any{"iss": "https://nobody.example"}),
		w.jobs.Token("another job", nil),
		w.jobs.Token("person", nil), // a rule names an account that is no service account
		w.jobs.Token("absent", nil), // and one that there is not
	} {
		w.refused(from(address(10+i), "Bearer "+raw), errs.Unauthenticated)
	}
	if err := w.db.SetActive(t.Context(), "robot", false); err != nil {
		t.Fatal(err)
	}
	w.refused(from(address(3), "Bearer "+w.jobs.Token("job", nil)), errs.Unauthenticated)
}

// A known token costs no statement, and no question to its issuer.
func TestWarmTokensAskNobody(t *testing.T) {
	w := newTown(t, func(o *config.OIDC) { o.TrustGroups, o.Provision = true, true })
	w.person("ann")
	w.robot()
	for name, raw := range map[string]string{"person": w.idp.Token("sub-ann", map[string]any{"groups": []string{"mlflow"}}), "job": w.jobs.Token("job", nil)} {
		quiet := 0
		for tries := 0; quiet < 100; tries++ {
			statements, asked := w.statements.Load(), w.asked.Load()
			if _, err := w.auth.Authenticate(from(address(1), "Bearer "+raw)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if quiet++; w.statements.Load() != statements || w.asked.Load() != asked {
				quiet = 0 // memory is trusted after the first reading of the change counter
			}
			if tries == 100_000 {
				t.Fatalf("%s: a known token asks again and again: %d statements, %d questions to issuers", name, w.statements.Load(), w.asked.Load())
			}
		}
		if n := w.asked.Load(); n > 4 { // discovery and keys of each
			t.Errorf("%s: %d questions to issuers", name, n)
		}
	}
}

// A forged token of a job counts as a failed attempt.
func TestFailedJobsAreLimited(t *testing.T) {
	w := newTown(t, func(*config.OIDC) {})
	w.robot()
	for range perMinute {
		w.refused(from("192.0.2.9", "Bearer "+w.jobs.Token("stranger", nil)), errs.Unauthenticated)
	}
	w.refused(from("192.0.2.9", "Bearer "+w.jobs.Token("job", nil)), errs.Limited)
}

func TestBearerMakesAnAccount(t *testing.T) {
	w := newTown(t, func(o *config.OIDC) { o.Provision, o.TrustGroups = true, true })
	claims := map[string]any{"email": "new@example.com", "groups": []string{"mlflow", "red"}}
	s, err := w.auth.Authenticate(from(address(1), "Bearer "+w.partner.Token("new", claims)))
	if err != nil || s.Username != "new@example.com" || s.Admin {
		t.Fatalf("%+v, %v", s, err)
	}
	groups, err := w.db.GroupsOf(t.Context(), s.UserID)
	if err != nil || len(groups) != 2 {
		t.Errorf("%v, %v", groups, err)
	}
	// The attack: the same address at another issuer.
	w.refused(from(address(2), "Bearer "+w.idp.Token("other", claims)), errs.Conflict)
	w.refused(from(address(3), "Bearer "+w.idp.Token("other", map[string]any{"email": "x@example.com", "groups": []string{"others"}})), errs.Denied)
}

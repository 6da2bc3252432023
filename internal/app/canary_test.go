package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// listening keeps what a world logs.
type listening struct {
	testing.TB
	mu   sync.Mutex
	text strings.Builder
}

func (l *listening) Log(all ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(&l.text, all...)
}

func (l *listening) logged() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The attack: read secrets from the log, at its finest, or from answers: those that were right, and those that were not. What
// happened, and to whom, is there nevertheless.
func TestSecretsAreInNoAnswerAndNoLog(t *testing.T) {
	log := &listening{TB: t}
	w := world.New(log, "http://127.0.0.1:1", map[string]string{"OIDC_USE_REFRESH_TOKEN": "true", "LOG_LEVEL": "DEBUG"})
	b := w.Browser(t, "ann", world.Members)
	secrets := keptSecrets(t, w)
	jar, _ := url.Parse(w.URL) // it is an address
	secrets["session cookie"] = b.HTTP.Jar.Cookies(jar)[0].Value
	program := &world.Client{World: w, HTTP: &http.Client{}, Username: b.Username}
	secrets["access token"], _ = b.JSON(t, http.MethodPatch, "/api/2.0/mlflow/users/access-token", nil)["token"].(string)
	program.Token = secrets["access token"]

	var answers strings.Builder
	heard := func(c *world.Client, r *http.Request) {
		t.Helper()
		got := c.Send(t, r)
		answers.Write(got.Body)
		_ = got.Header.Write(&answers)
	}
	const mine = "/api/2.0/mlflow/users/current"
	for _, path := range []string{"/login", "/providers", "/auth/status", mine, mine + "/sessions", mine + "/tokens", "/health", "/openapi.json", "/api/2.0/mlflow/experiments/get?experiment_id=0"} {
		heard(b, b.Request(t, http.MethodGet, path, nil))
		heard(program, program.Request(t, http.MethodGet, path, nil))
	}
	for name, wrong := range wrongCredentials(t, w) {
		secrets["wrong "+name] = wrong.secret
		heard(w.Nobody(t), wrong.request)
	}
	out := b.Send(t, b.Request(t, http.MethodPost, "/logout", ""))
	answers.Write(out.Body) // the address that it leads to has the ID token, for the provider (RP-Initiated Logout 1.0 §2)

	w.Restart(t) // so that all that was refused is stored
	stored := storedEvents(t, w)
	for name, secret := range secrets {
		if len(secret) < 12 {
			t.Fatalf("the %s is %q", name, secret)
		}
		if strings.Contains(stored, secret) {
			t.Errorf("the %s is among the events of the database", name)
		}
		if strings.Contains(log.logged(), secret) {
			t.Errorf("the %s is in the log", name)
		}
		if strings.Contains(answers.String(), secret) {
			t.Errorf("the %s is in an answer", name)
		}
	}
	for _, event := range []string{"msg=sign_in_succeeded", "by=ann@example.com", "msg=logout_refused", "msg=sign_in_refused"} {
		if !strings.Contains(log.logged(), event) {
			t.Errorf("the log does not say %s:\n%s", event, log.logged())
		}
	}
	for _, name := range []string{"sign_in_succeeded", "logout_refused", "sign_in_refused", "credential_refused", "account_created", "membership_given", "token_rotated"} {
		if !strings.Contains(stored, `"name":"`+name+`"`) {
			t.Errorf("no %s is stored", name)
		}
	}
}

// storedEvents are all events of the database, as they are exported.
func storedEvents(t *testing.T, w *world.World) string {
	t.Helper()
	var out strings.Builder
	to, err := audit.NewWriter(&out, "jsonl")
	if err == nil {
		err = audit.Export(t.Context(), w.App.Store, audit.Query{}, 0, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// keptSecrets gives what the gateway keeps of the one session, and of itself.
func keptSecrets(t *testing.T, w *world.World) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(w.Settings["SESSION_FILE_DIR"], "*.json"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	var record session.Record
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	keys, err := session.NewKeys([]string{w.Settings["SECRET_KEY"]})
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"SECRET_KEY": w.Settings["SECRET_KEY"], "client's secret": w.Settings["OIDC_CLIENT_SECRET"]}
	for purpose, sealed := range map[string][]byte{"id token": record.SealedToken, "refresh token": record.SealedRefresh} {
		plain, err := keys.Open(purpose, sealed)
		if err != nil {
			t.Fatal(err)
		}
		secrets[purpose] = string(plain)
	}
	return secrets
}

// wrong is a request with a secret that is not right: a right one that somebody sent to the wrong place.
type wrong struct {
	secret  string
	request *http.Request
}

func wrongCredentials(t *testing.T, w *world.World) map[string]wrong {
	t.Helper()
	nobody := w.Nobody(t)
	of := func(method, path, secret string, body any, headers ...string) wrong {
		r := nobody.Request(t, method, path, body)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return wrong{secret, r}
	}
	const path, form = "/api/2.0/mlflow/users/current", "application/x-www-form-urlencoded"
	forged := w.IDP.LogoutToken(map[string]any{"sub": "canary", "aud": "another"})
	bearer := w.IDP.Token("canary", map[string]any{"aud": "another"})
	basic := of(http.MethodGet, path, "canary-of-basic-4711", nil)
	basic.request.SetBasicAuth("ann@example.com", basic.secret)
	return map[string]wrong{
		"password": basic,
		"bearer":   of(http.MethodGet, path, bearer, nil, "Authorization", "Bearer "+bearer),
		"token":    of(http.MethodGet, path, "mlo_canary-of-token-4711", nil, "Authorization", "Bearer mlo_canary-of-token-4711"),
		"scheme":   of(http.MethodGet, path, "canary-of-scheme-4711", nil, "Authorization", "Digest canary-of-scheme-4711"),
		"cookie":   of(http.MethodGet, path, "canary-of-cookie-4711", nil, "Cookie", "session=canary-of-cookie-4711"),
		"code":     of(http.MethodGet, "/callback?state=x&code=canary-of-code-4711", "canary-of-code-4711", nil),
		"logout":   of(http.MethodPost, "/backchannel-logout", forged, url.Values{"logout_token": {forged}}.Encode(), "Content-Type", form),
		"header":   of(http.MethodGet, "/login", "canary-of-header-4711", nil, "X-Forwarded-Access-Token", "canary-of-header-4711"),
	}
}

// A sign-in whose code the provider refuses names neither it nor the secrets that it was sent with.
func TestRefusedCodeIsInNoLog(t *testing.T) {
	log := &listening{TB: t}
	w := world.New(log, "http://127.0.0.1:1", map[string]string{"LOG_LEVEL": "DEBUG"})
	jar, _ := cookiejar.New(nil) // fails never
	c := &world.Client{World: w, HTTP: &http.Client{Jar: jar}}
	start := c.Do(t, http.MethodGet, "/login/start", nil)
	at, err := url.Parse(start.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"state": {at.Query().Get("state")}, "iss": {w.Issuer.URL}, "code": {"canary-of-code-4711"}}
	got := c.Do(t, http.MethodGet, "/callback?"+q.Encode(), nil)
	if got.Status != http.StatusUnauthorized || !strings.Contains(log.logged(), "sign_in_refused") {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for name, secret := range map[string]string{"code": "canary-of-code-4711", "state": q.Get("state"), "nonce": at.Query().Get("nonce"), "client's secret": w.Settings["OIDC_CLIENT_SECRET"],
		"encoded secret": url.QueryEscape(w.Settings["OIDC_CLIENT_SECRET"])} {
		if strings.Contains(log.logged(), secret) || strings.Contains(string(got.Body), secret) {
			t.Errorf("the %s is in the log or the answer:\n%s", name, log.logged())
		}
	}
}

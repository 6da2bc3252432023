package app_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// eavesdropper keeps what a browser is given that nobody else may have.
type eavesdropper struct{ secrets map[string]string }

// RoundTrip forwards a request (http.RoundTripper).
func (e *eavesdropper) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	for _, cookie := range answer.Cookies() {
		if cookie.Value != "" {
			e.secrets["cookie "+cookie.Name] = cookie.Value
		}
	}
	if to, err := answer.Location(); err == nil {
		for _, name := range []string{"code", "state", "nonce", "code_challenge", "id_token_hint"} {
			e.secrets[name] += "" // it is looked for, also where it never comes
			if value := to.Query().Get(name); value != "" {
				e.secrets[name] = value
			}
		}
	}
	return answer, nil
}

// The attack: read the log for what lets one in.
func TestAttackSecretsInTheLog(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"OIDC_CLIENT_SECRET": "a secret of the client", "OIDC_USE_REFRESH_TOKEN": "true"})
	ear := &eavesdropper{map[string]string{"client secret": "a secret of the client", "key": "nobody-guesses-this-one-4711"}}
	w.IDP.SetPerson(devidp.Person{Subject: "subject of ann", Username: "ann", Email: "ann@example.com", Name: "Ann", Groups: []string{world.Members}})
	ann := w.Nobody(t)
	ann.HTTP.Transport = ear
	if status, text, err := devidp.SignIn(t.Context(), ann.HTTP, w.URL+"/login/start?next=/auth/status", "subject of ann"); err != nil || status != http.StatusOK {
		t.Fatal(status, text, err)
	}
	const me, tokens = "/api/2.0/mlflow/users/current", "/api/2.0/mlflow/users/current/tokens"
	ear.secrets["access token"] = ann.JSON(t, http.MethodPost, tokens, map[string]any{"name": "ci"})["token"].(string)
	ear.secrets["JWT"] = w.IDP.Token("subject of ann", nil)
	ear.secrets["wrong password"], ear.secrets["wrong token"] = "hunter2-hunter2", "mlo_"+strings.Repeat("w", 43)
	ear.secrets["forged JWT"] = ear.secrets["JWT"][:len(ear.secrets["JWT"])-8] + "AAAAAAAA"
	send := func(authorization, method, target string) {
		r := w.Nobody(t).Request(t, method, target, nil)
		r.Header.Set("Authorization", authorization)
		_, _ = ann.Try(r) // whatever is answered
	}
	for _, name := range []string{"access token", "JWT", "wrong token", "forged JWT", "wrong password"} {
		for _, target := range []string{me, "/api/2.0/mlflow/experiments/get?experiment_id=1", "/no/route"} {
			send("Bearer "+ear.secrets[name], http.MethodGet, target)
			r := w.Nobody(t).Request(t, http.MethodGet, target, nil)
			r.SetBasicAuth("ann@example.com", ear.secrets[name])
			_, _ = w.Nobody(t).Try(r)
		}
	}
	ann.Do(t, http.MethodGet, "/callback?state="+ear.secrets["state"]+"&code="+ear.secrets["code"], nil)
	ann.Do(t, http.MethodPost, "/api/2.0/mlflow/users", map[string]any{"username": "x", "display_name": "x"})
	ann.Do(t, http.MethodPost, "/backchannel-logout", nil)
	ann.Do(t, http.MethodPost, "/logout", nil)
	log := w.Logged()
	for _, event := range []string{"sign_in_succeeded", "session_made", "token_made", "credential_refused", "request_refused", "sign_in_refused", "logout_refused", "session_ended"} {
		if !strings.Contains(log, "msg="+event+" audit=true") {
			t.Errorf("no %s is recorded", event)
		}
	}
	if sum := sha256.Sum256([]byte(ear.secrets["wrong password"])); strings.Contains(log, hex.EncodeToString(sum[:3])) {
		t.Error("the log has part of the hash of a password, by which guesses can be checked")
	}
	for name, secret := range ear.secrets {
		if len(secret) >= 8 && strings.Contains(log, secret) {
			t.Errorf("the log has the %s", name)
		}
	}
	for _, name := range []string{"code", "state", "cookie session", "access token"} {
		if len(ear.secrets[name]) < 8 {
			t.Errorf("no %s was seen", name)
		}
	}
}

// What a provider's word does to accounts and sessions is recorded, as what administrators do is.
func TestWhatProvidersDoIsRecorded(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"OIDC_PROVISION_ON_BEARER_AUTH": "true", "OIDC_TRUST_BEARER_GROUP_CLAIMS": "true"})
	person := devidp.Person{Subject: "s", Username: "ann", Email: "ann@example.com", Name: "Ann"}
	ann := w.Nobody(t)
	signIn := func(groups ...string) {
		t.Helper()
		person.Groups = groups
		w.IDP.SetPerson(person)
		if status, text, err := devidp.SignIn(t.Context(), ann.HTTP, w.URL+"/login/start?next=/auth/status", "s"); err != nil || status != http.StatusOK {
			t.Fatal(status, text, err)
		}
	}
	recorded := func(what string, lines ...string) {
		t.Helper()
		log := w.Logged()
		for _, line := range lines {
			if strings.Count(log, line) != 1 {
				t.Errorf("%s: %q is in the log %d times", what, line, strings.Count(log, line))
			}
		}
	}
	signIn(world.Members)
	recorded("the first sign-in", "msg=account_created audit=true account=ann@example.com provider="+w.Issuer.URL+" cause=provider")
	signIn(world.Members, world.Admins)
	recorded("a sign-in in the group of administrators", "msg=administrator_gained audit=true account=ann@example.com", "msg=session_ended audit=true provider="+w.Issuer.URL+" subject=s cause=replaced")
	person.Groups = []string{world.Members}
	signIn(world.Members)
	recorded("a sign-in without the group", "msg=administrator_lost audit=true account=ann@example.com", "msg=account_created", "msg=administrator_gained")

	w.IDP.SetPerson(devidp.Person{Subject: "bot", Username: "bot", Email: "bot@example.com", Name: "Bot", Groups: []string{world.Members}})
	program := w.Nobody(t).Request(t, http.MethodGet, "/api/2.0/mlflow/users/current", nil)
	program.Header.Set("Authorization", "Bearer "+w.IDP.Token("bot", map[string]any{"email": "bot@example.com", "email_verified": true, "name": "Bot", "groups": []string{world.Members}}))
	if got := ann.Send(t, program); got.Status != http.StatusOK {
		t.Fatalf("the program is answered %d %s", got.Status, got.Body)
	}
	recorded("a JWT", "msg=account_created audit=true account=bot@example.com provider="+w.Issuer.URL+" cause=provider")

	program.Header["Authorization"] = append(program.Header["Authorization"], "Basic eDp5")
	ann.Send(t, program)
	recorded("two credentials at once", `msg=credential_refused audit=true credential=unreadable reason="the request has several Authorization headers"`)
}

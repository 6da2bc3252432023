package terminal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/terminal"
)

func TestBrowserFlowSignsIn(t *testing.T) {
	w := newWorld(t)
	page, _ := w.question("ann", authorizeQuery())
	for _, shown := range []string{"laptop", callback, "everything that you may do", "ann"} {
		if !strings.Contains(page.body, shown) {
			t.Errorf("the page does not say %q: %s", shown, page.body)
		}
	}
	said := w.code("ann")
	if said.Get("state") != "s" || !strings.HasPrefix(said.Get("iss"), "http://127.0.0.1:") || len(said) != 3 {
		t.Errorf("the browser is led with %v", said)
	}
	got := w.redeem(said.Get("code"), callback, verifier)
	if subject := w.whose(got.text("access_token")); subject == nil || subject.Username != "ann" {
		t.Errorf("%d %s", got.status, got.body)
	}
	_, ticket := w.question("ann", authorizeQuery())
	answer := w.reply("ann", "/oauth/authorize", ticket, "deny")
	if to := answer.header.Get("Location"); !strings.HasPrefix(to, callback+"?error=access_denied&") || !strings.Contains(to, "state=s") {
		t.Errorf("denied, the browser is led to %q", to)
	}
	if got := w.do(http.MethodGet, authorizeQuery(), ""); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/login?next=") {
		t.Errorf("nobody is led to %d %q", got.status, got.header.Get("Location"))
	}
}

// The attack: have the code led to another program or site, or take it without the proof that only its program has.
func TestAttackRequestsThatNobodyIsAskedFor(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string][]string{
		"another host":           {"redirect_uri", "http://evil.example:80/callback"},
		"a name":                 {"redirect_uri", "http://localhost:41234/callback"},
		"a name that begins so":  {"redirect_uri", "http://127.0.0.1.evil.example:1/callback"},
		"a user before the host": {"redirect_uri", "http://127.0.0.1:1@evil.example/callback"},
		"another spelling":       {"redirect_uri", "http://127.1:41234/callback"},
		"mapped":                 {"redirect_uri", "http://[::ffff:127.0.0.1]:41234/callback"},
		"another loopback":       {"redirect_uri", "http://127.0.0.2:41234/callback"},
		"a zone":                 {"redirect_uri", "http://[::1%25lo]:41234/callback"},
		"no port":                {"redirect_uri", "http://127.0.0.1/callback"},
		"port 0":                 {"redirect_uri", "http://127.0.0.1:0/callback"},
		"a scheme of its own":    {"redirect_uri", "mlflow://127.0.0.1:1/callback"},
		"a script":               {"redirect_uri", "javascript://127.0.0.1:1/%0aalert(1)"},
		"a query":                {"redirect_uri", callback + "?x=1"},
		"a fragment":             {"redirect_uri", callback + "#x"},
		"a line":                 {"redirect_uri", callback + "\r\nSet-Cookie: a=b"},
		"none":                   {"redirect_uri", ""},
		"no challenge":           {"code_challenge", ""},
		"a short challenge":      {"code_challenge", "abc"},
		"plain":                  {"code_challenge_method", "plain"},
		"no method":              {"code_challenge_method", ""},
		"a token at once":        {"response_type", "token"},
		"no state":               {"state", ""},
		"another client":         {"client_id", "other"},
		"an unknown scope":       {"scope", "admin"},
		"a name of many lines":   {"client_name", "a\nb"},
		"a name that turns":      {"client_name", "a\u202eb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ticket := w.question("ann", authorizeQuery(change...)); got.status != http.StatusBadRequest || ticket != "" || got.header.Get("Location") != "" {
				t.Errorf("%d to %q: %s", got.status, got.header.Get("Location"), got.body)
			}
		})
	}
	if got, ticket := w.question("ann", authorizeQuery()+"&redirect_uri="+url.QueryEscape("http://127.0.0.1:2/")); got.status != http.StatusBadRequest || ticket != "" {
		t.Errorf("two addresses: %d", got.status)
	}
	for _, good := range []string{"http://[::1]:1/", "http://127.0.0.1:65535/a/b"} {
		if got, ticket := w.question("ann", authorizeQuery("redirect_uri", good)); ticket == "" {
			t.Errorf("%s: %d %s", good, got.status, got.body)
		}
	}
}

// The attack: approve by a link, from another site, or in the name of somebody else.
func TestAttackBrowserIsMadeToApprove(t *testing.T) {
	w := newWorld(t)
	_, ticket := w.question("ann", authorizeQuery())
	_, ofBob := w.question("bob", authorizeQuery())
	_, user := w.ask()
	_, other := w.question("ann", "/oauth/device?user_code="+user)
	for name, got := range map[string]answer{
		"by a link":                     w.do(http.MethodGet, authorizeQuery("answer", "approve", "ticket", ticket), "", "As", "ann"),
		"from another site":             w.reply("ann", "/oauth/authorize", ticket, "approve", "Origin", "https://evil.example"),
		"with the ticket of another":    w.reply("ann", "/oauth/authorize", ofBob, "approve"),
		"with that of another question": w.reply("ann", "/oauth/authorize", other, "approve"),
		"without a ticket":              w.reply("ann", "/oauth/authorize", "", "approve"),
		"as nobody":                     w.reply("", "/oauth/authorize", ticket, "approve"),
	} {
		if got.header.Get("Location") != "" {
			t.Errorf("%s: %d to %q", name, got.status, got.header.Get("Location"))
		}
	}
}

// The attack: redeem a code that was seen on its way.
func TestAttackCodeIsStolen(t *testing.T) {
	w := newWorld(t)
	for name, with := range map[string][2]string{
		"another verifier": {callback, strings.ToUpper(verifier)}, "no verifier": {callback, ""}, "a short one": {callback, "short"},
		"another address": {"http://127.0.0.1:1/callback", verifier}, "no address": {"", verifier},
	} {
		t.Run(name, func(t *testing.T) {
			code := w.code("ann").Get("code")
			refused(t, w.redeem(code, with[0], with[1]), "invalid_grant")
			refused(t, w.redeem(code, callback, verifier), "invalid_grant") // a wrong try uses it up
		})
	}
	code := w.code("ann").Get("code")
	refused(t, w.poll(code), "invalid_grant") // at the door of the other flow, where no proof is asked for
	got := w.redeem(code, callback, verifier)
	refused(t, w.redeem(code, callback, verifier), "invalid_grant")
	if got.status != http.StatusOK || w.whose(got.text("access_token")) != nil {
		t.Errorf("what came of a code that was shown twice is still good: %d", got.status)
	}
	code = w.code("ann").Get("code")
	w.clock.Advance(time.Minute)
	refused(t, w.redeem(code, callback, verifier), "invalid_grant")
	device, user := w.ask()
	w.approve("ann", user)
	refused(t, w.redeem(device, "", ""), "invalid_grant")
	if w.whose(w.poll(device).text("access_token")) == nil {
		t.Error("a device code at the wrong door is used up")
	}
	if tokens := w.tokens("ann"); len(tokens) != 1 {
		t.Errorf("%d sign-ins were made", len(tokens))
	}
}

// RFC 8414.
func TestMetadataNamesTheEndpoints(t *testing.T) {
	w := newWorld(t)
	says := w.do(http.MethodGet, "/.well-known/oauth-authorization-server", "").says()
	issuer, _ := says["issuer"].(string)
	for name, path := range map[string]string{"authorization_endpoint": "/oauth/authorize", "token_endpoint": "/oauth/token",
		"device_authorization_endpoint": "/oauth/device_authorization", "revocation_endpoint": "/oauth/revoke"} {
		if says[name] != issuer+path {
			t.Errorf("%s is %v", name, says[name])
		}
	}
	for name, form := range map[string]string{"twice": "client_id=" + terminal.ClientID + "&client_id=x", "no client": "scope=", "unreadable": "%zz"} {
		for _, path := range []string{"/oauth/token", "/oauth/device_authorization", "/oauth/revoke"} {
			if got := w.do(http.MethodPost, path, form); got.status != http.StatusBadRequest || got.text("error") == "" {
				t.Errorf("%s, %s: %d %s", path, name, got.status, got.body)
			}
		}
	}
	query := "/oauth/token?client_id=" + terminal.ClientID + "&grant_type=" + url.QueryEscape(deviceGrant)
	if got := w.do(http.MethodPost, query, ""); got.text("error") != "invalid_client" {
		t.Errorf("fields of the query are taken: %d %s", got.status, got.body)
	}
	if got := w.do(http.MethodPost, "/oauth/token", "{}", "Content-Type", "application/json"); got.text("error") != "invalid_request" {
		t.Errorf("JSON: %d %s", got.status, got.body)
	}
}

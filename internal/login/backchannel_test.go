package login_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
)

// tell sends a logout token to the gateway.
func (w *world) tell(token string) (int, string) {
	w.t.Helper()
	status, body, err := devidp.SendLogout(w.t.Context(), w.gateway.Client(), w.gateway.URL+"/backchannel-logout", token)
	w.must(err)
	return status, body
}

func (w *world) mustTell(token string) {
	w.t.Helper()
	if status, body := w.tell(token); status != http.StatusOK || body != "" {
		w.t.Fatalf("the logout was answered with %d %q", status, body)
	}
}

type claims = map[string]any

func TestBackChannelLogout(t *testing.T) {
	for name, tc := range map[string]struct {
		claims                      func(sid string) claims
		first, second, other, after bool // who is signed in afterwards
	}{
		"one session":            {func(sid string) claims { return claims{"sid": sid} }, false, true, true, true},
		"session and subject":    {func(sid string) claims { return claims{"sid": sid, "sub": "s-ann"} }, false, true, true, true},
		"all of a subject":       {func(string) claims { return claims{"sub": "s-ann"} }, false, false, true, true},
		"an unknown session":     {func(string) claims { return claims{"sid": "unknown"} }, true, true, true, true},
		"session of another":     {func(sid string) claims { return claims{"sid": sid, "sub": "s-root"} }, true, true, true, true},
		"somebody unknown":       {func(string) claims { return claims{"sub": "unknown"} }, true, true, true, true},
		"subject in other case":  {func(string) claims { return claims{"sub": "S-ANN"} }, true, true, true, true},
		"typed as tokens before": {func(string) claims { return claims{"sub": "s-ann"} }, false, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			first, second, other := w.browser(), w.browser(), w.browser()
			first.mustSignIn("s-ann")
			second.mustSignIn("s-ann")
			other.mustSignIn("s-root")
			kind := "logout+jwt"
			if name == "typed as tokens before" {
				kind = "JWT"
			}
			w.mustTell(w.idp.LogoutTokenAs(kind, tc.claims(w.idp.Sessions("s-ann")[0])))
			after := w.browser()
			after.mustSignIn("s-ann")
			for who, one := range map[string]struct {
				b     *browser
				alive bool
			}{"first": {first, tc.first}, "second": {second, tc.second}, "other": {other, tc.other}, "after": {after, tc.after}} {
				if got := one.b.whoami(); (got != "") != one.alive {
					t.Errorf("%s: %q", who, got)
				}
			}
		})
	}
}

// The attack: a token that is no logout token of this provider for us, right now, once (Back-Channel Logout 1.0 §2.6).
func TestAttackForgedLogoutToken(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	now := w.idpClock.Now()
	const event = "http://schemas.openid.net/event/backchannel-logout"
	of := func(change claims) claims {
		all := claims{"sub": "s-ann", "sid": w.idp.Sessions("s-ann")[0]}
		for name, value := range change {
			all[name] = value
		}
		return all
	}
	foreign, err := devidp.New(devidp.Options{Issuer: w.idpURL, ClientID: "gateway", Now: w.idpClock.Now})
	w.must(err)
	faulty := func(f devidp.Fault) string {
		w.idp.SetFaults(f)
		defer w.idp.SetFaults()
		return w.idp.LogoutToken(of(nil))
	}
	good := w.idp.LogoutToken(of(nil))
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"alg none":                faulty(devidp.AlgorithmNone),
		"HS256 with the secret":   faulty(devidp.AlgorithmHS256),
		"HS256 of the public key": faulty(devidp.PublicKeyAsSecret),
		"another provider's key":  foreign.LogoutToken(of(nil)),
		"unknown kid":             faulty(devidp.UnknownKey),
		"bad signature":           faulty(devidp.BadSignature),
		"signature cut":           parts[0] + "." + parts[1] + ".",
		"wrong issuer":            w.idp.LogoutToken(of(claims{"iss": "http://127.0.0.1:1/other"})),
		"no issuer":               w.idp.LogoutToken(of(claims{"iss": nil})),
		"wrong audience":          w.idp.LogoutToken(of(claims{"aud": "another"})),
		"no audience":             w.idp.LogoutToken(of(claims{"aud": nil})),
		"another party":           w.idp.LogoutToken(of(claims{"aud": []string{"gateway", "another"}, "azp": "another"})),
		"expired":                 w.idp.LogoutToken(of(claims{"exp": now.Add(-31 * time.Second).Unix()})),
		"no expiry":               w.idp.LogoutToken(of(claims{"exp": nil})),
		"expiry as text":          w.idp.LogoutToken(of(claims{"exp": fmt.Sprint(now.Add(time.Minute).Unix())})),
		"no iat":                  w.idp.LogoutToken(of(claims{"iat": nil})),
		"issued in the future":    w.idp.LogoutToken(of(claims{"iat": now.Add(time.Minute).Unix()})),
		"no jti":                  w.idp.LogoutToken(of(claims{"jti": nil})),
		"jti empty":               w.idp.LogoutToken(of(claims{"jti": ""})),
		"jti a number":            w.idp.LogoutToken(of(claims{"jti": 7})),
		"no events":               w.idp.LogoutToken(of(claims{"events": nil})),
		"events a list":           w.idp.LogoutToken(of(claims{"events": []string{event}})),
		"events a text":           w.idp.LogoutToken(of(claims{"events": event})),
		"another event":           w.idp.LogoutToken(of(claims{"events": claims{"http://schemas.openid.net/event/other": claims{}}})),
		"event no object":         w.idp.LogoutToken(of(claims{"events": claims{event: true}})),
		"a nonce":                 w.idp.LogoutToken(of(claims{"nonce": "n"})),
		"a nonce of null":         withNull(w, "nonce", of(nil)),
		"neither sid nor sub":     w.idp.LogoutToken(of(claims{"sub": nil, "sid": nil})),
		"sub empty":               w.idp.LogoutToken(of(claims{"sub": ""})),
		"sid empty":               w.idp.LogoutToken(of(claims{"sid": ""})),
		"sid no text":             w.idp.LogoutToken(of(claims{"sid": claims{}})),
		"typed an access token":   w.idp.LogoutTokenAs("at+jwt", of(nil)),
		"typed as an event":       w.idp.LogoutTokenAs("secevent+jwt", of(nil)),
		"an ID token":             w.idp.Token("s-ann", claims{"sid": w.idp.Sessions("s-ann")[0], "nonce": "n"}),
		"no token":                "logout",
		"nothing":                 "",
		"too long":                strings.Repeat("A", 65<<10),
	} {
		t.Run(name, func(t *testing.T) {
			status, body := w.tell(token)
			var says map[string]string
			if err := json.Unmarshal([]byte(body), &says); err != nil || status != http.StatusBadRequest || says["error"] != "invalid_request" || says["error_description"] == "" {
				t.Errorf("answered %d %s (%v)", status, body, err)
			}
			if b.whoami() == "" {
				b.mustSignIn("s-ann")
				t.Error("it signed somebody out")
			}
		})
	}
	w.mustTell(good)
	if b.whoami() != "" {
		t.Error("the good one ended nothing")
	}
}

// withNull makes a logout token in which a claim is there and null.
func withNull(w *world, name string, with claims) string {
	with[name] = json.RawMessage("null")
	return w.idp.LogoutToken(with)
}

// The attack: a logout token that somebody kept signs people out again and again.
func TestAttackReplayOfLogoutToken(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	token := w.idp.LogoutToken(claims{"sub": "s-ann"})
	w.mustTell(token)
	w.later(40 * time.Second)
	b.mustSignIn("s-ann")
	w.restart() // another replica, which has the store alone
	if status, body := w.tell(token); status != http.StatusBadRequest || !strings.Contains(body, "used already") {
		t.Errorf("the replay was answered with %d %s", status, body)
	}
	held := w.idp.LogoutToken(claims{"sub": "s-ann"}) // held back rather than used
	w.later(40 * time.Second)
	again := w.browser()
	again.mustSignIn("s-ann")
	w.mustTell(held)
	if b.whoami() != "" || again.whoami() == "" {
		t.Errorf("%q and %q are signed in; what was held back must end what was before it alone", b.whoami(), again.whoami())
	}
}

// The form of the request, and of every answer.
func TestFormOfBackChannelLogout(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	token := func() string { return url.QueryEscape(w.idp.LogoutToken(claims{"sub": "s-ann"})) }
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for name, got := range map[string]answer{
		"in the address":   b.do("POST", w.gateway.URL+"/backchannel-logout?logout_token="+token(), "", form...),
		"twice":            b.do("POST", w.gateway.URL+"/backchannel-logout", "logout_token="+token()+"&logout_token="+token()),
		"as JSON":          b.do("POST", w.gateway.URL+"/backchannel-logout", `{"logout_token":"x"}`, "Content-Type", "application/json"),
		"a form too long":  b.do("POST", w.gateway.URL+"/backchannel-logout", "logout_token="+token()+"&x="+strings.Repeat("x", 200<<10)),
		"broken form":      b.do("POST", w.gateway.URL+"/backchannel-logout", "logout_token=%zz"),
		"without any form": b.do("POST", w.gateway.URL+"/backchannel-logout", ""),
	} {
		if got.StatusCode != http.StatusBadRequest || got.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %v %s", name, got.StatusCode, got.Header, got.body)
		}
	}
	if got := b.get("/backchannel-logout"); got.StatusCode != http.StatusMethodNotAllowed && got.StatusCode != http.StatusNotFound {
		t.Errorf("GET gave %d", got.StatusCode)
	}
	if b.whoami() == "" {
		t.Fatal("one of these signed out")
	}
	good := b.do("POST", w.gateway.URL+"/backchannel-logout", "logout_token="+token())
	if good.StatusCode != http.StatusOK || good.Header.Get("Cache-Control") != "no-store" || b.whoami() != "" {
		t.Errorf("%d %v, then %q", good.StatusCode, good.Header, b.whoami())
	}
}

// The attack: sessions that renew themselves outlive a logout at the provider.
func TestAttackRenewalOutlivesBackChannelLogout(t *testing.T) {
	w := newWorld(t, following)
	w.idp.BackChannel = w.gateway.URL + "/backchannel-logout"
	b := w.browser()
	b.mustSignIn("s-ann")
	w.later(devidp.Life)
	if b.whoami() == "" {
		t.Fatal("the renewal should work")
	}
	if statuses, err := w.idp.SignOut(t.Context(), w.gateway.Client(), "s-ann"); err != nil || len(statuses) != 1 || statuses[0] != http.StatusOK {
		t.Fatal(statuses, err)
	}
	if b.whoami() != "" || w.idp.Refreshes() != 1 {
		t.Errorf("%q, refreshed %d times", b.whoami(), w.idp.Refreshes())
	}
}

// Not being able to look is a failure, and the provider may send the token again.
func TestBackChannelLogoutWhileKeysAreDown(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.restart() // without keys in memory
	token := w.idp.LogoutToken(claims{"sub": "s-ann"})
	w.idpDown.Store(true)
	if status, body := w.tell(token); status != http.StatusBadRequest || !strings.Contains(body, `"server_error"`) || b.whoami() == "" {
		t.Errorf("%d %s, then %q", status, body, b.whoami())
	}
	w.idpDown.Store(false)
	w.mustTell(token)
	if b.whoami() != "" {
		t.Error("the second attempt ended nothing")
	}
}

func TestFrontChannelLogout(t *testing.T) {
	w := newWorld(t, nil)
	b, other := w.browser(), w.browser()
	b.mustSignIn("s-ann")
	other.mustSignIn("s-root")
	sid := w.idp.Sessions("s-ann")[0]
	at := func(issuer, sid string) string {
		return "/frontchannel-logout?" + url.Values{"iss": {issuer}, "sid": {sid}}.Encode()
	}
	for name, path := range map[string]string{
		"another issuer":   at("http://127.0.0.1:1/other", sid),
		"no issuer":        "/frontchannel-logout?sid=" + sid,
		"no session":       "/frontchannel-logout?iss=" + url.QueryEscape(w.idpURL),
		"empty session":    at(w.idpURL, ""),
		"several sessions": at(w.idpURL, sid) + "&sid=x",
		"nothing":          "/frontchannel-logout",
	} {
		got := w.browser().get(path)
		if got.StatusCode != http.StatusBadRequest || !strings.Contains(got.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || b.whoami() == "" {
			t.Errorf("%s: %d %v, then %q", name, got.StatusCode, got.Header, b.whoami())
		}
	}
	frame := w.browser() // which brings no cookie, as in a frame of another site
	got := frame.get(at(w.idpURL, "unknown"))
	if got.StatusCode != http.StatusOK || b.whoami() == "" {
		t.Errorf("an unknown session: %d, then %q", got.StatusCode, b.whoami())
	}
	got = frame.get(at(w.idpURL, sid))
	if got.StatusCode != http.StatusOK || got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("X-Frame-Options") != "" ||
		!strings.HasSuffix(got.Header.Get("Content-Security-Policy"), "frame-ancestors "+w.idpURL) {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if b.whoami() != "" || other.whoami() == "" {
		t.Errorf("%q and %q are signed in", b.whoami(), other.whoami())
	}
	if policy := frame.get("/login").Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("another page may be framed: %s", policy)
	}
}

// The attack: guessing. Whoever sends tokens that are none is refused for a while, before their signatures are looked at.
func TestAttackFloodOfLogouts(t *testing.T) {
	w := newWorld(t, nil)
	for range 1000 {
		if status, _ := w.tell("x"); status == http.StatusTooManyRequests {
			t.Fatal("refused too early")
		}
	}
	if status, _ := w.tell("x"); status != http.StatusTooManyRequests {
		t.Errorf("the 1001st was answered with %d", status)
	}
}

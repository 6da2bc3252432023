package login_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestSignOutHereAndAtTheProvider(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	thief := w.browser()
	thief.client.Jar.SetCookies(thief.home(), []*http.Cookie{{Name: "session", Value: b.cookie("session"), Path: "/"}})
	if thief.whoami() == "" {
		t.Fatal("the copied cookie should work before")
	}
	got := b.do("POST", w.gateway.URL+"/logout", "", "Origin", w.gateway.URL)
	if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.leads(), w.idpURL+"/logout?") {
		t.Fatalf("%d %q", got.StatusCode, got.leads())
	}
	q := query(t, got.leads())
	if q.Get("client_id") != "gateway" || q.Get("post_logout_redirect_uri") != w.gateway.URL+"/login" || strings.Count(q.Get("id_token_hint"), ".") != 2 {
		t.Errorf("the provider is told %v", q)
	}
	back := b.do("GET", got.leads(), "").leads()
	if back != w.gateway.URL+"/login?state="+q.Get("state") || len(q.Get("state")) < 43 {
		t.Errorf("the provider leads back to %q", back)
	}
	if page := b.do("GET", back, ""); page.StatusCode != http.StatusOK || !strings.Contains(page.body, "You are signed out") {
		t.Errorf("back from the provider: %d %s", page.StatusCode, page.body)
	}
	if b.cookie("session") != "" || w.sessionFiles() != 0 || thief.whoami() != "" || b.whoami() != "" {
		t.Errorf("the session goes on: cookie %q, %d in the store, %q", b.cookie("session"), w.sessionFiles(), thief.whoami())
	}
}

// The attack (logout CSRF): another site signs people out.
func TestAttackSignOutFromAnotherSite(t *testing.T) {
	w := newWorld(t, nil)
	for _, tc := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"link of another site", "GET", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusOK},
		{"link of a sibling", "GET", []string{"Sec-Fetch-Site", "same-site"}, http.StatusOK},
		{"typed", "GET", []string{"Sec-Fetch-Site", "none"}, http.StatusOK},
		{"old browser", "GET", nil, http.StatusOK},
		{"form of another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, http.StatusForbidden},
		{"form of a sibling", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example"}, http.StatusForbidden},
		{"form of an old browser", "POST", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"form without an origin", "POST", nil, http.StatusForbidden},
		{"sandboxed form", "POST", []string{"Origin", "null"}, http.StatusForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := w.browser()
			b.mustSignIn("s-ann")
			got := b.do(tc.method, w.gateway.URL+"/logout", "", tc.headers...)
			if got.StatusCode != tc.status || b.whoami() == "" {
				t.Errorf("%d, then %q: %s", got.StatusCode, b.whoami(), got.body)
			}
			if tc.status == http.StatusOK && !strings.Contains(got.body, `<form method="post" action="/logout">`) {
				t.Errorf("no question: %s", got.body)
			}
		})
	}
}

func TestSignOutFromOurOwnPages(t *testing.T) {
	w := newWorld(t, nil)
	for name, how := range map[string]struct {
		method  string
		headers []string
	}{
		"link":               {"GET", []string{"Sec-Fetch-Site", "same-origin"}},
		"form":               {"POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", w.gateway.URL}},
		"form, no metadata":  {"POST", []string{"Origin", w.gateway.URL}},
		"script of the page": {"POST", []string{"Sec-Fetch-Site", "same-origin"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			b.mustSignIn("s-ann")
			if got := b.do(how.method, w.gateway.URL+"/logout", "", how.headers...); got.StatusCode != http.StatusSeeOther || b.whoami() != "" {
				t.Errorf("%d, then %q", got.StatusCode, b.whoami())
			}
		})
	}
}

func TestSignOutOfNothing(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.browser().get("/logout"); got.leads() != "/login" {
		t.Errorf("%d %q", got.StatusCode, got.leads())
	}
}

// With AUTOMATIC_LOGIN_REDIRECT the login page would undo a sign-out at a provider that has none of its own.
func TestSignOutStaysSignedOut(t *testing.T) {
	w := newWorld(t, func(w *world) { withoutDiscovery(w); w.settings.AutoRedirect = true })
	b := w.browser()
	b.mustSignIn("s-ann")
	got := b.do("POST", w.gateway.URL+"/logout", "", "Origin", w.gateway.URL)
	if got.StatusCode != http.StatusOK || !strings.Contains(got.body, "You are signed out") || b.whoami() != "" {
		t.Errorf("%d %q %s", got.StatusCode, got.leads(), got.body)
	}
}

// Back from the provider's sign-out the page does not sign in again by itself, once, and for the browser that signed out alone.
func TestStateOfALogout(t *testing.T) {
	w := newWorld(t, func(w *world) { w.settings.AutoRedirect = true })
	b := w.browser()
	b.mustSignIn("s-ann")
	back := b.do("GET", b.do("POST", w.gateway.URL+"/logout", "", "Origin", w.gateway.URL).leads(), "").leads()
	signedOut := func(b *browser, at string) bool {
		return strings.Contains(b.do("GET", at, "").body, "You are signed out")
	}
	for name, at := range map[string]string{"another state": w.gateway.URL + "/login?state=x", "no state": w.gateway.URL + "/login", "twice": back + "&state=x"} {
		if signedOut(b, at) {
			t.Errorf("%s: taken for the end of the sign-out", name)
		}
	}
	if signedOut(w.browser(), back) {
		t.Error("another browser is told that it is signed out")
	}
	if !signedOut(b, back) {
		t.Error("the browser is not told that it is signed out")
	}
	if signedOut(b, back) {
		t.Error("it is told twice")
	}
}

// The ID token is a credential at the provider: nobody who reads the files of sessions gets it.
func TestIDTokenIsSealedInTheStore(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.secrets = []string{"another-secret-key-1"} // without the secret it cannot be had
	w.restart()
	got := b.do("POST", w.gateway.URL+"/logout", "", "Origin", w.gateway.URL)
	if q := query(t, got.leads()); q.Get("id_token_hint") != "" || q.Get("client_id") != "gateway" {
		t.Errorf("the provider is told %v", q)
	}
}

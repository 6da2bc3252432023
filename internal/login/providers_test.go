package login_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login/oidc"
)

// second adds another provider, "partner", with an Ann of its own.
func second(w *world) *devidp.Provider {
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	w.t.Cleanup(server.Close)
	partner := devidp.Person{Subject: "p-ann", Username: "ann", Email: "ann@example.com", Name: "Another Ann", Groups: []string{"mlflow", "blue", "mlflow-admin"}}
	bob := devidp.Person{Subject: "p-bob", Username: "bob", Email: "bob@partner.example", Name: "Bob", Groups: []string{"mlflow", "blue"}}
	idp, err := devidp.New(devidp.Options{Issuer: server.URL, ClientID: "gateway", ClientSecret: "client-secret", Now: w.idpClock.Now, Key: key(),
		RedirectURIs: []string{w.gateway.URL + "/callback/partner"}, People: []devidp.Person{partner, bob}})
	w.must(err)
	handler = idp.Handler()
	settings := w.settings
	settings.ID, settings.DiscoveryURL, settings.AdminGroups, settings.Separate = "partner", server.URL+"/.well-known/openid-configuration", nil, true
	w.others = []login.Choice{{Provider: oidc.New(settings, w.clock.Now), ID: "partner", Type: "oidc", DisplayName: "Partner", Callback: settings.Callback()}}
	return idp
}

// answerOf goes to a provider from a page of ours and gives where its answer leads.
func (b *browser) answerOf(start, subject string) string {
	b.world.t.Helper()
	got := b.get(start)
	if got.StatusCode != http.StatusSeeOther {
		b.world.t.Fatalf("%s gave %d %s", start, got.StatusCode, got.body)
	}
	return b.do("POST", got.leads(), "person="+url.QueryEscape(subject)).leads()
}

// mustSignInAt signs in at one of several providers.
func (b *browser) mustSignInAt(start, subject string) {
	b.world.t.Helper()
	if got := b.do("GET", b.answerOf(start, subject), ""); got.StatusCode != http.StatusSeeOther {
		b.world.t.Fatalf("signing in as %s gave %d %s", subject, got.StatusCode, got.body)
	}
}

func TestSeveralProviders(t *testing.T) {
	w := newWorld(t, func(w *world) { second(w); w.settings.AutoRedirect = true })
	b := w.browser()
	page := b.get("/login?next=/whoami") // which one to go to, nobody can know
	for _, link := range []string{`href="/login/oidc?next=%2fwhoami"`, `href="/login/partner?next=%2fwhoami"`, "Partner"} {
		if !strings.Contains(strings.ReplaceAll(page.body, "%2F", "%2f"), link) {
			t.Errorf("%q is not on the page: %s", link, page.body)
		}
	}
	if got := b.get("/login/start?next=/whoami"); got.leads() != "/login?next=%2Fwhoami" {
		t.Errorf("a start without a provider leads to %q", got.leads())
	}
	if got := b.get("/login/nobody"); got.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown provider gave %d", got.StatusCode)
	}
	back := b.answerOf("/login/partner?next=/whoami?x=1", "p-bob")
	if got := b.do("GET", back, ""); !strings.HasPrefix(back, w.gateway.URL+"/callback/partner?") || got.leads() != "/whoami?x=1" {
		t.Errorf("%s gave %d %q %s", back, got.StatusCode, got.leads(), got.body)
	}
	if who := b.whoami(); who != "bob@partner.example admin=false" {
		t.Errorf("signed in as %q", who)
	}
	if says := status(t, b); says["provider"] != "Partner" {
		t.Errorf("the status is %v", says)
	}
	if got := b.do("POST", w.gateway.URL+"/logout", "", "Origin", w.gateway.URL); !strings.HasPrefix(got.leads(), w.others[0].Provider.(*oidc.Provider).Logout(t.Context(), "", "", "")[:20]) {
		t.Errorf("signing out leads to %q", got.leads())
	}
}

func TestProvidersAreListed(t *testing.T) {
	w := newWorld(t, func(w *world) { second(w) })
	got := w.browser().get("/providers")
	var says, want any
	const list = `{"providers": [{"id": "oidc", "display_name": "Sign in with <Example>", "type": "oidc", "login_url": "/login/oidc"},
		{"id": "partner", "display_name": "Partner", "type": "oidc", "login_url": "/login/partner"}]}`
	if err := json.Unmarshal([]byte(got.body), &says); err != nil || json.Unmarshal([]byte(list), &want) != nil {
		t.Fatal(got.body)
	}
	if diff := cmp.Diff(want, says); diff != "" || got.Header.Get("Cache-Control") != "no-store" {
		t.Error(diff)
	}
}

// The attack (mix-up, RFC 9700 §4.4): what one provider answers is taken to the other one's page, or bears the other one's name.
func TestAttackSwappedProvider(t *testing.T) {
	for name, swap := range map[string]func(w *world, b *browser) string{
		"partner's state at our callback": func(w *world, b *browser) string {
			return strings.Replace(b.answerOf("/login/partner", "p-bob"), "/callback/partner", "/callback", 1)
		},
		"our state at the partner's callback": func(w *world, b *browser) string {
			return strings.Replace(b.answerOf("/login/oidc", "s-ann"), "/callback", "/callback/partner", 1)
		},
		"at the callback of nobody": func(w *world, b *browser) string {
			return strings.Replace(b.answerOf("/login/oidc", "s-ann"), "/callback", "/callback/nobody", 1)
		},
		"our own under its id": func(w *world, b *browser) string {
			return strings.Replace(b.answerOf("/login/oidc", "s-ann"), "/callback", "/callback/oidc", 1)
		},
		"partner's code with our state": func(w *world, b *browser) string {
			ours, theirs := b.answerOf("/login/oidc", "s-ann"), b.answerOf("/login/partner", "p-bob")
			q, other := query(w.t, ours), query(w.t, theirs)
			q.Set("code", other.Get("code"))
			q.Set("iss", other.Get("iss"))
			return w.gateway.URL + "/callback?" + q.Encode()
		},
		"partner's code with our state and name": func(w *world, b *browser) string {
			ours, theirs := b.answerOf("/login/oidc", "s-ann"), b.answerOf("/login/partner", "p-bob")
			q := query(w.t, ours)
			q.Set("code", query(w.t, theirs).Get("code"))
			return w.gateway.URL + "/callback?" + q.Encode()
		},
		"without a name": func(w *world, b *browser) string {
			q := query(w.t, b.answerOf("/login/partner", "p-bob"))
			q.Del("iss")
			return w.gateway.URL + "/callback/partner?" + q.Encode()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { second(w) })
			b := w.browser()
			b.refused(b.do("GET", swap(w, b), ""), http.StatusUnauthorized, "start again")
			w.nobody(b)
		})
	}
}

// The attack: the same e-mail address at another provider, to take over an account. Only an administrator links them.
func TestAttackSameAddressAtAnotherProvider(t *testing.T) {
	var partner *devidp.Provider
	w := newWorld(t, func(w *world) { partner = second(w) })
	w.browser().mustSignInAt("/login/oidc", "s-ann")
	before := w.people()["ann@example.com"]
	b := w.browser()
	b.refused(b.do("GET", b.answerOf("/login/partner", "p-ann"), ""), http.StatusConflict, "has to link them")
	if b.whoami() != "" {
		t.Error("signed in")
	}
	w.must(w.db.LinkIdentity(t.Context(), "ann@example.com", directory.Identity{Provider: partner.Issuer, Subject: "p-ann"}))
	if got := b.do("GET", b.answerOf("/login/partner", "p-ann"), ""); got.StatusCode != http.StatusSeeOther || b.whoami() != "ann@example.com admin=false" {
		t.Errorf("after linking: %d %s", got.StatusCode, got.body)
	}
	if after := w.people()["ann@example.com"]; after.ID != before.ID || after.DisplayName != "Ann Lee" || after.Admin {
		t.Errorf("became %+v", after)
	}
	if diff := cmp.Diff([]string{"blue", "mlflow", "mlflow-admin", "red"}, w.groups("ann@example.com")); diff != "" {
		t.Error(diff)
	}
	w.browser().mustSignInAt("/login/oidc", "s-ann") // the first one says nothing of blue
	if diff := cmp.Diff([]string{"blue", "mlflow", "mlflow-admin", "red"}, w.groups("ann@example.com")); diff != "" {
		t.Error(diff)
	}
}

// The attack: an account waits for somebody of one provider, and somebody of another one brings its name.
func TestAttackPreparedAccountOfAnotherProvider(t *testing.T) {
	w := newWorld(t, func(w *world) { second(w) })
	_, err := w.db.CreateUser(t.Context(), directory.User{Username: "ann@example.com", ManagedBy: "manual"})
	w.must(err)
	b := w.browser()
	b.refused(b.do("GET", b.answerOf("/login/partner", "p-ann"), ""), http.StatusConflict, "has to link them")
	w.browser().mustSignInAt("/login/oidc", "s-ann")
}

func TestGroupPatterns(t *testing.T) {
	w := newWorld(t, func(w *world) {
		c, err := config.Load(func(name string) (string, bool) { return "oth*", name == "OIDC_GROUP_NAME_PATTERN" }, t.TempDir()+"/absent", nil)
		w.must(err)
		w.settings.GroupPatterns = c.OIDC.GroupPatterns
	})
	w.browser().mustSignIn("s-guest") // of "others"
}

// OIDC_USERINFO_GROUPS reads the groups where they are, of the same person, and nothing else.
func TestGroupsFromUserInfo(t *testing.T) {
	for name, c := range map[string]struct {
		on     bool
		groups any // in the ID token
		info   map[string]any
		status int
		admin  bool
	}{
		"on":                   {true, nil, map[string]any{"sub": "s-ann", "groups": []string{"mlflow", "mlflow-admin"}, "email": "root@example.com"}, http.StatusSeeOther, true},
		"off":                  {false, nil, map[string]any{"sub": "s-ann", "groups": []string{"mlflow"}}, http.StatusForbidden, false},
		"not needed":           {true, []string{"mlflow"}, map[string]any{"sub": "s-ann", "groups": []string{"mlflow-admin"}}, http.StatusSeeOther, false},
		"of somebody else":     {true, nil, map[string]any{"sub": "s-root", "groups": []string{"mlflow"}}, http.StatusUnauthorized, false},
		"of nobody":            {true, nil, map[string]any{"groups": []string{"mlflow"}}, http.StatusUnauthorized, false},
		"none":                 {true, nil, map[string]any{"sub": "s-ann"}, http.StatusForbidden, false},
		"of the wrong type":    {true, nil, map[string]any{"sub": "s-ann", "groups": map[string]any{"mlflow": true}}, http.StatusForbidden, false},
		"down":                 {true, nil, nil, http.StatusServiceUnavailable, false},
		"attack: unverified":   {true, nil, map[string]any{"sub": "s-ann", "groups": []string{"mlflow"}, "email_verified": false}, http.StatusForbidden, false},
		"too many for a token": {false, map[string]any{"overage": true}, nil, http.StatusForbidden, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.settings.UserInfoGroups = c.on })
			person := ann
			person.Claims = map[string]any{"groups": c.groups}
			if _, overage := c.groups.(map[string]any); overage {
				person.Claims = map[string]any{"groups": nil, "_claim_names": map[string]any{"groups": "src1"}}
			}
			w.idp.SetPerson(person)
			w.idp.SetUserInfo(c.info)
			if c.info == nil {
				w.idp.SetFaults(devidp.UserInfoDown)
			}
			b := w.browser()
			if got := b.signIn("s-ann"); got.StatusCode != c.status {
				t.Errorf("gave %d %s", got.StatusCode, got.body)
			}
			if who := b.whoami(); c.status == http.StatusSeeOther && who != "ann@example.com admin="+map[bool]string{true: "true", false: "false"}[c.admin] {
				t.Errorf("signed in as %q", who)
			}
		})
	}
}

// A provider may name its people at the user-info endpoint alone (OpenID Connect Core §5.4). It is asked then, and only then;
// what the ID token says counts more.
func TestNamesFromUserInfo(t *testing.T) {
	type claims = map[string]any
	const as = "ann@example.com"
	bare := claims{"email": nil, "email_verified": nil, "preferred_username": nil, "name": nil}
	with := func(more ...any) claims {
		all := claims{}
		for name, value := range bare {
			all[name] = value
		}
		for i := 0; i+1 < len(more); i += 2 {
			all[more[i].(string)] = more[i+1]
		}
		return all
	}
	for name, c := range map[string]struct {
		token   claims // changes of the ID token
		info    claims
		refused int
		says    string // why, or the username and the name to show
	}{
		"all":                     {bare, claims{"sub": "s-ann", "email": "Ann@example.com", "email_verified": true, "name": "Ann"}, 0, as + " Ann"},
		"a blank in the token":    {with("email", " "), claims{"sub": "s-ann", "email": as, "name": "Ann"}, 0, as + " Ann"},
		"without an address":      {bare, claims{"sub": "s-ann", "preferred_username": "ann"}, 0, "ann ann"},
		"the token's name counts": {with("name", "Ann Lee"), claims{"sub": "s-ann", "email": as, "name": "Other"}, 0, as + " Ann Lee"},
		"a username is enough":    {with("preferred_username", "ann"), claims{"sub": "s-ann", "email": "root@example.com", "name": "Root"}, 0, "ann ann"},
		"not asked without need":  {nil, claims{"sub": "s-root", "email": "root@example.com", "name": "Root"}, 0, as + " Ann Lee"},
		"no groups from there":    {with("groups", nil), claims{"sub": "s-ann", "email": as, "groups": []string{"mlflow"}}, 403, "none of the groups"},
		"no names there either":   {bare, claims{"sub": "s-ann", "name": "Ann"}, 403, "gives no username"},
		"down":                    {bare, nil, 503, "does not say who signed in"},

		"attack: of somebody else":                        {bare, claims{"sub": "s-root", "email": "root@example.com"}, 401, "different people"},
		"attack: of nobody":                               {bare, claims{"email": "root@example.com"}, 401, "different people"},
		"attack: of a list of people":                     {bare, claims{"sub": []string{"s-ann"}, "email": as}, 401, "different people"},
		"attack: an unverified address":                   {bare, claims{"sub": "s-ann", "email": as, "email_verified": false}, 403, "not verified"},
		"attack: unverified in words":                     {bare, claims{"sub": "s-ann", "email": as, "email_verified": "false"}, 403, "not verified"},
		"attack: another address was verified":            {with("email_verified", true), claims{"sub": "s-ann", "email": as, "email_verified": false}, 403, "not verified"},
		"attack: unverified in the token, verified there": {with("email_verified", false), claims{"sub": "s-ann", "email": as, "email_verified": true}, 403, "not verified"},
		"attack: a name of another's kind":                {bare, claims{"sub": "s-ann", "email": []string{as}}, 403, "gives no username"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			person := ann
			person.Claims = c.token
			w.idp.SetPerson(person)
			w.idp.SetUserInfo(c.info)
			if c.info == nil {
				w.idp.SetFaults(devidp.UserInfoDown)
			}
			b := w.browser()
			if c.refused != 0 {
				b.refused(b.signIn("s-ann"), c.refused, c.says)
				w.nobody(b)
				return
			}
			b.mustSignIn("s-ann")
			for _, user := range w.people() {
				if got := user.Username + " " + user.DisplayName; got != c.says {
					t.Errorf("stored %q", got)
				}
			}
		})
	}
}

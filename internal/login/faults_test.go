package login_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
)

// Every fault of a token refuses the sign-in, and the same provider without it does not.
func TestAttackTokenFaults(t *testing.T) {
	for _, fault := range devidp.TokenFaults {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t, nil)
			w.idp.SetFaults(fault)
			b := w.browser()
			b.refused(b.signIn("s-root"), http.StatusUnauthorized, "")
			w.nobody(b)
			w.idp.SetFaults()
			b.mustSignIn("s-root")
		})
	}
}

func TestProviderDownAndUpAgain(t *testing.T) {
	for _, tc := range []struct {
		fault  devidp.Fault
		change func(*world)
	}{
		{devidp.DiscoveryDown, nil},
		{devidp.OtherDiscovery, nil},
		{devidp.PlainKeys, nil},
		{devidp.TokensDown, nil},
		{devidp.KeysDown, nil},
		{devidp.TokensDown, withoutDiscovery},
		{devidp.UserInfoDown, withoutDiscovery},
	} {
		t.Run(string(tc.fault), func(t *testing.T) {
			w := newWorld(t, tc.change)
			w.idp.SetFaults(tc.fault)
			b := w.browser()
			got := b.get("/login/start")
			if got.StatusCode == http.StatusSeeOther { // what is down is asked later
				got = b.do("GET", b.choose(got.leads(), "s-ann"), "")
			}
			b.refused(got, http.StatusServiceUnavailable, "identity provider")
			w.nobody(b)
			w.idp.SetFaults()
			b.mustSignIn("s-ann")
		})
	}
}

func TestProviderGone(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.idpDown.Store(true)
	w.restart() // so that nothing is remembered of the provider
	if who := b.whoami(); who != "ann@example.com admin=false" {
		t.Errorf("without the provider a signed-in person is %q", who)
	}
	other := w.browser()
	other.refused(other.get("/login/start"), http.StatusServiceUnavailable, "try again")
	if got := b.do("POST", w.gateway.URL+"/logout", "", "Origin", w.gateway.URL); !strings.Contains(got.body, "At the identity provider you may still be signed in") || b.whoami() != "" {
		t.Errorf("without the provider signing out gave %d %s", got.StatusCode, got.body)
	}
	w.idpDown.Store(false)
	other.mustSignIn("s-root")
}

// The attack: a provider's words, or those of whoever made the address, on our page. They are for the log.
func TestAttackErrorAnswerIsNotShown(t *testing.T) {
	w := newWorld(t, nil)
	w.idp.SetFaults(devidp.ErrorAnswer)
	b := w.browser()
	got := b.signIn("s-ann")
	b.refused(got, http.StatusForbidden, "The identity provider did not sign you in")
	if strings.Contains(got.body, "alert(1)") {
		t.Errorf("shown: %s", got.body)
	}
	w.nobody(b)
}

// The attack (mix-up, RFC 9700 §4.4): an error answer of somebody else is not shown as the provider's either.
func TestAttackErrorAnswerOfAnotherIssuer(t *testing.T) {
	w := newWorld(t, nil)
	w.idp.SetFaults(devidp.ErrorAnswer, devidp.WrongIssuerParameter)
	b := w.browser()
	got := b.signIn("s-ann")
	b.refused(got, http.StatusUnauthorized, "not from the identity provider")
	if strings.Contains(got.body, "alert(1)") {
		t.Errorf("%s", got.body)
	}
}

func TestKeyRotationAtTheProvider(t *testing.T) {
	w := newWorld(t, nil)
	w.browser().mustSignIn("s-ann")
	w.must(w.idp.RotateKey())
	w.browser().mustSignIn("s-root")
}

func TestClocksThatDiffer(t *testing.T) {
	const second = time.Second
	for name, tc := range map[string]struct {
		provider time.Duration // how far its clock is ahead of ours
		claims   map[string]any
		allowed  bool
	}{
		"30 s ahead":                   {30 * second, nil, true},
		"31 s ahead":                   {31 * second, nil, false},
		"expired 30 s ago":             {-(5*time.Minute + 30*second), nil, true},
		"expired 31 s ago":             {-(5*time.Minute + 31*second), nil, false},
		"valid in 30 s":                {0, map[string]any{"nbf": 30}, true},
		"valid in 31 s":                {0, map[string]any{"nbf": 31}, false},
		"valid beyond all calendars":   {0, map[string]any{"nbf": 1e300}, false},
		"expires beyond all calendars": {0, map[string]any{"exp": 1e300}, false},
		"expired before all calendars": {0, map[string]any{"exp": -1e300}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.idpClock.Advance(tc.provider)
			person := ann
			person.Claims = map[string]any{}
			for claim, value := range tc.claims {
				if from, ok := value.(int); ok {
					value = w.clock.Now().Unix() + int64(from)
				}
				person.Claims[claim] = value
			}
			w.idp.SetPerson(person)
			got := w.browser().signIn("s-ann")
			if allowed := got.StatusCode == http.StatusSeeOther; allowed != tc.allowed {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
}

// The attack: a provider's endpoint that was taken over leads the client's secret, or an access token, elsewhere.
func TestAttackRedirectedSecrets(t *testing.T) {
	var leaked []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked = append(leaked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "x", "token_type": "Bearer", "sub": "s-root", "email": "root@example.com", "groups": []string{"mlflow-admin"}})
	}))
	defer elsewhere.Close()
	moved := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/x", http.StatusTemporaryRedirect))
	defer moved.Close()
	for name, change := range map[string]func(*world){
		"token endpoint": func(w *world) { withoutDiscovery(w); w.settings.TokenURL = moved.URL },
		"user info":      func(w *world) { withoutDiscovery(w); w.settings.UserURL = moved.URL },
		"Graph":          func(w *world) { w.settings.EntraGroups = true; w.settings.GraphURL = moved.URL },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			b := w.browser()
			if got := b.signIn("s-ann"); got.StatusCode < 400 {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
			w.nobody(b)
		})
	}
	if leaked != nil {
		t.Errorf("elsewhere got %q", leaked)
	}
}

package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
)

// namesake is somebody of the partner whom it knows by the very subject by which our own provider knows Ann.
var namesake = devidp.Person{Subject: "s-ann", Username: "eve", Email: "eve@partner.example", Name: "Eve", Groups: []string{"mlflow"}}

// apart makes a world with a partner, at which the namesake is signed in, and Ann at our own provider.
func apart(t *testing.T, change func(*world)) (w *world, partner *devidp.Provider, ann, eve *browser) {
	t.Helper()
	w = newWorld(t, func(w *world) {
		if change != nil {
			change(w)
		}
		partner = second(w)
		partner.SetPerson(namesake)
	})
	ann, eve = w.browser(), w.browser()
	ann.mustSignInAt("/login/oidc", "s-ann")
	eve.mustSignInAt("/login/partner", "s-ann")
	return w, partner, ann, eve
}

// signed checks who is signed in.
func (w *world) signed(ann, eve *browser, wantAnn, wantEve bool) {
	w.t.Helper()
	if a, e := ann.whoami(), eve.whoami(); (a == "ann@example.com admin=false") != wantAnn || (e == "eve@partner.example admin=false") != wantEve {
		w.t.Errorf("signed in as %q and %q, want %v and %v", a, e, wantAnn, wantEve)
	}
}

// The attack: a provider signs out people of another one. It can name whatever subject and session it likes, also theirs.
func TestAttackLogoutOfAnotherProvidersSession(t *testing.T) {
	w, partner, ann, eve := apart(t, nil)
	sid := w.idp.Sessions("s-ann")[0]
	w.mustTell(partner.LogoutToken(claims{"sid": sid}))
	w.signed(ann, eve, true, true)
	ann.get("/frontchannel-logout?" + url.Values{"iss": {partner.Issuer}, "sid": {sid}}.Encode())
	w.signed(ann, eve, true, true)
	for name, token := range map[string]string{
		"in our provider's name":                   partner.LogoutToken(claims{"iss": w.idpURL, "sub": "s-ann"}),
		"in its name with a slash":                 partner.LogoutToken(claims{"iss": w.idpURL + "/", "sub": "s-ann"}),
		"our provider's own with a slash":          w.idp.LogoutToken(claims{"iss": w.idpURL + "/", "sub": "s-ann"}),
		"in several names":                         partner.LogoutToken(claims{"iss": []string{partner.Issuer, w.idpURL}, "sub": "s-ann"}),
		"our provider's own in the partner's name": w.idp.LogoutToken(claims{"iss": partner.Issuer, "sub": "s-ann"}),
		"in nobody's name":                         partner.LogoutToken(claims{"iss": "https://nobody.example", "sub": "s-ann"}),
	} {
		if status, body := w.tell(token); status != http.StatusBadRequest || !strings.Contains(body, "invalid_request") {
			t.Errorf("%s: %d %s", name, status, body)
		}
		w.signed(ann, eve, true, true)
	}
	w.mustTell(partner.LogoutToken(claims{"sub": "s-ann", "sid": sid}))
	w.signed(ann, eve, true, true) // Eve's session has another name
	w.mustTell(partner.LogoutToken(claims{"sub": "s-ann"}))
	w.signed(ann, eve, true, false)
	w.mustTell(w.idp.LogoutToken(claims{"sub": "s-ann"}))
	w.signed(ann, eve, false, false)
}

// The attack: a provider uses up the identifier of a logout that another one is about to send.
func TestAttackLogoutIdentifierOfAnotherProvider(t *testing.T) {
	w, partner, ann, eve := apart(t, nil)
	w.mustTell(partner.LogoutToken(claims{"jti": "the-same", "sid": "none"}))
	w.mustTell(w.idp.LogoutToken(claims{"jti": "the-same", "sub": "s-ann"}))
	w.signed(ann, eve, false, true)
}

func TestFrontChannelLogoutOfEachProvider(t *testing.T) {
	w, partner, ann, eve := apart(t, nil)
	got := w.browser().get("/frontchannel-logout?" + url.Values{"iss": {partner.Issuer}, "sid": {partner.Sessions("s-ann")[0]}}.Encode())
	if policy := got.Header.Get("Content-Security-Policy"); got.StatusCode != http.StatusOK || !strings.HasSuffix(policy, "frame-ancestors "+partner.Issuer) {
		t.Errorf("%d, may be framed by %q", got.StatusCode, policy)
	}
	w.signed(ann, eve, true, false)
}

// Each session is renewed at the provider that it began at, and by no other one's word.
func TestSessionsRenewAtTheirOwnProvider(t *testing.T) {
	w, partner, ann, eve := apart(t, following)
	w.later(devidp.Life)
	w.signed(ann, eve, true, true)
	if a, e := w.idp.Refreshes(), partner.Refreshes(); a != 1 || e != 1 {
		t.Errorf("refreshed %d and %d times", a, e)
	}
	partner.SetPerson(changed(namesake, func(p *devidp.Person) { p.Disabled = true }))
	w.later(devidp.Life)
	w.signed(ann, eve, true, false)
}

// One provider's outage is not another one's.
func TestProviderDownHoldsUpItsOwnSessionsAlone(t *testing.T) {
	w, partner, ann, eve := apart(t, following)
	w.idpDown.Store(true)
	w.later(devidp.Life)
	if got := ann.get("/auth/status"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("at the provider that is down: %d %s", got.StatusCode, got.body)
	}
	if eve.whoami() == "" || partner.Refreshes() != 1 {
		t.Errorf("the other one refreshed %d times", partner.Refreshes())
	}
}

// The attack: the settings name a provider no more, and who came from it stays.
func TestAttackSessionOfARemovedProvider(t *testing.T) {
	w, _, ann, eve := apart(t, following)
	w.others = nil
	w.restart()
	w.later(devidp.Life)
	if got := eve.get("/login"); !strings.Contains(got.body, "not known here any more") {
		t.Errorf("the page does not say why: %s", got.body)
	}
	w.signed(ann, eve, true, false)
}

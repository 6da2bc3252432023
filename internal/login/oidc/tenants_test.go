package oidc

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

const (
	ours    = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	theirs  = "82229342-1101-4ab6-817b-70c0747630f3" // may come too
	another = "72f988bf-86f1-41af-91ab-2d7cd011db47" // may not
)

// entra stands in for Microsoft Entra ID with its one set of keys for all tenants.
type entra struct {
	*Provider
	idp      *devidp.Provider
	url      string
	document map[string]any
	owner    any // of the keys; nil: they name none
}

func (e *entra) issuer(tenant string) string { return e.url + "/" + tenant + "/v2.0" }

// token makes a token of a tenant, with changes.
func (e *entra) token(tenant string, changes ...any) string {
	claims := map[string]any{"iss": e.issuer(tenant), "tid": tenant}
	for i := 0; i+1 < len(changes); i += 2 {
		claims[changes[i].(string)] = changes[i+1]
	}
	return e.idp.Token("s", claims)
}

func newEntra(t *testing.T, tenants ...string) *entra {
	t.Helper()
	e := &entra{}
	clock := sessiontest.NewClock()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/common/v2.0/.well-known/openid-configuration":
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(e.document)
		case "/jwks":
			answer := httptest.NewRecorder()
			e.idp.Handler().ServeHTTP(answer, r)
			var set struct {
				Keys []map[string]any `json:"keys"`
			}
			_ = json.Unmarshal(answer.Body.Bytes(), &set)
			if e.owner != nil {
				set.Keys[0]["issuer"] = e.owner
			}
			_ = json.NewEncoder(w).Encode(set)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	e.url = server.URL
	var err error
	if e.idp, err = devidp.New(devidp.Options{Issuer: e.url, ClientID: "gateway", Now: clock.Now, Key: key()}); err != nil {
		t.Fatal(err)
	}
	e.document = map[string]any{"issuer": e.issuer("{tenantid}"), "authorization_endpoint": e.url + "/authorize", "token_endpoint": e.url + "/token",
		"jwks_uri": e.url + "/jwks", "end_session_endpoint": e.url + "/logout"}
	e.owner = e.issuer("{tenantid}")
	e.Provider = New(config.OIDC{DiscoveryURL: e.url + "/common/v2.0/.well-known/openid-configuration", Tenants: tenants, ClientID: "gateway",
		VerifyTLS: true, HTTPTimeout: 5 * time.Second}, clock.Now)
	return e
}

func TestTenants(t *testing.T) {
	e := newEntra(t, ours, theirs)
	for _, tenant := range []string{ours, theirs} {
		b, err := e.Verify(t.Context(), e.token(tenant))
		if want := (directory.Identity{Provider: e.issuer(tenant), Subject: "s"}); err != nil || b.Identity != want {
			t.Errorf("%v, %v", b, err)
		}
		if name, err := e.Name(t.Context(), e.issuer(tenant)); err != nil || name != e.issuer(tenant) || !e.Names(name) {
			t.Errorf("named %q, %v", name, err)
		}
		if name, frames, err := e.FrontChannel(t.Context(), e.issuer(tenant)); err != nil || name != e.issuer(tenant) || len(frames) != 1 {
			t.Errorf("front channel: %q %q %v", name, frames, err)
		}
	}
	if b, err := e.Verify(t.Context(), e.token(ours, "tid", nil)); err != nil || b.Identity.Provider != e.issuer(ours) {
		t.Errorf("without tid: %v, %v", b, err)
	}
	_, err := e.Name(t.Context(), "oidc") // of which tenant?
	wantCode(t, err, errs.Invalid)
	if name, err := newEntra(t, ours).Name(t.Context(), "oidc"); err != nil || !strings.HasSuffix(name, ours+"/v2.0") {
		t.Errorf("the only tenant is named %q, %v", name, err)
	}
}

// The attacks: tokens that Entra ID signed, or seems to have signed, and that are of nobody who may come.
func TestAttackTokensOfTenants(t *testing.T) {
	e := newEntra(t, ours, theirs)
	for name, raw := range map[string]string{
		"of another tenant":                   e.token(another),
		"of another tenant, under our issuer": e.token(ours, "tid", another),
		"of a listed one, under our issuer":   e.token(ours, "tid", theirs),
		"of our tenant, under another's":      e.token(another, "tid", ours),
		"a tid that is no text":               e.token(ours, "tid", []string{ours}),
		"a tid of an object":                  e.token(ours, "tid", map[string]any{}),
		"the template itself":                 e.token("{tenantid}"),
		"the template itself, of our tenant":  e.token("{tenantid}", "tid", ours),
		"the template left empty":             e.token("", "tid", ours),
		"common":                              e.token("common", "tid", ours),
		"in capitals":                         e.token(strings.ToUpper(ours)),
		"with a slash":                        e.token(ours, "iss", e.issuer(ours)+"/"),
		"with more":                           e.token(ours, "iss", e.issuer(ours)+"/../../"+another+"/v2.0"),
		"no issuer":                           e.token(ours, "iss", nil),
		"an empty issuer":                     e.token(ours, "iss", ""),
		"v1":                                  e.token(ours, "iss", "https://sts.windows.net/"+ours+"/"),
		"v1 at the same host":                 e.token(ours, "iss", e.url+"/"+ours+"/"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Verify(t.Context(), raw)
			wantCode(t, err, errs.Unauthenticated)
			_, err = e.LogoutToken(t.Context(), raw)
			wantCode(t, err, errs.Unauthenticated)
		})
	}
	for _, issuer := range []string{e.issuer(another), e.issuer("{tenantid}"), e.issuer("common"), ""} {
		if _, _, err := e.FrontChannel(t.Context(), issuer); err == nil || e.Names(issuer) {
			t.Errorf("%q is taken for a tenant's", issuer)
		}
	}
}

// A key of one tenant alone, as that of personal accounts, signs for that one.
func TestAttackKeyOfAnotherTenant(t *testing.T) {
	for name, c := range map[string]struct {
		owner func(*entra) any
		good  bool
	}{
		"all tenants":    {func(e *entra) any { return e.issuer("{tenantid}") }, true},
		"the tenant":     {func(e *entra) any { return e.issuer(ours) }, true},
		"nobody named":   {func(*entra) any { return nil }, true},
		"another tenant": {func(e *entra) any { return e.issuer(another) }, false},
		"a listed one":   {func(e *entra) any { return e.issuer(theirs) }, false},
		"no text":        {func(e *entra) any { return []string{e.issuer(ours)} }, false},
		"an object":      {func(e *entra) any { return map[string]any{} }, false},
		"an empty name":  {func(e *entra) any { return "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t, ours, theirs)
			e.owner = c.owner(e)
			_, err := e.Verify(t.Context(), e.token(ours))
			if c.good && err != nil {
				t.Error(err)
			}
			if !c.good {
				wantCode(t, err, errs.Unauthenticated)
			}
		})
	}
}

func TestDiscoveryOfTenants(t *testing.T) {
	for name, c := range map[string]struct {
		tenants []string
		issuer  string
		says    string // "": good
	}{
		"listed":                    {[]string{ours}, "/{tenantid}/v2.0", ""},
		"attack: nobody is listed":  {nil, "/{tenantid}/v2.0", "OIDC_TENANTS"},
		"attack: not filled in":     {[]string{ours}, "/{tenant}/v2.0", "cannot be reached"},
		"attack: of one tenant":     {[]string{ours}, "/" + ours + "/v2.0", "cannot be reached"},
		"attack: of common":         {[]string{ours}, "/common/v2.0", "cannot be reached"},
		"attack: of v1":             {[]string{ours}, "/{tenantid}/", "cannot be reached"},
		"attack: of another's host": {[]string{ours}, "https://evil.example/{tenantid}/v2.0", "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t, c.tenants...)
			if e.document["issuer"] = c.issuer; strings.HasPrefix(c.issuer, "/") {
				e.document["issuer"] = e.url + c.issuer
			}
			_, err := e.Start(t.Context(), directory.SignIn{State: "s", Nonce: "n", Verifier: "v"})
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, errs.Unavailable)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("says %v", err)
			}
			_, err = e.Verify(t.Context(), e.token(ours))
			wantCode(t, err, errs.Unavailable)
		})
	}
}

// The attack (mix-up): an answer under the name of a tenant that may not come.
func TestAttackAnswerOfAnotherTenant(t *testing.T) {
	e := newEntra(t, ours, theirs)
	for _, tenant := range []string{another, "{tenantid}", ""} {
		_, _, err := e.Finish(t.Context(), url.Values{"code": {"x"}, "iss": {e.issuer(tenant)}}, directory.SignIn{Nonce: "n", Verifier: "v"})
		wantCode(t, err, errs.Unauthenticated)
		if err == nil || !strings.Contains(err.Error(), "not from the identity provider that was asked") {
			t.Errorf("%q: %v", tenant, err)
		}
	}
}

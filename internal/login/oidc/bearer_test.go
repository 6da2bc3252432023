package oidc

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// What a bearer token says of its person counts as far as the settings have it count.
func TestWhatBearersSay(t *testing.T) {
	member := map[string]any{"email": "Ann@example.com", "groups": []string{"mlflow", "red"}}
	boss := map[string]any{"email": "ann@example.com", "groups": []string{"bosses"}}
	stranger := map[string]any{"email": "ann@example.com", "groups": []string{"others"}}
	for name, c := range map[string]struct {
		provision, trust bool
		claims           map[string]any
		says             bool
		create, admin    bool
		code             errs.Code // Internal: none
	}{
		"neither":                        {false, false, member, false, false, false, errs.Internal},
		"neither, and groups of numbers": {false, false, map[string]any{"groups": 7}, false, false, false, errs.Internal},
		"provision":                      {true, false, member, true, true, false, errs.Internal},
		"provision a stranger":           {true, false, stranger, false, false, false, errs.Internal},
		"provision without groups":       {true, false, map[string]any{"email": "a@example.com"}, false, false, false, errs.Internal},
		"provision without a name":       {true, false, map[string]any{"groups": []string{"mlflow"}}, true, false, false, errs.Internal},
		"provision an address that nobody checked": {true, false, map[string]any{"email": "a@example.com", "email_verified": false,
			"groups": []string{"mlflow"}}, true, false, false, errs.Internal},
		"trust":                  {false, true, boss, true, false, true, errs.Internal},
		"trust a stranger":       {false, true, stranger, false, false, false, errs.Denied},
		"trust without groups":   {false, true, map[string]any{}, false, false, false, errs.Internal},
		"trust groups of none":   {false, true, map[string]any{"groups": []string{}}, false, false, false, errs.Denied},
		"groups of a number":     {false, true, map[string]any{"groups": 7}, false, false, false, errs.Denied},
		"groups with a number":   {true, true, map[string]any{"groups": []any{"mlflow", 7}}, false, false, false, errs.Denied},
		"groups as an object":    {true, true, map[string]any{"groups": map[string]any{"mlflow": true}}, false, false, false, errs.Denied},
		"groups that are not in": {true, true, map[string]any{"_claim_names": map[string]any{"groups": "x"}}, false, false, false, errs.Denied},
		"both":                   {true, true, boss, true, true, true, errs.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *config.OIDC) {
				o.GroupsClaim, o.Groups, o.AdminGroups, o.Provision, o.TrustGroups = "groups", []string{"mlflow"}, []string{"bosses"}, c.provision, c.trust
			})
			b, err := w.Verify(t.Context(), w.idp.Token("s", c.claims))
			if c.code != errs.Internal {
				wantCode(t, err, c.code)
				return
			}
			if err != nil || (b.Says != nil) != c.says || b.Create != c.create || b.Groups != (c.trust && c.says) {
				t.Fatalf("%+v, %v", b, err)
			}
			if b.Says != nil && (b.Says.Admin != c.admin || b.Says.Identity != b.Identity || b.Create && !strings.HasPrefix(b.Says.Username, "ann@") || len(b.Says.Groups) == 0) {
				t.Errorf("says %+v", b.Says)
			}
		})
	}
}

// Microsoft Graph is not asked with a token that is for us.
func TestBearersOfEntraSayNothing(t *testing.T) {
	w := newWorld(t, func(o *config.OIDC) {
		o.GroupsClaim, o.Groups, o.Provision, o.TrustGroups, o.EntraGroups = "groups", []string{"mlflow"}, true, true, true
	})
	if b, err := w.Verify(t.Context(), w.idp.Token("s", map[string]any{"groups": []string{"mlflow"}})); err != nil || b.Says != nil {
		t.Errorf("%+v, %v", b, err)
	}
}

// A token for access is no ID token, and where its type is asked for, an ID token is none for access.
func TestAttackTypesOfTokens(t *testing.T) {
	w := newWorld(t, func(o *config.OIDC) { o.TokenTypes = []string{"at+jwt"} })
	_, err := w.Verify(t.Context(), w.idp.Token("s", nil)) // typ JWT
	wantCode(t, err, errs.Unauthenticated)
	f, err := w.discovered(t.Context())
	if err != nil || slices.Contains(w.idTokens(f).Types, "at+jwt") {
		t.Errorf("%v", err)
	}
}

// The attack: an ID token that the provider made for another client.
func TestAttackIDTokenOfAnotherClient(t *testing.T) {
	w := newWorld(t, nil)
	for name, claims := range map[string]map[string]any{
		"its own":             {"aud": "notebook", "azp": "notebook", "nonce": "n"},
		"for us too":          {"aud": []string{"notebook", "gateway"}, "azp": "notebook", "nonce": "n"},
		"for us, of no party": {"aud": []string{"notebook", "gateway"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Verify(t.Context(), w.idp.Token("s", claims))
			wantCode(t, err, errs.Unauthenticated)
		})
	}
}

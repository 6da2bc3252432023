package oidc

import (
	"testing"

	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

// The attack (cross-JWT confusion, RFC 8725 §2.8): a token of one kind at the door of another. All of them are of the same
// provider, key, audience and subject, so that the kind alone tells them apart.
func TestAttackTokensOfAnotherKind(t *testing.T) {
	w := newWorld(t, func(o *config.OIDC) { o.TokenTypes = []string{"at+jwt"} })
	f, err := w.discovered(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	none := claims{"events": nil, "jti": nil}
	tokens := map[string]string{
		"ID token":                      w.idp.Token("s", claims{"nonce": "n", "sid": "x"}),
		"ID token of another sign-in":   w.idp.Token("s", claims{"nonce": "m"}),
		"access token":                  w.idp.LogoutTokenAs("at+jwt", with(claims{"sub": "s"}, none)),
		"access token, typed in full":   w.idp.LogoutTokenAs("application/at+jwt", with(claims{"sub": "s"}, none)),
		"logout token":                  w.idp.LogoutToken(claims{"sub": "s"}),
		"logout token, typed as before": w.idp.LogoutTokenAs("JWT", claims{"sub": "s"}),
		"logout token with a nonce":     w.idp.LogoutToken(claims{"sub": "s", "nonce": "n"}),
		"proof of possession":           w.idp.LogoutTokenAs("dpop+jwt", with(claims{"sub": "s", "nonce": "n"}, none)),
		"security event":                w.idp.LogoutTokenAs("secevent+jwt", claims{"sub": "s"}),
	}
	doors := map[string]func(raw string) error{
		"sign-in": func(raw string) error {
			id, err := w.idTokens(f).Verify(t.Context(), raw)
			if err == nil {
				err = w.checkIDToken(id, directory.SignIn{Nonce: "n"}, &oauth2.Token{})
			}
			return err
		},
		"bearer": func(raw string) error { _, err := w.Verify(t.Context(), raw); return err },
		"logout": func(raw string) error { _, err := w.LogoutToken(t.Context(), raw); return err },
	}
	own := map[string]string{"ID token": "sign-in", "access token": "bearer", "access token, typed in full": "bearer", "logout token": "logout",
		"logout token, typed as before": "logout"}
	for kind, raw := range tokens {
		for door, try := range doors {
			if err := try(raw); (err == nil) != (own[kind] == door) {
				t.Errorf("%s at the door of %s: %v", kind, door, err)
			}
		}
	}
}

type claims = map[string]any

// with adds claims.
func with(all, more claims) claims {
	for name, value := range more {
		all[name] = value
	}
	return all
}

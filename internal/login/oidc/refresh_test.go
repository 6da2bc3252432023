package oidc

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// How each provider is asked for a refresh token.
func TestOffline(t *testing.T) {
	known := []string{"openid", "offline_access"}
	for name, tc := range map[string]struct {
		found   found
		scopes  string
		want    string
		further string
	}{
		"listed in discovery":         {found{issuer: "https://login.example.com", scopes: known}, "openid", "openid offline_access", ""},
		"not listed":                  {found{issuer: "https://login.example.com", scopes: known[:1]}, "openid", "openid", ""},
		"configured":                  {found{issuer: "https://login.example.com", scopes: known}, "offline_access openid", "offline_access openid", ""},
		"Keycloak":                    {found{issuer: "https://sso.example.com/realms/main", scopes: known}, "openid", "openid", ""},
		"Keycloak, configured":        {found{issuer: "https://sso.example.com/realms/main", scopes: known}, "openid offline_access", "openid offline_access", ""},
		"Google":                      {found{issuer: "https://accounts.google.com", scopes: known}, "openid", "openid", "access_type=offline&prompt=consent"},
		"one that is called Google's": {found{issuer: "https://accounts.google.com.example", scopes: known[:1]}, "openid", "openid", ""},
	} {
		t.Run(name, func(t *testing.T) {
			scopes, further := tc.found.offline(strings.Fields(tc.scopes))
			address, err := url.Parse((&oauth2.Config{ClientID: "x"}).AuthCodeURL("s", further...))
			if err != nil {
				t.Fatal(err)
			}
			q := address.Query()
			for _, usual := range []string{"client_id", "response_type", "state"} {
				q.Del(usual)
			}
			if got := strings.Join(scopes, " "); got != tc.want || q.Encode() != tc.further {
				t.Errorf("asks for %q and %q", got, q.Encode())
			}
		})
	}
}

// OIDC_PROMPT is the operator's word: a provider may drop offline_access without prompt=consent (OpenID Connect Core §11), and
// another refuses whoever may not consent themselves.
func TestPrompt(t *testing.T) {
	for _, prompt := range []string{"", "consent", "login consent"} {
		w := newWorld(t, func(o *config.OIDC) { o.Prompt, o.Refresh = prompt, true })
		address, err := w.Start(t.Context(), directory.SignIn{State: "s", Nonce: "n", Verifier: "v"})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil || u.Query().Get("prompt") != prompt || u.Query().Has("prompt") != (prompt != "") || !strings.Contains(u.Query().Get("scope"), "offline_access") {
			t.Errorf("%q leads to %s, %v", prompt, address, err)
		}
	}
}

func TestMaxAgeIsAskedFor(t *testing.T) {
	for age, want := range map[time.Duration]string{0: "", time.Hour: "3600"} {
		w := newWorld(t, func(o *config.OIDC) { o.MaxAge = age })
		address, err := w.Start(t.Context(), directory.SignIn{State: "s", Nonce: "n", Verifier: "v"})
		if err != nil {
			t.Fatal(err)
		}
		if u, err := url.Parse(address); err != nil || u.Query().Get("max_age") != want || u.Query().Has("max_age") != (want != "") {
			t.Errorf("%v leads to %s, %v", age, address, err)
		}
	}
}

// What a provider says of the life of its tokens, however odd, is a time that can be counted with.
func TestLifeOfTokens(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	p := &Provider{now: func() time.Time { return now }}
	p.settings.Refresh = true
	exp := jwt.Token{Claims: map[string]any{"sid": "x"}, Issued: now, Expires: now.Add(time.Minute)}
	for name, tc := range map[string]struct {
		token oauth2.Token
		id    jwt.Token
		want  time.Time
	}{
		"the access token's": {oauth2.Token{ExpiresIn: 300}, exp, now.Add(5 * time.Minute)},
		"the ID token's":     {oauth2.Token{}, exp, now.Add(time.Minute)},
		"none":               {oauth2.Token{}, jwt.Token{}, time.Time{}},
		"negative":           {oauth2.Token{ExpiresIn: -1}, exp, now.Add(time.Minute)},
		"beyond all numbers": {oauth2.Token{ExpiresIn: 1<<63 - 1}, exp, now.Add(longest)},
	} {
		if got := p.kept(&tc.token, "raw", tc.id); !got.Until.Equal(tc.want) {
			t.Errorf("%s: until %v, want %v", name, got.Until, tc.want)
		}
	}
	if got := p.kept(&oauth2.Token{RefreshToken: "r"}, "raw", exp); got.Refresh != "r" || got.Session != "x" || !got.IssuedAt.Equal(now) || got.ID != "raw" {
		t.Errorf("%+v", got)
	}
	p.settings.Refresh = false
	if got := p.kept(&oauth2.Token{RefreshToken: "r"}, "raw", exp); got.Refresh != "" {
		t.Error("a refresh token is kept that nobody uses")
	}
}

// A logout token is never taken with a type that says otherwise, nor without what makes it one, whatever else is there.
func FuzzCheckLogout(f *testing.F) {
	const event = `"http://schemas.openid.net/event/backchannel-logout"`
	for _, seed := range []string{`{"iat":1,"jti":"j","sub":"s","events":{` + event + `:{}}}`, `{"iat":1,"jti":"j","sid":"s","events":{` + event + `:{}},"nonce":1}`,
		`{"iat":1,"jti":"j","sid":7,"events":{` + event + `:{}}}`, `{"events":{` + event + `:null}}`, `{"jti":"","iat":null,"sub":" "}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		claims, err := jwt.Object([]byte(given))
		id := jwt.Token{Claims: claims, Issued: time.Unix(1, 0)}
		id.Subject, _ = claims["sub"].(string)
		if err != nil || strings.TrimSpace(id.Subject) == "" && claims["sub"] != nil || checkLogout(id) != nil { // a subject that is none is refused before
			return
		}
		events, _ := claims["events"].(map[string]any)
		_, told := events[logoutEvent].(map[string]any)
		_, nonce := claims["nonce"]
		sid, hasSession := claims["sid"].(string)
		sub, hasSubject := claims["sub"].(string)
		if !told || nonce || claims["jti"] == "" || claims["jti"] == nil || !(hasSession && sid != "") && !(hasSubject && strings.TrimSpace(sub) != "") {
			t.Errorf("%s passes for a logout", given)
		}
	})
}

package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// fromUserInfo turns what the user-info endpoint says into a sign-in, and gives what it says.
func (p *Provider) fromUserInfo(ctx context.Context, f *found, tokens *oauth2.Token) (directory.Login, map[string]any, error) {
	claims, err := p.userInfo(ctx, f, tokens.AccessToken)
	if err != nil {
		return directory.Login{}, nil, err
	}
	login, err := p.login(ctx, f, claims, tokens.AccessToken)
	return login, claims, err
}

// userInfo asks the user-info endpoint who somebody is.
func (p *Provider) userInfo(ctx context.Context, f *found, accessToken string) (map[string]any, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.userInfo, nil)
	if err != nil {
		return nil, fmt.Errorf("asking for user info: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+accessToken)
	answer, err := p.client.Do(request)
	if err != nil {
		return nil, unreachable(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errs.New(errs.Unavailable, "the identity provider does not say who signed in (status %d)", answer.StatusCode)
	}
	claims, err := decode(answer.Body)
	if err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "the identity provider does not say who signed in: its answer cannot be read")
	}
	return claims, nil
}

// addUserInfo adds what the user-info endpoint says to the claims of an ID token that does not say it, and nothing else: who
// the person is for others, since a provider may have these claims there alone (OpenID Connect Core §5.4), and the groups
// (OIDC_USERINFO_GROUPS). Its answer must be of the same subject (§5.3.2). Where either says that the address is not verified, it
// is not. The answer is given; nil where it was not asked for.
func (p *Provider) addUserInfo(ctx context.Context, f *found, claims map[string]any, accessToken string) (more map[string]any, err error) {
	_, username := first(claims, p.settings.UsernameClaims)
	nameless := username == ""
	groupless := p.settings.UserInfoGroups && !p.settings.EntraGroups && p.groupClaim(claims) == nil
	if !nameless && !groupless {
		return nil, nil
	}
	if u, err := url.Parse(f.userInfo); err != nil || !jwt.Secure(u) {
		if groupless {
			return nil, errs.New(errs.Unavailable, "the identity provider has no user-info endpoint over https://, from which OIDC_USERINFO_GROUPS has the groups read")
		}
		return nil, nil // the missing name refuses the sign-in
	}
	if more, err = p.userInfo(ctx, f, accessToken); err != nil {
		return nil, err
	}
	if subject, ok := more["sub"].(string); !ok || subject != claims["sub"] {
		return nil, errs.New(errs.Unauthenticated, "the identity provider's answers are of different people; start again")
	}
	if unverified(more) {
		claims["email_verified"] = false
	}
	if nameless {
		p.addNames(claims, more)
	}
	if groupless {
		add(claims, more, p.settings.GroupsClaim, strings.Split(p.settings.GroupsClaim, ".")[0])
	}
	return more, nil
}

// addNames adds the claims that name a person. An address is verified by who tells it.
func (p *Provider) addNames(claims, more map[string]any) {
	if !unverified(claims) {
		add(claims, more, "email_verified")
	}
	for _, name := range slices.Concat(p.settings.UsernameClaims, p.settings.NameClaims) {
		if text(claims[name]) == "" {
			add(claims, more, name)
		}
	}
}

// add takes these claims over.
func add(claims, more map[string]any, names ...string) {
	for _, name := range names {
		if value, there := more[name]; there {
			claims[name] = value
		}
	}
}

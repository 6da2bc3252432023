package oidc

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// logoutEvent is the member of a logout token's events that makes it one.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutToken verifies a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6) but for its use before, which whoever
// remembers tokens has to refuse.
func (p *Provider) LogoutToken(ctx context.Context, raw string) (directory.Logout, error) {
	f, err := p.discovered(ctx)
	if err != nil {
		return directory.Logout{}, err
	}
	if f.keys == nil {
		return directory.Logout{}, bad("without OIDC_DISCOVERY_URL no keys are known")
	}
	if f, err = f.issuing(raw); err != nil {
		return directory.Logout{}, err
	}
	t, err := p.logouts(f).VerifyEvent(ctx, raw)
	if err == nil {
		err = p.checkParty(t)
	}
	if err == nil {
		err = checkLogout(t)
	}
	if err != nil {
		return directory.Logout{}, err
	}
	return directory.Logout{Identity: directory.Identity{Provider: f.provider, Subject: t.Subject}, Session: text(t.Claims["sid"]),
		TokenID: text(t.Claims["jti"]), IssuedAt: t.Issued.UTC(), Expires: t.Expires.Add(jwt.Leeway).UTC()}, nil
}

// checkLogout checks the claims that only a logout token has, and those that it must not have.
func checkLogout(t jwt.Token) error {
	if t.Issued.IsZero() {
		return bad("it does not say when it was issued")
	}
	if id, ok := t.Claims["jti"].(string); !ok || id == "" {
		return bad("it has no identifier")
	}
	events, _ := t.Claims["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return bad("it tells of no logout")
	}
	if _, ok := t.Claims["nonce"]; ok { // an ID token must not pass for one
		return bad("it has a nonce")
	}
	if _, hasSession := t.Claims["sid"]; !hasSession && t.Subject == "" {
		return bad("it names neither a session nor a subject")
	}
	return checkSession(t.Claims)
}

// FrontChannel checks whom a front-channel logout is from (OpenID Connect Front-Channel Logout 1.0 §2), and gives the origins
// whose pages may show the answer in a frame.
func (p *Provider) FrontChannel(ctx context.Context, issuer string) (provider string, frames []string, err error) {
	f, err := p.discovered(ctx)
	if err != nil {
		return "", nil, err
	}
	if f.tenants != nil {
		if f, err = f.tenantOf(issuer); err != nil {
			return "", nil, err
		}
	}
	if f.issuer == "" || issuer != f.issuer {
		return "", nil, errs.New(errs.Invalid, "this logout is not from the identity provider")
	}
	for _, address := range []string{f.issuer, f.endSession} {
		if u, err := url.Parse(address); err == nil && jwt.Secure(u) && !strings.ContainsAny(u.Host, "; ,'") && !slices.Contains(frames, u.Scheme+"://"+u.Host) {
			frames = append(frames, u.Scheme+"://"+u.Host)
		}
	}
	return f.provider, frames, nil
}

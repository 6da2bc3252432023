// Package oidc signs people in with OpenID Connect: the authorization code flow with PKCE (RFC 9700 §2.1.1), and the
// verification of bearer JWTs of the same provider.
package oidc

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// ID is the name of the one provider, by which identities and sessions refer to it.
const ID = "oidc"

// leeway is how far the provider's clock may be from ours.
const leeway = 30 * time.Second

// algorithms are the signatures that are accepted: asymmetric ones alone (RFC 8725 §3.1, §3.2).
var algorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"}

// Provider is one OpenID provider. It is discovered at first use, and again while it could not be reached, so that the
// gateway starts and serves signed-in people without it.
type Provider struct {
	settings config.OIDC
	client   *http.Client
	now      func() time.Time

	mu    sync.Mutex
	found *found
}

// found is what discovery, or the settings, say of the provider.
type found struct {
	endpoint    oauth2.Endpoint
	userInfo    string
	endSession  string
	issuer      string
	sendsIssuer bool // RFC 9207
	idTokens    *gooidc.IDTokenVerifier
	bearers     *gooidc.IDTokenVerifier
	provider    *gooidc.Provider // nil without discovery
}

// New makes a provider from the settings; nothing is asked yet.
func New(settings config.OIDC, now func() time.Time) *Provider {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: !settings.VerifyTLS} //nolint:gosec // OIDC_VERIFY_SSL=false is the operator's word
	return &Provider{settings: settings, now: now, client: &http.Client{Timeout: settings.HTTPTimeout, Transport: limited{transport}}}
}

// limited bounds every answer of a provider to 4 MiB.
type limited struct{ next http.RoundTripper }

// RoundTrip bounds the answer (http.RoundTripper).
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, 4<<20)
	}
	return answer, err
}

func (p *Provider) context(ctx context.Context) context.Context {
	return gooidc.ClientContext(ctx, p.client)
}

func (p *Provider) discovered(ctx context.Context) (*found, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.settings.DiscoveryURL == "" {
		p.found = &found{issuer: p.settings.Issuer, userInfo: p.settings.UserURL,
			endpoint: oauth2.Endpoint{AuthURL: p.settings.AuthorizationURL, TokenURL: p.settings.TokenURL}}
		return p.found, nil
	}
	f, err := p.discover(ctx)
	if err != nil {
		return nil, errs.Wrap(errs.Unavailable, err, "the identity provider cannot be reached right now; try again shortly")
	}
	p.found = f
	return f, nil
}

func (p *Provider) discover(ctx context.Context) (*found, error) {
	issuer, ok := strings.CutSuffix(p.settings.DiscoveryURL, "/.well-known/openid-configuration")
	if !ok {
		issuer = strings.TrimSuffix(p.settings.DiscoveryURL, "/")
	}
	ctx = p.context(ctx)
	if p.settings.Issuer != "" {
		ctx = gooidc.InsecureIssuerURLContext(ctx, p.settings.Issuer)
	}
	provider, err := gooidc.NewProvider(ctx, issuer)
	if err != nil && strings.Contains(err.Error(), "did not match") { // some issuers end in a slash
		provider, err = gooidc.NewProvider(ctx, issuer+"/")
	}
	if err != nil {
		return nil, err
	}
	var document struct {
		Issuer      string `json:"issuer"`
		JWKS        string `json:"jwks_uri"`
		EndSession  string `json:"end_session_endpoint"`
		UserInfo    string `json:"userinfo_endpoint"`
		SendsIssuer bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&document); err != nil {
		return nil, err
	}
	if p.settings.Issuer != "" {
		document.Issuer = p.settings.Issuer
	}
	// The key set outlives the request that discovered it, and so must its context.
	keys := gooidc.NewRemoteKeySet(p.context(context.Background()), document.JWKS)
	audience := p.settings.Audience
	if audience == "" {
		audience = p.settings.ClientID
	}
	return &found{endpoint: provider.Endpoint(), userInfo: document.UserInfo, endSession: document.EndSession,
		issuer: document.Issuer, sendsIssuer: document.SendsIssuer, provider: provider,
		idTokens: gooidc.NewVerifier(document.Issuer, keys, p.verification(p.settings.ClientID)),
		bearers:  gooidc.NewVerifier(document.Issuer, keys, p.verification(audience))}, nil
}

// verification leaves the times to us: go-oidc's own leeway is not ours.
func (p *Provider) verification(audience string) *gooidc.Config {
	return &gooidc.Config{ClientID: audience, SupportedSigningAlgs: algorithms, SkipExpiryCheck: true, Now: p.now}
}

func (p *Provider) oauth(f *found, redirect string) *oauth2.Config {
	scopes := p.settings.Scopes
	if p.settings.DiscoveryURL != "" && !slices.Contains(scopes, gooidc.ScopeOpenID) {
		scopes = append([]string{gooidc.ScopeOpenID}, scopes...)
	}
	return &oauth2.Config{ClientID: p.settings.ClientID, ClientSecret: p.settings.ClientSecret, Endpoint: f.endpoint,
		RedirectURL: redirect, Scopes: scopes}
}

// Start gives the address at the provider where signing in begins.
func (p *Provider) Start(ctx context.Context, redirect, state, nonce, verifier string) (string, error) {
	f, err := p.discovered(ctx)
	if err != nil {
		return "", err
	}
	return p.oauth(f, redirect).AuthCodeURL(state, gooidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// Finish turns the provider's answer into a verified sign-in. It also gives the ID token, for the provider's logout.
func (p *Provider) Finish(ctx context.Context, answer url.Values, redirect, nonce, verifier string) (directory.Login, string, error) {
	f, err := p.discovered(ctx)
	if err != nil {
		return directory.Login{}, "", err
	}
	if err := f.checkAnswer(answer); err != nil {
		return directory.Login{}, "", err
	}
	tokens, err := p.oauth(f, redirect).Exchange(p.context(ctx), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500 {
			return directory.Login{}, "", errs.Wrap(errs.Unauthenticated, err, "the identity provider refused the sign-in; start again")
		}
		return directory.Login{}, "", errs.Wrap(errs.Unavailable, err, "the identity provider cannot be reached right now; try again shortly")
	}
	if f.idTokens == nil {
		login, err := p.fromUserInfo(ctx, f, tokens)
		return login, "", err
	}
	raw, _ := tokens.Extra("id_token").(string)
	claims, id, err := p.verify(ctx, f.idTokens, raw, p.settings.ClientID)
	if err != nil {
		return directory.Login{}, "", err
	}
	if nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return directory.Login{}, "", errs.New(errs.Unauthenticated, "the identity provider's answer belongs to another sign-in; start again")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
			return directory.Login{}, "", errs.Wrap(errs.Unauthenticated, err, "the identity provider's tokens do not belong together")
		}
	}
	login, err := p.login(ctx, claims, tokens.AccessToken)
	return login, raw, err
}

// checkAnswer checks who the answer of the authorization endpoint is from (RFC 9207 §2.4), before its code is used.
func (f *found) checkAnswer(answer url.Values) error {
	for _, field := range []string{"code", "iss", "error"} {
		if len(answer[field]) > 1 {
			return errs.New(errs.Invalid, "the identity provider's answer has %s twice", field)
		}
	}
	if (f.sendsIssuer || answer.Has("iss")) && f.issuer != "" && answer.Get("iss") != f.issuer {
		return errs.New(errs.Unauthenticated, "the answer is not from the identity provider that was asked; start again")
	}
	if code := answer.Get("error"); code != "" {
		return errs.New(errs.Denied, "the identity provider answered %q: %s", code, answer.Get("error_description"))
	}
	if answer.Get("code") == "" {
		return errs.New(errs.Invalid, "the identity provider's answer has no code; start again")
	}
	return nil
}

// verify checks a JWT: signature, issuer and audience by go-oidc; azp and times by OpenID Connect Core §3.1.3.7.
func (p *Provider) verify(ctx context.Context, verifier *gooidc.IDTokenVerifier, raw, audience string) (map[string]any, *gooidc.IDToken, error) {
	bad := func(cause error, why string) (map[string]any, *gooidc.IDToken, error) {
		return nil, nil, errs.Wrap(errs.Unauthenticated, cause, "the token is not valid: %s", why)
	}
	if raw == "" {
		return bad(nil, "the identity provider sent none")
	}
	if len(raw) > 64<<10 {
		return bad(nil, "it is too long")
	}
	id, err := verifier.Verify(p.context(ctx), raw)
	if err != nil {
		if strings.Contains(err.Error(), "fetching keys") {
			return nil, nil, errs.Wrap(errs.Unavailable, err, "the identity provider's keys cannot be fetched right now; try again shortly")
		}
		return bad(err, "its signature, issuer or audience is wrong")
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return bad(err, "its claims cannot be read")
	}
	now := p.now()
	azp, hasAzp := claims["azp"].(string)
	notBefore, hasNotBefore := claims["nbf"].(float64)
	switch {
	case id.Expiry.IsZero() || id.Expiry.Unix() <= 0 || now.After(id.Expiry.Add(leeway)):
		return bad(nil, "it has expired, or the clocks differ")
	case hasNotBefore && now.Add(leeway).Before(time.Unix(int64(notBefore), 0)):
		return bad(nil, "it is not valid yet, or the clocks differ")
	case id.IssuedAt.After(now.Add(leeway)):
		return bad(nil, "it was issued in the future, or the clocks differ")
	case id.Subject == "":
		return bad(nil, "it has no subject")
	case audience == p.settings.ClientID && len(id.Audience) > 1 && !hasAzp:
		return bad(nil, "it is for several audiences and names no authorized party")
	case audience == p.settings.ClientID && hasAzp && len(id.Audience) > 1 && azp != audience:
		return bad(nil, "it was made for another party")
	}
	return claims, id, nil
}

// Verify checks a bearer JWT of this provider.
func (p *Provider) Verify(ctx context.Context, raw string) (directory.Identity, time.Time, error) {
	f, err := p.discovered(ctx)
	if err != nil {
		return directory.Identity{}, time.Time{}, err
	}
	if f.bearers == nil {
		return directory.Identity{}, time.Time{}, errs.New(errs.Unauthenticated, "bearer tokens need OIDC_DISCOVERY_URL")
	}
	audience := p.settings.Audience
	if audience == "" {
		audience = p.settings.ClientID
	}
	_, id, err := p.verify(ctx, f.bearers, raw, audience)
	if err != nil {
		return directory.Identity{}, time.Time{}, err
	}
	return directory.Identity{Provider: ID, Subject: id.Subject}, id.Expiry.Add(leeway), nil
}

func (p *Provider) fromUserInfo(ctx context.Context, f *found, tokens *oauth2.Token) (directory.Login, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.userInfo, nil)
	if err != nil {
		return directory.Login{}, fmt.Errorf("asking for user info: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	answer, err := p.client.Do(request)
	if err != nil {
		return directory.Login{}, errs.Wrap(errs.Unavailable, err, "the identity provider cannot be reached right now; try again shortly")
	}
	defer answer.Body.Close()
	var claims map[string]any
	if answer.StatusCode != http.StatusOK || json.NewDecoder(answer.Body).Decode(&claims) != nil {
		return directory.Login{}, errs.New(errs.Unavailable, "the identity provider does not say who signed in (status %d)", answer.StatusCode)
	}
	return p.login(ctx, claims, tokens.AccessToken)
}

// Logout gives the address at the provider where its own session ends (OpenID Connect RP-Initiated Logout 1.0), "" without one.
func (p *Provider) Logout(ctx context.Context, idToken, returnTo string) string {
	f, err := p.discovered(ctx)
	if err != nil || f.endSession == "" {
		return ""
	}
	u, err := url.Parse(f.endSession)
	if err != nil || (u.Scheme != "https" && !httpx.Loopback(u.Hostname())) {
		return ""
	}
	query := u.Query()
	query.Set("client_id", p.settings.ClientID)
	query.Set("post_logout_redirect_uri", returnTo)
	if idToken != "" {
		query.Set("id_token_hint", idToken)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Package oidc signs people in with OpenID Connect: the authorization code flow with PKCE (RFC 9700 §2.1.1), and the
// verification of bearer JWTs of the same provider.
package oidc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// Provider is one OpenID provider. It is discovered at first use, and again while it could not be reached, so that the
// gateway starts and serves signed-in people without it.
type Provider struct {
	settings config.OIDC
	client   *http.Client
	now      func() time.Time

	mu       sync.Mutex
	found    *found
	foundAt  time.Time
	askAgain time.Time
	running  *discovery // nil: none is under way
}

// New makes a provider from the settings; nothing is asked yet.
func New(settings config.OIDC, now func() time.Time) *Provider {
	if settings.KeysTTL == 0 {
		settings.KeysTTL = freshFor
	}
	return &Provider{settings: settings, now: now,
		client: jwt.NewClient(settings.HTTPTimeout, &tls.Config{InsecureSkipVerify: !settings.VerifyTLS})} //nolint:gosec // OIDC_VERIFY_SSL=false is the operator's word
}

// Expects gives the issuers, without a slash at the end, and the audience of the bearer tokens that Verify can accept.
func (p *Provider) Expects() (issuers []string, audience string) {
	return p.settings.Issuers(), p.settings.ForAudience()
}

// Names tells whether identities with this provider's name are of this one.
func (p *Provider) Names(provider string) bool {
	return slices.Contains(p.settings.Issuers(), strings.TrimSuffix(provider, "/"))
}

// Several tells whether the provider has several issuers, so that it alone does not say whom a subject means.
func (p *Provider) Several() bool { return len(p.settings.Issuers()) > 1 }

// Name gives the half of an identity beside the subject: the issuer, to the letter. Of several it is the one that is given.
func (p *Provider) Name(ctx context.Context, given string) (string, error) {
	if issuers := p.settings.Issuers(); len(p.settings.Tenants) > 0 {
		if !p.Several() || slices.Contains(issuers, given) {
			return issuers[max(0, slices.Index(issuers, given))], nil
		}
		return "", errs.New(errs.Invalid, "this provider has several tenants: name the issuer of one, such as %s", issuers[0])
	}
	f, err := p.discovered(ctx)
	if err != nil {
		return "", err
	}
	return f.provider, nil
}

func (p *Provider) context(ctx context.Context) context.Context {
	return gooidc.ClientContext(ctx, p.client)
}

func (p *Provider) oauth(f *found, redirect string) *oauth2.Config {
	scopes := p.settings.Scopes
	if p.settings.DiscoveryURL != "" && !slices.Contains(scopes, gooidc.ScopeOpenID) {
		scopes = append([]string{gooidc.ScopeOpenID}, scopes...)
	}
	endpoint, secret := f.endpoint, p.settings.ClientSecret
	if p.settings.Assertion.Key != nil { // in one way alone (RFC 6749 §2.3)
		endpoint.AuthStyle, secret = oauth2.AuthStyleInParams, ""
	}
	return &oauth2.Config{ClientID: p.settings.ClientID, ClientSecret: secret, Endpoint: endpoint,
		RedirectURL: redirect, Scopes: scopes}
}

// Start gives the address at the provider where signing in begins.
func (p *Provider) Start(ctx context.Context, ask directory.SignIn) (string, error) {
	f, err := p.discovered(ctx)
	if err != nil {
		return "", err
	}
	config, asking := p.oauth(f, ask.Redirect), []oauth2.AuthCodeOption{gooidc.Nonce(ask.Nonce), oauth2.S256ChallengeOption(ask.Verifier)}
	if p.settings.Refresh && !ask.Trial {
		scopes, further := f.offline(config.Scopes)
		config.Scopes, asking = scopes, append(asking, further...)
	}
	prompt := p.settings.Prompt
	switch {
	case !ask.Since.IsZero(): // the answer says when, because it is asked for; and not every provider asks anew for max_age alone
		asking, prompt = append(asking, oauth2.SetAuthURLParam("max_age", "0")), "login"
	case p.settings.MaxAge > 0:
		asking = append(asking, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(p.settings.MaxAge/time.Second))))
	}
	if ask.Other && ask.Since.IsZero() {
		prompt = f.choosing(prompt)
	}
	if ask.Trial { // whoever is signed in there: it may be tried as somebody else
		prompt = "login"
	}
	if prompt != "" {
		asking = append(asking, oauth2.SetAuthURLParam("prompt", prompt))
	}
	return config.AuthCodeURL(ask.State, asking...), nil
}

// choosing adds to a prompt that somebody else may sign in than who is signed in at the provider. One that does not say which it knows
// is asked as the standard says (OpenID Connect Core §3.1.2.1).
func (f *found) choosing(prompt string) string {
	for _, one := range []string{"select_account", "login"} {
		if slices.Contains(strings.Fields(prompt), one) {
			return prompt
		}
		if f.prompts == nil || slices.Contains(f.prompts, one) {
			return strings.TrimSpace(prompt + " " + one)
		}
	}
	return prompt
}

// Finish turns the provider's answer into a verified sign-in. It also gives the tokens, for what the provider is asked later.
func (p *Provider) Finish(ctx context.Context, answer url.Values, ask directory.SignIn) (directory.Login, directory.Tokens, error) {
	return p.finish(ctx, answer, ask, &directory.Heard{})
}

// Try does what Finish does, and gives what was heard in place of the tokens.
func (p *Provider) Try(ctx context.Context, answer url.Values, ask directory.SignIn) directory.Heard {
	heard := directory.Heard{Groups: p.groupsBy()}
	heard.Login, _, heard.Refused = p.finish(ctx, answer, ask, &heard)
	return heard
}

// finish notes what it hears.
func (p *Provider) finish(ctx context.Context, answer url.Values, ask directory.SignIn, heard *directory.Heard) (directory.Login, directory.Tokens, error) {
	refused := func(err error) (directory.Login, directory.Tokens, error) {
		return directory.Login{}, directory.Tokens{}, err
	}
	f, err := p.discovered(ctx)
	if err != nil {
		return refused(err)
	}
	if err := f.checkAnswer(answer); err != nil {
		return refused(err)
	}
	tokens, err := p.oauth(f, ask.Redirect).Exchange(p.asking(ctx, f), answer.Get("code"), oauth2.VerifierOption(ask.Verifier))
	if err != nil {
		return refused(notExchanged(err))
	}
	raw, _ := tokens.Extra("id_token").(string)
	heard.Secrets = []string{tokens.AccessToken, tokens.RefreshToken, raw, answer.Get("code")}
	if f.keys == nil {
		if !ask.Since.IsZero() {
			return refused(errs.New(errs.Denied, "this identity provider cannot say when you signed in there"))
		}
		login, claims, err := p.fromUserInfo(ctx, f, tokens)
		heard.UserInfo = claims
		return login, p.kept(tokens, "", jwt.Token{}), err
	}
	if raw == "" {
		return refused(bad("the identity provider sent none"))
	}
	if f, err = f.issuing(raw); err == nil {
		err = f.checkAnswer(answer) // now against the one tenant
	}
	if err != nil {
		return refused(err)
	}
	id, err := p.idTokens(f).Verify(ctx, raw)
	if err == nil {
		err = p.checkIDToken(id, ask, tokens)
	}
	if err == nil {
		heard.Claims = maps.Clone(id.Claims)
		heard.UserInfo, err = p.addUserInfo(ctx, f, id.Claims, tokens.AccessToken)
	}
	if err == nil {
		err = checkSession(id.Claims)
	}
	if err != nil {
		return refused(err)
	}
	login, err := p.login(ctx, f, id.Claims, tokens.AccessToken)
	return login, p.kept(tokens, raw, id), err
}

func unreachable(cause error) error {
	return errs.Wrap(errs.Unavailable, cause, "the identity provider cannot be reached right now; try again shortly").Because(errs.ProviderDown)
}

// notExchanged says why the provider gives no tokens for a code (RFC 6749 §5.2).
func notExchanged(cause error) error {
	var rejected *oauth2.RetrieveError
	if !errors.As(cause, &rejected) || rejected.Response == nil || rejected.Response.StatusCode >= 500 {
		return unreachable(cause)
	}
	refusal := errs.Wrap(errs.Unauthenticated, cause, "the identity provider refused the sign-in; start again")
	if slices.Contains(misfits, rejected.ErrorCode) && rejected.ErrorCode != "invalid_request" { // which is said of a code too that nobody has given
		return refusal.Because(errs.Misconfigured)
	}
	return refusal.Because(errs.CodeRefused)
}

// misfits are the provider's errors for which its settings and ours do not fit together (RFC 6749 §4.1.2.1, §5.2).
var misfits = []string{"invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_response_type", "unsupported_grant_type"}

// hearsay is what an address says (errs.ErrHearsay).
type hearsay string

// Error gives the words.
func (h hearsay) Error() string { return string(h) }

// Is tells whether errors of a kind are meant (errors.Is).
func (hearsay) Is(target error) bool { return target == errs.ErrHearsay }

// answered says why an answer is an error. Of what it says itself nothing is shown: whoever made the address has written it.
func answered(answer url.Values) error {
	code := answer.Get("error")
	said := hearsay(fmt.Sprintf("%q: %s", shortened(code), shortened(answer.Get("error_description"))))
	switch {
	case code == "server_error" || code == "temporarily_unavailable":
		return unreachable(said)
	case slices.Contains(misfits, code):
		return errs.Wrap(errs.Denied, said, "the identity provider does not take the request of this server").Because(errs.Misconfigured)
	}
	return errs.Wrap(errs.Denied, said, "the identity provider did not sign you in").Because(errs.ProviderRefused)
}

// checkAnswer checks who the answer of the authorization endpoint is from (RFC 9207 §2.4), before its code is used.
func (f *found) checkAnswer(answer url.Values) error {
	for _, field := range []string{"code", "iss", "error"} {
		if len(answer[field]) > 1 {
			return errs.New(errs.Invalid, "the identity provider's answer has %s twice", field)
		}
	}
	if (f.sendsIssuer || answer.Has("iss")) && !f.mayBe(answer.Get("iss")) {
		return errs.New(errs.Unauthenticated, "the answer is not from the identity provider that was asked; start again")
	}
	if answer.Get("error") != "" {
		return answered(answer)
	}
	if answer.Get("code") == "" {
		return errs.New(errs.Invalid, "the identity provider's answer has no code; start again")
	}
	return nil
}

// Logout gives the address at the provider where its own session ends (OpenID Connect RP-Initiated Logout 1.0), "" without one.
// It leads back with the state.
func (p *Provider) Logout(ctx context.Context, idToken, returnTo, state string) string {
	f, err := p.discovered(ctx)
	if err != nil || f.endSession == "" {
		return ""
	}
	u, err := url.Parse(f.endSession)
	if err != nil || !jwt.Secure(u) {
		return ""
	}
	query := u.Query()
	query.Set("client_id", p.settings.ClientID)
	query.Set("post_logout_redirect_uri", returnTo)
	query.Set("state", state)
	if idToken != "" {
		query.Set("id_token_hint", idToken)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

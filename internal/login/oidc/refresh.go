package oidc

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// longest is the longest life of a token that is counted with.
const longest = 366 * 24 * time.Hour

// offline gives the scopes and parameters by which a provider gives refresh tokens. OpenID Connect Core §11 has the scope
// offline_access for it, but:
//   - Google has a parameter in its place, and gives the token only when it asks for consent;
//   - Keycloak gives one with every sign-in, which ends with the session there, and for the scope one that does not;
//   - who does not know the scope may refuse the sign-in for it.
//
// An offline_access in OIDC_SCOPE is the operator's word.
func (f *found) offline(scopes []string) ([]string, []oauth2.AuthCodeOption) {
	if slices.Contains(scopes, gooidc.ScopeOfflineAccess) {
		return scopes, nil
	}
	issuer, err := url.Parse(f.issuer)
	switch {
	case err == nil && issuer.Host == "accounts.google.com":
		return scopes, []oauth2.AuthCodeOption{oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent")}
	case err == nil && strings.Contains(issuer.Path, "/realms/"):
		return scopes, nil
	case slices.Contains(f.scopes, gooidc.ScopeOfflineAccess):
		return append(slices.Clone(scopes), gooidc.ScopeOfflineAccess), nil
	}
	return scopes, nil
}

// kept gives what is kept of a provider's answer. What it says ends with the access token, or else with the ID token.
func (p *Provider) kept(tokens *oauth2.Token, raw string, id jwt.Token) directory.Tokens {
	kept := directory.Tokens{ID: raw, Session: text(id.Claims["sid"])}
	if !id.Issued.IsZero() {
		kept.IssuedAt = id.Issued.UTC()
	}
	if at, says, err := jwt.Moment(id.Claims, "auth_time"); says && err == nil {
		kept.ShownAt = at.UTC()
	}
	if !id.Expires.IsZero() {
		kept.Until = id.Expires.UTC()
	}
	if life := tokens.ExpiresIn; life > 0 {
		kept.Until = p.now().Add(min(time.Duration(min(life, int64(longest/time.Second)))*time.Second, longest)).UTC()
	}
	if p.settings.Refresh {
		kept.Refresh = tokens.RefreshToken
	}
	return kept
}

// checkSession checks the name of the provider's session: a logout must find it again to the letter.
func checkSession(claims map[string]any) error {
	sid, given := claims["sid"]
	if name, ok := sid.(string); given && (!ok || name == "" || len(name) > maxName || name != strings.TrimSpace(name)) {
		return bad("its sid is no name of a session")
	}
	return nil
}

// ended are the answers to a refresh token by which a provider says that the person has to sign in again (RFC 6749 §5.2,
// OpenID Connect Core §3.1.2.6). Any other says something about this client, or about the provider.
var ended = []string{"invalid_grant", "access_denied", "interaction_required", "login_required", "consent_required", "account_selection_required"}

// Refresh asks the provider again about a person who is signed in (OpenID Connect Core §12). The tokens of before are no good
// any more once it has answered. errs.Unauthenticated and errs.Denied say that the person is signed out.
func (p *Provider) Refresh(ctx context.Context, before directory.Tokens) (directory.Login, directory.Tokens, error) {
	refused := func(err error) (directory.Login, directory.Tokens, error) {
		return directory.Login{}, directory.Tokens{}, err
	}
	f, err := p.discovered(ctx)
	if err != nil {
		return refused(err)
	}
	source := p.oauth(f, "").TokenSource(p.asking(ctx, f), &oauth2.Token{RefreshToken: before.Refresh})
	tokens, err := source.Token()
	if err != nil {
		var rejected *oauth2.RetrieveError
		if errors.As(err, &rejected) && rejected.Response != nil && rejected.Response.StatusCode < 500 && slices.Contains(ended, rejected.ErrorCode) {
			return refused(errs.Wrap(errs.Unauthenticated, err, "the identity provider has ended it; sign in again"))
		}
		return refused(unreachable(err))
	}
	raw, _ := tokens.Extra("id_token").(string)
	if f.keys == nil || raw == "" {
		if f.userInfo == "" || f.tenants != nil {
			return refused(errs.New(errs.Unavailable, "the identity provider does not say who is signed in"))
		}
		login, _, err := p.fromUserInfo(ctx, f, tokens)
		return login, p.kept(tokens, before.ID, jwt.Token{}), err
	}
	if f, err = f.issuing(raw); err != nil {
		return refused(err)
	}
	id, err := p.idTokens(f).Verify(ctx, raw)
	if err == nil {
		err = p.checkRefreshed(id, tokens, before.ID)
	}
	if err == nil {
		_, err = p.addUserInfo(ctx, f, id.Claims, tokens.AccessToken)
	}
	if err != nil {
		return refused(err)
	}
	login, err := p.login(ctx, f, id.Claims, tokens.AccessToken)
	return login, p.kept(tokens, raw, id), err
}

// checkRefreshed checks what an ID token of a renewal must show (OpenID Connect Core §12.2). Whom it is about is compared by
// who knows who is signed in.
func (p *Provider) checkRefreshed(id jwt.Token, tokens *oauth2.Token, before string) error {
	if nonce, given := id.Claims["nonce"]; given && nonce != nonceOf(before) {
		return bad("it belongs to another sign-in")
	}
	return p.checkFresh(id, tokens)
}

// nonceOf gives the nonce of an ID token that was verified when it came; nil for none.
func nonceOf(raw string) any {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	claims, err := jwt.Object(payload)
	if err != nil {
		return nil
	}
	return claims["nonce"]
}

package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// maxIntrospection bounds what the provider says of a token, in bytes.
const maxIntrospection = 64 << 10

// Introspect asks the provider whose a token is that is no JWT (RFC 7662). What it says is checked as the claims of a JWT are.
func (p *Provider) Introspect(ctx context.Context, raw string) (directory.Bearer, error) {
	f, err := p.discovered(ctx)
	if err != nil {
		return directory.Bearer{}, err
	}
	endpoint := p.settings.IntrospectionURL
	if endpoint == "" {
		endpoint = f.introspects
	}
	if u, err := url.Parse(endpoint); err != nil || !jwt.Secure(u) {
		return directory.Bearer{}, errs.New(errs.Unavailable, "the identity provider has no introspection endpoint over https://")
	}
	claims, err := p.introspect(ctx, f, endpoint, raw)
	if err != nil {
		return directory.Bearer{}, errs.Wrap(errs.Unavailable, err, "the identity provider does not say right now whose the token is; try again shortly")
	}
	if claims["active"] != true {
		return directory.Bearer{}, bad("the identity provider does not know it, or it has ended")
	}
	if err := p.complete(claims, f); err != nil {
		return directory.Bearer{}, err
	}
	t, err := p.bearers(f).Accept(claims)
	if err != nil {
		return directory.Bearer{}, err
	}
	return p.bearer(ctx, f, t)
}

// introspect gives what the provider answers. An answer that does not say whether the token is good is none.
func (p *Provider) introspect(ctx context.Context, f *found, endpoint, raw string) (map[string]any, error) {
	request, err := p.introspection(ctx, f, endpoint, raw)
	if err != nil {
		return nil, err
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK { // 401 is about this client, and says nothing of the token
		return nil, fmt.Errorf("the introspection endpoint answered %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxIntrospection+1))
	if err == nil && len(text) > maxIntrospection {
		err = errors.New("it is too large")
	}
	var claims map[string]any
	if err == nil {
		claims, err = jwt.Object(text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the introspection endpoint: %w", err)
	}
	if _, ok := claims["active"].(bool); !ok {
		return nil, errors.New("the answer of the introspection endpoint does not say whether the token is active")
	}
	return claims, nil
}

// introspection makes the question, as this client: by its key, or by its secret as RFC 6749 §2.3.1 writes it.
func (p *Provider) introspection(ctx context.Context, f *found, endpoint, raw string) (*http.Request, error) {
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
	if p.settings.Assertion.Key != nil {
		proof, err := p.proof(f, endpoint)
		if err != nil {
			return nil, err
		}
		form.Set("client_id", p.settings.ClientID)
		for name, values := range proof {
			form[name] = values
		}
	} else if f.byForm {
		form.Set("client_id", p.settings.ClientID)
		form.Set("client_secret", p.settings.ClientSecret)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if !form.Has("client_id") {
		request.SetBasicAuth(url.QueryEscape(p.settings.ClientID), url.QueryEscape(p.settings.ClientSecret))
	}
	return request, nil
}

// complete checks what an answer says beyond the claims of a JWT, and gives it those that it may leave out: it is of the provider
// that was asked, and a token without an audience is for the client that got it (RFC 7662 §2.2). A refresh token is active too, and
// so is one that is bound to a key which nobody has shown here: only what is called a bearer token is one.
func (p *Provider) complete(claims map[string]any, f *found) error {
	if kind, _ := claims["token_type"].(string); !strings.EqualFold(kind, "bearer") {
		return bad("the identity provider does not say that it is a bearer token")
	}
	if use, there := claims["token_use"]; there && use != "access_token" {
		return bad("it is of another use")
	}
	if _, bound := claims["cnf"]; bound {
		return bad("it is bound to a key")
	}
	if _, there := claims["iss"]; !there {
		claims["iss"] = f.issuer
	}
	client, there := claims["client_id"]
	if _, named := claims["aud"]; !named && there {
		claims["aud"] = client
	}
	if _, named := claims["azp"]; !named && there {
		claims["azp"] = client
	}
	return nil
}

package oidc

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// leeway is how far the provider's clock may be from ours.
const leeway = 30 * time.Second

// maxToken bounds a JWT before it is parsed, in bytes.
const maxToken = 64 << 10

// algorithms are the signatures that are accepted: asymmetric ones alone (RFC 8725 §3.1, §3.2).
var algorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"}

// bad refuses a token.
func bad(cause error, why string) error {
	return errs.Wrap(errs.Unauthenticated, cause, "the token is not valid: %s", why)
}

// verify checks what every JWT of the provider must show: signature, issuer and audience (by go-oidc), times and a subject.
func (p *Provider) verify(ctx context.Context, verifier *gooidc.IDTokenVerifier, raw string) (map[string]any, *gooidc.IDToken, error) {
	if raw == "" {
		return nil, nil, bad(nil, "the identity provider sent none")
	}
	if len(raw) > maxToken {
		return nil, nil, bad(nil, "it is too long")
	}
	id, err := verifier.Verify(p.context(ctx), raw)
	if err != nil {
		if strings.HasPrefix(err.Error(), "failed to verify signature: fetching keys") { // go-oidc hides the cause
			return nil, nil, errs.Wrap(errs.Unavailable, err, "the identity provider's keys cannot be fetched right now; try again shortly")
		}
		return nil, nil, bad(err, "its signature, issuer or audience is wrong")
	}
	var payload json.RawMessage
	if err := id.Claims(&payload); err != nil {
		return nil, nil, bad(err, "its claims cannot be read")
	}
	claims, err := decode(bytes.NewReader(payload))
	if err != nil {
		return nil, nil, bad(err, "its claims cannot be read")
	}
	if err := p.checkTimes(claims); err != nil {
		return nil, nil, err
	}
	if id.Subject == "" {
		return nil, nil, bad(nil, "it has no subject")
	}
	return claims, id, nil
}

func (p *Provider) checkTimes(claims map[string]any) error {
	now := p.now()
	expires, hasExpiry, err := moment(claims, "exp")
	if err != nil || !hasExpiry || now.After(expires.Add(leeway)) {
		return bad(err, "it has expired, or the clocks differ")
	}
	if from, _, err := moment(claims, "nbf"); err != nil || now.Add(leeway).Before(from) {
		return bad(err, "it is not valid yet, or the clocks differ")
	}
	if issued, _, err := moment(claims, "iat"); err != nil || now.Add(leeway).Before(issued) {
		return bad(err, "it was issued in the future, or the clocks differ")
	}
	return nil
}

// moment gives a time among the claims (RFC 7519 §2, NumericDate). What is no such time is an error, and never "absent".
func moment(claims map[string]any, name string) (at time.Time, present bool, err error) {
	value, present := claims[name]
	if !present {
		return time.Time{}, false, nil
	}
	number, ok := value.(json.Number)
	seconds, err := number.Float64()
	if !ok || err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, true, errors.New(name + " is not a time")
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// decode reads claims. Numbers keep their digits: an identifier of 64 bits must not be rounded to another person's.
func decode(from io.Reader) (map[string]any, error) {
	var claims map[string]any
	decoder := json.NewDecoder(from)
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		return nil, err
	}
	if claims == nil {
		return nil, errors.New("there are no claims")
	}
	return claims, nil
}

// checkIDToken checks what an ID token must show beyond a bearer: that it was made for us alone, in this very sign-in
// (OpenID Connect Core §3.1.3.7).
func (p *Provider) checkIDToken(claims map[string]any, id *gooidc.IDToken, nonce string, tokens *oauth2.Token) error {
	if _, ok := claims["iat"]; !ok {
		return bad(nil, "it does not say when it was issued")
	}
	if err := p.checkParty(claims, id); err != nil {
		return err
	}
	if nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return errs.New(errs.Unauthenticated, "the identity provider's answer belongs to another sign-in; start again")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
			return errs.Wrap(errs.Unauthenticated, err, "the identity provider's tokens do not belong together")
		}
	}
	return nil
}

// checkParty checks which client a token was issued to.
func (p *Provider) checkParty(claims map[string]any, id *gooidc.IDToken) error {
	party, named := claims["azp"]
	switch {
	case named && party != any(p.settings.ClientID):
		return bad(nil, "it was made for another party")
	case !named && len(id.Audience) > 1:
		return bad(nil, "it is for several audiences and names no authorized party")
	}
	return nil
}

// Verify checks a bearer JWT of this provider: an access token for OIDC_AUDIENCE, or, when that is not set, whatever it
// signed for the client id. One that is for us alone may come from another client, to which the provider gave it for us.
func (p *Provider) Verify(ctx context.Context, raw string) (directory.Identity, time.Time, error) {
	refused := func(err error) (directory.Identity, time.Time, error) { return directory.Identity{}, time.Time{}, err }
	f, err := p.discovered(ctx)
	if err != nil {
		return refused(err)
	}
	if f.bearers == nil {
		return refused(errs.New(errs.Unauthenticated, "bearer tokens need OIDC_DISCOVERY_URL"))
	}
	claims, id, err := p.verify(ctx, f.bearers, raw)
	if err != nil {
		return refused(err)
	}
	if p.audience() == p.settings.ClientID && len(id.Audience) > 1 {
		if err := p.checkParty(claims, id); err != nil {
			return refused(err)
		}
	}
	if _, event := claims["events"]; event { // a logout token is signed by the same keys for the same audience
		return refused(bad(nil, "it tells of an event and lets nobody in"))
	}
	return directory.Identity{Provider: f.provider, Subject: id.Subject}, id.Expiry.Add(leeway), nil
}

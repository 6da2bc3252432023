package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// bad refuses a token.
func bad(why string) error { return errs.New(errs.Unauthenticated, "the token is not valid: %s", why) }

// decode reads claims that come without a signature.
func decode(from io.Reader) (map[string]any, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	return jwt.Object(text)
}

// idTokens are the rules of the tokens that a sign-in brings.
func (p *Provider) idTokens(f *found) jwt.Rules {
	return jwt.Rules{Issuer: f.issuer, Audience: p.settings.ClientID, Algorithms: p.settings.Algorithms, Types: jwt.IDTokens, Keys: f.keys, Tenant: f.tenant, Now: p.now}
}

// logouts are the rules of the tokens by which the provider ends sessions.
func (p *Provider) logouts(f *found) jwt.Rules {
	rules := p.idTokens(f)
	rules.Types = jwt.LogoutTokens
	return rules
}

// bearers are the rules of the tokens that programs bring.
func (p *Provider) bearers(f *found) jwt.Rules {
	types := p.settings.TokenTypes
	if types == nil {
		types = jwt.AccessTokens
	}
	return jwt.Rules{Issuer: f.issuer, Audience: p.settings.ForAudience(), Algorithms: p.settings.Algorithms, Types: types, Keys: f.keys, Tenant: f.tenant, Now: p.now}
}

// checkIDToken checks what an ID token must show beyond a bearer: that it was made for us alone, in this very sign-in
// (OpenID Connect Core §3.1.3.7).
func (p *Provider) checkIDToken(id jwt.Token, ask directory.SignIn, tokens *oauth2.Token) error {
	if given, _ := id.Claims["nonce"].(string); ask.Nonce == "" || subtle.ConstantTimeCompare([]byte(given), []byte(ask.Nonce)) != 1 {
		return errs.New(errs.Unauthenticated, "the identity provider's answer belongs to another sign-in; start again")
	}
	if err := p.checkAge(id.Claims, ask.Since); err != nil {
		return err
	}
	return p.checkFresh(id, tokens)
}

// checkAge checks when the person showed the provider who they are, where the settings say how long ago that may be, or this
// sign-in asks for it. The answer says it because it was asked for (OpenID Connect Core §3.1.2.1, §3.1.3.7).
func (p *Provider) checkAge(claims map[string]any, since time.Time) error {
	oldest := since
	if longest := p.now().Add(-p.settings.MaxAge); p.settings.MaxAge > 0 && longest.After(since) {
		oldest = longest
	}
	if oldest.IsZero() {
		return nil
	}
	at, says, err := jwt.Moment(claims, "auth_time")
	if err != nil || !says || at.Add(jwt.Leeway).Before(oldest) {
		return errs.New(errs.Unauthenticated, "the identity provider does not say that you signed in there lately; sign out there, and start again")
	}
	return nil
}

// checkFresh checks what every ID token must show that comes straight from the provider: that it was made for us alone, and
// together with the access token beside it.
func (p *Provider) checkFresh(id jwt.Token, tokens *oauth2.Token) error {
	if id.Issued.IsZero() {
		return bad("it does not say when it was issued")
	}
	if err := p.checkParty(id); err != nil {
		return err
	}
	if given, there := id.Claims["at_hash"]; there && given != any(halfHash(id.Algorithm, tokens.AccessToken)) {
		return errs.New(errs.Unauthenticated, "the identity provider's tokens do not belong together")
	}
	return nil
}

// halfHash is the left half of a token's hash (OpenID Connect Core §3.1.3.6).
func halfHash(algorithm, token string) string {
	var sum []byte
	switch {
	case strings.HasSuffix(algorithm, "256"):
		hash := sha256.Sum256([]byte(token))
		sum = hash[:]
	case strings.HasSuffix(algorithm, "384"):
		hash := sha512.Sum384([]byte(token))
		sum = hash[:]
	default: // ES512 and its like, and Ed25519, whose own hash it is
		hash := sha512.Sum512([]byte(token))
		sum = hash[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// checkParty checks which client a token was issued to.
func (p *Provider) checkParty(id jwt.Token) error {
	party, named := id.Claims["azp"]
	switch {
	case named && party != any(p.settings.ClientID):
		return bad("it was made for another party")
	case !named && len(id.Audience) > 1:
		return bad("it is for several audiences and names no authorized party")
	}
	return nil
}

// Verify checks a bearer JWT of this provider: an access token for OIDC_AUDIENCE, or, when that is not set, whatever it
// signed for the client id. One that is for us alone may come from another client, to which the provider gave it for us.
func (p *Provider) Verify(ctx context.Context, raw string) (directory.Bearer, error) {
	f, err := p.discovered(ctx)
	if err != nil {
		return directory.Bearer{}, err
	}
	if f.keys == nil {
		return directory.Bearer{}, errs.New(errs.Unauthenticated, "bearer tokens need OIDC_DISCOVERY_URL")
	}
	if f, err = f.issuing(raw); err != nil {
		return directory.Bearer{}, err
	}
	t, err := p.bearers(f).Verify(ctx, raw)
	if err != nil {
		return directory.Bearer{}, err
	}
	return p.bearer(ctx, f, t)
}

// bearer gives what a token says that was verified.
func (p *Provider) bearer(ctx context.Context, f *found, t jwt.Token) (directory.Bearer, error) {
	if p.settings.ForAudience() == p.settings.ClientID && len(t.Audience) > 1 {
		if err := p.checkParty(t); err != nil {
			return directory.Bearer{}, err
		}
	}
	if _, event := t.Claims["events"]; event { // a logout token is signed by the same keys for the same audience
		return directory.Bearer{}, bad("it tells of an event and lets nobody in")
	}
	if len(t.Subject) > maxName {
		return directory.Bearer{}, bad("its subject is too long")
	}
	b := directory.Bearer{Identity: directory.Identity{Provider: f.provider, Subject: t.Subject}, Until: t.Expires.Add(jwt.Leeway), Issued: t.Issued,
		Act: t.Claims["act"], MayAct: t.Claims["may_act"]}
	err := p.says(ctx, t.Claims, &b)
	return b, err
}

// says adds what the token says of the person, where the settings have that count.
func (p *Provider) says(ctx context.Context, claims map[string]any, b *directory.Bearer) error {
	if p.settings.EntraGroups || !p.settings.Provision && !p.settings.TrustGroups {
		return nil
	}
	groups, err := p.groups(ctx, claims, "")
	if err != nil {
		return err
	}
	if p.groupClaim(claims) == nil { // it says nothing of groups: those that are known count
		return nil
	}
	login := directory.Login{Identity: b.Identity}
	if err := p.admit(&login, groups); err != nil {
		if p.settings.TrustGroups {
			return err
		}
		return nil // who has an account has its own groups
	}
	if login.Username, err = p.username(claims); err == nil {
		login.DisplayName = p.displayName(claims, login.Username)
		b.Create = p.settings.Provision
	}
	b.Says, b.Groups = &login, p.settings.TrustGroups
	return nil
}

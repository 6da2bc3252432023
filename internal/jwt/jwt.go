// Package jwt verifies JSON Web Tokens (RFC 7519) of issuers that are known, by keys that are fetched from where the
// settings say, as RFC 8725 asks for.
package jwt

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Leeway is how far an issuer's clock may be from ours.
const Leeway = 30 * time.Second

// maxToken bounds a token before it is parsed, in bytes.
const maxToken = 64 << 10

// Algorithms are the signatures that can be accepted: asymmetric ones alone (RFC 8725 §3.1, §3.2). With a shared secret
// whoever verifies could sign, and a public key could be taken for one.
var Algorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"}

// The types of token, in small letters and without "application/"; "" is a token that says none.
var (
	IDTokens     = []string{"", "jwt"}
	AccessTokens = []string{"", "jwt", "at+jwt"}     // RFC 9068 §2.1
	LogoutTokens = []string{"", "jwt", "logout+jwt"} // OpenID Connect Back-Channel Logout 1.0 §2.4
)

// Rules say which tokens are accepted.
type Rules struct {
	Issuer     string
	Audience   string
	Algorithms []string // nil: all of Algorithms
	Types      []string
	Keys       *Keys
	Tenant     Tenant // zero: the keys are the issuer's alone
	Now        func() time.Time
}

// Tenant is one of several issuers that have their keys in one set.
type Tenant struct {
	ID     string // what the claim tid says, where it is there
	Issuer string // the name that a key has for its issuer when it signs for all of them
}

// owns tells whether a key signs for the issuer.
func (r Rules) owns(k key) bool {
	return r.Tenant == (Tenant{}) || k.issuer == nil || k.issuer == r.Issuer || k.issuer == r.Tenant.Issuer
}

// Token is a token that was verified.
type Token struct {
	Claims    map[string]any
	Algorithm string
	Subject   string
	Audience  []string
	Expires   time.Time
	Issued    time.Time // zero: it does not say
}

// bad refuses a token.
func bad(cause error, why string) error {
	return errs.Wrap(errs.Unauthenticated, cause, "the token is not valid: %s", why)
}

// untimely refuses a token for a time in it. By how much, is for the log.
func untimely(why, claim string, at, now time.Time) error {
	cause := fmt.Errorf("%s is %s by the issuer's clock and it is %s by ours, which differs by %s", claim, at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), now.Sub(at).Round(time.Second))
	return errs.Wrap(errs.Unauthenticated, cause, "the token is not valid: %s", why).Because(errs.Clocks)
}

// envelope is a token that was taken apart, and not verified.
type envelope struct {
	raw            string
	header, claims map[string]any
	payload        []byte
}

// open takes a token apart.
func open(raw string) (envelope, error) {
	e := envelope{raw: raw}
	if len(raw) > maxToken {
		return e, bad(nil, "it is too long")
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return e, bad(nil, "it is no signed JWT")
	}
	decode := base64.RawURLEncoding.Strict()
	header, err := decode.DecodeString(parts[0])
	if err == nil {
		e.payload, err = decode.DecodeString(parts[1])
	}
	if err != nil {
		return e, bad(err, "it is no signed JWT")
	}
	if e.header, err = Object(header); err != nil {
		return e, bad(err, "its header cannot be read")
	}
	if e.claims, err = Object(e.payload); err != nil {
		return e, bad(err, "its claims cannot be read")
	}
	return e, nil
}

// Peek gives the issuer and the audiences that a token names, to find who can verify it. Nothing of it is verified.
func Peek(raw string) (issuer string, audiences []string, err error) {
	e, err := open(raw)
	if err != nil {
		return "", nil, err
	}
	issuer, _ = e.claims["iss"].(string)
	audiences, _ = audience(e.claims)
	return issuer, audiences, nil
}

// Verify checks all that a token must show that stands for somebody: what VerifyEvent checks, and a subject.
func (r Rules) Verify(ctx context.Context, raw string) (Token, error) {
	t, err := r.VerifyEvent(ctx, raw)
	if err == nil && t.Subject == "" {
		err = bad(nil, "it has no subject")
	}
	if err != nil {
		return Token{}, err
	}
	return t, nil
}

// Accept checks claims that the issuer itself said, so that no signature is needed, as those of a token that stands for somebody.
func (r Rules) Accept(claims map[string]any) (Token, error) {
	t, err := r.checkClaims(claims)
	if err == nil && t.Subject == "" {
		err = bad(nil, "it has no subject")
	}
	if err != nil {
		return Token{}, err
	}
	return t, nil
}

// VerifyEvent checks what a token must show that tells of something, and may do so of nobody: algorithm, type, issuer, audience,
// times, and then the signature. A token that is not for us costs no question to its issuer.
func (r Rules) VerifyEvent(ctx context.Context, raw string) (Token, error) {
	e, err := open(raw)
	if err != nil {
		return Token{}, err
	}
	algorithm, id, err := r.checkHeader(e.header)
	if err != nil {
		return Token{}, err
	}
	t, err := r.checkClaims(e.claims)
	if err != nil {
		return Token{}, err
	}
	keys, err := r.Keys.of(ctx, id, algorithm)
	if err != nil {
		return Token{}, err
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(k key) bool { return !r.owns(k) })
	if err := e.signed(algorithm, keys); err != nil {
		return Token{}, err
	}
	t.Algorithm = algorithm
	return t, nil
}

// checkHeader gives the algorithm and the key id. What a header says of where a key is (jku, x5u, x5c) is never looked at;
// a key that it brings along, and an extension that has to be understood (RFC 7515 §4.1.11), refuse it.
func (r Rules) checkHeader(header map[string]any) (algorithm, id string, err error) {
	algorithm, _ = header["alg"].(string)
	if !slices.Contains(Algorithms, algorithm) || r.Algorithms != nil && !slices.Contains(r.Algorithms, algorithm) {
		return "", "", bad(nil, "it is signed in a way that is not accepted")
	}
	for _, name := range []string{"crit", "jwk", "b64", "zip", "enc"} {
		if _, there := header[name]; there {
			return "", "", bad(nil, "its header has "+name)
		}
	}
	kind, ok := header["typ"].(string)
	if _, there := header["typ"]; there && !ok || !slices.Contains(r.Types, strings.TrimPrefix(strings.ToLower(kind), "application/")) {
		return "", "", bad(nil, "it is of another type")
	}
	id, ok = header["kid"].(string)
	if _, there := header["kid"]; there && (!ok || id == "" || len(id) > 1024) {
		return "", "", bad(nil, "its key id is none")
	}
	return algorithm, id, nil
}

func (r Rules) checkClaims(claims map[string]any) (Token, error) {
	t := Token{Claims: claims}
	if issuer, ok := claims["iss"].(string); !ok || issuer == "" || issuer != r.Issuer {
		return t, bad(nil, "it is of another issuer")
	}
	if tenant, there := claims["tid"]; there && r.Tenant.ID != "" && tenant != r.Tenant.ID {
		return t, bad(nil, "it is of another tenant than its issuer")
	}
	var ok bool
	if t.Audience, ok = audience(claims); !ok || r.Audience == "" || !slices.Contains(t.Audience, r.Audience) {
		return t, bad(nil, "it is for another audience")
	}
	if _, bound := claims["cnf"]; bound { // whoever brings it would have to prove that the key is theirs (RFC 8705 §3, RFC 9449 §7.2)
		return t, bad(nil, "it is bound to a key")
	}
	if err := r.checkTimes(&t); err != nil {
		return t, err
	}
	t.Subject, ok = claims["sub"].(string)
	if _, there := claims["sub"]; there && (!ok || strings.TrimSpace(t.Subject) == "") {
		return t, bad(nil, "it has no subject")
	}
	return t, nil
}

func (r Rules) checkTimes(t *Token) error {
	now := r.Now()
	expires, hasExpiry, err := Moment(t.Claims, "exp")
	if err != nil || !hasExpiry {
		return bad(err, "it does not say when it expires")
	}
	if now.After(expires.Add(Leeway)) {
		return untimely("it has expired, or the clocks differ", "exp", expires, now)
	}
	from, _, err := Moment(t.Claims, "nbf")
	if err != nil {
		return bad(err, "it does not say when it begins")
	}
	if now.Add(Leeway).Before(from) {
		return untimely("it is not valid yet, or the clocks differ", "nbf", from, now)
	}
	issued, says, err := Moment(t.Claims, "iat")
	if err != nil {
		return bad(err, "it does not say when it was issued")
	}
	if now.Add(Leeway).Before(issued) {
		return untimely("it was issued in the future, or the clocks differ", "iat", issued, now)
	}
	if says && expires.Before(issued) {
		return bad(nil, "it expired before it was issued")
	}
	t.Expires, t.Issued = expires, issued
	return nil
}

// signed checks the signature by any of the keys.
func (e envelope) signed(algorithm string, keys []key) error {
	parsed, err := jose.ParseSignedCompact(e.raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
	if err != nil {
		return bad(err, "it is no signed JWT")
	}
	for _, k := range keys {
		var payload []byte
		if payload, err = parsed.Verify(k.public); err == nil && bytes.Equal(payload, e.payload) {
			return nil
		}
	}
	return bad(err, "its signature is wrong")
}

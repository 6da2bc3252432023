package devidp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Fault is one way in which a provider can misbehave.
type Fault string

// The faults.
const (
	WrongIssuer          Fault = "wrong-issuer"
	WrongAudience        Fault = "wrong-audience"
	Expired              Fault = "expired"
	NotYetValid          Fault = "not-yet-valid"
	IssuedInFuture       Fault = "issued-in-the-future"
	WrongNonce           Fault = "wrong-nonce"
	NoNonce              Fault = "no-nonce"
	NoExpiry             Fault = "no-expiry"
	NoIssuedAt           Fault = "no-iat"
	ExpiryAsText         Fault = "expiry-as-text"
	NotBeforeAsText      Fault = "not-before-as-text"
	NoSubject            Fault = "no-subject"
	BadSignature         Fault = "bad-signature"
	AlgorithmNone        Fault = "alg-none"
	AlgorithmHS256       Fault = "alg-hs256"
	PublicKeyAsSecret    Fault = "alg-hs256-public-key"
	UnknownKey           Fault = "unknown-kid"
	NoParty              Fault = "several-audiences-no-azp"
	WrongParty           Fault = "several-audiences-wrong-azp"
	OtherParty           Fault = "one-audience-wrong-azp"
	PartyAsList          Fault = "azp-as-list"
	WrongAccessTokenHash Fault = "wrong-at-hash"
	NoIDToken            Fault = "no-id-token"
	WrongIssuerParameter Fault = "wrong-iss-parameter"
	NoIssuerParameter    Fault = "no-iss-parameter"
	ErrorAnswer          Fault = "error-answer"
	TokensDown           Fault = "token-endpoint-down"
	UserInfoDown         Fault = "userinfo-down"
	DiscoveryDown        Fault = "discovery-down"
	OtherDiscovery       Fault = "discovery-of-another-issuer"
	PlainKeys            Fault = "jwks-over-plain-http"
	KeysDown             Fault = "jwks-down"
	OtherSubject         Fault = "refresh-of-another-subject"
	IntrospectionDown    Fault = "introspection-down"
)

// TokenFaults are the faults that make an ID token invalid; each must refuse a sign-in.
var TokenFaults = []Fault{WrongIssuer, WrongAudience, Expired, NotYetValid, IssuedInFuture, WrongNonce, NoNonce, NoExpiry, NoIssuedAt,
	ExpiryAsText, NotBeforeAsText, NoSubject, BadSignature, AlgorithmNone, AlgorithmHS256, PublicKeyAsSecret, UnknownKey, NoParty, WrongParty, OtherParty, PartyAsList,
	WrongAccessTokenHash, NoIDToken, WrongIssuerParameter, NoIssuerParameter}

// SetFaults makes the provider misbehave in these ways, and in no other.
func (p *Provider) SetFaults(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = map[Fault]bool{}
	for _, f := range faults {
		p.faults[f] = true
	}
}

func (p *Provider) has(f Fault) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[f]
}

func (p *Provider) idToken(g grant, access string) string {
	claims := g.person.claims()
	sum := sha256.Sum256([]byte(access))
	claims["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
	claims["nonce"] = g.nonce
	claims["sid"] = g.session
	if p.has(WrongNonce) {
		claims["nonce"] = "another"
	}
	if p.has(NoNonce) {
		delete(claims, "nonce")
	}
	if p.has(WrongAccessTokenHash) {
		claims["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[16:])
	}
	return p.sign(claims)
}

// Token makes a bearer JWT for a subject. Overrides replace claims; nil removes one.
func (p *Provider) Token(subject string, overrides map[string]any) string {
	claims := map[string]any{"sub": subject}
	for name, value := range overrides {
		claims[name] = value
	}
	return p.sign(claims)
}

// sign completes the claims, with whatever faults are set.
func (p *Provider) sign(given map[string]any) string { return p.signAs("JWT", given) }

func (p *Provider) signAs(kind string, given map[string]any) string {
	now := p.Now()
	claims := map[string]any{"iss": p.Issuer, "aud": p.ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	for name, value := range given {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	for fault, change := range map[Fault]map[string]any{
		WrongIssuer:     {"iss": "http://127.0.0.1:1/other"},
		WrongAudience:   {"aud": "another"},
		Expired:         {"exp": now.Add(-time.Minute).Unix()},
		NotYetValid:     {"nbf": now.Add(time.Minute).Unix()},
		IssuedInFuture:  {"iat": now.Add(time.Minute).Unix()},
		NoParty:         {"aud": []string{p.ClientID, "another"}},
		WrongParty:      {"aud": []string{p.ClientID, "another"}, "azp": "another"},
		OtherParty:      {"azp": "another"},
		PartyAsList:     {"azp": []string{p.ClientID}},
		NoExpiry:        {"exp": nil},
		NoIssuedAt:      {"iat": nil},
		ExpiryAsText:    {"exp": "tomorrow"},
		NotBeforeAsText: {"nbf": "99999999999"},
		NoSubject:       {"sub": nil},
	} {
		for name, value := range change {
			if !p.has(fault) {
				continue
			}
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
	}
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err) // a test gave a claim that is no JSON
	}
	return p.signed(kind, body)
}

func (p *Provider) signed(kind string, body []byte) string {
	p.mu.Lock()
	key, id := p.key, p.keyID
	p.mu.Unlock()
	var with any = key
	algorithm := jose.RS256
	switch {
	case p.has(AlgorithmNone):
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
	case p.has(AlgorithmHS256):
		with, algorithm = pad(p.ClientSecret), jose.HS256
	case p.has(PublicKeyAsSecret):
		der, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
		with, algorithm = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), jose.HS256
	case p.has(UnknownKey):
		id = "unknown"
		fallthrough
	case p.has(BadSignature):
		with, _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: with, KeyID: id}}, (&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
	if err != nil {
		panic(err) // the keys above are all good
	}
	signature, err := signer.Sign(body)
	if err != nil {
		panic(err)
	}
	compact, err := signature.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

// pad makes a secret long enough for HS256, by repetition.
func pad(secret string) []byte {
	out := []byte(secret)
	for len(out) < 32 {
		out = append(out, secret...)
	}
	return out
}

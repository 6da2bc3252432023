package devidp

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// client tells whether a request is from the client: by its secret, or by what its key signed where it has one. Whoever proves
// itself in two ways is refused (RFC 6749 §2.3), and so is whoever sends what could be a secret beside what is signed.
func (p *Provider) client(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	if basic {
		id, secret = unescaped(id), unescaped(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if p.ClientKey.Key == nil {
		return id == p.ClientID && subtle.ConstantTimeCompare([]byte(secret), []byte(p.ClientSecret)) == 1
	}
	return !basic && secret == "" && r.Header.Get("Authorization") == "" && (id == "" || id == p.ClientID) && len(r.PostForm["client_assertion"]) == 1 &&
		r.PostFormValue("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" && p.asserted(r.PostFormValue("client_assertion"), r.URL.Path)
}

// unescaped undoes the encoding of RFC 6749 §2.3.1.
func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// asserted checks what the client's key signed (OpenID Connect Core §9, RFC 7523 §3): by the key and algorithm that are registered,
// for this provider, of this client, for a minute at most, and once.
func (p *Provider) asserted(raw, path string) bool {
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(p.ClientKey.Algorithm)})
	if err != nil || parsed.Signatures[0].Header.KeyID != p.ClientKey.KeyID {
		return false
	}
	payload, err := parsed.Verify(p.ClientKey.Key)
	if err != nil {
		return false
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"` // one alone: no other takes it too
		ID       string `json:"jti"`
		Expires  int64  `json:"exp"`
		Issued   int64  `json:"iat"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Issuer != p.ClientID || claims.Subject != p.ClientID || claims.ID == "" {
		return false
	}
	audience := p.Issuer
	if p.AtEndpoint {
		audience += path
	}
	now := p.Now()
	if claims.Audience != audience || claims.Expires <= now.Unix() || claims.Expires > now.Add(time.Minute).Unix() || claims.Issued > now.Unix() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.asserts, claims.ID) {
		return false
	}
	p.asserts = append(p.asserts, claims.ID)
	return true
}

// Asserted counts what the client's key signed and was good.
func (p *Provider) Asserted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asserts)
}

package devidp

import "net/http"

// Opaque makes an access token that is no JWT, of which introspection says what a bearer JWT would (RFC 7662). Overrides replace
// what it says; nil removes it.
func (p *Provider) Opaque(subject string, overrides map[string]any) string {
	now := p.Now()
	says := map[string]any{"active": true, "token_type": "Bearer", "client_id": p.ClientID, "iss": p.Issuer, "sub": subject, "iat": now.Unix(), "exp": now.Add(Life).Unix()}
	for name, value := range overrides {
		if says[name] = value; value == nil {
			delete(says, name)
		}
	}
	token := random()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opaque[token] = says
	return token
}

// Revoke ends an access token that is no JWT.
func (p *Provider) Revoke(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.opaque, token)
}

// Introspections counts how often the provider was asked whose a token is.
func (p *Provider) Introspections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// introspect says whose a token is, to the client alone.
func (p *Provider) introspect(w http.ResponseWriter, r *http.Request) {
	known := p.client(r)
	p.mu.Lock()
	p.asked++
	says, ok := p.opaque[r.PostFormValue("token")]
	p.mu.Unlock()
	switch {
	case p.has(IntrospectionDown):
		http.Error(w, "down", http.StatusServiceUnavailable)
	case !known:
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
	case !ok:
		answer(w, http.StatusOK, map[string]any{"active": false})
	default:
		answer(w, http.StatusOK, says)
	}
}

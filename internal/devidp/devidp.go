// Package devidp is a small OpenID provider for the development server and for tests, with faults by name. The gateway's
// own binary does not contain it.
package devidp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Person is someone who can sign in.
type Person struct {
	Subject  string
	Username string
	Email    string
	Name     string
	Groups   []string
	Disabled bool           // cannot sign in, and whoever is signed in is not confirmed
	Claims   map[string]any // further claims; nil removes one
}

// Options configure a provider.
type Options struct {
	Issuer       string // its own address, without a slash at the end
	ClientID     string
	ClientSecret string
	ClientKey    jose.JSONWebKey // proves the client in place of the secret, by its algorithm
	AtEndpoint   bool            // what it signs has to be for the address that is asked, and not for the issuer
	RedirectURIs []string
	BackChannel  string // where the relying party takes logout tokens; "" for nowhere
	People       []Person
	AutoApprove  bool // login_hint signs in without the page, for programs
	Now          func() time.Time
	Key          *rsa.PrivateKey // signs until the first RotateKey; nil: a new one
}

// Provider is an OpenID provider.
type Provider struct {
	Options
	mu     sync.Mutex
	key    *rsa.PrivateKey
	keyID  string
	faults map[Fault]bool
	codes  map[string]grant
	tokens map[string]Person // access tokens
	info   map[string]any    // what user info says of everybody; nil: the person's claims

	families  map[string]*family // of refresh tokens, by each token that was given out
	refreshes int
	sessions  map[string][]string       // by subject, until they end
	opaque    map[string]map[string]any // what introspection says of each token
	asked     int                       // how often it was asked
	asserts   []string                  // ids of what the client's key signed
}

type grant struct {
	person    Person
	nonce     string
	challenge string
	redirect  string
	session   string
	offline   bool
	until     time.Time
}

// New makes a provider.
func New(o Options) (*Provider, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Provider{Options: o, faults: map[Fault]bool{}, codes: map[string]grant{}, tokens: map[string]Person{},
		families: map[string]*family{}, opaque: map[string]map[string]any{}, sessions: map[string][]string{}}
	if o.Key != nil {
		p.key, p.keyID = o.Key, random()[:8]
		return p, nil
	}
	return p, p.RotateKey()
}

// RotateKey replaces the signing key.
func (p *Provider) RotateKey() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.keyID = key, random()[:8]
	return nil
}

// SetPerson adds a person, or changes the one with the same subject.
func (p *Provider) SetPerson(person Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.People = append(slices.DeleteFunc(slices.Clone(p.People), func(other Person) bool { return other.Subject == person.Subject }), person)
}

// SetUserInfo has the user-info endpoint say something else than the ID token; nil undoes it.
func (p *Provider) SetUserInfo(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info = claims
}

// Handler serves the provider.
func (p *Provider) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /jwks", p.jwks)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", p.userinfo)
	mux.HandleFunc("GET /logout", p.logout)
	mux.HandleFunc("POST /introspect", p.introspect)
	return mux
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	if p.has(DiscoveryDown) {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	document := map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token",
		"userinfo_endpoint": p.Issuer + "/userinfo", "jwks_uri": p.Issuer + "/jwks", "end_session_endpoint": p.Issuer + "/logout",
		"introspection_endpoint":   p.Issuer + "/introspect",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
		"scopes_supported":             []string{"openid", "email", "profile", "groups", "offline_access"},
		"backchannel_logout_supported": true, "backchannel_logout_session_supported": true,
		"frontchannel_logout_supported": true, "frontchannel_logout_session_supported": true, "authorization_response_iss_parameter_supported": true,
	}
	if p.has(OtherDiscovery) {
		document["issuer"] = "http://127.0.0.1:1/other"
	}
	if p.has(PlainKeys) {
		document["jwks_uri"] = "http://keys.invalid/jwks"
	}
	answer(w, http.StatusOK, document)
}

func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	if p.has(KeysDown) {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: p.keyID, Algorithm: "RS256", Use: "sig"}}})
}

var page = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>Development sign-in</title></head><body style="font:16px system-ui;max-width:30rem;margin:3rem auto">
<h1>Development sign-in</h1><p>This provider asks for no password. It is for development only.</p>
<form method="post">{{range .}}<p><button name="person" value="{{.Subject}}" style="font:inherit">{{.Name}} ({{.Email}})</button>
{{range .Groups}}<small>{{.}} </small>{{end}}</p>{{end}}</form></body></html>`))

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect := q.Get("redirect_uri")
	if q.Get("client_id") != p.ClientID || !slices.Contains(p.RedirectURIs, redirect) {
		http.Error(w, "unknown client_id or redirect_uri", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}, "iss": {p.Issuer}}
	switch {
	case p.has(WrongIssuerParameter):
		back.Set("iss", "http://127.0.0.1:1/other")
	case p.has(NoIssuerParameter):
		back.Del("iss")
	}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" {
		back.Set("error", "invalid_request")
		back.Set("error_description", "the code flow with PKCE S256 is needed")
	}
	if p.has(ErrorAnswer) {
		back.Set("error", "access_denied")
		back.Set("error_description", "<script>alert(1)</script>")
	}
	if back.Has("error") {
		http.Redirect(w, r, redirect+"?"+back.Encode(), http.StatusSeeOther)
		return
	}
	person, ok := p.chosen(r)
	if !ok {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		p.mu.Lock()
		people := p.People
		p.mu.Unlock()
		_ = page.Execute(w, people)
		return
	}
	if q.Has("max_age") {
		person = person.shownAt(p.Now())
	}
	code, session := random(), random()
	p.mu.Lock()
	p.codes[code] = grant{person, q.Get("nonce"), q.Get("code_challenge"), redirect, session,
		slices.Contains(strings.Fields(q.Get("scope")), "offline_access"), p.Now().Add(time.Minute)}
	p.sessions[person.Subject] = append(p.sessions[person.Subject], session)
	p.mu.Unlock()
	back.Set("code", code)
	http.Redirect(w, r, redirect+"?"+back.Encode(), http.StatusSeeOther)
}

func (p *Provider) chosen(r *http.Request) (Person, bool) {
	subject := ""
	if r.Method == http.MethodPost {
		subject = r.PostFormValue("person")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, person := range p.People {
		if person.Disabled {
			continue
		}
		if person.Subject == subject || (p.AutoApprove && person.Username == r.URL.Query().Get("login_hint")) {
			return person, true
		}
	}
	return Person{}, false
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(code string) { answer(w, http.StatusBadRequest, map[string]string{"error": code}) }
	if p.has(TokensDown) {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	if !p.client(r) {
		refuse("invalid_client")
		return
	}
	if r.PostFormValue("grant_type") == "refresh_token" {
		p.refresh(w, r)
		return
	}
	p.mu.Lock()
	g, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code")) // used once (RFC 6749 §4.1.2)
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if r.PostFormValue("grant_type") != "authorization_code" || !ok || p.Now().After(g.until) ||
		g.redirect != r.PostFormValue("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
		refuse("invalid_grant")
		return
	}
	p.give(w, g, &family{grant: g})
}

// give answers with tokens, and with a refresh token of the family where the sign-in asked for one.
func (p *Provider) give(w http.ResponseWriter, g grant, of *family) {
	access := random()
	tokens := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(Life.Seconds())}
	p.mu.Lock()
	p.tokens[access] = g.person
	if g.offline {
		of.current = random()
		p.families[of.current] = of
		tokens["refresh_token"] = of.current
	}
	p.mu.Unlock()
	if !p.has(NoIDToken) {
		tokens["id_token"] = p.idToken(g, access)
	}
	answer(w, http.StatusOK, tokens)
}

func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	if p.has(UserInfoDown) {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	person, ok := p.tokens[access]
	p.mu.Unlock()
	if !ok {
		http.Error(w, "unknown token", http.StatusUnauthorized)
		return
	}
	p.mu.Lock()
	claims := p.info
	p.mu.Unlock()
	if claims == nil {
		claims = person.claims()
	}
	answer(w, http.StatusOK, claims)
}

// logout ends the provider's own session (it keeps none) and leads back.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("post_logout_redirect_uri")
	for _, registered := range p.RedirectURIs {
		if u, err := url.Parse(registered); err == nil && strings.HasPrefix(to, u.Scheme+"://"+u.Host+"/") {
			if state := r.URL.Query().Get("state"); state != "" {
				to += "?state=" + url.QueryEscape(state)
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
	}
	_, _ = fmt.Fprintln(w, "signed out")
}

// shownAt says when the person was asked who they are, as is asked for by max_age (OpenID Connect Core §3.1.2.1).
func (person Person) shownAt(now time.Time) Person {
	if _, given := person.Claims["auth_time"]; !given {
		claims := map[string]any{"auth_time": now.Unix()}
		maps.Copy(claims, person.Claims)
		person.Claims = claims
	}
	return person
}

func (person Person) claims() map[string]any {
	claims := map[string]any{"sub": person.Subject, "email": person.Email, "email_verified": true, "name": person.Name,
		"preferred_username": person.Username, "groups": person.Groups}
	for name, value := range person.Claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return claims
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func random() string {
	bytes := make([]byte, 24)
	_, _ = rand.Read(bytes) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(bytes)
}

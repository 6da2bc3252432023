package jwt

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// issuer is an issuer of tokens with a key set that a test changes.
type issuer struct {
	t     *testing.T
	url   string
	asked atomic.Int64
	serve atomic.Pointer[http.HandlerFunc]
	mu    sync.Mutex
	now   time.Time
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, now: time.Now().Truncate(time.Second)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		(*i.serve.Load())(w, r)
	}))
	t.Cleanup(server.Close)
	i.url = server.URL
	i.has(public("k1", rsaKey()))
	return i
}

func public(id string, key any) jose.JSONWebKey {
	jwk := jose.JSONWebKey{Key: key, KeyID: id}
	return jwk.Public()
}

// has gives the issuer these keys.
func (i *issuer) has(keys ...jose.JSONWebKey) {
	i.answers(http.StatusOK, string(encoded(i.t, jose.JSONWebKeySet{Keys: keys})))
}

func (i *issuer) answers(status int, body string) {
	serve := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	i.serve.Store(&serve)
}

func (i *issuer) clock() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

func (i *issuer) advance(by time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now = i.now.Add(by)
}

func (i *issuer) rules() Rules {
	keys := NewKeys(KeysOptions{Locate: func(context.Context) (string, error) { return i.url, nil }, Client: http.DefaultClient, TTL: 5 * time.Minute, Now: i.clock})
	return Rules{Issuer: i.url, Audience: "us", Types: AccessTokens, Keys: keys, Now: i.clock}
}

func (i *issuer) claims(changes ...any) map[string]any {
	now := i.clock().Unix()
	return with(map[string]any{"iss": i.url, "aud": "us", "sub": "ann", "iat": now, "exp": now + 300}, changes)
}

func with(all map[string]any, changes []any) map[string]any {
	for n := 0; n+1 < len(changes); n += 2 {
		if all[changes[n].(string)] = changes[n+1]; changes[n+1] == nil {
			delete(all, changes[n].(string))
		}
	}
	return all
}

func encoded(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sign signs with a key of this test, whatever the header says.
func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, header map[string]any, claims any) string {
	t.Helper()
	body, ok := claims.(string)
	if !ok {
		body = string(encoded(t, claims))
	}
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (i *issuer) token(changes ...any) string {
	return sign(i.t, jose.RS256, rsaKey(), map[string]any{"kid": "k1", "typ": "JWT"}, i.claims(changes...))
}

func wantCode(t *testing.T, err error, code errs.Code) {
	t.Helper()
	if !errs.Is(err, code) {
		t.Errorf("error %v has code %d, want %d", err, errs.CodeOf(err), code)
	}
}

func TestVerify(t *testing.T) {
	i := newIssuer(t)
	got, err := i.rules().Verify(t.Context(), i.token("aud", []string{"others", "us"}))
	if err != nil || got.Subject != "ann" || got.Algorithm != "RS256" || !got.Expires.Equal(i.clock().Add(5*time.Minute)) || !got.Issued.Equal(i.clock()) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEveryAlgorithmWithItsKey(t *testing.T) {
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	for _, algorithm := range Algorithms {
		t.Run(algorithm, func(t *testing.T) {
			i := newIssuer(t)
			var private any = rsaKey()
			if curve, ok := curves[algorithm]; ok {
				key, err := ecdsa.GenerateKey(curve, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				private = key
			} else if algorithm == "EdDSA" {
				_, key, err := ed25519.GenerateKey(rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				private = key
			}
			i.has(public("k1", private))
			raw := sign(t, jose.SignatureAlgorithm(algorithm), private, map[string]any{"kid": "k1", "typ": "application/at+JWT"}, i.claims())
			if _, err := i.rules().Verify(t.Context(), raw); err != nil {
				t.Error(err)
			}
			only := i.rules()
			only.Algorithms = []string{"RS256"}
			if _, err := only.Verify(t.Context(), raw); (err == nil) != (algorithm == "RS256") {
				t.Errorf("where RS256 alone is accepted: %v", err)
			}
		})
	}
}

// pemOf is a public key as files have it, which an attacker takes for a shared secret.
func pemOf(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func unsigned(header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(claims)) + "."
}

func TestAttackTokens(t *testing.T) {
	i := newIssuer(t)
	i.has(public("k1", rsaKey()), jose.JSONWebKey{KeyID: "shared", Key: []byte("a secret that the issuer published, 32 bytes")})
	header := map[string]any{"kid": "k1", "typ": "JWT"}
	rs := func(header map[string]any, claims any) string { return sign(t, jose.RS256, rsaKey(), header, claims) }
	claims := string(encoded(t, i.claims()))
	good := strings.Split(i.token(), ".")
	now := i.clock().Unix()
	for name, raw := range map[string]string{
		"alg none":                      unsigned(`{"alg":"none"}`, claims),
		"alg none in capitals":          unsigned(`{"alg":"None","kid":"k1"}`, claims),
		"no alg":                        unsigned(`{"kid":"k1"}`, claims),
		"HS256 with the public key":     sign(t, jose.HS256, pemOf(rsaKey()), header, i.claims()),
		"HS256 with a published secret": sign(t, jose.HS256, []byte("a secret that the issuer published, 32 bytes"), map[string]any{"kid": "shared"}, i.claims()),
		"unknown key":                   rs(map[string]any{"kid": "k2"}, i.claims()),
		"key id of a number":            unsigned(`{"alg":"RS256","kid":1}`, claims) + good[2],
		"another key under the id":      sign(t, jose.RS256, otherKey(), header, i.claims()),
		"another key and no id":         sign(t, jose.RS256, otherKey(), nil, i.claims()),
		"another issuer":                i.token("iss", "https://evil.example"),
		"the issuer with a slash":       i.token("iss", i.url+"/"),
		"no issuer":                     i.token("iss", nil),
		"the issuer in a list":          i.token("iss", []string{i.url}),
		"another audience":              i.token("aud", "them"),
		"the beginning of the audience": i.token("aud", "u"),
		"no audience":                   i.token("aud", nil),
		"no audience in a list":         i.token("aud", []string{}),
		"audiences of numbers":          i.token("aud", []any{"us", 1}),
		"audience as an object":         i.token("aud", map[string]any{"us": true}),
		"expired":                       i.token("exp", now-31, "iat", now-100),
		"no expiry":                     i.token("exp", nil),
		"expiry as text":                i.token("exp", fmt.Sprint(now+300)),
		"expiry of null":                rs(header, strings.Replace(claims, `"exp":`, `"x":1,"exp":null,"y":`, 1)),
		"not yet valid":                 i.token("nbf", now+31),
		"issued in the future":          i.token("iat", now+31),
		"expired before it was issued":  i.token("iat", now+20, "exp", now+10),
		"no subject":                    i.token("sub", nil),
		"a blank subject":               i.token("sub", "  "),
		"a subject of a number":         i.token("sub", 7),
		"bound to a key":                i.token("cnf", map[string]any{"jkt": "x"}),
		"another type":                  rs(map[string]any{"kid": "k1", "typ": "logout+jwt"}, i.claims()),
		"a proof of possession":         rs(map[string]any{"kid": "k1", "typ": "dpop+jwt"}, i.claims()),
		"type of a number":              unsigned(`{"alg":"RS256","kid":"k1","typ":1}`, claims) + good[2],
		"an extension to understand":    unsigned(`{"alg":"RS256","kid":"k1","crit":["x"],"x":1}`, claims) + good[2],
		"a key that it brings along":    sign(t, jose.RS256, otherKey(), map[string]any{"kid": "k1", "jwk": public("k1", otherKey())}, i.claims()),
		"a claim twice":                 rs(header, strings.Replace(claims, `"aud":"us"`, `"aud":"them","aud":"us"`, 1)),
		"a claim twice inside":          rs(header, strings.Replace(claims, `"aud":"us"`, `"aud":"us","x":{"y":1,"y":2}`, 1)),
		"alg twice":                     unsigned(`{"alg":"none","alg":"RS256","kid":"k1"}`, claims) + good[2],
		"more behind the claims":        rs(header, claims+"{}"),
		"claims in a list":              rs(header, "["+claims+"]"),
		"payload of another":            good[0] + "." + strings.Split(i.token("sub", "root"), ".")[1] + "." + good[2],
		"no signature":                  good[0] + "." + good[1] + ".",
		"four parts":                    i.token() + ".x",
		"five parts, encrypted":         "a.b.c.d.e",
		"JSON serialisation":            `{"payload":"` + good[1] + `","signatures":[]}`,
		"too long":                      i.token("x", strings.Repeat("x", maxToken)),
		"nested too deeply":             rs(header, strings.Replace(claims, `"aud":"us"`, `"aud":"us","x":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000), 1)),
		"not UTF-8":                     rs(header, strings.Replace(claims, `"aud":"us"`, "\"aud\":\"us\",\"x\":\"\xff\"", 1)),
		"nothing":                       "",
		"dots":                          "..",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := i.rules().Verify(t.Context(), raw)
			wantCode(t, err, errs.Unauthenticated)
		})
	}
}

// Whoever looks for a fault learns by how much the clocks differ, and that they do only where a token would be good at another time.
func TestClocksThatDiffer(t *testing.T) {
	i := newIssuer(t)
	now := i.clock().Unix()
	for name, c := range map[string]struct {
		raw  string
		says string
		want errs.Reason
	}{
		"expired":              {i.token("exp", now-90, "iat", now-100), "differs by 1m30s", errs.Clocks},
		"not yet valid":        {i.token("nbf", now+60), "differs by -1m0s", errs.Clocks},
		"issued in the future": {i.token("iat", now+45), "differs by -45s", errs.Clocks},
		"no expiry":            {i.token("exp", nil), "when it expires", ""},
		"another audience":     {i.token("aud", "them", "exp", now-90), "another audience", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := i.rules().Verify(t.Context(), c.raw)
			if errs.ReasonOf(err) != c.want || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q: %v", errs.ReasonOf(err), err)
			}
		})
	}
}

// The attack: a token that says where its key is (RFC 8725 §3.10). Nobody is asked there.
func TestAttackKeysFromWhereTheTokenSays(t *testing.T) {
	i := newIssuer(t)
	evil := newIssuer(t)
	evil.has(public("k1", otherKey()), public("k9", otherKey()))
	for _, id := range []string{"k1", "k9"} {
		for _, name := range []string{"jku", "x5u"} {
			raw := sign(t, jose.RS256, otherKey(), map[string]any{"kid": id, name: evil.url}, i.claims())
			_, err := i.rules().Verify(t.Context(), raw)
			wantCode(t, err, errs.Unauthenticated)
		}
	}
	if n := evil.asked.Load(); n != 0 {
		t.Errorf("the attacker's server was asked %d times", n)
	}
}

// A key is for what its issuer says, and for its own kind of algorithm.
func TestAttackKeyForSomethingElse(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(key any, change func(*jose.JSONWebKey)) jose.JSONWebKey {
		k := public("k1", key)
		change(&k)
		return k
	}
	for name, c := range map[string]struct {
		key       jose.JSONWebKey
		algorithm jose.SignatureAlgorithm
		private   any
	}{
		"for encryption":        {changed(rsaKey(), func(k *jose.JSONWebKey) { k.Use = "enc" }), jose.RS256, rsaKey()},
		"for another algorithm": {changed(rsaKey(), func(k *jose.JSONWebKey) { k.Algorithm = "PS256" }), jose.RS256, rsaKey()},
		"for RSA, and not EC":   {changed(rsaKey(), func(*jose.JSONWebKey) {}), jose.ES384, p384},
		"too short":             {changed(weak, func(*jose.JSONWebKey) {}), jose.RS256, nil},
		"published in private":  {jose.JSONWebKey{Key: rsaKey(), KeyID: "k1"}, jose.RS256, rsaKey()},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.has(c.key)
			if c.private == nil {
				set, err := parseKeys(encoded(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{c.key}}))
				if err != nil || len(set) != 0 {
					t.Errorf("%v, %v", set, err)
				}
				return
			}
			_, err := i.rules().Verify(t.Context(), sign(t, c.algorithm, c.private, map[string]any{"kid": "k1"}, i.claims()))
			wantCode(t, err, errs.Unauthenticated)
		})
	}
}

// A token that is not for us costs its issuer nothing.
func TestForeignTokensAskNobody(t *testing.T) {
	i := newIssuer(t)
	r := i.rules()
	for _, raw := range []string{i.token("iss", "x"), i.token("aud", "x"), i.token("exp", 1), unsigned(`{"alg":"none"}`, "{}")} {
		_, err := r.Verify(t.Context(), raw)
		wantCode(t, err, errs.Unauthenticated)
	}
	if n := i.asked.Load(); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

func TestObjectNumbersKeepTheirDigits(t *testing.T) {
	o, err := Object([]byte(`{"sub":9007199254740993}`))
	if err != nil || fmt.Sprint(o["sub"]) != "9007199254740993" {
		t.Errorf("%v, %v", o, err)
	}
}

// What is read is what encoding/json reads; a name twice is not read at all.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `{"a":{"b":[1,{"c":null}]}}`, `[]`, `{"a":1}x`, `{"\u0061":1,"a":2}`, "{\"\xff\":1}", `{"a":1e400}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Object(text)
		if err != nil {
			return
		}
		var want map[string]any
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		if err := decoder.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %v here and %v there, %v", text, got, want, err)
		}
	})
}

func FuzzMoment(f *testing.F) {
	for _, seed := range []string{`1`, `1.5`, `-1`, `1e300`, `"1"`, `null`, `[]`, `99999999999999999999`, `1e-400`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		claims, err := Object([]byte(`{"exp":` + value + `}`))
		if err != nil {
			return
		}
		at, present, err := Moment(claims, "exp")
		if !present && err == nil && claims["exp"] != nil {
			t.Errorf("%s is absent", value)
		}
		if _, number := claims["exp"].(json.Number); present && err == nil && (!number || at.Unix() < 0 || at.Unix() > 1<<40) {
			t.Errorf("%s is %v", value, at)
		}
	})
}

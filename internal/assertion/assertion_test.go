package assertion_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/assertion"
)

// material is what the files of the tests are made of.
type material struct {
	rsa, weak      *rsa.PrivateKey
	p256, p384     *ecdsa.PrivateKey
	edwards        ed25519.PrivateKey
	own, another   []byte // certificates of p256 and of another key
	ownFingerprint string
}

var made = sync.OnceValue(func() material {
	var m material
	var err error
	must := func() {
		if err != nil {
			panic(err)
		}
	}
	m.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must()
	m.weak, err = rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // to be refused
	must()
	m.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must()
	m.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must()
	_, m.edwards, err = ed25519.GenerateKey(rand.Reader)
	must()
	certificate := func(key crypto.Signer) []byte {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			panic(err)
		}
		return der
	}
	m.own, m.another = certificate(m.p256), certificate(m.p384)
	sum := sha256.Sum256(m.own)
	m.ownFingerprint = base64.RawURLEncoding.EncodeToString(sum[:])
	return m
})

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return block("PRIVATE KEY", der)
}

func sec1(key *ecdsa.PrivateKey) string {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return block("EC PRIVATE KEY", der)
}

func TestKeysSignAssertions(t *testing.T) {
	m := made()
	thumb := func(key any) string {
		sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(sum)
	}
	for name, c := range map[string]struct {
		pem, id, algorithm    string
		wantAlgorithm, wantID string
		wantThumb             string
	}{
		"RSA":                  {pkcs8(m.rsa), "", "", "RS256", thumb(m.rsa.Public()), ""},
		"RSA by PS256":         {pkcs8(m.rsa), "mine", "PS256", "PS256", "mine", ""},
		"RSA as OpenSSL wrote": {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(m.rsa)), "", "RS256", "RS256", thumb(m.rsa.Public()), ""},
		"P-256":                {pkcs8(m.p256), "", "", "ES256", thumb(m.p256.Public()), ""},
		"P-256 as OpenSSL writes": {block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}) + sec1(m.p256), "", "", "ES256",
			thumb(m.p256.Public()), ""},
		"P-384":                     {sec1(m.p384), "", "ES384", "ES384", thumb(m.p384.Public()), ""},
		"with a certificate":        {pkcs8(m.p256) + block("CERTIFICATE", m.own), "", "", "ES256", "", m.ownFingerprint},
		"with a chain, and a name":  {block("CERTIFICATE", m.own) + block("CERTIFICATE", m.another) + pkcs8(m.p256), "mine", "", "ES256", "mine", m.ownFingerprint},
		"with words before the key": {"Bag Attributes\n" + pkcs8(m.p256), "", "", "ES256", thumb(m.p256.Public()), ""},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := assertion.Parse([]byte(c.pem), c.id, c.algorithm)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Unix(1_800_000_000, 0)
			raw, err := key.Sign("client", "https://idp.example", now)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := jose.ParseSigned(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.wantAlgorithm)})
			if err != nil {
				t.Fatal(err)
			}
			header := signed.Signatures[0].Header
			print, _ := header.ExtraHeaders["x5t#S256"].(string)
			if header.KeyID != c.wantID || print != c.wantThumb || header.ExtraHeaders[jose.HeaderType] != "JWT" {
				t.Errorf("header %+v", header)
			}
			public := key.Public()
			if public.KeyID != c.wantID || public.Algorithm != c.wantAlgorithm || !public.IsPublic() {
				t.Errorf("public %+v", public)
			}
			payload, err := signed.Verify(public.Key)
			if err != nil {
				t.Fatal(err)
			}
			var claims map[string]any
			if err := json.Unmarshal(payload, &claims); err != nil {
				t.Fatal(err)
			}
			if id, _ := claims["jti"].(string); len(id) != 32 {
				t.Errorf("jti %q", id)
			}
			delete(claims, "jti")
			at := float64(now.Unix())
			want := map[string]any{"iss": "client", "sub": "client", "aud": "https://idp.example", "iat": at, "nbf": at, "exp": at + 60}
			for name, value := range want {
				if claims[name] != value {
					t.Errorf("%s is %v, want %v", name, claims[name], value)
				}
			}
			if len(claims) != len(want) {
				t.Errorf("claims %v", claims)
			}
			again, err := key.Sign("client", "https://idp.example", now)
			if err != nil || again == raw {
				t.Errorf("the same assertion twice, %v", err)
			}
		})
	}
}

func TestKeysThatSignNothing(t *testing.T) {
	m := made()
	public, err := x509.MarshalPKIXPublicKey(m.p256.Public())
	if err != nil {
		t.Fatal(err)
	}
	locked := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x")}))
	for name, c := range map[string]struct{ pem, algorithm, want string }{
		"nothing":                  {"", "", "no private key"},
		"no PEM":                   {"hunter2", "", "no private key"},
		"a certificate alone":      {block("CERTIFICATE", m.own), "", "no private key"},
		"a public key":             {block("PUBLIC KEY", public), "", "something else"},
		"encrypted":                {block("ENCRYPTED PRIVATE KEY", []byte("x")), "", "encrypted"},
		"encrypted as once":        {locked, "", "encrypted"},
		"cut off":                  {block("PRIVATE KEY", []byte("hunter2")), "", "cannot be read"},
		"two keys":                 {pkcs8(m.p256) + pkcs8(m.rsa), "", "more than one key"},
		"a short RSA key":          {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(m.weak)), "", "1024 bits"},
		"Ed25519":                  {pkcs8(m.edwards), "", "must be RSA"},
		"another's certificate":    {pkcs8(m.p256) + block("CERTIFICATE", m.another), "", "of another key"},
		"no certificate":           {pkcs8(m.p256) + block("CERTIFICATE", []byte("hunter2")), "", "x509"},
		"HS256":                    {pkcs8(m.rsa), "HS256", "does not sign"},
		"none":                     {pkcs8(m.rsa), "none", "does not sign"},
		"a curve's, of RSA":        {pkcs8(m.rsa), "ES256", "does not sign"},
		"another curve's":          {pkcs8(m.p256), "ES384", "does not sign"},
		"an algorithm in capitals": {pkcs8(m.p256), "es256", "does not sign"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := assertion.Parse([]byte(c.pem), "", c.algorithm)
			if err == nil || key != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("gave %v, %v; want %q", key, err, c.want)
			}
		})
	}
}

// Whatever a file holds: what is taken for a key signs, and its public half is public.
func FuzzParse(f *testing.F) {
	m := made()
	for _, seed := range []string{pkcs8(m.p256), sec1(m.p384), pkcs8(m.rsa), pkcs8(m.p256) + block("CERTIFICATE", m.own), block("CERTIFICATE", m.own), pkcs8(m.edwards)} {
		f.Add([]byte(seed), "", "")
	}
	f.Add([]byte(pkcs8(m.rsa)), "id", "PS256")
	f.Fuzz(func(t *testing.T, text []byte, id, algorithm string) {
		key, err := assertion.Parse(text, id, algorithm)
		if err != nil {
			return
		}
		public := key.Public()
		if !public.IsPublic() || !slices.Contains([]string{"RS256", "PS256", "ES256", "ES384", "ES512"}, public.Algorithm) {
			t.Fatalf("public %+v", public)
		}
		raw, err := key.Sign("c", "a", time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := jose.ParseSigned(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(public.Algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(public.Key); err != nil {
			t.Fatal(err)
		}
	})
}

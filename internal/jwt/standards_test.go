package jwt

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// The attack: a token that costs much to take apart, or that unpacks to more than it is. None of them is decrypted, unpacked
// or split to its end, and nobody is asked for a key.
func TestAttackBombs(t *testing.T) {
	i := newIssuer(t)
	rules := i.rules()
	good := strings.Split(i.token(), ".")
	claims := string(encoded(t, i.claims()))
	for name, raw := range map[string]string{
		"a megabyte of dots":              strings.Repeat(".", 1<<20),
		"as many dots as a token may be":  strings.Repeat(".", maxToken),
		"a megabyte between two dots":     good[0] + "." + strings.Repeat("A", 1<<20) + "." + good[2],
		"an encrypted token":              unsigned(`{"alg":"RSA-OAEP","enc":"A256GCM","kid":"k1"}`, "") + ".iv.text.tag",
		"an encrypted one, compressed":    unsigned(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, "") + ".iv.text.tag",
		"a password of many rounds":       unsigned(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AA"}`, "") + ".iv.text.tag",
		"a signed one, compressed":        unsigned(`{"alg":"RS256","kid":"k1","zip":"DEF"}`, claims) + good[2],
		"a signed one that says enc":      unsigned(`{"alg":"RS256","kid":"k1","enc":"A256GCM"}`, claims) + good[2],
		"a payload that is not encoded":   unsigned(`{"alg":"RS256","kid":"k1","b64":false,"crit":["b64"]}`, claims) + good[2],
		"a header of many names":          unsigned(`{"alg":"RS256"`+strings.Repeat(`,"a":1`, 1000)+`}`, claims) + good[2],
		"a header that is nested deeply":  unsigned(`{"alg":"RS256","x":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}`, claims) + good[2],
		"a key id of four kilobytes":      unsigned(`{"alg":"RS256","kid":"`+strings.Repeat("k", 4096)+`"}`, claims) + good[2],
		"a number of many digits as time": unsigned(`{"alg":"RS256","kid":"k1"}`, strings.Replace(claims, `"exp":`, `"exp":1`+strings.Repeat("0", 9000)+`,"x":`, 1)) + good[2],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rules.Verify(t.Context(), raw)
			wantCode(t, err, errs.Unauthenticated)
		})
	}
	if n := i.asked.Load(); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// The attack: a token that brings the certificate of its own key (RFC 8725 §3.10).
func TestAttackCertificateThatATokenBringsAlong(t *testing.T) {
	i := newIssuer(t)
	says := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, says, says, &otherKey().PublicKey, otherKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"k1", "k9"} {
		raw := sign(t, jose.RS256, otherKey(), map[string]any{"kid": id, "x5c": []string{base64.StdEncoding.EncodeToString(der)}}, i.claims())
		_, err := i.rules().Verify(t.Context(), raw)
		wantCode(t, err, errs.Unauthenticated)
	}
}

// An issuer, or who sits before it, cannot talk us down to a TLS that is broken, whatever the settings hold.
func TestIssuersAreAskedOverTLS12(t *testing.T) {
	for name, c := range map[string]struct {
		most uint16
		good bool
	}{"TLS 1.1": {tls.VersionTLS11, false}, "TLS 1.2": {tls.VersionTLS12, true}, "TLS 1.3": {tls.VersionTLS13, true}} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: c.most} //nolint:gosec // what is refused
			server.StartTLS()
			defer server.Close()
			authorities := x509.NewCertPool()
			authorities.AddCert(server.Certificate())
			client := NewClient(5*time.Second, &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS10}) //nolint:gosec // it is raised
			answer, err := client.Get(server.URL)
			if err == nil {
				answer.Body.Close()
			}
			if (err == nil) != c.good {
				t.Errorf("asking gave %v", err)
			}
		})
	}
}

// An issuer whose certificate nobody vouches for is asked for nothing.
func TestAttackIssuerInTheMiddle(t *testing.T) {
	asked := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	if answer, err := NewClient(5*time.Second, &tls.Config{MinVersion: tls.VersionTLS12}).Get(server.URL); err == nil || asked {
		t.Errorf("it answered %v", answer)
	}
}

package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

// keyIn is a file with a private key.
func keyIn(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return entriesOf(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func TestKeysOfProviders(t *testing.T) {
	c, err := loaded(t, fmt.Sprintf(`[{"id": "a", "discovery_url": "https://a.example", "client_id": "a", "client_key_file": %q, "client_key_id": "7"},
		{"id": "b", "discovery_url": "https://b.example", "client_id": "b", "client_key_file": %q, "client_assertion_audience": "endpoint", "client_key_algorithm": "ES256"},
		{"id": "c", "discovery_url": "https://c.example", "client_id": "c", "client_secret": "s"}]`, keyIn(t), keyIn(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b, without := c.Providers[0].Assertion, c.Providers[1].Assertion, c.Providers[2].Assertion
	if a.Key == nil || a.Key.Public().KeyID != "7" || a.Audience != ForIssuer || b.Key == nil || b.Audience != ForEndpoint || without.Key != nil {
		t.Errorf("%+v, %+v, %+v", a, b, without)
	}
}

// A client that would prove itself in two ways, or in none, stops the start.
func TestWrongKeysOfClients(t *testing.T) {
	key, junk := keyIn(t), entriesOf(t, "hunter2")
	const tenants = `"tenants": ["8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "82229342-1101-4ab6-817b-70c0747630f3"]`
	for name, c := range map[string]struct{ entry, want string }{
		"beside a secret":        {fmt.Sprintf(`"client_secret": "hunter2", "client_key_file": %q`, key), "proves itself in one way"},
		"beside another file":    {fmt.Sprintf(`"client_secret_file": %q, "client_key_file": %q`, junk, key), "proves itself in one way"},
		"of a public client":     {fmt.Sprintf(`"public_client": true, "client_key_file": %q`, key), "public_client is true"},
		"no file":                {`"client_key_file": "/nowhere/at/all"`, "client_key_file: "},
		"no key":                 {fmt.Sprintf(`"client_key_file": %q`, junk), "no private key in PEM"},
		"another algorithm":      {fmt.Sprintf(`"client_key_file": %q, "client_key_algorithm": "HS256"`, key), `does not sign by "HS256"`},
		"for somebody else":      {fmt.Sprintf(`"client_key_file": %q, "client_assertion_audience": "token_endpoint"`, key), "it must be issuer or endpoint"},
		"an id alone":            {`"client_secret": "hunter2", "client_key_id": "7"`, "has no effect"},
		"one issuer of several":  {fmt.Sprintf(`%s, "client_key_file": %q`, tenants, key), "no one issuer"},
		"an audience of nothing": {`"client_secret": "hunter2", "client_assertion_audience": "endpoint"`, "has no effect"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loaded(t, `[{"id": "a", "discovery_url": "https://login.example/common/v2.0", "client_id": "a", `+c.entry+`}]`, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("gave %v, want %q", err, c.want)
			}
		})
	}
	for name, other := range map[string]string{"OIDC_CLIENT_SECRET": "hunter2", "OIDC_PUBLIC_CLIENT": "true"} {
		if _, err := with(t, map[string]string{"OIDC_CLIENT_KEY_FILE": key, name: other}); err == nil || !strings.Contains(err.Error(), name+" is") {
			t.Errorf("%s gave %v", name, err)
		}
	}
}

package app_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/assertion"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

// What is printed is there to be handed on: the private half is not in it.
func TestClientKeysArePrintedWithoutTheirPrivateHalf(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := assertion.Parse(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "mine", "")
	if err != nil {
		t.Fatal(err)
	}
	keyed := config.OIDC{Assertion: config.Assertion{Key: key}}
	var text bytes.Buffer
	if err := app.PrintClientKeys(&text, &config.Config{Providers: []config.OIDC{keyed, {ClientSecret: "s"}, keyed}}); err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text.Bytes(), &set); err != nil || len(set.Keys) != 1 || !set.Keys[0].IsPublic() || set.Keys[0].KeyID != "mine" || !private.PublicKey.Equal(set.Keys[0].Key) {
		t.Errorf("printed %s, %v", &text, err)
	}
	if strings.Contains(text.String(), `"d"`) {
		t.Error("the private half is printed")
	}
	if err := app.PrintClientKeys(&text, &config.Config{Providers: []config.OIDC{{ClientSecret: "s"}}}); err == nil {
		t.Error("no keys were printed, and nothing said")
	}
}

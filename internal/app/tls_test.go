package app_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// What is served counts, not what is written somewhere: less than TLS 1.2 is refused, also where the environment asks for it.
func TestServesTLS12AtLeast(t *testing.T) {
	t.Setenv("GODEBUG", "tls10server=1")
	cert, key := certificate(t, "127.0.0.1")
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"TLS_CERT_FILE": cert, "TLS_KEY_FILE": key})
	for name, c := range map[string]struct {
		most uint16
		good bool
	}{"TLS 1.0": {tls.VersionTLS10, false}, "TLS 1.1": {tls.VersionTLS11, false}, "TLS 1.2": {tls.VersionTLS12, true}, "TLS 1.3": {tls.VersionTLS13, true}} {
		t.Run(name, func(t *testing.T) {
			hello := &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: c.most, InsecureSkipVerify: true} //nolint:gosec // what is refused
			connection, err := tls.Dial("tcp", strings.TrimPrefix(w.URL, "http://"), hello)
			if err == nil {
				connection.Close()
			}
			if (err == nil) != c.good {
				t.Errorf("the handshake gave %v", err)
			}
		})
	}
}

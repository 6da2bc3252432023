package app_test

import (
	"crypto/tls"
	"net/http"
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

// The attack: answer in the gateway's place where a browser asks without TLS, on its way to the right address.
func TestBrowsersKeepToTLS(t *testing.T) {
	for public, want := range map[string]string{"https://mlflow.example.com": "max-age=31536000", "http://mlflow.example.com": ""} {
		w := world.New(t, "http://127.0.0.1:1", map[string]string{"PUBLIC_URL": public})
		for _, path := range []string{"/login", "/", "/api/2.0/mlflow/users/current", "/health/live"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = "mlflow.example.com"
			answer, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if got := answer.Header.Get("Strict-Transport-Security"); got != want {
				t.Errorf("%s of %s: %q, want %q", path, public, got, want)
			}
		}
	}
}

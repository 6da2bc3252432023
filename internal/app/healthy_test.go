package app_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// asked gives what the command health says of a gateway at an address.
func asked(t *testing.T, settings map[string]string) (string, error) {
	t.Helper()
	c, err := config.Load(func(name string) (string, bool) { v, ok := settings[name]; return v, ok }, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	err = app.Healthy(t.Context(), c, &said)
	return said.String(), err
}

func TestHealthAsksTheGatewayThatRuns(t *testing.T) {
	mlflow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) }))
	defer mlflow.Close()
	cert, key := certificate(t, "mlflow.example.com") // not the name by which it is asked
	for name, settings := range map[string]map[string]string{"": {}, "over TLS": {"TLS_CERT_FILE": cert, "TLS_KEY_FILE": key}} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t, mlflow.URL, settings)
			at := strings.TrimPrefix(w.URL, "http://")
			_, port, _ := strings.Cut(at, ":")
			for _, listen := range []string{at, ":" + port, "0.0.0.0:" + port} {
				settings["LISTEN_ADDR"] = listen
				if said, err := asked(t, settings); err != nil || said != "ready\n" {
					t.Errorf("at %s it says %q, %v", listen, said, err)
				}
			}
		})
	}
}

func TestHealthSaysWhatIsNotThere(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", nil) // nothing listens there
	said, err := asked(t, map[string]string{"LISTEN_ADDR": strings.TrimPrefix(w.URL, "http://")})
	if err == nil || said != "" || !strings.Contains(err.Error(), "not ready: mlflow;") {
		t.Errorf("without MLflow it says %q, %v", said, err)
	}
	if _, err := asked(t, map[string]string{"LISTEN_ADDR": "127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("without a gateway: %v", err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"anything":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status": "ok"}`)) },
		"a page":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"another error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); _, _ = w.Write([]byte("{}")) },
	} {
		other := httptest.NewServer(answer)
		defer other.Close()
		if _, err := asked(t, map[string]string{"LISTEN_ADDR": strings.TrimPrefix(other.URL, "http://")}); err == nil || !strings.Contains(err.Error(), "is not the gateway") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

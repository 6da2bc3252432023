package devserver_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devserver"
)

// The provider signs in whoever asks as whom they like: it is reached from this machine and from no other.
func TestAttackProviderBeyondThisMachine(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "localhost:0", "example.com:0", "127.0.0.1"} {
		if err := devserver.Provide(t.Context(), address, "http://127.0.0.1:8080", io.Discard); err == nil || !strings.Contains(err.Error(), "this machine alone") {
			t.Errorf("%s: %v", address, err)
		}
	}
	var said strings.Builder
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := devserver.Provide(ctx, "127.0.0.1:0", "http://127.0.0.1:8080", &said); err != nil || !strings.Contains(said.String(), "OIDC_DISCOVERY_URL=http://127.0.0.1:") {
		t.Errorf("%q, %v", said.String(), err)
	}
}

package session_test

import (
	"encoding/base64"
	"path/filepath"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

// A session's id has 256 bits, each of them random: no two are the same, and no bit is the same in all.
func TestIDsAre256RandomBits(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "s"), sessiontest.NewClock(), nil)
	var set, clear [32]byte
	seen := map[string]bool{}
	for range 64 { // a bit is the same in all of them once in 2^63
		value := start(t, m, request()).Value
		id, err := base64.RawURLEncoding.DecodeString(value)
		if err != nil || len(id) != 32 || seen[value] {
			t.Fatalf("the id is %q, %v", value, err)
		}
		seen[value] = true
		for n, octet := range id {
			set[n] |= octet
			clear[n] |= ^octet
		}
	}
	for n := range set {
		if set[n] != 0xff || clear[n] != 0xff {
			t.Errorf("octet %d: bits %08b are never set, %08b always", n, ^set[n], ^clear[n])
		}
	}
}

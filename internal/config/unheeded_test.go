package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A setting that lets fewer people in, or a name with a slip in it, must not be taken for one that is in force.
func TestUnheededSettingsAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	file := "CACHE_BACKEND=x\nOIDC_GROUPNAME=mlflow\nOIDC_CLIENT_ID=x\nAWS_REGION=eu\nAUDIT_LOG_ENABLED=\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(lookup(map[string]string{"WORKSPACE_CACHE_MAX_SIZE": "1", "SESSION_TOKEN_ENCRYPTION_KEY": "secret"}), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"CACHE_BACKEND", "OIDC_GROUPNAME", "SESSION_TOKEN_ENCRYPTION_KEY", "WORKSPACE_CACHE_MAX_SIZE"}
	if diff := cmp.Diff(want, c.Unheeded()); diff != "" {
		t.Error(diff)
	}
	var printed strings.Builder
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	for _, name := range want {
		if !strings.Contains(printed.String(), "# "+name+" is set and has no effect") {
			t.Errorf("%s is not printed", name)
		}
	}
}

// What gets a meaning of its own is no longer without one.
func TestUnheededSettingsAreNoOptions(t *testing.T) {
	for _, o := range options {
		if _, there := unheededOfTraces[o.Name]; there || slices.Contains(elsewhere, o.Name) {
			t.Errorf("%s is an option", o.Name)
		}
	}
}

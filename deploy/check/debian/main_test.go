package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A release is described once. What this command would leave out of the package that GoReleaser makes, it refuses.
func TestWhatIsNotKnownIsRefused(t *testing.T) {
	text, err := os.ReadFile("../../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string][2]string{
		"field maintainers not found": {"    maintainer:", "    maintainers:"},
		"does not know":               {"    section: net", "    section: net\n    vendor: somebody"},
		"describes 0 packages":        {},
		"has a template":              {"src: deploy/debian/env", `src: "deploy/{{ .Os }}/env"`},
	} {
		path := filepath.Join(t.TempDir(), "goreleaser.yaml")
		changed := strings.Replace(string(text), change[0], change[1], 1)
		if says == "describes 0 packages" {
			before, rest, _ := strings.Cut(string(text), "nfpms:")
			_, after, _ := strings.Cut(rest, "\nsboms:")
			changed = before + "sboms:" + after
		}
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := build(path, "1.2.3", "amd64", "/bin/true", time.Unix(0, 0), t.TempDir()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("where it should say %q: %v", says, err)
		}
	}
}

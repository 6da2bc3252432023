// Package kept holds files that are generated from the source, and kept with it, to what the source gives. With -update they are written anew.
package kept

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is generated anew")

func command(pkg string) string { return "go test " + pkg + " -run TestDocs -update" }

// File holds a file that is generated as a whole by the tests of a package.
func File(t *testing.T, pkg, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // it is for everybody to read
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("%s is stale; run: %s\n%s", path, command(pkg), diff)
	}
}

// Page holds a page whose end, below a line that says so, is generated.
func Page(t *testing.T, pkg, path, generated string) {
	t.Helper()
	marker := "<!-- Below this line all is generated: " + command(pkg) + " -->\n"
	prose, _, found := strings.Cut(read(t, path), marker)
	if !found {
		t.Fatalf("%s has no line %q", path, marker)
	}
	File(t, pkg, path, prose+marker+"\n"+generated)
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

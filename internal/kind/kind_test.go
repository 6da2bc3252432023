package kind_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

func TestLevelsHoldTheirOrder(t *testing.T) {
	want := []string{"NO_PERMISSIONS", "READ", "USE", "EDIT", "MANAGE"}
	if got := kind.Levels(); !slices.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
	for i, name := range want {
		level, err := kind.ParseLevel(name)
		if err != nil || level != kind.Level(i) || level.String() != name {
			t.Errorf("%s is read as %d (%s), %v", name, level, level, err)
		}
	}
	if !(kind.NoPermissions < kind.Read && kind.Read < kind.Use && kind.Use < kind.Edit && kind.Edit < kind.Manage) {
		t.Error("a level does not include the ones before it")
	}
}

func TestParseLevelRefusesTheRest(t *testing.T) {
	for _, name := range []string{"", "read", "Read", "READ ", " READ", "OWNER", "4", "DENY", "MANAGE\x00"} {
		if level, err := kind.ParseLevel(name); err == nil || level != kind.NoPermissions {
			t.Errorf("%q is read as %s, %v", name, level, err)
		}
	}
	if got := kind.Level(9).String(); got != "Level(9)" {
		t.Errorf("got %s", got)
	}
}

// Two kinds with one name, segment or answer field would answer for each other.
func TestKindsAreDistinctAndComplete(t *testing.T) {
	seen := map[string]kind.Name{}
	for k := range kind.All() {
		for part, value := range map[string]string{"name": string(k.Name), "title": k.Title, "segment": k.Segment, "patterns": k.Patterns,
			"key": k.Key, "envelope": k.Envelope} {
			if value == "" && !(k.Plain && part == "envelope") && !(k.Name == kind.MCPServer && part == "patterns") {
				t.Errorf("kind %s has no %s", k.Name, part)
			}
		}
		if k.CreatedStatus != 200 && k.CreatedStatus != 201 {
			t.Errorf("kind %s answers %d", k.Name, k.CreatedStatus)
		}
		uniques := []string{string(k.Name), "segment " + k.Segment}
		if k.Patterns != "" {
			uniques = append(uniques, "segment "+k.Patterns)
		}
		if !k.Plain {
			uniques = append(uniques, "envelope "+k.Envelope)
		}
		for _, unique := range uniques {
			if other, dup := seen[unique]; dup {
				t.Errorf("kinds %s and %s share %q", other, k.Name, unique)
			}
			seen[unique] = k.Name
		}
		if found, ok := kind.Of(k.Name); !ok || !cmp.Equal(found, k) {
			t.Errorf("Of(%s) = %v, %v", k.Name, found, ok)
		}
	}
	if _, ok := kind.Of("Experiment"); ok {
		t.Error("a kind's name is matched in another case")
	}
	for first := range kind.All() {
		if first.Name != kind.Experiment {
			t.Errorf("the first kind is %s", first.Name)
		}
		break // All must survive a consumer that stops
	}
}

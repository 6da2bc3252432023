package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// Where MLflow is stopped, it is said all the same what the database says, and nothing that a name decides.
func TestWhoAndWhatWithoutMLflow(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", nil)
	admin, ann, bob := w.Browser(t, "root", world.Members, world.Admins), w.Browser(t, "ann", world.Members), w.Browser(t, "bob", world.Members)
	for _, g := range []struct {
		who   *world.Client
		kind  kind.Name
		on    string
		level kind.Level
	}{{ann, kind.Experiment, "1", kind.Manage}, {ann, kind.Scorer, "2/quality", kind.Edit}, {ann, kind.RegisteredModel, "m", kind.Read}, {bob, kind.Experiment, "1", kind.Read}, {bob, kind.Experiment, "2", kind.NoPermissions}} {
		if err := w.App.Store.CreateGrant(t.Context(), store.Principal{User: g.who.Username}, g.kind, g.on, g.level, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, lines := paged(t, admin, "2", "what", "user", ann.Username); !cmp.Equal(lines, []string{ann.Username + " experiment 1 MANAGE by user", ann.Username + " registered_model m READ by user", ann.Username + " scorer 2/quality EDIT by user"}) {
		t.Errorf("what, where no name is needed: %v", lines)
	}
	pattern := authz.Grant{Kind: kind.Experiment, Pattern: "secret", Priority: 1, Level: kind.Edit}
	for _, p := range []store.Principal{{User: ann.Username}, {User: bob.Username}} {
		if err := w.App.Store.CreatePattern(t.Context(), p, pattern); err != nil {
			t.Fatal(err)
		}
	}
	first, lines := paged(t, admin, "9", "who", "kind", "experiment", "id", "3")
	if !cmp.Equal(lines, []string{ann.Username + " experiment 3 ", bob.Username + " experiment 3 "}) || !strings.Contains(first["remark"].(string), "MLflow could not be asked") {
		t.Errorf("who: %v, %v", lines, first)
	}
	first, lines = paged(t, admin, "9", "what", "user", bob.Username)
	if !cmp.Equal(lines, []string{bob.Username + " experiment 1 READ by user", bob.Username + " experiment 2 NO_PERMISSIONS by user"}) || first["remark"] == nil || len(first["general"].([]any)) != 1 {
		t.Errorf("what: %v, %v", lines, first)
	}
	// The attack: wait until MLflow is stopped, and be told what is hidden while it runs.
	if _, lines := paged(t, bob, "9", "what"); !cmp.Equal(lines, []string{bob.Username + " experiment 1 READ by user"}) {
		t.Errorf("to oneself: %v", lines)
	}
	if got := ann.Do(t, http.MethodGet, askedAt("who", "kind", "experiment", "id", "2"), nil); got.Status != 502 || strings.Contains(string(got.Body), bob.Username) {
		t.Errorf("who, by one who does not manage it: %d %s", got.Status, got.Body)
	}
	// The attack: learn who holds patterns, by managing something.
	if err := w.App.Store.DeleteGrant(t.Context(), store.Principal{User: bob.Username}, kind.Experiment, "1"); err != nil {
		t.Fatal(err)
	}
	if got := ann.Do(t, http.MethodGet, askedAt("who", "kind", "experiment", "id", "1"), nil); got.Status != 502 || strings.Contains(string(got.Body), bob.Username) {
		t.Errorf("who, by who manages it: %d %s", got.Status, got.Body)
	}
}

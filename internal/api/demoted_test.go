package api_test

import (
	"net/http"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// The attack: own a service account that administers, be an administrator no more, and make oneself a token of its.
func TestAttackOwnersAfterTheyAdministered(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", nil)
	root, ann := w.Browser(t, "root", world.Members, world.Admins), w.Browser(t, "ann", world.Members)
	for _, admin := range []bool{true, false} { // she is one, and not any more
		if err := w.App.Store.SetRoles(t.Context(), ann.Username, admin, false); err != nil {
			t.Fatal(err)
		}
		if admin {
			if _, err := w.App.Store.CreateService(t.Context(), directory.User{Username: "deploy", DisplayName: "deploy", Admin: true, ManagedBy: directory.Manual}, ann.Username, directory.Identity{}); err != nil {
				t.Fatal(err)
			}
		}
		want := map[bool]int{true: 200, false: 403}[admin]
		if got := ann.Do(t, http.MethodGet, base+"/users/deploy/tokens", nil); got.Status != want {
			t.Errorf("listing tokens, administrator %v: %d %s", admin, got.Status, got.Body)
		}
		got := ann.Do(t, http.MethodPost, base+"/users/deploy/tokens", object{"name": "mine"})
		if got.Status/100 != want/100 {
			t.Errorf("making a token, administrator %v: %d %s", admin, got.Status, got.Body)
		}
	}
	if got := root.Do(t, http.MethodGet, base+"/users/deploy/tokens", nil); got.Status != 200 {
		t.Errorf("by an administrator: %d %s", got.Status, got.Body)
	}
}

package api_test

import (
	"net/http"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// What AuthServiceClient up to 3.10 calls for permissions, where there are workspaces: each operation succeeds for who manages a
// workspace, and for administrators, and a stranger changes and learns nothing.
func TestOlderClientsHandlePermissionsInWorkspaces(t *testing.T) {
	admin, ann := spaces(t)
	bob, eve := ann.World.Browser(t, "bob", world.Members), ann.World.Browser(t, "eve", world.Members)
	const acme = third + "/workspaces/acme/permissions"
	mine := func(username string) string { return third + "/workspace-permissions?username=" + username }
	idOf := func(username string) float64 {
		id, err := ann.World.App.Store.PrincipalID(t.Context(), store.Principal{User: username})
		if err != nil {
			t.Fatal(err)
		}
		return float64(id)
	}
	held := func(who string, level string, use bool) object {
		return object{"workspace": "acme", "user_id": idOf(who), "permission": level, "can_use": use}
	}
	wants(t, admin.Do(t, http.MethodPost, acme, object{"username": ann.Username, "permission": "MANAGE"}), 200, object{"permission": held(ann.Username, "MANAGE", true)})
	give := func(username, level string) object { return object{"username": username, "permission": level} }
	wants(t, ann.Do(t, http.MethodPost, acme, give(bob.Username, "READ")), 200, object{"permission": held(bob.Username, "READ", false)})
	wants(t, ann.Do(t, http.MethodPost, acme, give(bob.Username, "USE")), 200, object{"permission": held(bob.Username, "USE", true)}) // once more changes it
	wants(t, bob.Do(t, http.MethodGet, mine(bob.Username), nil), 200, object{"permissions": list{held(bob.Username, "USE", true)}})
	wants(t, admin.Do(t, http.MethodGet, mine(bob.Username), nil), 200, object{"permissions": list{held(bob.Username, "USE", true)}})
	found := ann.JSON(t, http.MethodGet, acme, nil)["permissions"].(list)
	levels := map[any]any{}
	for _, one := range found {
		levels[one.(object)["user_id"]] = one.(object)["permission"]
	}
	if levels[idOf(ann.Username)] != "MANAGE" || levels[idOf(bob.Username)] != "USE" {
		t.Errorf("the holders are %v", found)
	}
	if got := bob.Inside("acme").Do(t, http.MethodGet, base+"/experiments/search?max_results=1", nil); got.Status != 200 {
		t.Errorf("in the workspace: %d %s", got.Status, got.Body)
	}

	// The attacks: of a stranger, of a member, and of who manages another workspace.
	for name, a := range map[string]attempt{
		"read who holds a workspace":        {"", http.MethodGet, acme, nil},
		"give oneself a workspace":          {"", http.MethodPost, acme, give(eve.Username, "READ")},
		"take a workspace from another":     {"", http.MethodDelete, acme, object{"username": ann.Username}},
		"read the workspaces of another":    {"", http.MethodGet, mine(ann.Username), nil},
		"find out which users there are":    {"", http.MethodGet, mine("nobody"), nil},
		"find out which workspaces exist":   {"", http.MethodGet, third + "/workspaces/none/permissions", nil},
		"give oneself the default one":      {"", http.MethodPost, third + "/workspaces/default/permissions", give(eve.Username, "MANAGE")},
		"give oneself one that may be made": {"", http.MethodPost, third + "/workspaces/later/permissions", give(eve.Username, "MANAGE")},
	} {
		wants(t, eve.Do(t, a.method, a.path, a.body), 403, denied)
		if name != "read the workspaces of another" {
			wants(t, bob.Do(t, a.method, a.path, a.body), 403, denied)
		}
	}
	wants(t, ann.Do(t, http.MethodPost, third+"/workspaces/default/permissions", give(ann.Username, "MANAGE")), 403, denied)
	wants(t, ann.Do(t, http.MethodPost, third+"/workspaces/other/permissions", give(ann.Username, "MANAGE")), 403, denied)
	wants(t, ann.Do(t, http.MethodGet, mine(bob.Username), nil), 403, denied)
	wants(t, ann.Do(t, http.MethodPost, acme, give("nobody", "READ")), 404, missing)
	wants(t, ann.Do(t, http.MethodPost, acme, give(bob.Username, "OWNER")), 400, invalid)

	inside := []attempt{
		{"create", http.MethodPost, base + "/registered-models/permissions/create", object{"name": "m", "username": bob.Username, "permission": "READ"}},
		{"get", http.MethodGet, base + "/registered-models/permissions/get?name=m&username=" + bob.Username, nil},
		{"update", http.MethodPatch, base + "/registered-models/permissions/update", object{"name": "m", "username": bob.Username, "permission": "EDIT"}},
		{"delete", http.MethodDelete, base + "/registered-models/permissions/delete", object{"name": "m", "username": bob.Username}},
	}
	ann.Inside("acme").JSON(t, http.MethodPost, base+"/registered-models/create", object{"name": "m"})
	bob.JSON(t, http.MethodPost, base+"/registered-models/create", object{"name": "m"}) // the same name in the default workspace, which is another model
	for _, a := range inside {
		wants(t, bob.Inside("acme").Do(t, a.method, a.path, a.body), 403, denied) // by MANAGE on the model of the same name elsewhere
		if got := eve.Inside("acme").Do(t, a.method, a.path, a.body); got.Status != 404 {
			t.Errorf("%s, by a stranger: %d %s", a.name, got.Status, got.Body)
		}
		if got := ann.Inside("acme").Do(t, a.method, a.path, a.body); got.Status != 200 {
			t.Errorf("%s: %d %s", a.name, got.Status, got.Body)
		}
	}
	if grants, err := ann.World.App.Store.Grants(t.Context(), store.Principal{User: bob.Username}, kind.RegisteredModel); err != nil || len(grants) != 1 {
		t.Errorf("in the default workspace %v is held, %v", grants, err)
	}
	if got := ann.Do(t, http.MethodDelete, acme, object{"username": bob.Username}); got.Status != 204 || len(got.Body) != 0 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	wants(t, bob.Do(t, http.MethodGet, mine(bob.Username), nil), 200, object{"permissions": list{}})
	wants(t, ann.Do(t, http.MethodDelete, acme, object{"username": bob.Username}), 404, missing)
}

package gateway_test

import (
	"net/http"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// role makes a role of a workspace with one permission on all of each type, and assigns it.
func (s *spaces) role(t *testing.T, in string, to *world.Client, permission string, types ...string) directory.Role {
	t.Helper()
	role, err := s.App.Store.CreateRole(t.Context(), directory.Role{Workspace: in, Name: t.Name() + " " + permission})
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range types {
		if _, err := s.App.Store.AddRolePermission(t.Context(), directory.RolePermission{RoleID: role.ID, Type: of, Pattern: "*", Resource: "*", Permission: permission}); err != nil {
			t.Fatal(err)
		}
	}
	id, err := s.App.Store.PrincipalID(t.Context(), store.Principal{User: to.Username})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.App.Store.AssignRole(t.Context(), id, role.ID, nil); err != nil {
		t.Fatal(err)
	}
	return role
}

var allTypes = []string{"experiment", "registered_model", "prompt", "scorer", "gateway_secret", "gateway_endpoint", "gateway_model_definition", "mcp_server"}

// The attack: whoever administers one workspace by a role reaches into another, whichever of the two a request names.
func TestAttackRoleOfAnotherWorkspace(t *testing.T) {
	s := newSpaces(t, nil)
	s.role(t, s.b, s.thief, "MANAGE", append([]string{"workspace"}, allTypes...)...)
	for name, path := range reads(s.victims) {
		for _, in := range []string{s.a, s.b, ""} {
			if got := s.thief.Inside(in).Do(t, http.MethodGet, path, nil); got.Status < 400 {
				t.Errorf("%s of workspace a, in %q: %d %s", name, in, got.Status, got.Body)
			}
		}
	}
	body := map[string]any{"experiment_id": s.victims.Experiment, "new_name": "stolen"}
	for _, in := range []string{s.a, s.b} {
		if got := s.thief.Inside(in).Do(t, http.MethodPost, "/api/2.0/mlflow/experiments/update", body); got.Status < 400 {
			t.Errorf("renaming an experiment of workspace a, in %q: %d %s", in, got.Status, got.Body)
		}
		grant := map[string]any{"username": s.thief.Username, "resource_type": "experiment", "resource_id": s.victims.Experiment, "permission": "MANAGE"}
		if got := s.thief.Inside(in).Do(t, http.MethodPost, v3+"users/permissions/grant", grant); got.Status < 400 {
			t.Errorf("granting oneself an experiment of workspace a, in %q: %d %s", in, got.Status, got.Body)
		}
	}
	deny := map[string]any{"username": s.victim.Username, "resource_type": "experiment", "resource_id": "*", "permission": "DENY"}
	if got := s.thief.Inside(s.a).Do(t, http.MethodPost, v3+"users/permissions/grant", deny); got.Status < 400 {
		t.Errorf("denying somebody all of workspace a: %d %s", got.Status, got.Body)
	}
	set := map[string]any{"username": s.thief.Username, "permission": "MANAGE"}
	if got := s.thief.Do(t, http.MethodPost, v3+"workspaces/"+s.a+"/permissions", set); got.Status != http.StatusForbidden {
		t.Errorf("giving oneself workspace a: %d %s", got.Status, got.Body)
	}
}

// A role opens what is in its workspace, each type its own kind, and a DENY closes it even to whoever made it.
func TestRolesInAWorkspace(t *testing.T) {
	s := newSpaces(t, nil)
	reader := s.thief.Inside(s.a)
	opened := func(c *world.Client, want bool) {
		t.Helper()
		for name, path := range reads(s.victims) {
			if got := c.Do(t, http.MethodGet, path, nil); (got.Status == http.StatusOK) != want {
				t.Errorf("%s: %d %s, want it open: %v", name, got.Status, got.Body, want)
			}
		}
	}
	opened(reader, false)
	member := s.role(t, s.a, s.thief, "USE", "workspace")
	opened(reader, false) // others' work is not part of being in a workspace
	role := s.role(t, s.a, s.thief, "EDIT", allTypes...)
	opened(reader, true)
	if got := reader.Do(t, http.MethodPost, "/api/2.0/mlflow/experiments/delete", map[string]any{"experiment_id": s.victims.Experiment}); got.Status != http.StatusForbidden {
		t.Errorf("deleting with EDIT: %d %s", got.Status, got.Body)
	}
	if err := s.App.Store.DeleteRole(t.Context(), role.ID); err != nil {
		t.Fatal(err)
	}
	opened(reader, false)
	if got := reader.Do(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("mine")}); got.Status != http.StatusOK {
		t.Errorf("creating in a workspace that one uses: %d %s", got.Status, got.Body)
	}
	if err := s.App.Store.DeleteRole(t.Context(), member.ID); err != nil {
		t.Fatal(err)
	}
	opened(s.victim, true)
	s.role(t, s.a, s.victim, "DENY", allTypes...)
	opened(s.victim, false)
	if got := s.victim.Do(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("denied")}); got.Status != http.StatusForbidden {
		t.Errorf("creating what is denied: %d %s", got.Status, got.Body)
	}
}

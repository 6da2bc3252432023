package api_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// roleSteps are the rows of what lists roles in pages. Whoever administers a workspace alone has MLflow's own API for its roles.
func (c *cast) roleSteps(t *testing.T, all map[string]step) {
	t.Helper()
	one := "/permissions/roles/" + strconv.FormatInt(c.role(t, "paged", nil).ID, 10)
	all["GET /permissions/roles"] = step{want: administrators(200), path: "/permissions/roles"}
	all["GET /permissions/roles/{role_id}"] = step{want: administrators(200), path: one}
	all["GET /permissions/roles/{role_id}/permissions"] = step{want: administrators(200), path: one + "/permissions"}
	all["GET /permissions/roles/{role_id}/users"] = step{want: administrators(200), path: one + "/users"}
	all["GET /users/{username}/roles"] = step{want: administrators(200), path: "/users/" + c.target.Username + "/roles"}
}

func TestRolesInPages(t *testing.T) {
	c := newCast(t)
	role := c.role(t, "crew", map[string]string{"registered_model": "READ", "experiment": "DENY"}, c.target)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	if _, err := c.App.Store.AssignRole(t.Context(), int64(c.idOf(t, c.member.Username)), role.ID, &until); err != nil {
		t.Fatal(err)
	}
	at := base + "/permissions/roles/" + strconv.FormatInt(role.ID, 10)
	want := object{"id": float64(role.ID), "name": role.Name, "workspace": "default", "description": nil, "permission_count": 2.0, "member_count": 2.0}
	wants(t, c.admin.Do(t, http.MethodGet, at, nil), 200, want)
	wants(t, c.admin.Do(t, http.MethodGet, base+"/permissions/roles?search=CREW&limit=5", nil), 200, list{want})
	members := list{object{"username": c.member.Username, "is_service_account": false, "expires_at": until.Format(time.RFC3339)}, object{"username": c.target.Username, "is_service_account": false}}
	wants(t, c.admin.Do(t, http.MethodGet, at+"/users", nil), 200, members)
	got := c.admin.Do(t, http.MethodGet, at+"/users?limit=1&offset=1", nil)
	wants(t, got, 200, members[1:])
	if total := got.Header.Get("X-Total-Count"); total != "2" {
		t.Errorf("the total is %q", total)
	}
	wants(t, c.admin.Do(t, http.MethodGet, base+"/users/"+c.member.Username+"/roles", nil), 200,
		list{object{"id": float64(role.ID), "name": role.Name, "workspace": "default", "expires_at": until.Format(time.RFC3339)}})
	got = c.admin.Do(t, http.MethodGet, at+"/permissions?search=registered", nil)
	row := list{object{"id": 0.0, "resource_type": "registered_model", "resource_pattern": "*", "resource": "*", "permission": "READ"}}
	for _, p := range role.Permissions {
		if p.Type == "registered_model" {
			row[0].(object)["id"] = float64(p.ID)
		}
	}
	wants(t, got, 200, row)

	// A user's own role, which holds what is given to the user directly, is none of these.
	c.admin.JSON(t, http.MethodPost, third+"/users/permissions/grant", object{"username": c.target.Username, "resource_type": "experiment", "resource_id": "*", "permission": "DENY"})
	own, err := c.App.Store.OwnRoles(t.Context(), int64(c.idOf(t, c.target.Username)))
	if err != nil || len(own) != 1 {
		t.Fatalf("%v %v", own, err)
	}
	hidden := base + "/permissions/roles/" + strconv.FormatInt(own[0].ID, 10)
	for _, path := range []string{hidden, hidden + "/permissions", hidden + "/users"} {
		if got := c.admin.Do(t, http.MethodGet, path, nil); got.Status != 404 {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	if diff := cmp.Diff(404, c.admin.Do(t, http.MethodGet, base+"/users/none@example.com/roles", nil).Status); diff != "" {
		t.Error(diff)
	}
}

package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// role makes a role of the default workspace with permissions on all of types, and assigns it.
func (c *cast) role(t *testing.T, name string, permissions map[string]string, to ...*world.Client) directory.Role {
	t.Helper()
	before, err := c.App.Store.Roles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	role, err := c.App.Store.CreateRole(t.Context(), directory.Role{Workspace: kind.DefaultWorkspace, Name: fmt.Sprint(name, len(before))})
	if err != nil {
		t.Fatal(err)
	}
	for of, permission := range permissions {
		p, err := c.App.Store.AddRolePermission(t.Context(), directory.RolePermission{RoleID: role.ID, Type: of, Pattern: "*", Resource: "*", Permission: permission})
		if err != nil {
			t.Fatal(err)
		}
		role.Permissions = append(role.Permissions, p)
	}
	for _, person := range to {
		if _, err := c.App.Store.AssignRole(t.Context(), int64(c.idOf(t, person.Username)), role.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
	return role
}

// selfOrAdmin is for what is one's own: the target's, and administrators handle it too, but in the form of MLflow.
func selfOrAdmin(ok int) statuses { return statuses{401, 403, 403, 403, ok, ok} }

// mlflowSteps are the rows of MLflow's own API.
func (c *cast) mlflowSteps(t *testing.T, all map[string]step) {
	t.Helper()
	role := c.role(t, "matrix", map[string]string{"registered_model_version": "MANAGE"})
	id, permission := role.ID, role.Permissions[0].ID
	of := "?username=" + url.QueryEscape(c.target.Username)
	on := object{"username": c.target.Username, "resource_type": "experiment", "resource_id": c.on[kind.Experiment]}
	with := func(body object, more object) object {
		body = maps.Clone(body)
		maps.Copy(body, more)
		return body
	}
	unused := func(t *testing.T) { _ = c.App.Store.DeleteUser(t.Context(), "local") }
	second := map[string]step{
		"POST /users/create":           {want: administrators(200), body: object{"username": "local", "password": "twelve characters"}, ready: unused},
		"GET /users/get":               {want: selfOrAdmin(200), path: "/users/get" + of},
		"GET /users/list":              {want: everybody(200)},
		"PATCH /users/update-password": {want: selfOrAdmin(400), body: object{"username": c.target.Username, "password": "twelve characters", "current_password": "none at all"}},
		"PATCH /users/update-admin":    {want: administrators(404), body: object{"username": "none", "is_admin": true}},
		"DELETE /users/delete":         {want: administrators(404), body: object{"username": "none"}},
	}
	newRole := func(t *testing.T) {
		roles, err := c.App.Store.Roles(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range roles {
			if r.Name == "made" {
				_ = c.App.Store.DeleteRole(t.Context(), r.ID)
			}
		}
	}
	const idle = "idle@example.com" // to whom a role does no harm
	bare := func(t *testing.T) { _ = c.App.Store.UnassignRole(t.Context(), int64(c.idOf(t, idle)), id) }
	give := func(t *testing.T) { c.give(t, store.Principal{User: c.target.Username}, kind.Experiment, kind.Read) }
	take := func(t *testing.T) { c.take(t, store.Principal{User: c.target.Username}, kind.Experiment) }
	query := "?role_id=" + strconv.FormatInt(id, 10)
	newer := map[string]step{
		"POST /roles/create":               {want: administrators(200), body: object{"workspace": "default", "name": "made"}, ready: newRole},
		"GET /roles/get":                   {want: administrators(200), path: "/roles/get" + query},
		"GET /roles/list":                  {want: administrators(200)},
		"PATCH /roles/update":              {want: administrators(200), body: object{"role_id": id, "description": "of the matrix"}},
		"DELETE /roles/delete":             {want: administrators(404), body: object{"role_id": 4711}},
		"POST /roles/permissions/add":      {want: administrators(400), body: object{"role_id": id, "resource_type": "registered_model_version", "resource_pattern": "*", "permission": "READ"}},
		"GET /roles/permissions/list":      {want: administrators(200), path: "/roles/permissions/list" + query},
		"PATCH /roles/permissions/update":  {want: administrators(200), body: object{"role_permission_id": permission, "permission": "MANAGE"}},
		"DELETE /roles/permissions/remove": {want: administrators(404), body: object{"role_permission_id": 4711}},
		"POST /roles/assign":               {want: administrators(200), body: object{"username": idle, "role_id": id}, ready: bare},
		"DELETE /roles/unassign":           {want: administrators(404), body: object{"username": idle, "role_id": id}, ready: bare},
		"GET /roles/users/list":            {want: administrators(200), path: "/roles/users/list" + query},
		"GET /users/roles/list":            {want: selfOrAdmin(200), path: "/users/roles/list" + of},
		"POST /users/permissions/grant":    {want: managed(200), body: with(on, object{"permission": "READ"}), ready: take},
		"POST /users/permissions/revoke":   {want: managed(200), body: on, ready: give},
		"GET /users/permissions/get":       {want: selfOrAdmin(200), path: "/users/permissions/get" + of + "&resource_type=experiment&resource_id=" + c.on[kind.Experiment]},
		"GET /users/permissions/list":      {want: selfOrAdmin(200), path: "/users/permissions/list" + of},
		"GET /users/current/permissions":   {want: everybody(200)},
	}
	put := func(version string, steps map[string]step) {
		for name, s := range steps {
			method, path, _ := strings.Cut(name, " ")
			if s.path == "" {
				s.path = path
			}
			if version == "3.0" {
				name, s.path = method+" "+third+path, third+s.path
			}
			all[name] = s
		}
	}
	put("2.0", second)
	put("3.0", newer)
	for k := range kinds() {
		if k.Basic[1] != "" {
			put(k.Basic[0], c.perKindSteps(k))
		}
	}
}

// fields gives those by which MLflow's API names the resource of a kind.
func (c *cast) fields(k kind.Kind) object {
	switch {
	case k.Parent != "":
		experiment, name := kind.Parts(c.on[k.Name])
		return object{"experiment_id": experiment, k.Key: name}
	case k.MLflowID != "":
		return object{k.MLflowID: c.ids[k.Name]}
	}
	return object{k.Key: c.on[k.Name]}
}

func (c *cast) perKindSteps(k kind.Kind) map[string]step {
	holder := store.Principal{User: c.target.Username}
	give := func(t *testing.T) { c.give(t, holder, k.Name, kind.Read) }
	take := func(t *testing.T) { c.take(t, holder, k.Name) }
	at, base := c.fields(k), k.Basic[1]+"/permissions/"
	at["username"] = c.target.Username
	with := maps.Clone(at)
	with["permission"] = "EDIT"
	query := url.Values{}
	for name, value := range at {
		query.Set(name, value.(string))
	}
	return map[string]step{
		"POST " + base + "create":   {want: managed(200), body: with, ready: take},
		"GET " + base + "get":       {want: managed(200), path: base + "get?" + query.Encode(), ready: give},
		"PATCH " + base + "update":  {want: managed(200), body: with, ready: give},
		"DELETE " + base + "delete": {want: managed(200), body: at, ready: give},
	}
}

// What older clients store is what the routes of the plugin show, for every kind that has both.
func TestOlderClientsPermissionsAreTheUsersOwn(t *testing.T) {
	c := newCast(t)
	for k := range kinds() {
		if k.Basic[1] == "" {
			continue
		}
		body := c.fields(k)
		body["username"], body["permission"] = c.target.Username, "EDIT"
		base := strings.Replace(base, "2.0", k.Basic[0], 1) + k.Basic[1] + "/permissions/"
		shown := maps.Clone(body)
		delete(shown, "username")
		shown["user_id"] = c.idOf(t, c.target.Username)
		if !k.Everywhere {
			shown["workspace"] = "default"
		}
		wants(t, c.manager.Do(t, http.MethodPost, base+"create", body), 200, object{string(k.Name) + "_permission": shown})
		wants(t, c.manager.Do(t, http.MethodPost, base+"create", body), 400, conflict)
		body["permission"] = "READ"
		wants(t, c.manager.Do(t, http.MethodPatch, base+"update", body), 200, object{})
		grants, err := c.App.Store.Grants(t.Context(), store.Principal{User: c.target.Username}, k.Name)
		found := false
		for _, g := range grants {
			found = found || g.Resource == c.on[k.Name] && g.Level == kind.Read
		}
		if !found {
			t.Errorf("%s: stored are %v, %v", k.Name, grants, err)
		}
		delete(body, "permission")
		wants(t, c.manager.Do(t, http.MethodDelete, base+"delete", body), 200, object{})
		wants(t, c.manager.Do(t, http.MethodDelete, base+"delete", body), 404, missing)
	}
}

// attempt is what an attack asks for.
type attempt struct {
	name, method, path string
	body               any
}

// The attacks of somebody without a role, who holds EDIT on everything that there is: each by its name.
func TestAttacksOnRoles(t *testing.T) {
	c := newCast(t)
	role := c.role(t, "crew", map[string]string{"experiment": "MANAGE"})
	me := c.editor.Username
	for _, a := range []attempt{
		{"make oneself an administrator", http.MethodPatch, base + "/users/update-admin", object{"username": me, "is_admin": true}},
		{"make oneself an administrator by a flag of creation", http.MethodPost, base + "/users/create", object{"username": "x", "password": "twelve characters", "is_admin": true}},
		{"grant oneself MANAGE on what one may edit", http.MethodPost, third + "/users/permissions/grant", object{"username": me, "resource_type": "experiment", "resource_id": c.on[kind.Experiment], "permission": "MANAGE"}},
		{"grant oneself all of a kind", http.MethodPost, third + "/users/permissions/grant", object{"username": me, "resource_type": "experiment", "resource_id": "*", "permission": "MANAGE"}},
		{"grant oneself a part of all", http.MethodPost, third + "/users/permissions/grant", object{"username": me, "resource_type": "run", "resource_id": "*", "permission": "MANAGE"}},
		{"lift a refusal of oneself", http.MethodPost, third + "/users/permissions/revoke", object{"username": me, "resource_type": "experiment", "resource_id": "*"}},
		{"deny another a resource", http.MethodPost, third + "/users/permissions/grant", object{"username": c.manager.Username, "resource_type": "experiment", "resource_id": c.on[kind.Experiment], "permission": "DENY"}},
		{"make a role", http.MethodPost, third + "/roles/create", object{"workspace": "default", "name": "mine"}},
		{"assign oneself a role", http.MethodPost, third + "/roles/assign", object{"username": me, "role_id": role.ID}},
		{"widen a role", http.MethodPost, third + "/roles/permissions/add", object{"role_id": role.ID, "resource_type": "workspace", "resource_pattern": "*", "permission": "MANAGE"}},
		{"take a role from another", http.MethodDelete, third + "/roles/unassign", object{"username": c.manager.Username, "role_id": role.ID}},
		{"narrow a role", http.MethodDelete, third + "/roles/permissions/remove", object{"role_permission_id": role.Permissions[0].ID}},
		{"find out which roles there are", http.MethodGet, third + "/roles/get?role_id=4711", nil},
		{"read the roles of all", http.MethodGet, third + "/roles/list", nil},
		{"read the roles of a workspace that one is not in", http.MethodGet, third + "/roles/list?workspace=default", nil},
		{"give another a password", http.MethodPatch, base + "/users/update-password", object{"username": c.admin.Username, "password": "twelve characters"}},
		{"give another a password, in another case", http.MethodPatch, base + "/users/update-password", object{"username": strings.ToUpper(c.admin.Username), "password": "twelve characters"}},
		{"find out who exists", http.MethodGet, base + "/users/get?username=none", nil},
		{"find out what others hold", http.MethodGet, third + "/users/permissions/list?username=" + c.manager.Username, nil},
		{"find out what others may", http.MethodGet, third + "/users/permissions/get?username=" + c.manager.Username + "&resource_type=experiment&resource_id=" + c.on[kind.Experiment], nil},
		{"delete another", http.MethodDelete, base + "/users/delete", object{"username": c.manager.Username}},
		{"delete another by the query", http.MethodDelete, base + "/users/delete?username=" + c.manager.Username, nil},
	} {
		t.Run(a.name, func(t *testing.T) {
			wants(t, c.editor.Do(t, a.method, a.path, a.body), 403, denied)
		})
	}
	for _, a := range []attempt{
		{"a role that is the hidden one of a user", http.MethodPost, third + "/roles/create", object{"workspace": "default", "name": "__user_1__"}},
		{"such a name in another case", http.MethodPost, third + "/roles/create", object{"workspace": "default", "name": " __USER_1__"}},
		{"such a name later", http.MethodPatch, third + "/roles/update", object{"role_id": role.ID, "name": "__user_1__"}},
		{"a role of a workspace that cannot be", http.MethodPost, third + "/roles/create", object{"workspace": "../a", "name": "x"}},
		{"two values of one field", http.MethodGet, third + "/users/roles/list?username=a&username=b", nil},
		{"a field in the query and another in the body", http.MethodPost, third + "/roles/assign?username=" + me, object{"username": c.target.Username, "role_id": role.ID}},
		{"two values of one member", http.MethodPost, third + "/roles/assign", `{"username":"a","username":"b","role_id":1}`},
		{"a role id that is none", http.MethodGet, third + "/roles/get?role_id=1x", nil},
		{"NO_PERMISSIONS for a role", http.MethodPost, third + "/roles/permissions/add", object{"role_id": role.ID, "resource_type": "prompt", "resource_pattern": "*", "permission": "NO_PERMISSIONS"}},
		{"EDIT on a workspace", http.MethodPost, third + "/roles/permissions/add", object{"role_id": role.ID, "resource_type": "workspace", "resource_pattern": "*", "permission": "EDIT"}},
		{"one run", http.MethodPost, third + "/roles/permissions/add", object{"role_id": role.ID, "resource_type": "run", "resource_pattern": "a", "permission": "DENY"}},
		{"a type that is none", http.MethodPost, third + "/roles/permissions/add", object{"role_id": role.ID, "resource_type": "*", "resource_pattern": "*", "permission": "READ"}},
		{"an experiment id with a zero before it", http.MethodPost, third + "/roles/permissions/add", object{"role_id": role.ID, "resource_type": "experiment", "resource_pattern": "01", "permission": "DENY"}},
		{"a scorer that is not quoted", http.MethodPost, third + "/roles/permissions/add", object{"role_id": role.ID, "resource_type": "scorer", "resource_pattern": "1/a b", "permission": "DENY"}},
		{"a workspace to a user", http.MethodPost, third + "/users/permissions/grant", object{"username": me, "resource_type": "workspace", "resource_id": "*", "permission": "MANAGE"}},
		{"a short password", http.MethodPost, base + "/users/create", object{"username": "x", "password": "elevenchars"}},
		{"a username of the API", http.MethodPost, base + "/users/create", object{"username": "Get", "password": "twelve characters"}},
		{"a username of the API, by the plugin's route", http.MethodPost, base + "/users", object{"username": "list", "display_name": "x"}},
		{"a username with a colon", http.MethodPost, base + "/users/create", object{"username": "a:b", "password": "twelve characters"}},
		{"a password for somebody of a provider", http.MethodPatch, base + "/users/update-password", object{"username": c.target.Username, "password": "twelve characters"}},
		{"to stop being the only administrator", http.MethodPatch, base + "/users/update-admin", object{"username": c.admin.Username, "is_admin": false}},
		{"an administrator by a text", http.MethodPatch, base + "/users/update-admin", object{"username": c.target.Username, "is_admin": "false"}},
	} {
		t.Run(a.name, func(t *testing.T) {
			wants(t, c.admin.Do(t, a.method, a.path, a.body), 400, invalid)
		})
	}
	if got := c.admin.Do(t, http.MethodDelete, base+"/users/delete", object{"username": c.admin.Username}); got.Status != 400 || got.Code() != "BAD_REQUEST" {
		t.Errorf("to delete oneself, the last administrator: %d %s", got.Status, got.Body)
	}
}

// A workspace's administrator, by a role, hands out what is in the workspace, and nothing beyond; MLflow itself decides by the
// first id that a request names, so that a second one reaches elsewhere.
func TestAttacksOfAWorkspacesAdministrator(t *testing.T) {
	c := newCast(t)
	c.role(t, "admins", map[string]string{"workspace": "MANAGE"}, c.member)
	mine := c.role(t, "mine", map[string]string{"prompt": "READ"})
	other, err := c.App.Store.CreateRole(t.Context(), directory.Role{Workspace: "team-b", Name: "theirs"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.App.Store.AddRolePermission(t.Context(), directory.RolePermission{RoleID: other.ID, Type: "prompt", Pattern: "*", Resource: "*", Permission: "READ"})
	if err != nil {
		t.Fatal(err)
	}
	c.member.JSON(t, http.MethodPost, third+"/roles/assign", object{"username": c.target.Username, "role_id": mine.ID})
	c.member.JSON(t, http.MethodPost, third+"/roles/permissions/add", object{"role_id": mine.ID, "resource_type": "mcp_server", "resource_pattern": "*", "permission": "READ"})
	c.member.JSON(t, http.MethodPost, base+"/users/create", object{"username": "local", "password": "twelve characters"})
	if got := c.member.JSON(t, http.MethodGet, third+"/users/roles/list?username="+c.target.Username, nil); len(got["roles"].(list)) != 1 {
		t.Errorf("the roles of somebody in the workspace: %v", got)
	}
	for _, a := range []attempt{
		{"make a role of another workspace, by the id of one's own", http.MethodPost, third + "/roles/create", object{"role_id": mine.ID, "workspace": "team-b", "name": "x"}},
		{"widen a role of another workspace", http.MethodPost, third + "/roles/permissions/add", object{"role_id": other.ID, "resource_type": "experiment", "resource_pattern": "*", "permission": "MANAGE"}},
		{"change a permission of another workspace's role, by the id of one's own role", http.MethodPatch, third + "/roles/permissions/update", object{"role_id": mine.ID, "role_permission_id": p.ID, "permission": "MANAGE"}},
		{"remove it so", http.MethodDelete, third + "/roles/permissions/remove", object{"role_id": mine.ID, "role_permission_id": p.ID}},
		{"assign oneself a role of another workspace", http.MethodPost, third + "/roles/assign", object{"username": c.member.Username, "role_id": other.ID}},
		{"list the roles of another workspace", http.MethodGet, third + "/roles/list?workspace=default&workspace=team-b", nil},
		{"list all roles", http.MethodGet, third + "/roles/list", nil},
		{"make oneself an administrator of all", http.MethodPatch, base + "/users/update-admin", object{"username": c.member.Username, "is_admin": true}},
		{"reset the password of an account that one has made", http.MethodPatch, base + "/users/update-password", object{"username": "local", "password": "another one, long"}},
		{"delete it", http.MethodDelete, base + "/users/delete", object{"username": "local"}},
	} {
		t.Run(a.name, func(t *testing.T) {
			wants(t, c.member.Do(t, a.method, a.path, a.body), 403, denied)
		})
	}
	narrowed := c.member.JSON(t, http.MethodPost, base+"/users/current/tokens", object{"name": "ci", "scope": object{"read_only": true}})
	program := &world.Client{World: c.World, HTTP: &http.Client{}, Username: c.member.Username, Token: narrowed["token"].(string)}
	wants(t, program.Do(t, http.MethodGet, third+"/roles/list?workspace=default", nil), 403, denied)
}

// What a role says is effective with the next request, through MLflow: given, denied, taken away.
func TestRolesAreEffectiveAtOnce(t *testing.T) {
	c := newCast(t)
	experiment := base + "/experiments/get?experiment_id=" + c.on[kind.Experiment]
	reads := func(want int) {
		t.Helper()
		if got := c.member.Do(t, http.MethodGet, experiment, nil); got.Status != want {
			t.Fatalf("%d, want %d: %s", got.Status, want, got.Body)
		}
		found := c.member.JSON(t, http.MethodPost, base+"/experiments/search", object{"max_results": 100, "filter": fmt.Sprintf("name = '%s'", c.names[kind.Experiment])})
		if experiments, _ := found["experiments"].(list); (len(experiments) == 1) != (want == 200) {
			t.Fatalf("the search finds %v where one answers %d", experiments, want)
		}
	}
	reads(404)
	made := c.admin.JSON(t, http.MethodPost, third+"/roles/create", object{"workspace": "default", "name": "readers", "description": "who may look"})
	role := made["role"].(object)["id"]
	c.admin.JSON(t, http.MethodPost, third+"/roles/assign", object{"username": c.member.Username, "role_id": role})
	reads(404)
	p := c.admin.JSON(t, http.MethodPost, third+"/roles/permissions/add", object{"role_id": role, "resource_type": "experiment", "resource_pattern": "*", "permission": "READ"})
	reads(200)
	id := p["role_permission"].(object)["id"]
	c.admin.JSON(t, http.MethodPatch, third+"/roles/permissions/update", object{"role_permission_id": id, "permission": "DENY"})
	reads(404)
	c.give(t, store.Principal{User: c.member.Username}, kind.Experiment, kind.Manage)
	reads(404)
	c.admin.JSON(t, http.MethodDelete, third+"/roles/permissions/remove", object{"role_permission_id": id})
	reads(200)
	c.take(t, store.Principal{User: c.member.Username}, kind.Experiment)
	c.admin.JSON(t, http.MethodPost, third+"/roles/permissions/add", object{"role_id": role, "resource_type": "experiment", "resource_pattern": c.on[kind.Experiment], "permission": "READ"})
	reads(200)
	c.admin.JSON(t, http.MethodPost, third+"/users/permissions/grant", object{"username": c.member.Username, "resource_type": "run", "resource_id": "*", "permission": "DENY"})
	reads(404)
	c.admin.JSON(t, http.MethodPost, third+"/users/permissions/revoke", object{"username": c.member.Username, "resource_type": "run", "resource_id": "*"})
	reads(200)
	c.admin.JSON(t, http.MethodDelete, third+"/roles/delete", object{"role_id": role})
	reads(404)
}

// A local account comes in by its password. A new one ends the old, its sessions and, from an administrator, its tokens.
func TestLocalAccounts(t *testing.T) {
	w := world.New(t, mlflowtest.Shared(t).Address, nil)
	admin := w.Browser(t, "root", world.Members, world.Admins)
	const first, second, last = "the first password", "the second password", "the third password"
	made := admin.JSON(t, http.MethodPost, base+"/users/create", object{"username": "Carl", "password": first})
	user := made["user"].(object)
	if user["username"] != "carl" || user["is_admin"] != false {
		t.Fatalf("made %v", user)
	}
	wants(t, admin.Do(t, http.MethodPost, base+"/users/create", object{"username": "carl", "password": second}), 400, conflict)
	carl := func(password string) *world.Client {
		return &world.Client{World: w, HTTP: &http.Client{}, Username: "carl", Token: password}
	}
	in := func(password string, want int) {
		t.Helper()
		if got := carl(password).Do(t, http.MethodGet, base+"/users/current", nil); got.Status != want {
			t.Fatalf("with %q: %d, want %d: %s", password, got.Status, want, got.Body)
		}
	}
	in(first, 200)
	if got := carl(first).JSON(t, http.MethodGet, base+"/users/current", nil); got["is_basic_auth"] != true || got["user"].(object)["username"] != "carl" || got["username"] != "carl" {
		t.Errorf("who am I: %v", got)
	}
	if got := admin.JSON(t, http.MethodGet, base+"/users/current", nil); got["is_basic_auth"] != false {
		t.Errorf("who am I, by a browser: %v", got)
	}
	token := carl(first).JSON(t, http.MethodPost, base+"/users/current/tokens", object{"name": "ci"})["token"].(string)
	change := func(body object) world.Answer {
		body["username"] = "carl"
		return carl(first).Do(t, http.MethodPatch, base+"/users/update-password", body)
	}
	wants(t, change(object{"password": second}), 400, invalid)
	wants(t, change(object{"password": second, "current_password": second}), 400, invalid)
	wants(t, change(object{"password": second, "current_password": token}), 400, invalid) // The attack: a stolen token takes the account
	wants(t, change(object{"password": first, "current_password": first}), 400, invalid)
	wants(t, change(object{"password": "too short", "current_password": first}), 400, invalid)
	wants(t, change(object{"password": second, "current_password": first}), 200, object{})
	in(first, 401)
	in(second, 200)
	in(token, 200)
	wants(t, admin.Do(t, http.MethodPatch, base+"/users/update-password", object{"username": "carl", "password": last}), 200, object{})
	in(second, 401)
	in(token, 401)
	in(last, 200)
	if strings.Contains(w.Logged(), first) || strings.Contains(w.Logged(), last) {
		t.Error("a password is in the log")
	}
	wants(t, admin.Do(t, http.MethodDelete, base+"/users/delete?username=carl", nil), 200, object{})
	in(last, 401)
}

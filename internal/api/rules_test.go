package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

func spaces(t *testing.T) (admin, person *world.Client) {
	t.Helper()
	w := world.New(t, mlflowtest.WithWorkspaces(t).Address, map[string]string{"MLFLOW_ENABLE_WORKSPACES": "true"})
	admin = w.Browser(t, "root", world.Members, world.Admins)
	if got := admin.Do(t, http.MethodPost, third+"/workspaces", object{"name": "acme"}); got.Status != 200 && got.Status != 201 && !strings.Contains(string(got.Body), "exists") {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	return admin, w.Browser(t, "ann", world.Members)
}

const rulesAt = third + "/workspace-rules"

func newRule(mode string) object {
	return object{"name": "teams", "pattern": "team-(?P<ws>[a-z-]+)-ds", "permission": "EDIT", "mode": mode}
}

// lines are the changes that an answer tells of.
func lines(t *testing.T, got world.Answer, status int) []string {
	t.Helper()
	var plan struct {
		Error   *string
		Changes []struct {
			Action, Group, Workspace, Permission string
			Applied                              bool
		}
	}
	if err := json.Unmarshal(got.Body, &plan); err != nil || got.Status != status || plan.Error != nil {
		t.Fatalf("%d %s %v", got.Status, got.Body, err)
	}
	all := []string{}
	for _, c := range plan.Changes {
		line := c.Action + " " + c.Group + " " + c.Workspace + " " + c.Permission
		if c.Applied {
			line += " applied"
		}
		all = append(all, line)
	}
	return all
}

func TestWorkspaceRuleFromMakingToDeletion(t *testing.T) {
	admin, ann := spaces(t)
	is := func(got world.Answer, status int, want ...string) {
		t.Helper()
		if diff := cmp.Diff(append([]string{}, want...), lines(t, got, status)); diff != "" {
			t.Error(diff)
		}
	}
	holders := func(want ...any) {
		t.Helper()
		wants(t, admin.Do(t, http.MethodGet, third+"/permissions/workspaces/acme/groups", nil), 200, append(list{}, want...))
	}
	admin.JSON(t, http.MethodPost, base+"/permissions/groups", object{"group_name": "team-acme-ds"})
	is(admin.Do(t, http.MethodPost, rulesAt+"/preview", object{"pattern": "team-(?P<ws>.*)-ds", "permission": "READ"}), 200, "grant team-acme-ds acme READ")
	is(admin.Do(t, http.MethodPost, rulesAt, newRule("report")), 201, "grant team-acme-ds acme EDIT")
	holders()
	wants(t, admin.Do(t, http.MethodPost, rulesAt, newRule("report")), 409, conflict)
	rules := admin.JSON(t, http.MethodGet, rulesAt, nil)
	one := rules["rules"].(list)[0].(object)
	at := rulesAt + "/" + jsonNumber(one["id"])
	if rules["max_permission"] != "EDIT" || !cmp.Equal(rules["allowed_permissions"], list{"READ", "USE", "EDIT"}) || one["mode"] != "report" || one["created_by"] != admin.Username {
		t.Errorf("the rules are %v", rules)
	}
	is(admin.Do(t, http.MethodPatch, at, object{"mode": "enforce"}), 200, "grant team-acme-ds acme EDIT applied")
	given := object{"workspace": "acme", "group_name": "team-acme-ds", "permission": "EDIT", "rule_id": one["id"]}
	holders(given)
	if got := admin.Do(t, http.MethodGet, at+"/preview", nil); got.Status != 200 || !strings.Contains(string(got.Body), `"keep"`) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	// who signs in with a new group is in its workspace at once
	bob := ann.World.Browser(t, "bob", world.Members, "team-acme-ds")
	if got := bob.Inside("acme").Do(t, http.MethodGet, base+"/experiments/search?max_results=1", nil); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := ann.Inside("acme").Do(t, http.MethodGet, base+"/experiments/search?max_results=1", nil); got.Status != 404 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	is(admin.Do(t, http.MethodPatch, at, object{"permission": "READ"}), 200, "update team-acme-ds acme READ applied")
	is(admin.Do(t, http.MethodPatch, at, object{"name": "renamed"}), 200)
	// what a person changes is the person's from then on
	wants(t, admin.Do(t, http.MethodPatch, third+"/permissions/workspaces/acme/groups/team-acme-ds", object{"group_name": "team-acme-ds", "permission": "USE"}), 200,
		object{"workspace": "acme", "group_name": "team-acme-ds", "permission": "USE", "rule_id": nil})
	is(admin.Do(t, http.MethodPatch, at, object{"enabled": false}), 200)
	holders(object{"workspace": "acme", "group_name": "team-acme-ds", "permission": "USE", "rule_id": nil})
	if got := admin.Do(t, http.MethodDelete, third+"/permissions/workspaces/acme/groups/team-acme-ds", nil); got.Status != 204 || len(got.Body) != 0 {
		t.Errorf("%d %q", got.Status, got.Body)
	}
	is(admin.Do(t, http.MethodPatch, at, object{"enabled": true}), 200, "grant team-acme-ds acme READ applied")
	is(admin.Do(t, http.MethodDelete, at, nil), 200, "remove team-acme-ds acme READ applied")
	holders()
	wants(t, admin.Do(t, http.MethodGet, at, nil), 404, missing)
	for name, body := range map[string]object{"above the most": {"permission": "MANAGE"}, "nothing": {"permission": "NO_PERMISSIONS"}, "a part of names": {"pattern": "team"}, "a word": {"mode": "x"}} {
		wrong := newRule("report")
		for key, value := range body {
			wrong[key] = value
		}
		if got := admin.Do(t, http.MethodPost, rulesAt, wrong); got.Status != 400 && got.Status != 422 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
}

// A person, a manager of a workspace too, gets into workspaces by a rule, or by the permissions of others in one.
func TestWorkspaceRulesAreForAdministrators(t *testing.T) {
	admin, ann := spaces(t)
	admin.JSON(t, http.MethodPost, third+"/permissions/workspaces/acme/users", object{"username": ann.Username, "permission": "MANAGE"})
	for _, call := range []struct{ method, at string }{{http.MethodGet, ""}, {http.MethodPost, ""}, {http.MethodPost, "/preview"}, {http.MethodGet, "/1"}, {http.MethodGet, "/1/preview"},
		{http.MethodPatch, "/1"}, {http.MethodDelete, "/1"}} {
		body := newRule("enforce")
		if call.at == "/preview" {
			body = object{"pattern": "(?P<ws>.*)", "permission": "READ"}
		}
		if call.method == http.MethodPatch {
			body = object{"mode": "enforce"}
		}
		for _, prefix := range []string{"/api/", "/ajax-api/"} {
			wants(t, ann.Do(t, call.method, strings.Replace(rulesAt, "/api/", prefix, 1)+call.at, body), 403, denied)
		}
	}
	for _, side := range []string{"user", "group"} {
		at := third + "/permissions/workspaces/regex/" + side
		body := object{"regex": ".*", "priority": 0, "permission": "MANAGE", "username": ann.Username, "group_name": world.Members}
		wants(t, ann.Do(t, http.MethodPost, at, body), 403, denied)
		wants(t, ann.Do(t, http.MethodGet, at, nil), 403, denied)
		wants(t, ann.Do(t, http.MethodPatch, at+"/1", body), 403, denied)
		wants(t, ann.Do(t, http.MethodDelete, at+"/1?username="+ann.Username+"&group_name="+world.Members, nil), 403, denied)
	}
	wants(t, ann.Do(t, http.MethodPost, third+"/permissions/workspaces/default/users", object{"username": ann.Username, "permission": "MANAGE"}), 403, denied)
	bob := admin.World.Browser(t, "bob", world.Members) // the administrator may have made the workspace, and so hold it
	wants(t, ann.Do(t, http.MethodPost, third+"/permissions/workspaces/acme/users", object{"username": bob.Username, "permission": "READ"}), 201,
		object{"workspace": "acme", "username": bob.Username, "permission": "READ"})
}

// Which workspaces there are is not for those who are in none of them.
func TestOwnWorkspaces(t *testing.T) {
	admin, ann := spaces(t)
	at := third + "/users/current/workspaces?search=acme&limit=5"
	wants(t, ann.Do(t, http.MethodGet, at, nil), 200, list{})
	wants(t, ann.Do(t, http.MethodGet, third+"/users/current/workspaces?limit=500", nil), 200, list{object{"name": "default"}})
	wants(t, admin.Do(t, http.MethodGet, at, nil), 200, list{object{"name": "acme"}})
	admin.JSON(t, http.MethodPost, third+"/permissions/workspaces/acme/users", object{"username": ann.Username, "permission": "READ"})
	wants(t, ann.Do(t, http.MethodGet, at, nil), 200, list{object{"name": "acme"}})
}

func TestWorkspacePatternsFromMakingToDeletion(t *testing.T) {
	admin, ann := spaces(t)
	at := third + "/permissions/workspaces/regex/user"
	made := admin.JSON(t, http.MethodPost, at, object{"regex": "ac.*", "priority": 2, "permission": "READ", "username": ann.Username})
	want := object{"id": made["id"], "regex": "ac.*", "priority": 2.0, "permission": "READ", "username": ann.Username}
	wants(t, admin.Do(t, http.MethodGet, at, nil), 200, list{want})
	want["permission"] = "USE"
	wants(t, admin.Do(t, http.MethodPatch, at+"/"+jsonNumber(made["id"]), object{"regex": "ac.*", "priority": 2, "permission": "USE", "username": ann.Username}), 200, want)
	if got := admin.Do(t, http.MethodDelete, at+"/"+jsonNumber(made["id"])+"?username="+ann.Username, nil); got.Status != 204 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	wants(t, admin.Do(t, http.MethodGet, at, nil), 200, list{})
}

func jsonNumber(value any) string {
	raw, _ := json.Marshal(value) // a number of JSON always is one
	return string(raw)
}

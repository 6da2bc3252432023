package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// newSpacesCast is a cast where workspaces are on, and whose one resource is a workspace.
func newSpacesCast(t *testing.T) *cast {
	t.Helper()
	w := world.New(t, mlflowtest.WithWorkspaces(t).Address, map[string]string{"MLFLOW_ENABLE_WORKSPACES": "true"})
	space := strings.ToLower(t.Name()) // the server is all tests'
	c := &cast{World: w, nobody: w.Nobody(t), member: w.Browser(t, "member", world.Members), editor: w.Browser(t, "editor", world.Members),
		manager: w.Browser(t, "manager", world.Members), target: w.Browser(t, "target", world.Members, theGroup),
		admin: w.Browser(t, "root", world.Members, world.Admins), on: map[kind.Name]string{kind.Workspace: space}}
	c.admin.JSON(t, http.MethodPost, third+"/workspaces", object{"name": space})
	c.give(t, store.Principal{User: c.editor.Username}, kind.Workspace, kind.Edit)
	c.give(t, store.Principal{User: c.manager.Username}, kind.Workspace, kind.Manage)
	return c
}

// spaceSteps has a row for every operation that is there with workspaces alone.
func (c *cast) spaceSteps() map[string]step {
	all := map[string]step{}
	k, _ := kind.Of(kind.Workspace)
	all["GET /permissions/"+k.Segment] = step{want: everybody(200), path: "/permissions/" + k.Segment}
	for _, s := range c.sides() {
		one := strings.TrimPrefix(holders(k, "{resource}", s), base)
		all["GET "+one] = step{want: managed(200), path: strings.Replace(one, "{resource}", c.at(k), 1)}
		c.grantSteps(all, k, s)
		c.patternSteps(all, k, s)
		c.spaceGrantSteps(all, s)
	}
	all["GET "+third+"/users/current/workspaces"] = step{want: everybody(200), path: third + "/users/current/workspaces"}
	c.ruleSteps(all)
	c.clientSteps(all)
	return all
}

// spaceGrantSteps are those of the plugin's own routes, which start from the workspace.
func (c *cast) spaceGrantSteps(all map[string]step, s side) {
	const at = third + "/permissions/workspaces/"
	space, p := c.on[kind.Workspace], s.holder
	body := object{"username": s.name, "group_name": s.name, "permission": "READ"}
	held := func(t *testing.T) { c.give(t, p, kind.Workspace, kind.Read) }
	free := func(t *testing.T) { c.take(t, p, kind.Workspace) }
	one := at + space + "/" + s.segment + "/" + s.name
	all["GET "+at+"{workspace}/"+s.segment] = step{want: managed(200), path: at + space + "/" + s.segment, ready: held}
	all["POST "+at+"{workspace}/"+s.segment] = step{want: managed(201), path: at + space + "/" + s.segment, body: body, ready: free}
	all["PATCH "+at+"{workspace}/"+s.segment+"/{principal}"] = step{want: managed(200), path: one, body: body, ready: held}
	all["DELETE "+at+"{workspace}/"+s.segment+"/{principal}"] = step{want: managed(204), path: one, ready: held}
	regex := at + "regex/" + strings.TrimSuffix(s.segment, "s")
	pattern := object{"username": s.name, "group_name": s.name, "regex": "spaces-.*", "priority": 1, "permission": "READ"}
	all["GET "+regex] = step{want: administrators(200), path: regex}
	all["POST "+regex] = step{want: administrators(201), path: regex, body: pattern}
	all["PATCH "+regex+"/{permission_id}"] = step{want: administrators(404), path: regex + "/4711", body: pattern}
	all["DELETE "+regex+"/{permission_id}"] = step{want: administrators(404), path: regex + "/4711?username=" + s.name + "&group_name=" + s.name}
}

// ruleSteps are for administrators, whatever somebody holds on a workspace: a rule gives whole workspaces away.
func (c *cast) ruleSteps(all map[string]step) {
	rule := object{"name": "matrix", "pattern": "nothing-(?P<ws>[a-z]+)", "permission": "READ"}
	all["GET "+rulesAt] = step{want: administrators(200), path: rulesAt}
	all["POST "+rulesAt] = step{want: administrators(201), path: rulesAt, body: rule}
	all["POST "+rulesAt+"/preview"] = step{want: administrators(200), path: rulesAt + "/preview", body: object{"pattern": rule["pattern"], "permission": "READ"}}
	all["GET "+rulesAt+"/{rule_id}"] = step{want: administrators(404), path: rulesAt + "/4711"}
	all["GET "+rulesAt+"/{rule_id}/preview"] = step{want: administrators(404), path: rulesAt + "/4711/preview"}
	all["PATCH "+rulesAt+"/{rule_id}"] = step{want: administrators(404), path: rulesAt + "/4711", body: object{"mode": "enforce"}}
	all["DELETE "+rulesAt+"/{rule_id}"] = step{want: administrators(404), path: rulesAt + "/4711"}
}

// clientSteps are those of MLflow's own client up to 3.10.
func (c *cast) clientSteps(all map[string]step) {
	const at = third + "/workspaces/"
	path, p := at+c.on[kind.Workspace]+"/permissions", store.Principal{User: c.target.Username}
	held := func(t *testing.T) { c.give(t, p, kind.Workspace, kind.Read) }
	all["GET "+at+"{workspace_name}/permissions"] = step{want: managed(200), path: path}
	all["POST "+at+"{workspace_name}/permissions"] = step{want: managed(200), path: path, body: object{"username": c.target.Username, "permission": "READ"}}
	all["DELETE "+at+"{workspace_name}/permissions"] = step{want: managed(204), path: path, body: object{"username": c.target.Username}, ready: held}
	all["GET "+third+"/workspace-permissions"] = step{want: ofTarget(200), path: third + "/workspace-permissions?username=" + c.target.Username}
}

func TestEveryWorkspaceOperationForEveryCaller(t *testing.T) {
	c := newSpacesCast(t)
	steps, rows, want := c.spaceSteps(), map[string]bool{}, map[string]bool{}
	for name := range steps {
		rows[name] = true
	}
	for name := range operations(t, c) {
		if strings.Contains(name, "workspace") {
			want[name] = true
		}
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Fatalf("operations without a row here, or rows without an operation (-operations +rows):\n%s", diff)
	}
	c.callEach(t, steps)
}

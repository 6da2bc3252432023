package api_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

func explainAt(user string, k kind.Name, id string) string {
	return base + "/permissions/explain?" + url.Values{"user": {user}, "kind": {string(k)}, "id": {id}}.Encode()
}

// An explanation names every grant that speaks of the resource, in the order in which they are asked, and the one that decides.
func TestExplanation(t *testing.T) {
	c := newCast(t)
	id := c.on[kind.Experiment]
	target, group := store.Principal{User: c.target.Username}, store.Principal{Group: theGroup}
	c.give(t, group, kind.Experiment, kind.Edit)
	for p, g := range map[store.Principal]authz.Grant{
		target: {Kind: kind.Experiment, Pattern: ".*", Priority: 7, Level: kind.Manage},
		group:  {Kind: kind.Experiment, Pattern: "nothing-of-this-name", Priority: 1, Level: kind.Manage},
	} {
		if err := c.App.Store.CreatePattern(t.Context(), p, g); err != nil {
			t.Fatal(err)
		}
	}
	said := c.admin.JSON(t, http.MethodGet, explainAt(c.target.Username, kind.Experiment, id), nil)
	rows, _ := said["considered"].([]any)
	for _, row := range rows {
		delete(row.(object), "id")
	}
	want := object{"user": c.target.Username, "kind": "experiment", "id": id, "permission": "EDIT", "reason": "grant", "considered": []any{
		object{"source": "group", "group": theGroup, "kind": "experiment", "resource": id, "permission": "EDIT", "decides": true},
		object{"source": "regex", "kind": "experiment", "regex": ".*", "priority": 7.0, "permission": "MANAGE", "decides": false},
	}}
	delete(said, "$schema")
	if said["name"] == "" || said["name"] == nil {
		t.Errorf("the experiment has no name: %v", said)
	}
	delete(said, "name")
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	own := c.target.JSON(t, http.MethodGet, base+"/permissions/explain?kind=experiment&id="+id, nil)
	if own["permission"] != "EDIT" {
		t.Errorf("to oneself it is %v", own)
	}
	if by := c.manager.JSON(t, http.MethodGet, explainAt(c.target.Username, kind.Experiment, id), nil); by["permission"] != "EDIT" {
		t.Errorf("to who manages it it is %v", by)
	}
	if of := c.admin.JSON(t, http.MethodGet, explainAt(c.admin.Username, kind.Experiment, id), nil); of["reason"] != "admin" || of["permission"] != "MANAGE" {
		t.Errorf("of an administrator it is %v", of)
	}
	if of := c.admin.JSON(t, http.MethodGet, explainAt(c.member.Username, kind.Experiment, id), nil); of["reason"] != "default" || of["permission"] != "NO_PERMISSIONS" {
		t.Errorf("of who holds nothing it is %v", of)
	}
}

// The attack: learn by explanations what exists, who is in which group, or who holds what.
func TestAttackExplanationsOfOthers(t *testing.T) {
	c := newCast(t)
	id := c.on[kind.Experiment]
	c.give(t, store.Principal{User: c.target.Username}, kind.Experiment, kind.Read)
	for name, tc := range map[string]struct {
		by   *world.Client
		at   string
		want int
	}{
		"of another, with nothing":            {c.member, explainAt(c.target.Username, kind.Experiment, id), 403},
		"of another, with EDIT":               {c.editor, explainAt(c.target.Username, kind.Experiment, id), 403},
		"of nobody, with nothing":             {c.member, explainAt("nobody", kind.Experiment, id), 403},
		"of what is not there":                {c.member, explainAt(c.target.Username, kind.Experiment, "4711"), 403},
		"of what one may not read":            {c.member, explainAt("", kind.Experiment, id), 404},
		"of what there is not":                {c.member, explainAt("", kind.Experiment, "4711"), 404},
		"of an unknown kind":                  {c.admin, explainAt("", "run", id), 400},
		"of an id that is none":               {c.admin, explainAt("", kind.Experiment, "07"), 400},
		"of a workspace where there are none": {c.admin, explainAt("", kind.Workspace, "default"), 400},
	} {
		if got := tc.by.Do(t, http.MethodGet, tc.at, nil); got.Status != tc.want {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	unread, absent := c.member.Do(t, http.MethodGet, explainAt("", kind.Experiment, id), nil), c.member.Do(t, http.MethodGet, explainAt("", kind.Experiment, "4711"), nil)
	if a, b := string(unread.Body), string(absent.Body); len(a)-2*len(id) != len(b)-2*len("4711") {
		t.Errorf("what is not there can be told from what may not be read: %s %s", a, b)
	}
}

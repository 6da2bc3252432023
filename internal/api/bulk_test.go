package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const bulkAt = base + "/permissions/bulk"

func changes(all ...any) object { return object{"changes": all} }

// entry is a change of the target's permission on an experiment.
func (c *cast) entry(do, level string) object {
	one := object{"do": do, "user": c.target.Username, "kind": "experiment", "resource": c.on[kind.Experiment]}
	if level != "" {
		one["permission"] = level
	}
	return one
}

// with is a change with other fields.
func with(one object, fields ...any) object {
	other := object{}
	for name, value := range one {
		other[name] = value
	}
	for i := 0; i < len(fields); i += 2 {
		if other[fields[i].(string)] = fields[i+1]; fields[i+1] == "" {
			delete(other, fields[i].(string))
		}
	}
	return other
}

// held are the levels that a user or a group holds itself, by kind and what they are on.
func (c *cast) held(t *testing.T, query string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, row := range c.admin.JSON(t, http.MethodGet, base+"/permissions/holdings?limit=500&"+query, nil)["holdings"].(list) {
		h := row.(object)
		on, _ := h["resource"].(string)
		if regex, ok := h["regex"].(string); ok {
			on = "~" + regex
		}
		all[h["kind"].(string)+" "+on] = h["permission"].(string)
	}
	return all
}

func TestBulkDoesAllOrNothing(t *testing.T) {
	c := newCast(t)
	id, model, mine := c.on[kind.Experiment], c.on[kind.RegisteredModel], "user="+c.target.Username
	group := object{"do": "give", "group": theGroup, "kind": "registered_model", "resource": model, "permission": "USE"}
	before := c.lastEvent(t)
	said := c.manager.JSON(t, http.MethodPost, bulkAt, changes(c.entry("give", "READ"), group, with(c.entry("set", "EDIT"), "kind", "registered_model", "resource", model, "user", strings.ToUpper(c.target.Username), "expires_at", "2099-01-01T00:00:00Z")))
	if diff := cmp.Diff(list{object{"did": "given"}, object{"did": "given"}, object{"did": "given"}}, said["outcomes"]); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(map[string]string{"experiment " + id: "READ", "registered_model " + model: "EDIT"}, c.held(t, mine)); diff != "" {
		t.Error(diff)
	}
	page, _ := c.events(t, "max_results=50&name=grant_given")
	requests, given := map[string]bool{}, 0
	for _, e := range page.Events {
		if e.ID > before {
			given, requests[e.RequestID] = given+1, true
		}
	}
	if given != 3 || len(requests) != 1 {
		t.Errorf("%d events of %d requests", given, len(requests))
	}

	said = c.manager.JSON(t, http.MethodPost, bulkAt, changes(c.entry("set", "MANAGE"), with(group, "do", "take", "permission", "")))
	outcomes, _ := said["outcomes"].(list)
	for _, one := range outcomes {
		delete(one.(object)["before"].(object), "id")
	}
	want := list{object{"did": "changed", "before": object{"user": c.target.Username, "kind": "experiment", "resource": id, "permission": "READ"}},
		object{"did": "taken", "before": object{"group": theGroup, "kind": "registered_model", "resource": model, "permission": "USE"}}}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Error(diff)
	}
	if got := c.target.Do(t, http.MethodGet, base+"/permissions/holdings?kind=experiment&id="+id, nil); got.Status != 200 { // at once
		t.Errorf("what was given does not count: %s", got.Body)
	}
	c.manager.JSON(t, http.MethodPost, bulkAt, changes(c.entry("take", "")))

	// Each of these is refused as a whole, whatever stands before it, and says which change is at fault.
	ok := with(c.entry("give", "READ"), "group", theGroup)
	delete(ok, "user")
	for name, one := range map[string]struct {
		status int
		fault  object
	}{
		"nobody's":                   {400, object{"do": "give", "kind": "experiment", "resource": id, "permission": "READ"}},
		"whose of two":               {400, with(c.entry("give", "READ"), "group", "blue")},
		"no such kind":               {400, with(c.entry("give", "READ"), "kind", "none")},
		"no such level":              {400, c.entry("give", "OWNER")},
		"no level":                   {400, c.entry("give", "")},
		"on nothing":                 {400, with(c.entry("give", "READ"), "resource", "")},
		"an end in the past":         {400, with(c.entry("give", "READ"), "expires_at", "2001-01-01T00:00:00Z")},
		"taken with a level":         {400, c.entry("take", "READ")},
		"no such user":               {404, with(c.entry("give", "READ"), "user", "none")},
		"attack: a group as a user":  {404, with(c.entry("set", "READ"), "user", theGroup)},
		"changed and not held":       {404, c.entry("change", "READ")},
		"taken and not held":         {404, c.entry("take", "")},
		"the same in another case":   {400, with(with(ok, "user", strings.ToUpper(c.target.Username)), "group", "")},
		"a workspace without any":    {400, with(c.entry("give", "READ"), "workspace", "team-a")},
		"a hostile id":               {400, with(c.entry("give", "READ"), "resource", "0"+id)},
		"a hostile name":             {400, with(c.entry("give", "READ"), "kind", "registered_model", "resource", "a\u0000b")},
		"a user with a quote":        {404, with(c.entry("give", "READ"), "user", "x' OR '1'='1")},
		"attack: a pattern by none":  {403, object{"do": "give", "user": c.target.Username, "kind": "experiment", "regex": ".*", "permission": "MANAGE"}},
		"attack: a pattern's taking": {403, object{"do": "take", "user": c.target.Username, "kind": "experiment", "id": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			first := ok
			if name == "the same in another case" {
				first = c.entry("give", "READ")
			}
			got := c.manager.Do(t, http.MethodPost, bulkAt, changes(first, one.fault))
			if got.Status != one.status || !strings.Contains(string(got.Body), "changes[1]: ") {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	// One that is held already comes after all that is given.
	c.give(t, store.Principal{User: c.target.Username}, kind.Experiment, kind.Read)
	if got := c.manager.Do(t, http.MethodPost, bulkAt, changes(ok, c.entry("give", "EDIT"))); got.Status != 409 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if diff := cmp.Diff(map[string]string{}, c.held(t, "group="+theGroup)); diff != "" {
		t.Errorf("something is given all the same: %s", diff)
	}
}

func TestBulkOfPatterns(t *testing.T) {
	c := newCast(t)
	pattern := object{"do": "give", "group": theGroup, "kind": "experiment", "regex": "bulk-a", "priority": 3, "permission": "READ"}
	c.admin.JSON(t, http.MethodPost, bulkAt, changes(pattern, with(pattern, "regex", "bulk-b", "workspace", "*"), with(pattern, "kind", "prompt")))
	if diff := cmp.Diff(map[string]string{"experiment ~bulk-a": "READ", "experiment ~bulk-b": "READ", "prompt ~bulk-a": "READ"}, c.held(t, "group="+theGroup)); diff != "" {
		t.Fatal(diff)
	}
	ids := []any{}
	for _, row := range c.admin.JSON(t, http.MethodGet, base+"/permissions/holdings?group="+theGroup+"&kind=experiment", nil)["holdings"].(list) {
		ids = append(ids, row.(object)["id"])
	}
	change := with(pattern, "do", "change", "id", ids[0], "regex", "bulk-c", "permission", "EDIT")
	take := object{"do": "take", "group": theGroup, "kind": "experiment", "id": ids[1]}
	for name, one := range map[string]struct {
		status int
		fault  object
	}{
		"a regex that is none":              {400, with(pattern, "regex", "(")},
		"attack: too long":                  {400, with(pattern, "regex", strings.Repeat("a", 256))},
		"of a kind without any":             {400, with(pattern, "kind", "mcp_server")},
		"on a resource too":                 {400, with(pattern, "resource", "1")},
		"set, which says not which":         {400, with(pattern, "do", "set")},
		"changed without saying which":      {400, with(change, "id", 0)},
		"attack: another's, by its id":      {404, with(take, "group", "", "user", c.target.Username)},
		"attack: another kind's, by its id": {404, with(take, "kind", "prompt")},
		"the same twice":                    {400, change},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.admin.Do(t, http.MethodPost, bulkAt, changes(change, one.fault))
			if got.Status != one.status || !strings.Contains(string(got.Body), "changes[1]: ") {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	said := c.admin.JSON(t, http.MethodPost, bulkAt, changes(change, take))
	if before := said["outcomes"].(list)[0].(object)["before"].(object); before["regex"] != "bulk-a" || before["priority"] != 3. {
		t.Errorf("before was %v", before)
	}
	if diff := cmp.Diff(map[string]string{"experiment ~bulk-c": "EDIT", "prompt ~bulk-a": "READ"}, c.held(t, "group="+theGroup)); diff != "" {
		t.Error(diff)
	}
}

// The attack: one change of what is somebody else's, among very many that may be made. Nothing is changed, and the answer is the same
// whether it exists.
func TestAttackOneOfAnotherAmongVeryMany(t *testing.T) {
	c := newCast(t)
	all := make([]any, 499)
	for i := range all {
		name := fmt.Sprintf("many-%d@example.com", i)
		all[i] = with(c.entry("give", "READ"), "user", name)
		if i < 3 { // a refusal comes before it is asked who is there
			c.admin.JSON(t, http.MethodPost, base+"/users", object{"username": name, "display_name": name})
		}
	}
	made := c.admin.JSON(t, http.MethodPost, base+"/experiments/create", object{"name": "others of " + t.Name()})
	at := len(all) / 2
	for name, id := range map[string]string{"that exists": made["experiment_id"].(string), "that does not": "987654321"} {
		list := append(append(append([]any{}, all[:at]...), with(c.entry("give", "READ"), "resource", id)), all[at:]...)
		got := c.manager.Do(t, http.MethodPost, bulkAt, object{"changes": list})
		if want := fmt.Sprintf("changes[%d]: this needs MANAGE on the experiment %q", at, id); got.Status != 403 || !strings.Contains(string(got.Body), strings.ReplaceAll(want, `"`, `\"`)) || strings.Contains(string(got.Body), "many-") {
			t.Errorf("one %s: %d %s", name, got.Status, got.Body)
		}
		got = c.manager.Do(t, http.MethodPost, bulkAt, changes(with(c.entry("take", ""), "resource", id)))
		wants(t, got, 403, denied)
	}
	if got := c.held(t, "user=many-0@example.com"); len(got) != 0 {
		t.Errorf("something is given: %v", got)
	}
	for who, client := range map[string]*world.Client{"editor": c.editor, "member": c.member, "target": c.target} {
		if got := client.Do(t, http.MethodPost, bulkAt, changes(c.entry("give", "MANAGE"))); got.Status != 403 {
			t.Errorf("%s: %d %s", who, got.Status, got.Body)
		}
	}
	t.Run("too many", func(t *testing.T) {
		wants(t, c.manager.Do(t, http.MethodPost, bulkAt, object{"changes": append(append([]any{}, all...), all[0], all[1])}), 422, invalid)
		if got := c.manager.Do(t, http.MethodPost, bulkAt, changes()); got.Status != 400 {
			t.Errorf("none: %d %s", got.Status, got.Body)
		}
	})
	t.Run("a huge body", func(t *testing.T) {
		got := c.manager.Do(t, http.MethodPost, bulkAt, changes(with(c.entry("give", "READ"), "regex", strings.Repeat("a", 1<<20))))
		if got.Status != 413 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("fields that are read in two ways", func(t *testing.T) {
		for _, one := range []object{with(c.entry("give", "READ"), "Permission", "MANAGE"), with(c.entry("give", "READ"), "level", "MANAGE"), with(c.entry("steal", "READ"))} {
			wants(t, c.manager.Do(t, http.MethodPost, bulkAt, changes(one)), 422, invalid)
		}
	})
	t.Run("a narrowed token", func(t *testing.T) {
		for _, scope := range []object{{"read_only": true}, {"kinds": list{"experiment"}}} {
			made := c.manager.JSON(t, http.MethodPost, base+"/users/current/tokens", object{"name": fmt.Sprint(scope), "scope": scope})
			program := c.Nobody(t)
			program.Username, program.Token = c.manager.Username, made["token"].(string)
			wants(t, program.Do(t, http.MethodPost, bulkAt, changes(c.entry("give", "READ"))), 403, denied)
		}
	})
	if got := c.held(t, "user="+c.target.Username); len(got) != 0 {
		t.Errorf("something is given: %v", got)
	}
}

// The attack: by a list that is about a workspace of one's own, a change in another one, which has the same names.
func TestAttackBulkReachesIntoAnotherWorkspace(t *testing.T) {
	c := newSpacesCast(t)
	c.admin.JSON(t, http.MethodPost, third+"/workspaces", object{"name": "others"})
	one := object{"do": "give", "user": c.target.Username, "kind": "registered_model", "resource": "bulk", "permission": "READ", "workspace": c.on[kind.Workspace]}
	experiment := c.admin.Inside("others").JSON(t, http.MethodPost, base+"/experiments/create", object{"name": "bulk"})["experiment_id"]
	for name, c2 := range map[string]struct {
		status int
		fault  object
	}{
		"one it is not in":             {404, with(one, "workspace", "others")},
		"one that does not exist":      {404, with(one, "workspace", "none-such")},
		"the default one, by its name": {403, with(one, "workspace", "default")},
		"that of the request":          {403, with(one, "workspace", "")},
		"all of them":                  {400, with(one, "workspace", "*")},
		"a hostile name":               {400, with(one, "workspace", c.on[kind.Workspace]+"\t")},
		"an id of another one's":       {403, with(one, "kind", "experiment", "resource", experiment)},
		"the workspace itself":         {403, with(one, "kind", "workspace", "resource", "others", "workspace", "")},
		"the same name twice":          {400, one},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.manager.Do(t, http.MethodPost, bulkAt, changes(one, c2.fault))
			if got.Status != c2.status || !strings.Contains(string(got.Body), "changes[1]: ") {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	if got := c.held(t, "user="+c.target.Username); len(got) != 0 {
		t.Errorf("something is given: %v", got)
	}
	c.manager.JSON(t, http.MethodPost, bulkAt, changes(one))
	if got := c.admin.Do(t, http.MethodPost, bulkAt, changes(with(one, "workspace", "others"), with(one, "workspace", ""), with(one, "do", "take", "permission", ""))); got.Status != 200 {
		t.Errorf("the same name in several workspaces: %d %s", got.Status, got.Body)
	}
	c.admin.JSON(t, http.MethodPost, bulkAt, changes(with(one, "workspace", "others", "do", "take", "permission", "")))
	c.admin.JSON(t, http.MethodPost, bulkAt, changes(with(one, "workspace", "", "do", "take", "permission", "")))
}

package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

const previewAt = base + "/permissions/patterns/preview"

func TestPreviewOfPatterns(t *testing.T) {
	c := newCast(t)
	prefix := "preview-" + t.Name()
	ids := map[string]string{}
	for _, name := range []string{"/a", "/b", "/c"} {
		ids[name] = c.admin.JSON(t, http.MethodPost, base+"/experiments/create", object{"name": prefix + name})["experiment_id"].(string)
	}
	target := store.Principal{User: c.target.Username}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.App.Store.CreateGrant(t.Context(), target, kind.Experiment, ids["/c"], kind.Use, nil))
	must(c.App.Store.CreatePattern(t.Context(), target, authz.Grant{Kind: kind.Experiment, Pattern: prefix + "/a", Priority: 5, Level: kind.Read}))
	row := func(name string, matches bool, before, after string) object {
		return object{"id": ids[name], "name": prefix + name, "matches": matches, "before": before, "after": after}
	}
	of := func(got object) object { delete(got, "of"); return got }
	own, err := c.App.Store.Patterns(t.Context(), target, kind.Experiment)
	must(err)
	ask := object{"user": strings.ToUpper(c.target.Username), "kind": "experiment", "regex": prefix + "/.*", "priority": 9, "permission": "EDIT"}
	before := c.lastEvent(t)
	for name, one := range map[string]struct{ body, want object }{
		"what is decided before stays": {ask, object{"matches": 3., "changes": 1., "rows": list{row("/b", true, "NO_PERMISSIONS", "EDIT"), row("/a", true, "READ", "READ"), row("/c", true, "USE", "USE")}}},
		"first of all":                 {with(ask, "priority", 1, "limit", 1), object{"matches": 3., "changes": 2., "rows": list{row("/a", true, "READ", "EDIT")}}},
		"a page":                       {with(ask, "limit", 1, "offset", 2), object{"matches": 3., "changes": 1., "rows": list{row("/c", true, "USE", "USE")}}},
		"past the end":                 {with(ask, "offset", 9), object{"matches": 3., "changes": 1., "rows": list{}}},
		"from the start alone":         {with(ask, "regex", prefix[1:]), object{"matches": 0., "changes": 0., "rows": list{}}},
		"in the place of another": {with(ask, "id", own[0].ID, "regex", prefix+"/b"),
			object{"matches": 1., "changes": 2., "rows": list{row("/a", false, "READ", "NO_PERMISSIONS"), row("/b", true, "NO_PERMISSIONS", "EDIT")}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(one.want, of(c.admin.JSON(t, http.MethodPost, previewAt, one.body))); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("of a group", func(t *testing.T) {
		got := c.admin.JSON(t, http.MethodPost, previewAt, with(ask, "user", "", "group", theGroup))
		if got["changes"] != 3. || got["remark"] == nil {
			t.Errorf("%v", got)
		}
	})
	for name, one := range map[string]struct {
		status int
		body   object
		says   string
	}{
		"no regex":                     {400, with(ask, "regex", "("), "missing closing )"},
		"attack: what escapes":         {400, with(ask, "regex", ")|("), "unexpected )"},
		"too long":                     {400, with(ask, "regex", strings.Repeat("a", 256)), "at most 255 bytes"},
		"nobody's":                     {400, with(ask, "user", ""), "one of user and group"},
		"no such level":                {400, with(ask, "permission", "ALL"), "permission must be"},
		"a kind without any":           {400, with(ask, "kind", "mcp_server"), "no patterns"},
		"no such user":                 {404, with(ask, "user", "none"), "does not exist"},
		"attack: another's, by its id": {404, with(ask, "user", c.member.Username, "id", own[0].ID), "such a pattern"},
		"all rows at once":             {422, with(ask, "limit", 101), "limit"},
		"a field that is none":         {422, with(ask, "pattern", "x"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.admin.Do(t, http.MethodPost, previewAt, one.body); got.Status != one.status || !strings.Contains(string(got.Body), one.says) {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	t.Run("attack: a manager asks for names of everybody's", func(t *testing.T) {
		wants(t, c.manager.Do(t, http.MethodPost, previewAt, ask), 403, denied)
		wants(t, c.target.Do(t, http.MethodPost, previewAt, ask), 403, denied)
	})
	if diff := cmp.Diff(map[string]string{"experiment " + ids["/c"]: "USE", "experiment ~" + prefix + "/a": "READ"}, c.held(t, "user="+c.target.Username)); diff != "" {
		t.Errorf("a preview changed something: %s", diff)
	}
	page, _ := c.events(t, "max_results=50")
	for _, e := range page.Events {
		if e.ID > before && e.Name != "request_refused" {
			t.Errorf("a preview is the event %s", e.Name)
		}
	}
}

func TestPatternsThatSpeakOfAResource(t *testing.T) {
	c := newCast(t)
	name, id := c.names[kind.Experiment], c.on[kind.Experiment]
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	give := func(p store.Principal, g authz.Grant) {
		t.Helper()
		g.Kind = kind.Experiment
		must(c.App.Store.CreatePattern(t.Context(), p, g))
	}
	target, member, red := store.Principal{User: c.target.Username}, store.Principal{User: c.member.Username}, store.Principal{Group: theGroup}
	give(red, authz.Grant{Pattern: ".*", Priority: 1, Level: kind.Edit})
	give(target, authz.Grant{Pattern: name, Priority: 7, Level: kind.Read})
	give(member, authz.Grant{Pattern: name[:4], Priority: 2, Level: kind.NoPermissions})
	give(member, authz.Grant{Pattern: name[:3], Priority: 3, Level: kind.Manage})
	give(member, authz.Grant{Pattern: "x" + name, Priority: 1, Level: kind.Manage})
	c.role(t, "speaking", map[string]string{"experiment": "READ"})
	at := base + "/permissions/patterns?" + url.Values{"kind": {"experiment"}, "id": {id}}.Encode()
	said := func(all any) []string {
		var lines []string
		for _, one := range all.(list) {
			p, g := one.(object), one.(object)["grant"].(object)
			line := []string{g["source"].(string), g["permission"].(string)}
			for _, field := range []string{"regex", "group", "role"} {
				if text, ok := g[field].(string); ok {
					line = append(line, text)
				}
			}
			if user, ok := p["user"].(string); ok {
				line = append(line, "of "+strings.TrimSuffix(user, "@example.com"))
			}
			for _, user := range p["decides_for"].(list) {
				line = append(line, "for "+strings.TrimSuffix(user.(string), "@example.com"))
			}
			lines = append(lines, strings.Join(line, " "))
		}
		return lines
	}
	want := []string{"regex NO_PERMISSIONS " + name[:4] + " of member for member", "regex MANAGE " + name[:3] + " of member", "regex READ " + name + " of target for target",
		"group-regex EDIT .* red", "role READ speaking0"}
	if diff := cmp.Diff(want, said(c.admin.JSON(t, http.MethodGet, at, nil)["patterns"])); diff != "" {
		t.Error(diff)
	}
	// The attack: a manager reads the patterns of others, which name what is not theirs.
	want = []string{"regex NO_PERMISSIONS of member for member", "regex MANAGE of member", "regex READ of target for target", "group-regex EDIT red", "role READ speaking0"}
	if diff := cmp.Diff(want, said(c.manager.JSON(t, http.MethodGet, at, nil)["patterns"])); diff != "" {
		t.Error(diff)
	}
	wants(t, c.editor.Do(t, http.MethodGet, at, nil), 403, denied)
	scorer := base + "/permissions/patterns?" + url.Values{"kind": {"scorer"}, "id": {c.on[kind.Scorer]}}.Encode()
	if got := said(c.admin.JSON(t, http.MethodGet, scorer, nil)["patterns"]); len(got) != 5 {
		t.Errorf("of what is in it speak %q", got)
	}
}

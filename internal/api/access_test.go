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
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// askedAt is the path of a question about access, with fields and their values in turn.
func askedAt(question string, fields ...string) string {
	q := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		q.Set(fields[i], fields[i+1])
	}
	return base + "/permissions/" + question + "?" + q.Encode()
}

// paged gives all pages of a listing, of at most so many rows, in short lines.
func paged(t *testing.T, who *world.Client, most string, question string, fields ...string) (first object, lines []string) {
	t.Helper()
	for token := ""; ; {
		said := who.JSON(t, http.MethodGet, askedAt(question, append(fields, "max_results", most, "page_token", token)...), nil)
		if first == nil {
			first = said
		}
		for _, row := range said["access"].([]any) {
			one := row.(object)
			via := ""
			if g, ok := one["via"].(object); ok {
				via = " by " + g["source"].(string)
			}
			lines = append(lines, one["user"].(string)+" "+one["kind"].(string)+" "+one["id"].(string)+" "+one["permission"].(string)+via)
		}
		next, more := said["next_page_token"].(string)
		if !more {
			return first, lines
		}
		token = next
	}
}

// Who and what say of everybody what the decision on each says, page by page, and to nobody what is not theirs to know.
func TestWhoAndWhat(t *testing.T) {
	c := newCast(t)
	id, target := c.on[kind.Experiment], c.target.Username
	c.give(t, store.Principal{Group: theGroup}, kind.Experiment, kind.Read)
	for _, p := range []authz.Grant{{Kind: kind.RegisteredModel, Pattern: "vision-.*", Priority: 1, Level: kind.Edit}, {Kind: kind.Experiment, Pattern: "secret-project", Priority: 1, Level: kind.NoPermissions}} {
		if err := c.App.Store.CreatePattern(t.Context(), store.Principal{User: target}, p); err != nil {
			t.Fatal(err)
		}
	}
	on := " experiment " + id
	who := []string{c.editor.Username + on + " EDIT by user", c.manager.Username + on + " MANAGE by user", target + on + " READ by group"}
	for most, by := range map[string]*world.Client{"1": c.admin, "2": c.manager, "1000": c.admin} {
		first, lines := paged(t, by, most, "who", "kind", "experiment", "id", id)
		if diff := cmp.Diff(who, lines); diff != "" {
			t.Errorf("who, by %s to %s (-want +got):\n%s", most, by.Username, diff)
		}
		if _, named := first["administrators"]; named != (by == c.admin) {
			t.Errorf("to %s the administrators are %v", by.Username, first["administrators"])
		}
	}
	c.give(t, store.Principal{User: target}, kind.Experiment, kind.NoPermissions)
	if _, lines := paged(t, c.admin, "9", "what", "user", target, "kind", "experiment"); !cmp.Equal(lines, []string{target + on + " NO_PERMISSIONS by user"}) {
		t.Errorf("to an administrator it is %v", lines)
	}
	if first, lines := paged(t, c.target, "9", "what"); len(lines) > 0 || len(first["general"].([]any)) != 1 || strings.Contains(toText(t, first), "secret-project") {
		t.Errorf("to oneself it is %v %v", first, lines)
	}
	if first, lines := paged(t, c.manager, "3", "what"); len(lines) < 4 || first["user"] != c.manager.Username {
		t.Errorf("of who has made all it is %v %v", first, lines)
	}
	if first, _ := paged(t, c.admin, "3", "what"); first["is_admin"] != true {
		t.Errorf("of an administrator it is %v", first)
	}
	for name, tc := range map[string]struct {
		by   *world.Client
		at   string
		want int
	}{
		"who, of an unknown kind":                  {c.admin, askedAt("who", "kind", "run", "id", id), 400},
		"who, of an id that is none":               {c.admin, askedAt("who", "kind", "experiment", "id", "07"), 400},
		"who, by a token that is none":             {c.admin, askedAt("who", "kind", "experiment", "id", id, "page_token", "*"), 400},
		"who, of too many":                         {c.admin, askedAt("who", "kind", "experiment", "id", id, "max_results", "1001"), 422},
		"what, of an unknown kind":                 {c.admin, askedAt("what", "kind", "run"), 400},
		"what, of nobody":                          {c.admin, askedAt("what", "user", "nobody"), 404},
		"what, of another, with MANAGE":            {c.manager, askedAt("what", "user", target), 403},
		"what, of an administrator":                {c.manager, askedAt("what", "user", c.admin.Username), 403},
		"what, of nobody, by nobody in particular": {c.member, askedAt("what", "user", "nobody"), 403},
		"who, with EDIT":                           {c.editor, askedAt("who", "kind", "experiment", "id", id), 403},
	} {
		if got := tc.by.Do(t, http.MethodGet, tc.at, nil); got.Status != tc.want {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	attackStrangerAsksWhoCanAccess(t, c, id)
	attackPatternsOfOthers(t, c, target)
}

// The attack: make something that a pattern of somebody else's matches, and read the pattern, which tells of other names.
func attackPatternsOfOthers(t *testing.T, c *cast, target string) {
	t.Helper()
	rule := authz.Grant{Kind: kind.MCPServer, Pattern: "(mine|project-falcon)", Priority: 1, Level: kind.Edit}
	if err := c.App.Store.CreatePattern(t.Context(), store.Principal{User: target}, rule); err != nil {
		t.Fatal(err)
	}
	p := store.Principal{User: c.member.Username}
	if err := c.App.Store.CreateGrant(t.Context(), p, kind.MCPServer, "mine", kind.Manage, nil); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{askedAt("who", "kind", string(kind.MCPServer), "id", "mine"), askedAt("explain", "user", target, "kind", string(kind.MCPServer), "id", "mine")} {
		got := c.member.Do(t, http.MethodGet, at, nil)
		if text := string(got.Body); got.Status != 200 || !strings.Contains(text, target) || !strings.Contains(text, `"source":"regex"`) || strings.Contains(text, "falcon") {
			t.Errorf("%s: %d %s", at, got.Status, text)
		}
		if got := c.admin.Do(t, http.MethodGet, at, nil); !strings.Contains(string(got.Body), "falcon") {
			t.Errorf("to an administrator %s: %d %s", at, got.Status, got.Body)
		}
	}
}

// The attack: ask who can access what one cannot read, and learn whether it exists.
func attackStrangerAsksWhoCanAccess(t *testing.T, c *cast, id string) {
	t.Helper()
	for k, absent := range map[kind.Name]string{kind.Experiment: "4711", kind.RegisteredModel: "no-such-model", kind.Scorer: id + "/none"} {
		there := c.member.Do(t, http.MethodGet, askedAt("who", "kind", string(k), "id", c.on[k]), nil)
		gone := c.member.Do(t, http.MethodGet, askedAt("who", "kind", string(k), "id", absent), nil)
		if a, b := strings.ReplaceAll(string(there.Body), c.on[k], absent), string(gone.Body); there.Status != 403 || gone.Status != 403 || a != b {
			t.Errorf("a %s that is there is told from one that is not: %d %s, %d %s", k, there.Status, a, gone.Status, b)
		}
	}
}

func toText(t *testing.T, said object) string {
	t.Helper()
	return strings.ReplaceAll(strings.TrimSpace(cmp.Diff(object{}, said)), "\u00a0", " ")
}

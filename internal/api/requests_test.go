package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const requestsAt = base + "/permissions/requests"

func wanting(k kind.Name, id, level, reason string) object {
	return object{"kind": string(k), "id": id, "permission": level, "reason": reason}
}

// asks has somebody ask, and gives where what they asked for is decided on.
func asks(t *testing.T, who *world.Client, body object) string {
	t.Helper()
	made := who.JSON(t, http.MethodPost, requestsAt, body)
	return fmt.Sprintf("%s/%.0f", requestsAt, made["id"])
}

// listed gives the requests of an answer.
func listed(t *testing.T, who *world.Client, at string) []object {
	t.Helper()
	var all []object
	for _, row := range who.JSON(t, http.MethodGet, at, nil)["requests"].([]any) {
		all = append(all, row.(object))
	}
	return all
}

// holds gives the permission that somebody holds themselves on the experiment, and its end.
func (c *cast) holds(t *testing.T, who *world.Client) string {
	t.Helper()
	held, err := c.App.Store.Grants(t.Context(), store.Principal{User: who.Username}, kind.Experiment)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range held {
		if g.Resource == c.on[kind.Experiment] {
			return g.Level.String()
		}
	}
	return ""
}

func TestRequestsForAccess(t *testing.T) {
	c := newCast(t)
	id := c.on[kind.Experiment]
	experiment := wanting(kind.Experiment, id, "EDIT", "to mend <b>it</b>\nsoon")
	at := asks(t, c.target, experiment)

	t.Run("who manages sees it, with what is needed to decide", func(t *testing.T) {
		for _, who := range []*world.Client{c.manager, c.admin} {
			for _, where := range []string{requestsAt, requestsAt + "?kind=experiment&id=" + id} {
				all := listed(t, who, where)
				if len(all) != 1 || all[0]["user"] != c.target.Username || all[0]["reason"] != "to mend <b>it</b>\nsoon" || all[0]["name"] != c.names[kind.Experiment] ||
					all[0]["held"] != "NO_PERMISSIONS" || all[0]["permission"] != "EDIT" {
					t.Errorf("%s sees %v", who.Username, all)
				}
			}
		}
	})
	t.Run("attack: see what others ask for, and why", func(t *testing.T) {
		for _, who := range []*world.Client{c.member, c.editor, c.target} {
			if all := listed(t, who, requestsAt); len(all) != 0 {
				t.Errorf("%s sees %v", who.Username, all)
			}
			wants(t, who.Do(t, http.MethodGet, requestsAt+"?kind=experiment&id="+id, nil), 403, denied)
		}
		if all := listed(t, c.member, requestsAt+"/mine?user="+c.target.Username); len(all) != 0 {
			t.Errorf("the member sees %v", all)
		}
	})
	t.Run("attack: decide on what one does not manage, and learn by it what there is", func(t *testing.T) {
		for _, do := range []string{"/approve", "/refuse", "/reopen"} {
			for _, who := range []*world.Client{c.member, c.editor, c.target} { // the target's own is among them
				there, none := who.Do(t, http.MethodPost, at+do, permission("EDIT")), who.Do(t, http.MethodPost, requestsAt+"/4711"+do, permission("EDIT"))
				if there.Status != 404 || string(there.Body) != string(none.Body) {
					t.Errorf("%s %s: %d %s, and of none %s", who.Username, do, there.Status, there.Body, none.Body)
				}
			}
		}
	})
	t.Run("attack: withdraw another's", func(t *testing.T) {
		for _, who := range []*world.Client{c.member, c.manager, c.admin} {
			wants(t, who.Do(t, http.MethodDelete, at, nil), 404, missing)
		}
	})
	t.Run("attack: ask in another's name", func(t *testing.T) {
		body := wanting(kind.MCPServer, "some/thing", "READ", "")
		for _, field := range []string{"user", "username", "user_id", "for"} {
			body[field] = c.manager.Username
		}
		c.member.Do(t, http.MethodPost, requestsAt, body)
		if all := listed(t, c.manager, requestsAt+"/mine"); len(all) != 0 {
			t.Errorf("the manager is said to have asked for %v", all)
		}
	})
	t.Run("attack: raise what is asked for between the look and the click", func(t *testing.T) {
		experiment["permission"] = "MANAGE"
		again := asks(t, c.target, experiment)
		wants(t, c.manager.Do(t, http.MethodPost, at+"/approve", permission("EDIT")), 404, missing)
		if got := c.holds(t, c.target); got != "" {
			t.Errorf("the target holds %s", got)
		}
		at = again
	})
	t.Run("what is given is what the approval names", func(t *testing.T) {
		for _, body := range []object{{}, permission(""), permission("NO_PERMISSIONS"), permission("OWNER"), {"permission": "READ", "expires_at": "2001-01-01T00:00:00Z"}} {
			if got := c.manager.Do(t, http.MethodPost, at+"/approve", body); got.Status != 400 && got.Status != 422 {
				t.Errorf("%v: %d %s", body, got.Status, got.Body)
			}
		}
		until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		done := c.manager.JSON(t, http.MethodPost, at+"/approve", object{"permission": "READ", "expires_at": until})
		if r := done["request"].(object); r["given"] != "READ" || r["given_until"] != until || r["decided_by"] != c.manager.Username || done["before"] != nil {
			t.Errorf("%v", done)
		}
		if got := c.holds(t, c.target); got != "READ" {
			t.Errorf("the target holds %q", got)
		}
		if mine := listed(t, c.target, requestsAt+"/mine?kind=experiment&id="+id); len(mine) != 1 || mine[0]["status"] != "approved" || mine[0]["given"] != "READ" || mine[0]["permission"] != "MANAGE" {
			t.Errorf("the target sees %v", mine)
		}
	})
	t.Run("attack: approve twice", func(t *testing.T) {
		wants(t, c.manager.Do(t, http.MethodPost, at+"/approve", permission("MANAGE")), 409, conflict)
		wants(t, c.admin.Do(t, http.MethodPost, at+"/refuse", object{}), 409, conflict)
	})
	t.Run("reopened, and refused with a word", func(t *testing.T) {
		c.manager.JSON(t, http.MethodPost, at+"/reopen", nil)
		if got := c.holds(t, c.target); got != "READ" {
			t.Errorf("reopening left the target %q", got)
		}
		c.manager.JSON(t, http.MethodPost, at+"/refuse", object{"answer": "ask Vera"})
		if mine := listed(t, c.target, requestsAt+"/mine"); len(mine) != 1 || mine[0]["status"] != "refused" || mine[0]["answer"] != "ask Vera" || mine[0]["given"] != nil {
			t.Errorf("the target sees %v", mine)
		}
		if all := listed(t, c.manager, requestsAt); len(all) != 0 {
			t.Errorf("open is %v", all)
		}
		c.take(t, store.Principal{User: c.target.Username}, kind.Experiment)
	})
}

func TestAttackRequests(t *testing.T) {
	c := newCast(t)
	id := c.on[kind.Experiment]
	t.Run("approve one's own", func(t *testing.T) {
		at := asks(t, c.editor, wanting(kind.Experiment, id, "MANAGE", ""))
		wants(t, c.editor.Do(t, http.MethodPost, at+"/approve", permission("MANAGE")), 404, missing)
		c.give(t, store.Principal{User: c.editor.Username}, kind.Experiment, kind.Manage)
		wants(t, c.editor.Do(t, http.MethodPost, at+"/approve", permission("MANAGE")), 403, denied) // nor when one manages it since
		c.give(t, store.Principal{User: c.editor.Username}, kind.Experiment, kind.Edit)
		c.editor.JSON(t, http.MethodDelete, at, nil)
	})
	t.Run("learn whether something exists", func(t *testing.T) {
		for k, none := range map[kind.Name]string{kind.Experiment: "987654321", kind.RegisteredModel: "no-such", kind.Prompt: "no-such-prompt", kind.MCPServer: "no/such"} {
			there, not := c.member.Do(t, http.MethodPost, requestsAt, wanting(k, c.on[k], "READ", "")), c.member.Do(t, http.MethodPost, requestsAt, wanting(k, none, "READ", ""))
			blank := func(a world.Answer, id string) string {
				text := strings.ReplaceAll(string(a.Body), `"`+id+`"`, `"?"`)
				_, text, _ = strings.Cut(text, ",") // the number
				return strings.ReplaceAll(text, said, "")
			}
			if a, b := blank(there, c.on[k]), blank(not, none); there.Status != 201 || not.Status != 201 || a[:strings.Index(a, "asked_at")] != b[:strings.Index(b, "asked_at")] {
				t.Errorf("%s: %d %s, and of none %d %s", k, there.Status, a, not.Status, b)
			}
		}
	})
	t.Run("approve after MANAGE was taken", func(t *testing.T) {
		at := asks(t, c.target, wanting(kind.Experiment, id, "READ", ""))
		c.give(t, store.Principal{User: c.editor.Username}, kind.Experiment, kind.Manage)
		if all := listed(t, c.editor, requestsAt+"?kind=experiment&id="+id); len(all) != 2 { // the member's too
			t.Fatalf("the editor manages it, and sees %v", all)
		}
		c.give(t, store.Principal{User: c.editor.Username}, kind.Experiment, kind.Edit)
		wants(t, c.editor.Do(t, http.MethodPost, at+"/approve", permission("READ")), 404, missing)
		if got := c.holds(t, c.target); got != "" {
			t.Errorf("the target holds %s", got)
		}
	})
	t.Run("several click at once", func(t *testing.T) {
		at := asks(t, c.target, wanting(kind.Experiment, id, "READ", ""))
		statuses := make(chan int, 4)
		var all sync.WaitGroup
		for i, level := range []string{"READ", "MANAGE", "EDIT", "USE"} {
			who := []*world.Client{c.manager, c.admin}[i%2]
			r := who.Request(t, http.MethodPost, at+"/approve", permission(level))
			all.Go(func() {
				got, err := who.Try(r)
				if err != nil {
					t.Error(err)
				}
				statuses <- got.Status
			})
		}
		all.Wait()
		close(statuses)
		count := map[int]int{}
		for s := range statuses {
			count[s]++
		}
		if count[200] != 1 || count[409] != 3 {
			t.Errorf("%v", count)
		}
		c.take(t, store.Principal{User: c.target.Username}, kind.Experiment)
	})
	t.Run("have it survive its model", func(t *testing.T) {
		for _, k := range []kind.Name{kind.RegisteredModel, kind.Prompt} {
			name := "doomed-" + string(k)
			create := func(by *world.Client) {
				if k == kind.Prompt {
					by.MakePrompt(t, name)
				} else {
					by.JSON(t, http.MethodPost, base+"/registered-models/create", object{"name": name})
				}
			}
			create(c.manager)
			at := asks(t, c.target, wanting(k, name, "MANAGE", ""))
			c.manager.JSON(t, http.MethodDelete, base+"/registered-models/delete", object{"name": name})
			create(c.member)
			for _, who := range []*world.Client{c.member, c.manager, c.admin} {
				wants(t, who.Do(t, http.MethodPost, at+"/approve", permission("MANAGE")), 404, missing)
				for _, r := range listed(t, who, requestsAt) {
					if r["resource"] == name {
						t.Errorf("%s sees %v", who.Username, r)
					}
				}
			}
			c.member.JSON(t, http.MethodDelete, base+"/registered-models/delete", object{"name": name})
		}
	})
	t.Run("learn the new name of what one may not read", func(t *testing.T) {
		c.manager.JSON(t, http.MethodPost, base+"/registered-models/create", object{"name": "plain"})
		asks(t, c.target, wanting(kind.RegisteredModel, "plain", "READ", ""))
		c.manager.JSON(t, http.MethodPost, base+"/registered-models/rename", object{"name": "plain", "new_name": "secret-plan"})
		if got := c.target.Do(t, http.MethodGet, requestsAt+"/mine", nil); got.Status != 200 || strings.Contains(string(got.Body), "secret-plan") || !strings.Contains(string(got.Body), `"plain"`) {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if all := listed(t, c.target, requestsAt+"/mine?kind=registered_model&id=secret-plan"); len(all) != 0 {
			t.Errorf("the target finds %v by the new name", all)
		}
		if all := listed(t, c.manager, requestsAt+"?kind=registered_model&id=secret-plan"); len(all) != 1 {
			t.Errorf("the manager sees %v", all)
		}
		c.manager.JSON(t, http.MethodDelete, base+"/registered-models/delete", object{"name": "secret-plan"})
	})
	t.Run("a reason that is no text", func(t *testing.T) {
		for name, reason := range map[string]string{"a terminal is led": "\x1b]0;x\x07", "NUL": "a\x00b", "too long": strings.Repeat("ä", 1001), "carriage return": "a\rb", "next line": "a\u0085b"} {
			if got := c.target.Do(t, http.MethodPost, requestsAt, wanting(kind.Experiment, id, "READ", reason)); got.Status != 400 && got.Status != 422 {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
		at := asks(t, c.target, wanting(kind.Experiment, id, "READ", strings.Repeat("ä", 1000)))
		c.target.JSON(t, http.MethodDelete, at, nil)
	})
	t.Run("what cannot be asked for", func(t *testing.T) {
		for name, body := range map[string]object{
			"nothing": wanting(kind.Experiment, id, "NO_PERMISSIONS", ""), "no level": wanting(kind.Experiment, id, "OWNER", ""), "no kind": wanting("run", id, "READ", ""),
			"no id": wanting(kind.Experiment, "", "READ", ""), "no experiment": wanting(kind.Experiment, "01", "READ", ""), "no workspaces here": wanting(kind.Workspace, "lab", "READ", ""),
			"what has ended": {"kind": "experiment", "id": id, "permission": "READ", "expires_at": "2001-01-01T00:00:00Z"},
		} {
			if got := c.target.Do(t, http.MethodPost, requestsAt, body); got.Status != 400 && got.Status != 422 {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
		wants(t, c.editor.Do(t, http.MethodPost, requestsAt, wanting(kind.Experiment, id, "READ", "")), 400, invalid) // has more
		wants(t, c.admin.Do(t, http.MethodPost, requestsAt, wanting(kind.Experiment, id, "READ", "")), 400, invalid)
	})
	t.Run("with a narrowed token", func(t *testing.T) {
		at := asks(t, c.target, wanting(kind.Experiment, id, "READ", ""))
		for _, scope := range []object{{"read_only": true}, {"resources": list{object{"kind": "experiment", "id": id}}}} {
			token := c.manager.JSON(t, http.MethodPost, base+"/users/current/tokens", object{"name": fmt.Sprint(scope), "scope": scope})["token"].(string)
			program := &world.Client{World: c.World, HTTP: &http.Client{}, Username: c.manager.Username, Token: token}
			for _, one := range [][2]string{{"POST", requestsAt}, {"GET", requestsAt}, {"GET", requestsAt + "/mine"}, {"POST", at + "/approve"}, {"POST", at + "/refuse"}, {"POST", at + "/reopen"}, {"DELETE", at}} {
				wants(t, program.Do(t, one[0], one[1], nil), 403, denied)
			}
		}
	})
	t.Run("a service account asks", func(t *testing.T) {
		c.admin.Do(t, http.MethodPost, base+"/users", object{"username": "robot", "display_name": "Robot", "is_service_account": true, "owner": c.member.Username})
		robot := c.by("robot", c.member.JSON(t, http.MethodPost, base+"/users/robot/tokens", object{"name": "ci"}))
		wants(t, robot.Do(t, http.MethodPost, requestsAt, wanting(kind.Experiment, id, "READ", "")), 403, denied)
	})
	t.Run("what a deactivated account asked for", func(t *testing.T) {
		at := asks(t, c.target, wanting(kind.Experiment, id, "READ", ""))
		c.admin.JSON(t, http.MethodPatch, base+"/users/"+c.target.Username+"/active", object{"active": false})
		wants(t, c.manager.Do(t, http.MethodPost, at+"/approve", permission("READ")), 404, missing)
		for _, r := range listed(t, c.admin, requestsAt+"?kind=experiment&id="+id) {
			if r["user"] == c.target.Username {
				t.Errorf("open is %v", r)
			}
		}
	})
}

// Pages go on where the one before ended, and their number is that of what the caller manages.
func TestRequestsInPages(t *testing.T) {
	c := newCast(t)
	for _, who := range []*world.Client{c.member, c.target} {
		for _, k := range []kind.Name{kind.Experiment, kind.RegisteredModel, kind.MCPServer} {
			asks(t, who, wanting(k, c.on[k], "READ", ""))
		}
		asks(t, who, wanting(kind.RegisteredModel, "of-nobody", "READ", ""))
	}
	for _, one := range []struct {
		who  *world.Client
		want float64
	}{{c.manager, 6}, {c.admin, 8}, {c.editor, 0}} {
		first := one.who.JSON(t, http.MethodGet, requestsAt+"?max_results=4", nil)
		if first["total"] != one.want || first["more"] != false {
			t.Errorf("%s: %v of %v", one.who.Username, first["total"], one.want)
		}
		seen := map[any]bool{}
		for page := first; ; {
			for _, r := range page["requests"].([]any) {
				seen[r.(object)["id"]] = true
			}
			token, ok := page["next_page_token"].(string)
			if !ok {
				break
			}
			page = one.who.JSON(t, http.MethodGet, requestsAt+"?max_results=4&page_token="+url.QueryEscape(token), nil)
		}
		if float64(len(seen)) != one.want {
			t.Errorf("%s saw %d, want %v", one.who.Username, len(seen), one.want)
		}
	}
	wants(t, c.admin.Do(t, http.MethodGet, requestsAt+"?page_token=eA", nil), 400, invalid)
}

// requestSteps are those of the matrix: a request of the target, which each caller finds open again.
func (c *cast) requestSteps(t *testing.T, all map[string]step) {
	t.Helper()
	ctx, target := t.Context(), c.target.Username
	made, err := c.App.Store.AskAccess(ctx, store.Request{UserID: int64(c.idOf(t, target)), Kind: kind.Experiment, Asked: c.on[kind.Experiment], Level: kind.Edit})
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("/permissions/requests/%d", made.ID)
	ready := func(t *testing.T) {
		c.take(t, store.Principal{User: target}, kind.Experiment)
		_ = c.App.Store.ReopenRequest(ctx, made) // it may be open
	}
	decided := func(t *testing.T) {
		ready(t)
		if err := c.App.Store.RefuseRequest(ctx, made, ""); err != nil {
			t.Fatal(err)
		}
	}
	decides := statuses{401, 404, 404, 200, 404, 200}
	const template = "/permissions/requests/{request_id}"
	all["POST /permissions/requests"] = step{want: statuses{401, 201, 201, 201, 201, 400}, path: "/permissions/requests", body: wanting(kind.RegisteredModel, "none", "READ", "")}
	all["GET /permissions/requests"] = step{want: everybody(200), path: "/permissions/requests"}
	all["GET /permissions/requests/mine"] = step{want: everybody(200), path: "/permissions/requests/mine"}
	all["POST "+template+"/approve"] = step{want: decides, path: at + "/approve", body: permission("READ"), ready: ready}
	all["POST "+template+"/refuse"] = step{want: decides, path: at + "/refuse", body: object{}, ready: ready}
	all["POST "+template+"/reopen"] = step{want: decides, path: at + "/reopen", ready: decided}
	all["DELETE "+template] = step{want: everybody(404), path: "/permissions/requests/4711"}
}

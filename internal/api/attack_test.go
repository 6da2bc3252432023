package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// An editor, a member, and the one whom it would profit try to give permissions: to themselves, and to others.
func TestWhoDoesNotManageCannotGrant(t *testing.T) {
	c := newCast(t)
	for k := range kinds() {
		for _, who := range []*world.Client{c.editor, c.member, c.target} {
			for _, at := range []string{"/permissions/users/" + who.Username, "/permissions/users/" + c.target.Username, "/permissions/groups/" + theGroup, "/permissions/users/none"} {
				one := base + at + "/" + k.Segment + "/" + c.at(k)
				for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
					wants(t, who.Do(t, method, one, permission("MANAGE")), 403, denied)
				}
			}
		}
	}
}

// A manager of one resource tries the same on others': one that exists, and one that does not. Both answers are the same, so
// that nothing is told of what exists.
func TestManagerCannotGrantOnOthersResources(t *testing.T) {
	c := newCast(t)
	made := c.admin.JSON(t, http.MethodPost, base+"/experiments/create", object{"name": "others of " + t.Name()})
	c.admin.JSON(t, http.MethodPost, base+"/registered-models/create", object{"name": "others of " + t.Name()})
	others := map[kind.Name][]string{kind.Experiment: {made["experiment_id"].(string), "987654321"},
		kind.RegisteredModel: {"others%20of%20" + t.Name(), "none"}, kind.Prompt: {"others%20prompt%20of%20" + t.Name(), "none"},
		kind.MCPServer: {"others%2Fof-" + t.Name(), "test%2Fnone"},
		kind.Scorer:    {made["experiment_id"].(string) + "/others", made["experiment_id"].(string) + "/none", "987654321/none"}}
	c.admin.JSON(t, http.MethodPost, "/api/3.0/mlflow/mcp-servers", object{"name": "others/of-" + t.Name()})
	c.admin.MakePrompt(t, "others prompt of "+t.Name())
	c.admin.JSON(t, http.MethodPost, third+"/scorers/register", world.RegisterScorer(made["experiment_id"].(string), "others", "openai:/gpt-4o"))
	c.makeGateway(t, c.admin, "others-of-"+t.Name())
	for k := range kinds() {
		if others[k.Name] == nil {
			others[k.Name] = []string{"others-of-" + t.Name(), "none"}
		}
	}
	c.each(t, func(t *testing.T, k kind.Kind, s side) {
		for _, resource := range others[k.Name] {
			for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
				wants(t, c.manager.Do(t, method, c.grants(k, s)+"/"+resource, permission("READ")), 403, denied)
			}
			wants(t, c.manager.Do(t, http.MethodGet, holders(k, resource, s), nil), 403, denied)
		}
	})
}

// An explicit NO_PERMISSIONS takes the right to grant away, whatever a group gives.
func TestRefusedManagerCannotGrant(t *testing.T) {
	c := newCast(t)
	for k := range kinds() {
		c.give(t, store.Principal{Group: theGroup}, k.Name, kind.Manage)
		c.give(t, store.Principal{User: c.target.Username}, k.Name, kind.NoPermissions)
		one := base + "/permissions/users/" + c.member.Username + "/" + k.Segment + "/" + c.at(k)
		wants(t, c.target.Do(t, http.MethodPost, one, permission("READ")), 403, denied)
	}
}

// Another spelling of an id would be a grant that nobody sees, on an experiment that is somebody's.
func TestIDsInOtherSpellingsAreRefused(t *testing.T) {
	c := newCast(t)
	for _, id := range []string{"01", "+1", "-1", "%201", "1%20", "1.0", "0x1", "1e0", "%D9%A1", "1%00", "1%0A", "name"} {
		for _, at := range []string{"/permissions/users/" + c.target.Username, "/permissions/groups/" + theGroup} {
			wants(t, c.admin.Do(t, http.MethodPost, base+at+"/experiments/"+id, permission("READ")), 400, invalid)
		}
	}
	for _, id := range []string{"01/a", "1%2F2/a", "+1/a", "1/", "1/" + strings.Repeat("x", 254)} {
		if got := c.admin.Do(t, http.MethodPost, base+"/permissions/users/"+c.target.Username+"/scorers/"+id, permission("READ")); got.Status/100 != 4 {
			t.Errorf("a scorer %q is taken: %d %s", id, got.Status, got.Body)
		}
	}
	for _, name := range []string{"a%00", "a%0Ab", "a%7F", "a%FF"} {
		wants(t, c.admin.Do(t, http.MethodPost, base+"/permissions/users/"+c.target.Username+"/registered-models/"+name, permission("READ")), 400, invalid)
	}
}

// A page of another site sends what a browser lets it send: the cookie, and bodies of the types that need no question before.
func TestRequestsForgedByAnotherSiteAreRefused(t *testing.T) {
	c := newCast(t)
	forged := map[string]http.Header{
		"no origin":       {},
		"foreign origin":  {"Origin": {"https://evil.example"}},
		"null origin":     {"Origin": {"null"}},
		"cross-site":      {"Sec-Fetch-Site": {"cross-site"}},
		"same-site":       {"Sec-Fetch-Site": {"same-site"}, "Origin": {c.URL}},
		"origin as begin": {"Origin": {c.URL + ".evil.example"}},
	}
	for name, s := range c.steps(t) {
		method, _, _ := strings.Cut(name, " ")
		if method == http.MethodGet {
			continue
		}
		for attack, header := range forged {
			t.Run(name+" with "+attack, func(t *testing.T) {
				request := c.admin.Request(t, method, s.at(base), s.body)
				request.Header.Del("Origin")
				request.Header.Set("Content-Type", "text/plain")
				for key, values := range header {
					request.Header[key] = values
				}
				wants(t, c.admin.Send(t, request), 403, denied)
			})
		}
	}
	if c.admin.Do(t, http.MethodGet, base+"/users/made@example.com", nil).Status != 404 {
		t.Error("a forged request made a user")
	}
}

// What is granted counts at the very next request, and what is taken away no longer does.
func TestChangesCountAtTheNextRequest(t *testing.T) {
	c := newCast(t)
	reads := map[kind.Name]string{kind.Experiment: base + "/experiments/get?experiment_id=" + c.on[kind.Experiment],
		kind.RegisteredModel: base + "/registered-models/get?name=" + c.on[kind.RegisteredModel],
		kind.Prompt:          base + "/registered-models/get?name=" + c.on[kind.Prompt],
		kind.Scorer:          third + "/scorers/get?experiment_id=" + c.on[kind.Experiment] + "&name=" + c.names[kind.Scorer],
		kind.GatewayEndpoint: "/api/3.0/mlflow/gateway/endpoints/get?name=" + c.on[kind.GatewayEndpoint],
		kind.GatewaySecret:   "/api/3.0/mlflow/gateway/secrets/get?secret_id=" + c.ids[kind.GatewaySecret],
		kind.GatewayModel:    "/api/3.0/mlflow/gateway/model-definitions/get?model_definition_id=" + c.ids[kind.GatewayModel],
		kind.MCPServer:       "/api/3.0/mlflow/mcp-servers/" + c.on[kind.MCPServer]}
	sees := func(t *testing.T, k kind.Name, want bool) {
		t.Helper()
		if got := c.target.Do(t, http.MethodGet, reads[k], nil); (got.Status == 200) != want || !want && got.Status != 404 && got.Status != 403 {
			t.Errorf("the answer is %d, seen should be %v: %s", got.Status, want, got.Body)
		}
	}
	c.each(t, func(t *testing.T, k kind.Kind, s side) {
		one := c.grants(k, s) + "/" + c.at(k)
		for range 3 { // the cache is warm from the second round on
			sees(t, k.Name, false)
			c.manager.JSON(t, http.MethodPost, one, permission("READ"))
			sees(t, k.Name, true)
			c.manager.JSON(t, http.MethodPatch, one, permission("NO_PERMISSIONS"))
			sees(t, k.Name, false)
			c.manager.JSON(t, http.MethodPatch, one, permission("EDIT"))
			sees(t, k.Name, true)
			c.manager.JSON(t, http.MethodDelete, one, nil)
		}
		sees(t, k.Name, false)
		if k.Patterns == "" {
			return
		}
		c.admin.JSON(t, http.MethodPost, c.patterns(k, s), object{"regex": c.names[k.Name] + "$", "priority": 1, "permission": "READ"})
		sees(t, k.Name, true)
		patterns, err := c.App.Store.Patterns(t.Context(), s.holder, k.Name)
		if err != nil || len(patterns) != 1 {
			t.Fatal(patterns, err)
		}
		c.admin.JSON(t, http.MethodDelete, c.patterns(k, s)+"/"+strconv.FormatInt(patterns[0].ID, 10), nil)
		sees(t, k.Name, false)
	})
}

// A deleted user's session and token are nobody's, also when the name is taken again.
func TestDeletedUserIsOut(t *testing.T) {
	c := newCast(t)
	token := c.World.Person(t, "leaver", world.Members)
	browser := c.Browser(t, "leaver", world.Members)
	c.admin.JSON(t, http.MethodDelete, base+"/users", object{"username": token.Username})
	out := func() {
		t.Helper()
		for _, who := range []*world.Client{token, browser} {
			if got := who.Do(t, http.MethodGet, base+"/users/current", nil); got.Status != 401 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		}
	}
	out()
	c.admin.JSON(t, http.MethodPost, base+"/users", object{"username": token.Username, "display_name": "Another", "is_admin": true})
	out()
}

// What is no operation is answered as such, in JSON, whatever the method and the credential.
func TestUnknownOperations(t *testing.T) {
	c := newCast(t)
	for _, at := range []string{"/permissions/", "/permissions/users", "/permissions/users/a/b/c/d", "/permissions/nothing/x", "/users/a/b", "/users/"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost} {
			wants(t, c.admin.Do(t, method, base+at, nil), 404, missing)
		}
	}
}

// A permission on a prompt and one on a model of that name are the same, and so a wide pattern of prompts must not give
// the right to make one on a model, by whichever of the two paths, nor the other way round.
func TestPatternOfOneKindGivesNoRightToGrantOnAnother(t *testing.T) {
	c := newCast(t)
	for k, other := range map[kind.Name]kind.Name{kind.Prompt: kind.RegisteredModel, kind.RegisteredModel: kind.Prompt} {
		rule := authz.Grant{Kind: k, Pattern: ".*", Priority: 1, Level: kind.Manage}
		if err := c.App.Store.CreatePattern(t.Context(), store.Principal{User: c.target.Username}, rule); err != nil {
			t.Fatal(err)
		}
		for _, segment := range []string{"prompts", "registered-models"} {
			at := base + "/permissions/users/" + c.target.Username + "/" + segment + "/"
			wants(t, c.target.Do(t, http.MethodPost, at+c.on[other], permission("MANAGE")), 403, denied)
			wants(t, c.target.Do(t, http.MethodPost, at+"none", permission("MANAGE")), 403, denied)
			wants(t, c.target.Do(t, http.MethodGet, base+"/permissions/"+segment+"/"+c.on[other]+"/users", nil), 403, denied)
			wants(t, c.target.Do(t, http.MethodPost, at+c.on[k], permission("READ")), 201, object{"status": "success", "message": said})
			c.take(t, store.Principal{User: c.target.Username}, k)
		}
		patterns, err := c.App.Store.Patterns(t.Context(), store.Principal{User: c.target.Username}, k)
		if err != nil || len(patterns) != 1 {
			t.Fatal(patterns, err)
		}
		if err := c.App.Store.DeletePattern(t.Context(), store.Principal{User: c.target.Username}, k, patterns[0].ID); err != nil {
			t.Fatal(err)
		}
	}
}

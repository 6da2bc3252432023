package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const (
	current = base + "/users/current"
	mine    = current + "/tokens"
)

func of(username string) string { return base + "/users/" + username + "/tokens" }

// by is whoever has a token, without a browser.
func (c *cast) by(username string, made object) *world.Client {
	return &world.Client{World: c.World, HTTP: &http.Client{}, Username: username, Token: made["token"].(string)}
}

func tokenOf(t *testing.T, all object, name string) object {
	t.Helper()
	for _, one := range all["tokens"].(list) {
		if one.(object)["name"] == name {
			return one.(object)
		}
	}
	t.Fatalf("no token %q in %v", name, all)
	return nil
}

func TestPersonalTokens(t *testing.T) {
	c := newCast(t)
	made := c.member.JSON(t, http.MethodPost, mine, object{"name": " ci ", "expiration": time.Now().UTC().Add(time.Hour).Format(time.RFC3339)})
	secret := made["token"].(string)
	if !strings.HasPrefix(secret, made["token_prefix"].(string)) || len(secret) < 40 || made["name"] != "ci" || made["created_by"] != c.member.Username || made["active"] != true {
		t.Errorf("%v", made)
	}
	wants(t, c.member.Do(t, http.MethodPost, mine, object{"name": "ci"}), 409, conflict)
	got := c.member.Do(t, http.MethodGet, mine, nil)
	if strings.Contains(string(got.Body), secret) {
		t.Error("the token is shown again")
	}
	delete(made, "token")
	wants(t, got, 200, object{"tokens": list{made}})
	for i := range 3 {
		c.member.JSON(t, http.MethodPost, mine, object{"name": fmt.Sprint("more ", i), "expiration": nil})
	}
	if page := c.member.JSON(t, http.MethodGet, mine+"?limit=1&offset=1&search=MORE", nil)["tokens"].(list); len(page) != 1 || page[0].(object)["name"] != "more 1" {
		t.Errorf("the page is %v", page)
	}
	program := c.by(c.member.Username, object{"token": secret})
	if me := program.JSON(t, http.MethodGet, current, nil); me["username"] != c.member.Username {
		t.Errorf("the token is of %v", me)
	}
	bearer := program.Request(t, http.MethodGet, current, nil)
	bearer.Header.Set("Authorization", "Bearer "+secret)
	if got := program.Send(t, bearer); got.Status != 200 {
		t.Errorf("as bearer it is answered with %d %s", got.Status, got.Body)
	}
	wants(t, c.target.Do(t, http.MethodDelete, fmt.Sprintf("%s/%v", mine, made["id"]), nil), 404, missing) // it is another's
	wants(t, c.member.Do(t, http.MethodDelete, fmt.Sprintf("%s/%v", mine, made["id"]), nil), 200, object{"deleted": 1.0})
	if got := program.Do(t, http.MethodGet, current, nil); got.Status != 401 {
		t.Errorf("a revoked token is answered with %d", got.Status)
	}
	wants(t, c.member.Do(t, http.MethodDelete, fmt.Sprintf("%s/%v", mine, made["id"]), nil), 404, missing)
}

func TestAdministratorsHandleTokensOfOthers(t *testing.T) {
	c := newCast(t)
	made := c.admin.JSON(t, http.MethodPost, of(strings.ToUpper(c.target.Username)), object{"name": "for a job"})
	if made["created_by"] != c.admin.Username {
		t.Errorf("%v", made)
	}
	program := c.by(c.target.Username, made)
	if me := program.JSON(t, http.MethodGet, current, nil); me["username"] != c.target.Username {
		t.Errorf("the token is of %v", me)
	}
	if shown := tokenOf(t, c.target.JSON(t, http.MethodGet, mine, nil), "for a job"); shown["created_by"] != c.admin.Username {
		t.Errorf("its owner is shown %v", shown)
	}
	single := c.by(c.target.Username, c.target.JSON(t, http.MethodPatch, tokens, nil))
	wants(t, c.admin.Do(t, http.MethodDelete, of(c.target.Username), nil), 200, object{"revoked": 2.0})
	for _, with := range []*world.Client{program, single} {
		if got := with.Do(t, http.MethodGet, current, nil); got.Status != 401 {
			t.Errorf("a revoked token is answered with %d", got.Status)
		}
	}
	wants(t, c.admin.Do(t, http.MethodGet, of("none"), nil), 404, missing)
	for _, who := range []string{c.target.Username, c.admin.Username, "none"} { // one answer, whoever exists
		wants(t, c.member.Do(t, http.MethodGet, of(who), nil), 403, denied)
		wants(t, c.member.Do(t, http.MethodPost, of(who), object{"name": "stolen"}), 403, denied)
		wants(t, c.member.Do(t, http.MethodDelete, of(who), nil), 403, denied)
		wants(t, c.member.Do(t, http.MethodDelete, of(who)+"/1", nil), 403, denied)
	}
}

// Each of these could be meant to narrow a token. None may be left out of account, and make one that is not.
func TestScopesThatAreNotUnderstoodMakeNoToken(t *testing.T) {
	c := newCast(t)
	for name, body := range map[string]object{
		"narrows nothing":          {"name": "a", "scope": object{}},
		"empty lists":              {"name": "a", "scope": object{"kinds": list{}, "resources": list{}, "read_only": false}},
		"misspelt":                 {"name": "a", "scopes": object{"read_only": true}},
		"another case":             {"name": "a", "Scope": object{"read_only": true}},
		"beside it":                {"name": "a", "read_only": true},
		"misspelt inside":          {"name": "a", "scope": object{"readonly": true}},
		"another case inside":      {"name": "a", "scope": object{"kinds": list{"experiment"}, "READ_ONLY": true}},
		"misspelt beside another":  {"name": "a", "scope": object{"kinds": list{"experiment"}, "readOnly": true}},
		"unknown kind":             {"name": "a", "scope": object{"kinds": list{"experiments"}}},
		"unknown kind of resource": {"name": "a", "scope": object{"resources": list{object{"kind": "run", "id": "1"}}}},
		"no id":                    {"name": "a", "scope": object{"resources": list{object{"kind": "experiment", "id": ""}}}},
		"another spelling":         {"name": "a", "scope": object{"resources": list{object{"kind": "experiment", "id": "01"}}}},
		"no such workspace":        {"name": "a", "scope": object{"resources": list{object{"kind": "registered_model", "id": "m", "workspace": "w1"}}}},
		"unknown inside":           {"name": "a", "scope": object{"resources": list{object{"kind": "experiment", "id": "1", "level": "READ"}}}},
		"text":                     {"name": "a", "scope": "read"},
		"no name":                  {"name": " "},
		"a name of two lines":      {"name": "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.member.Do(t, http.MethodPost, mine, body); got.Status != 400 && got.Status != 422 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	if all := c.member.JSON(t, http.MethodGet, mine, nil)["tokens"].(list); len(all) > 0 {
		t.Errorf("tokens were made: %v", all)
	}
}

// The attack: with a narrowed token of an administrator, or of whoever manages everything, administer.
func TestAttackNarrowedTokenAdministersNothing(t *testing.T) {
	c := newCast(t)
	id := c.on[kind.Experiment]
	for k := range kinds() {
		c.give(t, store.Principal{User: c.target.Username}, k.Name, kind.Manage)
	}
	for name, scope := range map[string]object{
		"read-only":      {"read_only": true},
		"kinds":          {"kinds": list{"experiment", "registered_model", "gateway_endpoint", "gateway_secret", "gateway_model_definition", "mcp_server"}},
		"one experiment": {"resources": list{object{"kind": "experiment", "id": id}}},
	} {
		for _, owner := range []*world.Client{c.admin, c.target} {
			made := owner.JSON(t, http.MethodPost, mine, object{"name": name, "scope": scope})
			if fmt.Sprint(made["scope"]) != fmt.Sprint(scope) {
				t.Errorf("the scope is shown as %v", made["scope"])
			}
			thief := c.by(owner.Username, made)
			if me := thief.JSON(t, http.MethodGet, current, nil); me["is_admin"] != false {
				t.Errorf("with a token that is narrowed it is %v", me)
			}
			for step, s := range c.steps(t) { // nothing is made ready: none gets that far
				method, path, _ := strings.Cut(step, " ")
				if path == "/users/current" {
					continue
				}
				for _, prefix := range []string{base, "/ajax-api/2.0/mlflow"} {
					if got := thief.Do(t, method, prefix+s.path, s.body); got.Status != 403 {
						t.Errorf("%s, %s of %s: %d %s", step, name, owner.Username, got.Status, got.Body)
					}
				}
			}
		}
	}
}

// Whoever stole a token must not make others with it, which would outlive its end; to revoke is no harm.
func TestAttackTokenMakesToken(t *testing.T) {
	c := newCast(t)
	for _, owner := range []*world.Client{c.member, c.admin} {
		thief := c.by(owner.Username, owner.JSON(t, http.MethodPost, mine, object{"name": "stolen"}))
		for _, at := range []string{mine, of(owner.Username), of(c.target.Username)} {
			wants(t, thief.Do(t, http.MethodPost, at, object{"name": "another"}), 403, denied)
		}
		wants(t, thief.Do(t, http.MethodPatch, tokens, nil), 403, denied)
		bearer := thief.Request(t, http.MethodPost, mine, object{"name": "another"})
		bearer.Header.Set("Authorization", "Bearer "+thief.Token)
		wants(t, thief.Send(t, bearer), 403, denied)
	}
}

func TestServiceAccountsHaveOwners(t *testing.T) {
	c := newCast(t)
	wants(t, c.admin.Do(t, http.MethodPost, base+"/users", object{"username": "robot", "display_name": "Robot", "is_service_account": true,
		"owner": c.member.Username}), 201, object{"message": said})
	made := c.member.JSON(t, http.MethodPost, of("robot"), object{"name": "ci"})
	robot := c.by("robot", made)
	if me := robot.JSON(t, http.MethodGet, current, nil); me["is_service_account"] != true || made["created_by"] != c.member.Username {
		t.Errorf("%v, %v", me, made)
	}
	tokenOf(t, c.member.JSON(t, http.MethodGet, of("robot"), nil), "ci")
	c.member.JSON(t, http.MethodPatch, tokens, object{"username": "robot"})
	for _, other := range []*world.Client{c.editor, c.manager, robot} { // its owner alone, and not itself
		wants(t, other.Do(t, http.MethodPost, of("robot"), object{"name": "other"}), 403, denied)
	}
	wants(t, c.editor.Do(t, http.MethodDelete, of("robot"), nil), 403, denied)
	// The attack: own an administrator by owning its account.
	wants(t, c.admin.Do(t, http.MethodPost, base+"/users", object{"username": "root-robot", "display_name": "R", "is_admin": true,
		"is_service_account": true, "owner": c.member.Username}), 400, invalid)
	wants(t, c.admin.Do(t, http.MethodPost, base+"/users", object{"username": "robot", "display_name": "R", "is_admin": true, "is_service_account": true}), 200, object{"message": said})
	wants(t, c.member.Do(t, http.MethodPost, of("robot"), object{"name": "more"}), 403, denied)
	if got := robot.Do(t, http.MethodGet, current, nil); got.Status != 401 {
		t.Errorf("the owner's token of an administrator is answered with %d", got.Status)
	}
	for name, body := range map[string]object{
		"a person with an owner":      {"owner": c.member.Username},
		"a person with a source":      {"service_account_source": "internal"},
		"a subject without a source":  {"is_service_account": true, "subject": "s"},
		"a source without a subject":  {"is_service_account": true, "service_account_source": "oidc"},
		"an unknown source":           {"is_service_account": true, "service_account_source": "other", "subject": "s"},
		"a service account as owner":  {"is_service_account": true, "owner": "robot"},
		"a subject of internal alone": {"is_service_account": true, "service_account_source": "internal", "subject": "s"},
	} {
		body["username"], body["display_name"] = "made", "Made"
		if got := c.admin.Do(t, http.MethodPost, base+"/users", body); got.Status != 400 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
}

// A program comes with a JWT of the provider; a browser of the same subject is refused, and told why.
func TestServiceAccountsBoundToTheProvider(t *testing.T) {
	c := newCast(t)
	c.admin.JSON(t, http.MethodPost, base+"/users", object{"username": "robot", "display_name": "Robot", "is_service_account": true,
		"service_account_source": "oidc", "subject": "subject of robot"})
	as := func(subject string) world.Answer {
		r := c.nobody.Request(t, http.MethodGet, current, nil)
		r.Header.Set("Authorization", "Bearer "+c.IDP.Token(subject, nil))
		return c.nobody.Send(t, r)
	}
	if got := as("subject of robot"); got.Status != 200 || !strings.Contains(string(got.Body), `"robot"`) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if text := c.refusedBrowser(t, "robot"); !strings.Contains(text, "service account") {
		t.Errorf("the browser is told %s", text)
	}
	bind := base + "/users/robot/service-account-source"
	wants(t, c.admin.Do(t, http.MethodPut, bind, object{"source": "oidc", "subject": "subject of target"}), 409, conflict) // a person
	wants(t, c.admin.Do(t, http.MethodPut, base+"/users/"+c.target.Username+"/service-account-source", object{"source": "oidc", "subject": "x"}), 409, conflict)
	wants(t, c.admin.Do(t, http.MethodPut, bind, object{"source": "oidc", "subject": "another"}), 200, object{"username": "robot", "service_account_source": "oidc"})
	if before, now := as("subject of robot").Status, as("another").Status; before != 401 || now != 200 {
		t.Errorf("the subject before is answered with %d, the new one with %d", before, now)
	}
	wants(t, c.admin.Do(t, http.MethodPut, bind, object{"source": "internal"}), 200, object{"username": "robot", "service_account_source": "internal"})
	if got := as("another"); got.Status != 401 {
		t.Errorf("%d", got.Status)
	}
}

// refusedBrowser signs in with a browser, in vain, and gives the page.
func (c *cast) refusedBrowser(t *testing.T, name string) string {
	t.Helper()
	c.IDP.SetPerson(devidp.Person{Subject: "subject of " + name, Username: name, Email: name + "@example.com", Name: name, Groups: []string{world.Members}})
	status, text, err := devidp.SignIn(t.Context(), c.World.Nobody(t).HTTP, c.URL+"/login/start", "subject of "+name)
	if err != nil || status != http.StatusForbidden {
		t.Fatalf("signing in as %s ended with %d %s %v", name, status, text, err)
	}
	return text
}

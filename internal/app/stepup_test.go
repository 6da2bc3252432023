package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// The attack: an administrator's unlocked browser is used to come back later, by a token or an account of one's own.
func TestAttackUnlockedBrowserOfAnAdministrator(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"STEP_UP_SECONDS": "300"})
	root := w.Browser(t, "root", world.Members, world.Admins)
	two, three := "/api/2.0/mlflow", "/api/3.0/mlflow"
	token := func(c *world.Client) world.Answer {
		return c.Do(t, "POST", two+"/users/current/tokens", map[string]any{"name": world.Name("t")})
	}
	for operation, body := range map[string]map[string]any{
		"POST " + two + "/users":                                        {"username": "eve", "display_name": "Eve", "is_admin": true},
		"POST " + two + "/users/create":                                 {"username": "eve", "password": "twelve characters"},
		"PATCH " + two + "/users/update-admin":                          {"username": "eve", "is_admin": true},
		"PATCH " + two + "/users/update-password":                       {"username": "eve", "password": "twelve characters"},
		"PATCH " + two + "/users/ownership":                             {"usernames": []string{"eve"}, "owner": "manual"},
		"PATCH " + two + "/users/access-token":                          {},
		"POST " + two + "/users/current/tokens":                         {"name": "later"},
		"POST " + two + "/users/root@example.com/tokens":                {"name": "later"},
		"POST " + two + "/users/root@example.com/identities":            {"provider": "oidc", "subject": "eve"},
		"PUT " + two + "/users/root@example.com/service-account-source": {"service_account_source": "internal"},
		"POST " + three + "/roles/assign":                               {"username": "eve", "role_id": 1},
		"POST " + three + "/roles/permissions/add":                      {"role_id": 1, "resource_type": "workspace", "resource_pattern": "*", "permission": "MANAGE"},
		"PATCH " + three + "/roles/permissions/update":                  {"role_permission_id": 1, "permission": "MANAGE"},
		"POST /ajax" + two[4:] + "/users/create":                        {"username": "eve", "password": "twelve characters"},
	} {
		method, path, _ := strings.Cut(operation, " ")
		path = strings.Replace(path, "/ajax/", "/ajax-api/", 1)
		got := root.Do(t, method, path, body)
		if got.Status != http.StatusUnauthorized || !strings.Contains(got.Header.Get("WWW-Authenticate"), `error="insufficient_user_authentication", max_age="300"`) ||
			!strings.Contains(string(got.Body), "/login?fresh=1") {
			t.Errorf("%s is answered %d %v %s", operation, got.Status, got.Header["Www-Authenticate"], got.Body)
		}
	}
	if got := root.Do(t, "GET", two+"/users", nil); got.Status != http.StatusOK {
		t.Errorf("what is not critical is answered %d", got.Status)
	}
	if got := token(w.Browser(t, "member", world.Members)); got.Status != http.StatusCreated {
		t.Errorf("a member's own token is answered %d %s", got.Status, got.Body)
	}

	page, err := root.HTTP.Get(w.URL + "/login?fresh=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = page.Body.Close()
	again := func(shown any) (int, string) {
		person := devidp.Person{Subject: "subject of root", Username: "root", Email: "root@example.com", Name: "root", Groups: []string{world.Members, world.Admins}}
		if shown != nil {
			person.Claims = map[string]any{"auth_time": shown}
		}
		w.IDP.SetPerson(person)
		status, text, err := devidp.SignIn(t.Context(), root.HTTP, w.URL+"/login/start?fresh=1&next=/auth/status", "subject of root")
		if err != nil {
			t.Fatal(err)
		}
		return status, text
	}
	if status, text := again(time.Now().Add(-time.Minute).Unix()); status == http.StatusOK {
		t.Errorf("a provider that did not ask again is believed: %s", text)
	}
	if got := token(root); got.Status != http.StatusUnauthorized {
		t.Errorf("after that a token is answered %d", got.Status)
	}
	if status, text := again(nil); status != http.StatusOK {
		t.Fatalf("a fresh sign-in is answered %d %s", status, text)
	}
	if got := token(root); got.Status != http.StatusCreated {
		t.Errorf("after a fresh sign-in a token is answered %d %s", got.Status, got.Body)
	}
}

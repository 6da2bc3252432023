package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const (
	trialsAt  = base + "/permissions/trials/"
	beginning = base + "/permissions/providers/oidc/trial"
)

// try goes through a trial as a browser does, and gives the path at which its outcome is.
func try(t *testing.T, c *world.Client, subject string) string {
	t.Helper()
	browser := *c.HTTP
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	leads := func(answer *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.Header.Get("Location")
	}
	address := c.JSON(t, http.MethodPost, beginning, nil)["address"].(string)
	page := leads(browser.Get(leads(browser.PostForm(address, url.Values{"person": {subject}}))))
	_, id, ok := strings.Cut(page, "/oidc/ui/providers?trial=")
	if !ok {
		t.Fatalf("it leads to %q", page)
	}
	return trialsAt + id
}

type trialSeen struct {
	LetIn    bool   `json:"let_in"`
	Refused  string `json:"refused"`
	Username string `json:"username"`
	Admin    bool   `json:"is_admin"`
	New      bool   `json:"new"`
	Cut      bool   `json:"cut"`
	Claims   []struct{ Name, Value, From string }
	Groups   []struct {
		Name  string
		Known bool
	}
	Others []string `json:"other_groups"`
	Access []struct {
		Kind, ID, Permission string
		Via                  struct{ Source, Group string }
	}
}

func (s trialSeen) claim(name string) string {
	for _, c := range s.Claims {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// An administrator sees whom a sign-in would let in, and to what; nothing of it is stored, nobody else sees it, and no provider's words do
// anything but stand there.
func TestTrialOfASignIn(t *testing.T) {
	w := world.New(t, world.Stub(t, http.NotFound).URL, map[string]string{"OIDC_GROUPS_ATTRIBUTE": "groups"})
	root, member := w.Browser(t, "root", world.Members, world.Admins), w.Browser(t, "member", world.Members)
	db := w.App.Store
	for _, err := range []error{db.CreateGroup(t.Context(), "vision"), db.CreateGrant(t.Context(), store.Principal{Group: "vision"}, kind.RegisteredModel, "eyes", kind.Edit, nil),
		db.CreateGrant(t.Context(), store.Principal{User: member.Username}, kind.RegisteredModel, "own", kind.Read, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	sees := func(path string) (seen trialSeen) {
		t.Helper()
		got := root.Do(t, http.MethodPost, path, nil)
		if err := json.Unmarshal(got.Body, &seen); err != nil || got.Status != http.StatusOK {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		return seen
	}
	before := root.Do(t, http.MethodGet, base+"/users/details", nil)

	w.IDP.SetPerson(devidp.Person{Subject: "new", Username: "new", Email: "new@example.com", Name: "<img src=x onerror=alert(1)>", Groups: []string{world.Members, "vision", "unheard of"},
		Claims: map[string]any{"api_token": "hunter2", "hostile": "\u202e<script>alert(1)</script>"}})
	got := sees(try(t, root, "new"))
	if !got.LetIn || !got.New || got.Admin || got.Cut || got.Username != "new@example.com" || got.claim("api_token") != `"(left out: a credential)"` ||
		got.claim("hostile") != "\"\u202e<script>alert(1)</script>\"" || got.claim("email") != `"new@example.com"` {
		t.Errorf("%+v", got)
	}
	known := map[string]bool{}
	for _, group := range got.Groups {
		known[group.Name] = group.Known
	}
	if diff := cmp.Diff(map[string]bool{world.Members: true, "vision": true, "unheard of": false}, known); diff != "" {
		t.Error(diff)
	}
	if len(got.Access) != 1 || got.Access[0].ID != "eyes" || got.Access[0].Permission != "EDIT" || got.Access[0].Via.Group != "vision" {
		t.Errorf("access %+v", got.Access)
	}

	w.IDP.SetPerson(devidp.Person{Subject: "subject of member", Username: "member", Email: "member@example.com", Name: "member", Groups: []string{"others"}})
	if got := sees(try(t, root, "subject of member")); got.LetIn || got.New || !strings.Contains(got.Refused, "in none of the groups") || len(got.Access) != 0 {
		t.Errorf("%+v", got)
	}
	w.IDP.SetPerson(devidp.Person{Subject: "twin", Username: "member", Email: "member@example.com", Name: "Twin", Groups: []string{world.Members}})
	if got := sees(try(t, root, "twin")); got.LetIn || got.New || !strings.Contains(got.Refused, "belongs to another account") {
		t.Errorf("%+v", got)
	}
	w.IDP.SetPerson(devidp.Person{Subject: "subject of member", Username: "member", Email: "member@example.com", Name: "member", Groups: []string{world.Members, world.Admins, "vision"}})
	if got := sees(try(t, root, "subject of member")); !got.LetIn || got.New || !got.Admin || len(got.Access) != 2 {
		t.Errorf("%+v", got)
	}

	// The attack: a megabyte of claims, and of groups, to fill the store of sessions or the browser.
	var groups []string
	for range 3000 {
		groups = append(groups, world.Name("group"))
	}
	w.IDP.SetPerson(devidp.Person{Subject: "huge", Username: "huge", Email: "huge@example.com", Name: "Huge", Groups: append(groups, world.Members),
		Claims: map[string]any{"blob": strings.Repeat("x", 1<<20)}})
	path := try(t, root, "huge")
	if got := root.Do(t, http.MethodPost, path, nil); got.Status != http.StatusOK || len(got.Body) > 64<<10 {
		t.Errorf("%d, %d bytes", got.Status, len(got.Body))
	}

	// The attacks: see what another tried, see it twice, begin one from another site, or as a member.
	w.IDP.SetPerson(devidp.Person{Subject: "new", Username: "new", Email: "new@example.com", Name: "New", Groups: []string{world.Members}})
	path = try(t, root, "new")
	other := w.Browser(t, "root", world.Members, world.Admins)
	wants(t, other.Do(t, http.MethodPost, path, nil), 404, missing)
	wants(t, member.Do(t, http.MethodPost, path, nil), 403, denied)
	sees(path)
	wants(t, root.Do(t, http.MethodPost, path, nil), 404, missing)
	wants(t, member.Do(t, http.MethodPost, beginning, nil), 403, denied)
	wants(t, w.Person(t, "root", world.Members, world.Admins).Do(t, http.MethodPost, beginning, nil), 403, denied) // with a token
	forged := root.Request(t, http.MethodPost, beginning, nil)
	forged.Header.Set("Origin", "https://evil.example")
	forged.Header.Del("Sec-Fetch-Site")
	if got := root.Send(t, forged); got.Status != 403 || got.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %s", got.Status, got.Body)
	}

	if after := root.Do(t, http.MethodGet, base+"/users/details", nil); string(after.Body) != string(before.Body) {
		t.Errorf("before %s, after %s", before.Body, after.Body)
	}
	if all, err := db.Groups(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("%v, %v", all, err)
	}
	if logged := w.Logged(); strings.Contains(logged, "hunter2") || strings.Contains(logged, "alert(1)") || !strings.Contains(logged, "sign_in_tried") {
		t.Error("what the log says of trials")
	}
}

// What administrators see of the settings of providers holds no secret.
func TestAttackProvidersTellSecrets(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"OIDC_SCOPE": "openid email"})
	root := w.Person(t, "root", world.Admins)
	got := root.JSON(t, http.MethodGet, base+"/permissions/providers", nil)
	one := got["providers"].([]any)[0].(object)
	if one["id"] != "oidc" || one["client_id"] != "gateway" || one["callback"] != "/callback" || one["groups_claim"] != "groups" || one["interactive"] != true {
		t.Errorf("%v", one)
	}
	text, _ := json.Marshal(got) // it came as JSON
	if strings.Contains(string(text), w.Settings["OIDC_CLIENT_SECRET"]) || strings.Contains(string(text), "secret") {
		t.Errorf("%s", text)
	}
}

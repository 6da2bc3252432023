package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const ownSessions = base + "/users/current/sessions"

// sessionsOf gives the rows of a list, the newest first.
func sessionsOf(t *testing.T, c *world.Client, path string) []object {
	t.Helper()
	var rows []object
	for _, row := range c.JSON(t, http.MethodGet, path, nil)["sessions"].([]any) {
		rows = append(rows, row.(object))
	}
	return rows
}

func (c *cast) signedIn(t *testing.T, who *world.Client) bool {
	t.Helper()
	status := who.Do(t, http.MethodGet, base+"/users/current", nil).Status
	if status != 200 && status != 401 {
		t.Fatalf("asked who one is, and answered %d", status)
	}
	return status == 200
}

func pk(row object) string { return fmt.Sprintf("%.0f", row["pk"]) }

func TestOwnerListsAndEndsSessions(t *testing.T) {
	c := newCast(t)
	laptop, phone := c.Browser(t, "owner", world.Members), c.Browser(t, "owner", world.Members)
	rows := sessionsOf(t, laptop, ownSessions)
	if len(rows) != 2 {
		t.Fatalf("the list is %v", rows)
	}
	var mine, other object
	for _, row := range rows {
		if row["current"] == true {
			mine = row
		} else {
			other = row
		}
	}
	if mine == nil || other == nil {
		t.Fatalf("not one of the two is the current one: %v", rows)
	}
	cookie := cookieOf(t, laptop)
	for _, row := range rows {
		created, err := time.Parse(time.RFC3339, row["created_at"].(string))
		if err != nil || time.Since(created) > time.Minute {
			t.Errorf("created at %v", row["created_at"])
		}
		if strings.Contains(cookie, row["session_id_prefix"].(string)) || strings.Contains(cookie, pk(row)) {
			t.Errorf("the row %v tells of the cookie", row)
		}
		delete(row, "created_at")
		delete(row, "last_seen_at")
		delete(row, "expires_at")
	}
	want := object{"pk": other["pk"], "session_id_prefix": other["session_id_prefix"], "provider_id": c.Issuer.URL, "client": "127.0.0.1", "current": false}
	if diff := cmp.Diff(want, other); diff != "" {
		t.Error(diff)
	}
	wants(t, laptop.Do(t, http.MethodDelete, ownSessions+"/"+pk(other), nil), 200, object{"revoked": 1.0})
	if c.signedIn(t, phone) || !c.signedIn(t, laptop) {
		t.Error("not the other session ended")
	}
	wants(t, laptop.Do(t, http.MethodDelete, ownSessions+"/"+pk(other), nil), 404, missing)
	wants(t, laptop.Do(t, http.MethodDelete, ownSessions+"/"+pk(mine), nil), 200, object{"revoked": 1.0})
	if c.signedIn(t, laptop) {
		t.Error("one's own session goes on")
	}
}

func cookieOf(t *testing.T, c *world.Client) string {
	t.Helper()
	request := c.Request(t, http.MethodGet, ownSessions, nil)
	for _, cookie := range c.HTTP.Jar.Cookies(request.URL) {
		if cookie.Name == "session" {
			return cookie.Value
		}
	}
	t.Fatal("there is no session cookie")
	return ""
}

func TestSignOutEverywhereElse(t *testing.T) {
	c := newCast(t)
	one, two, three := c.Browser(t, "owner", world.Members), c.Browser(t, "owner", world.Members), c.Browser(t, "owner", world.Members)
	wants(t, one.Do(t, http.MethodDelete, ownSessions, nil), 200, object{"revoked": 2.0})
	if !c.signedIn(t, one) || c.signedIn(t, two) || c.signedIn(t, three) {
		t.Error("everywhere else is not where it ended")
	}
}

// The attack: end somebody else's session by its number, or through a name of one's own.
func TestAttackSessionOfAnotherUser(t *testing.T) {
	c := newCast(t)
	victim := pk(sessionsOf(t, c.admin, base+"/users/"+c.target.Username+"/sessions")[0])
	for _, thief := range []*world.Client{c.member, c.manager} {
		wants(t, thief.Do(t, http.MethodDelete, ownSessions+"/"+victim, nil), 404, missing)
		wants(t, thief.Do(t, http.MethodDelete, base+"/users/"+c.target.Username+"/sessions/"+victim, nil), 403, denied)
		wants(t, thief.Do(t, http.MethodDelete, base+"/users/"+c.target.Username+"/sessions", nil), 403, denied)
		wants(t, thief.Do(t, http.MethodGet, base+"/users/"+c.target.Username+"/sessions", nil), 403, denied)
	}
	// an administrator, too, names the user whose session it is
	wants(t, c.admin.Do(t, http.MethodDelete, base+"/users/"+c.member.Username+"/sessions/"+victim, nil), 404, missing)
	// and a page of another site ends nothing with one's cookie
	forged := c.target.Request(t, http.MethodDelete, ownSessions+"/"+victim, nil)
	forged.Header.Set("Origin", "https://evil.example")
	wants(t, c.target.Send(t, forged), 403, denied)
	if !c.signedIn(t, c.target) {
		t.Error("the victim was signed out")
	}
}

func TestAdministratorEndsSessions(t *testing.T) {
	c := newCast(t)
	one, two := c.Browser(t, "leaver", world.Members), c.Browser(t, "leaver", world.Members)
	path := base + "/users/LEAVER@example.com/sessions"
	rows := sessionsOf(t, c.admin, path)
	if len(rows) != 2 || rows[0]["current"] == true || rows[1]["current"] == true {
		t.Fatalf("the list is %v", rows)
	}
	wants(t, c.admin.Do(t, http.MethodDelete, path+"/"+pk(rows[0]), nil), 200, object{"revoked": 1.0})
	if c.signedIn(t, one) == c.signedIn(t, two) {
		t.Error("not one of the two ended")
	}
	wants(t, c.admin.Do(t, http.MethodDelete, path, nil), 200, object{"revoked": 1.0})
	if c.signedIn(t, one) || c.signedIn(t, two) {
		t.Error("a session goes on")
	}
	wants(t, c.admin.Do(t, http.MethodGet, path, nil), 200, object{"sessions": list{}})
	wants(t, c.admin.Do(t, http.MethodGet, base+"/users/none/sessions", nil), 404, missing)
}

// The attack: whoever is deactivated or deleted works on with the session of before.
func TestAttackSessionOfAFormerUser(t *testing.T) {
	c := newCast(t)
	off, gone := c.Browser(t, "off", world.Members), c.Browser(t, "gone", world.Members)
	if !c.signedIn(t, off) || !c.signedIn(t, gone) { // and now both are in memory
		t.Fatal("both should be signed in")
	}
	if err := c.App.Store.SetActive(t.Context(), off.Username, false); err != nil {
		t.Fatal(err)
	}
	c.admin.JSON(t, http.MethodDelete, base+"/users", object{"username": gone.Username})
	if c.signedIn(t, off) || c.signedIn(t, gone) {
		t.Error("a former user is signed in")
	}
	c.Browser(t, "gone", world.Members) // signs in anew, as somebody new
	if c.signedIn(t, gone) {
		t.Error("the session of before came back with the name")
	}
}

func TestSessionsInTheUsersDatabase(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"SESSION_TYPE": "database"})
	c := &cast{World: w}
	one, two := w.Browser(t, "owner", world.Members), w.Browser(t, "owner", world.Members)
	w.Restart(t)
	if !c.signedIn(t, one) || !c.signedIn(t, two) {
		t.Error("the sessions did not outlive the gateway")
	}
	wants(t, one.Do(t, http.MethodDelete, ownSessions, nil), 200, object{"revoked": 1.0})
	if !c.signedIn(t, one) || c.signedIn(t, two) {
		t.Error("everywhere else is not where it ended")
	}
}

// Administrators find everybody who is signed in, page by page; nobody else does, and nothing of it is a cookie.
func TestSessionsOfEverybody(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", nil)
	root := w.Browser(t, "root", world.Members, world.Admins)
	one, two, other := w.Browser(t, "anna", world.Members), w.Browser(t, "anna", world.Members), w.Browser(t, "zoë_%", world.Members)
	path := base + "/permissions/sessions"
	rows := sessionsOf(t, root, path)
	var names []any
	for _, row := range rows {
		names = append(names, row["username"])
		if row["current"] != (row["username"] == root.Username) || row["client"] != "127.0.0.1" || row["provider_id"] != w.Issuer.URL {
			t.Errorf("%v", row)
		}
	}
	if diff := cmp.Diff([]any{"anna@example.com", "anna@example.com", "root@example.com", "zoë_%@example.com"}, names); diff != "" {
		t.Error(diff)
	}
	for search, want := range map[string]string{"limit=1&offset=1": "4", "search=ANNA&limit=1": "2", "search=_%25": "1", "search=nobody": "0"} {
		got := root.Do(t, http.MethodGet, path+"?"+search, nil)
		if got.Status != 200 || got.Header.Get("X-Total-Count") != want {
			t.Errorf("%s gives %d, %q in all, %s", search, got.Status, got.Header.Get("X-Total-Count"), got.Body)
		}
	}
	got := root.Do(t, http.MethodGet, path, nil)
	for _, person := range []*world.Client{root, one, two, other} {
		if cookie := cookieOf(t, person); strings.Contains(string(got.Body), cookie) || strings.Contains(string(got.Body), cookie[:8]) {
			t.Errorf("a cookie is in %s", got.Body)
		}
	}
	wants(t, one.Do(t, http.MethodGet, path, nil), 403, denied)
	if got := w.Nobody(t).Do(t, http.MethodGet, path, nil); got.Status != 401 {
		t.Errorf("nobody gets %d", got.Status)
	}
	root.JSON(t, http.MethodDelete, base+"/users/anna@example.com/sessions", nil)
	if left := sessionsOf(t, root, path+"?search=anna"); len(left) != 0 {
		t.Errorf("%v", left)
	}
}

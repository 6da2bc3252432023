package api_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// untrusted are all who are no administrators.
func (c *cast) untrusted() []*world.Client {
	return []*world.Client{c.member, c.editor, c.manager, c.target}
}

// A person makes oneself an administrator: as a new user, as the one that exists, in other spellings of the field, and of the name.
func TestNobodyMakesOneselfAnAdministrator(t *testing.T) {
	c := newCast(t)
	for _, who := range c.untrusted() {
		for _, body := range []object{
			{"username": who.Username, "display_name": "x", "is_admin": true},
			{"username": "  " + who.Username + " ", "display_name": "x", "is_admin": true},
			{"username": "second@example.com", "display_name": "x", "is_admin": true},
			{"username": "robot", "display_name": "x", "is_admin": true, "is_service_account": true, "owner": who.Username},
		} {
			wants(t, who.Do(t, http.MethodPost, base+"/users", body), 403, denied)
		}
		if me := who.JSON(t, http.MethodGet, base+"/users/current", nil); me["is_admin"] != false {
			t.Errorf("%s is an administrator", who.Username)
		}
	}
	wants(t, c.admin.Do(t, http.MethodGet, base+"/users/second@example.com", nil), 404, missing)
}

// A manager gives permissions on what is managed, and by patterns and groups on nothing: a pattern reaches names of others, and a group
// that is made or entered holds what is another's.
func TestPatternsAndGroupsGiveNobodyMore(t *testing.T) {
	c := newCast(t)
	for _, who := range c.untrusted() {
		c.eachPattern(t, func(t *testing.T, k kind.Kind, _ side) {
			for _, holder := range []string{"users/" + who.Username, "groups/" + theGroup} {
				wants(t, who.Do(t, http.MethodPost, base+"/permissions/"+holder+"/"+k.Patterns, object{"regex": ".*", "priority": 0, "permission": "MANAGE"}), 403, denied)
			}
		})
		wants(t, who.Do(t, http.MethodPost, base+"/permissions/groups", object{"group_name": world.Admins}), 403, denied)
		wants(t, who.Do(t, http.MethodPost, base+"/permissions/groups", object{"group_name": "mine"}), 403, denied)
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch} { // there is no way into a group
			if got := who.Do(t, method, base+"/permissions/groups/"+theGroup+"/users", object{"username": who.Username}); got.Status < 400 {
				t.Errorf("%s: %d %s", method, got.Status, got.Body)
			}
		}
	}
}

// A person acts on what is another's: tokens, sessions and identities, by the name and by ids that are guessed through one's own paths.
func TestWhatIsAnothersIsOutOfReach(t *testing.T) {
	c := newCast(t)
	made := c.admin.JSON(t, http.MethodPost, base+"/users/current/tokens", object{"name": "of the administrator"})
	token := strconv.Itoa(int(made["id"].(float64)))
	theirs := base + "/users/" + c.admin.Username
	sessions := c.admin.JSON(t, http.MethodGet, base+"/users/current/sessions", nil)["sessions"].(list)
	session := strconv.FormatInt(int64(sessions[0].(object)["pk"].(float64)), 10)
	for _, who := range c.untrusted() {
		for _, call := range []struct {
			method, at string
			body       any
		}{
			{http.MethodGet, "/tokens", nil}, {http.MethodPost, "/tokens", object{"name": "stolen"}}, {http.MethodDelete, "/tokens", nil}, {http.MethodDelete, "/tokens/" + token, nil},
			{http.MethodGet, "/sessions", nil}, {http.MethodDelete, "/sessions", nil}, {http.MethodDelete, "/sessions/" + session, nil},
			{http.MethodGet, "/identities", nil}, {http.MethodPost, "/identities", object{"provider_id": "oidc", "subject": "mine"}},
			{http.MethodDelete, "/identities?provider_id=oidc&subject=subject%20of%20root", nil},
			{http.MethodPut, "/service-account-source", object{"source": "oidc", "subject": "mine"}},
		} {
			wants(t, who.Do(t, call.method, theirs+call.at, call.body), 403, denied)
		}
		wants(t, who.Do(t, http.MethodDelete, base+"/users/current/tokens/"+token, nil), 404, missing)
		wants(t, who.Do(t, http.MethodDelete, base+"/users/current/sessions/"+session, nil), 404, missing)
		wants(t, who.Do(t, http.MethodPatch, base+"/users/access-token", object{"username": c.admin.Username}), 403, denied)
	}
	if got := c.admin.Do(t, http.MethodGet, base+"/users/current", nil); got.Status != 200 {
		t.Errorf("the administrator was signed out: %d", got.Status)
	}
}

// The owner of a service account has it become more than the owner is: an administrator, or another account's program.
func TestOwnerOfAServiceAccountGetsNoMoreByIt(t *testing.T) {
	c := newCast(t)
	if _, err := c.App.Store.CreateService(t.Context(), directory.User{Username: "robot", ManagedBy: "manual"}, c.manager.Username, directory.Identity{}); err != nil {
		t.Fatal(err)
	}
	wants(t, c.manager.Do(t, http.MethodPost, base+"/users", object{"username": "robot", "display_name": "", "is_admin": true, "is_service_account": true}), 403, denied)
	wants(t, c.manager.Do(t, http.MethodPut, base+"/users/robot/service-account-source", object{"source": "oidc", "subject": "x"}), 403, denied)
	// one that was made an administrator has no owner any more who is none
	c.admin.JSON(t, http.MethodPost, base+"/users", object{"username": "robot", "display_name": "", "is_admin": true, "is_service_account": true})
	wants(t, c.manager.Do(t, http.MethodPost, base+"/users/robot/tokens", object{"name": "of the owner"}), 403, denied)
	wants(t, c.manager.Do(t, http.MethodPatch, base+"/users/access-token", object{"username": "robot"}), 403, denied)
}

// What is in the trash is others' work, and webhooks hear of it all; both are for administrators, whoever made what is in there.
func TestTrashAndWebhooksAreForAdministrators(t *testing.T) {
	c := newCast(t)
	c.manager.JSON(t, http.MethodPost, base+"/experiments/delete", object{"experiment_id": c.on[kind.Experiment]})
	for _, who := range append(c.untrusted(), c.nobody) {
		want, form := 403, denied
		if who == c.nobody {
			want, form = 401, refused("UNAUTHENTICATED")
		}
		for _, call := range []struct{ method, at string }{{http.MethodGet, "/oidc/trash/experiments"}, {http.MethodGet, "/oidc/trash/runs"},
			{http.MethodPost, "/oidc/trash/experiments/" + c.on[kind.Experiment] + "/restore"}, {http.MethodPost, "/oidc/trash/cleanup"}, {http.MethodGet, "/oidc/webhook"}} {
			wants(t, who.Do(t, call.method, call.at, nil), want, form)
		}
	}
}

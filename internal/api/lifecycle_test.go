package api_test

import (
	"net/http"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// accountOf is a person as administrators see it.
func accountOf(username string, active bool, managedBy string) object {
	return object{"username": username, "display_name": username[:len(username)-len("@example.com")], "is_admin": false, "is_service_account": false,
		"active": active, "managed_by": managedBy, "service_account_source": nil}
}

func TestAccountsAreListedWithTheirSources(t *testing.T) {
	c := newCast(t)
	if _, err := c.App.Store.CreateService(t.Context(), directory.User{Username: "robot", DisplayName: "Robot", ManagedBy: "manual"}, "", directory.Identity{}); err != nil {
		t.Fatal(err)
	}
	wants(t, c.admin.Do(t, http.MethodGet, base+"/users/details?service=false&search=TARGET", nil), 200, list{accountOf(c.target.Username, true, "oidc:oidc")})
	wants(t, c.admin.Do(t, http.MethodGet, base+"/users/details?service=true", nil), 200, list{object{"username": "robot", "display_name": "Robot", "is_admin": false,
		"is_service_account": true, "active": true, "managed_by": "manual", "service_account_source": "internal"}})
	wants(t, c.admin.Do(t, http.MethodGet, base+"/users/details?service=perhaps", nil), 422, invalid)
}

// Who is deactivated is out with every credential, and none of them is good again with the account: only a new sign-in is.
func TestDeactivatedAccountIsOutWithAllThatItHolds(t *testing.T) {
	c := newCast(t)
	person := c.World.Person(t, "leaver", world.Members)
	browser := c.Browser(t, "leaver", world.Members)
	c.give(t, store.Principal{User: person.Username}, kind.RegisteredModel, kind.Read)
	active := base + "/users/" + person.Username + "/active"
	in := func() (token, session int) {
		return person.Do(t, http.MethodGet, base+"/users/current", nil).Status, browser.Do(t, http.MethodGet, base+"/users/current", nil).Status
	}
	wants(t, c.admin.Do(t, http.MethodPatch, active, object{"active": false}), 200, accountOf(person.Username, false, "oidc:oidc"))
	if token, session := in(); token != 401 || session != 401 {
		t.Errorf("token %d, session %d", token, session)
	}
	wants(t, c.admin.Do(t, http.MethodPatch, active, object{"active": true, "admin_override": true}), 200, accountOf(person.Username, true, "oidc:oidc"))
	if token, session := in(); token != 401 || session != 401 {
		t.Errorf("after the activation: token %d, session %d", token, session)
	}
	again := c.Browser(t, "leaver", world.Members) // permissions have stayed
	if got := again.Do(t, http.MethodGet, base+"/registered-models/get?name="+c.on[kind.RegisteredModel], nil); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	wants(t, c.admin.Do(t, http.MethodPatch, base+"/users/none/active", object{"active": false}), 404, missing)
	wants(t, c.admin.Do(t, http.MethodPatch, active, object{}), 422, invalid)
}

// The last administrator cannot be put out, by itself neither: nobody could let anybody in again.
func TestLastAdministratorCannotBeDeactivated(t *testing.T) {
	c := newCast(t)
	wants(t, c.admin.Do(t, http.MethodPatch, base+"/users/"+c.admin.Username+"/active", object{"active": false}), 409, conflict)
}

func TestOwnershipIsHandedOver(t *testing.T) {
	c := newCast(t)
	change := func(body object) world.Answer { return c.admin.Do(t, http.MethodPatch, base+"/users/ownership", body) }
	wants(t, change(object{"username": c.target.Username, "managed_by": "manual", "memberships": true}), 200, object{"username": c.target.Username, "managed_by": "manual",
		"previous": "oidc:oidc", "memberships": list{object{"group": world.Members, "from": "oidc:oidc"}, object{"group": theGroup, "from": "oidc:oidc"}}})
	c.Browser(t, "target", world.Members) // the provider does not name the group any more, and may not take it away
	if got := c.admin.JSON(t, http.MethodGet, base+"/users/"+c.target.Username, nil); len(got["groups"].(list)) != 2 {
		t.Errorf("the groups are %v", got["groups"])
	}
	wants(t, change(object{"username": c.target.Username, "managed_by": "oidc:oidc"}), 200, object{"username": c.target.Username, "managed_by": "oidc:oidc", "previous": "manual"})
	for _, owner := range []string{"", "root", "oidc:", "oidc:none", "saml:none", "MANUAL", "manual\n", "oidc:oidc "} {
		wants(t, change(object{"username": c.target.Username, "managed_by": owner}), 400, invalid)
	}
	wants(t, change(object{"username": "none", "managed_by": "manual"}), 404, missing)
}

// A person who is no administrator takes an account over: one's own, to be in groups for good, and a service account's.
func TestOwnershipIsNotTaken(t *testing.T) {
	c := newCast(t)
	if _, err := c.App.Store.CreateService(t.Context(), directory.User{Username: "robot", ManagedBy: "manual"}, c.manager.Username, directory.Identity{}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []*world.Client{c.member, c.manager, c.target} {
		for _, account := range []string{who.Username, c.admin.Username, "robot", "none"} {
			wants(t, who.Do(t, http.MethodPatch, base+"/users/ownership", object{"username": account, "managed_by": "manual", "memberships": true}), 403, denied)
			wants(t, who.Do(t, http.MethodPatch, base+"/users/"+account+"/active", object{"active": false}), 403, denied)
		}
	}
}

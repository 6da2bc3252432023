package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// What was read of MLflow a moment ago searches and counts, and decides nothing.
func TestListedDecidesNothing(t *testing.T) {
	mlflow := mlflowtest.NewMany(t, 3, func(i int) string { return []string{"", "mine/1", "mine/2", "other"}[i] })
	w := world.New(t, mlflow.Address, nil)
	member, admin := w.Browser(t, "member", world.Members), w.Browser(t, "root", world.Members, world.Admins)
	p := store.Principal{User: member.Username}
	if err := w.App.Store.CreatePattern(t.Context(), p, authz.Grant{Kind: kind.Experiment, Pattern: "mine/.*", Priority: 1, Level: kind.Manage}); err != nil {
		t.Fatal(err)
	}
	at := base + "/permissions/experiments?limit=25"
	one := func(id, name string) object { return object{"id": id, "name": name, "tags": object{"team": id}} }
	wants(t, member.Do(t, http.MethodGet, at, nil), 200, list{one("1", "mine/1"), one("2", "mine/2")})
	wants(t, admin.Do(t, http.MethodGet, at+"&search=OTH", nil), 200, list{one("3", "other")})

	// The attack: look at a list while what is in it gets a name that is not to be known.
	mlflow.Set("2", "secret")
	wants(t, member.Do(t, http.MethodGet, at, nil), 200, list{one("1", "mine/1")})
	mlflow.Delete("1")
	wants(t, member.Do(t, http.MethodGet, at, nil), 200, list{})
	// The attack: end the text of a filter, or be a sign of its language.
	for _, hostile := range []string{"%27%20OR%20name%20LIKE%20%27%25", "%25", "_", "%5C", "%60"} {
		wants(t, member.Do(t, http.MethodGet, at+"&search="+hostile, nil), 200, list{})
		wants(t, admin.Do(t, http.MethodGet, at+"&search="+hostile, nil), 200, list{})
	}

	if err := w.App.Store.CreateGrant(t.Context(), p, kind.Experiment, "3", kind.Read, nil); err != nil {
		t.Fatal(err)
	}
	names := func(by *world.Client, at, in string) (got []string) {
		rows, _ := by.JSON(t, http.MethodGet, base+at, nil)[in].(list)
		for _, row := range rows {
			name, _ := row.(object)["name"].(string)
			got = append(got, name)
		}
		return got
	}
	if got := names(member, "/permissions/what", "access"); !cmp.Equal(got, []string{"other"}) {
		t.Errorf("what has the names %v", got)
	}
	if got := names(admin, "/permissions/who?kind=experiment&id=3", "access"); !cmp.Equal(got, []string{"other"}) {
		t.Errorf("who has the names %v", got)
	}
	of := "/permissions/holdings?user=" + strings.ReplaceAll(member.Username, "@", "%40")
	for search, want := range map[string][]string{"": {"", "other"}, "OTHE": {"other"}, "3": {"other"}, "secret": nil, "%25": nil, "mine": {""}} {
		if got := names(admin, of+"&search="+search, "holdings"); !cmp.Equal(got, want) {
			t.Errorf("holdings with %q have the names %q, not %q", search, got, want)
		}
	}
}

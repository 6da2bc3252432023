package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

func TestGroupsOfACreatorGetTheirShare(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann", "red", "blue", "everybody")
	login(t, db, "s2", "bob", "green")
	shares := func(k kind.Name, resource string) (held map[string]string) {
		t.Helper()
		must(t, db.Created(t.Context(), k, resource, ann.ID))
		users, groups, err := db.GrantsOn(t.Context(), k, resource)
		must(t, err)
		held = map[string]string{}
		for _, h := range append(users, groups...) {
			held[h.Name] = h.Level.String()
		}
		return held
	}
	alone := map[string]string{"ann": "MANAGE"}
	if diff := cmp.Diff(alone, shares(kind.Experiment, "1")); diff != "" {
		t.Errorf("unless it is set: %s", diff)
	}
	db.ShareNew(Share{Level: kind.Read, Except: []string{"everybody"}})
	shared := map[string]string{"ann": "MANAGE", "red": "READ", "blue": "READ"}
	for k, want := range map[kind.Name]map[string]string{kind.Experiment: shared, kind.RegisteredModel: shared, kind.GatewayEndpoint: shared,
		kind.Scorer: alone, kind.Workspace: alone} {
		for range 2 { // also where one of that name was before
			if diff := cmp.Diff(want, shares(k, "7/a")); diff != "" {
				t.Errorf("%s: %s", k, diff)
			}
		}
	}
	db.ShareNew(Share{Level: kind.Edit})
	if diff := cmp.Diff(map[string]string{"ann": "MANAGE", "red": "EDIT", "blue": "EDIT", "everybody": "EDIT"}, shares(kind.Experiment, "2")); diff != "" {
		t.Error(diff)
	}
}

package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// The attack: go on with what was given for a while, by whichever source it came.
func TestAttackGrantAfterItsEnd(t *testing.T) {
	db := openTest(t)
	now := time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC)
	db.now = func() time.Time { return now }
	ann := login(t, db, "s", "ann", "red")
	user, group := Principal{User: "ann"}, Principal{Group: "red"}
	end := now.Add(time.Hour)
	pattern := authz.Grant{Kind: kind.Experiment, Pattern: ".*", Priority: 1, Level: kind.Read, Expires: end}
	role, err := db.CreateRole(t.Context(), directory.Role{Workspace: kind.DefaultWorkspace, Name: "team"})
	must(t, err)
	_, err = db.AddRolePermission(t.Context(), directory.RolePermission{RoleID: role.ID, Type: "experiment", Pattern: "1", Resource: "1", Permission: "EDIT"})
	must(t, err)
	give := func() {
		t.Helper()
		must(t, db.CreateGrant(t.Context(), user, kind.Experiment, "1", kind.Edit, &end))
		must(t, db.CreateGrant(t.Context(), group, kind.Experiment, "1", kind.Read, &end))
		must(t, db.CreatePattern(t.Context(), user, pattern))
		must(t, db.CreatePattern(t.Context(), group, pattern))
		one, err := db.AssignRole(t.Context(), ann.ID, role.ID, &end)
		must(t, err)
		if !one.ExpiresAt.Equal(end) {
			t.Errorf("the assignment ends at %v", one.ExpiresAt)
		}
	}
	held := func() (sources []string) {
		t.Helper()
		all, err := db.GrantsOf(t.Context(), ann.ID)
		must(t, err)
		for _, g := range all {
			if sources = append(sources, g.Source.String()); !g.Expires.Equal(end) {
				t.Errorf("%v ends at %v", g.Source, g.Expires)
			}
		}
		return sources
	}
	listed := func() (n int) {
		t.Helper()
		for _, p := range []Principal{user, group} {
			exact, err := db.Grants(t.Context(), p, kind.Experiment)
			must(t, err)
			patterns, err := db.Patterns(t.Context(), p, kind.Experiment)
			must(t, err)
			n += len(exact) + len(patterns)
		}
		for _, ofGroups := range []bool{false, true} {
			all, err := db.PatternHolders(t.Context(), kind.Experiment, ofGroups)
			must(t, err)
			n += len(all)
		}
		users, groups, err := db.GrantsOn(t.Context(), kind.Experiment, "1")
		must(t, err)
		roles, err := db.RolesOf(t.Context(), ann.ID)
		must(t, err)
		assigned, err := db.AssignmentsOf(t.Context(), role.ID)
		must(t, err)
		all, err := db.Assignments(t.Context())
		must(t, err)
		direct, err := db.AllGrants(t.Context(), ann.ID)
		must(t, err)
		return n + len(users) + len(groups) + len(roles) + len(assigned) + len(all) + len(direct)
	}
	give()
	every := []string{"user", "group", "regex", "group-regex", "role"}
	if diff := cmp.Diff(every, held()); diff != "" || listed() != 12 {
		t.Errorf("before the end: %s%d", diff, listed())
	}
	now = end
	if got := held(); got != nil || listed() != 0 {
		t.Errorf("at the end: %v, %d", got, listed())
	}
	wantCode(t, db.UpdateGrant(t.Context(), user, kind.Experiment, "1", kind.Manage, nil), errs.NotFound)
	wantCode(t, db.UpdatePattern(t.Context(), user, authz.Grant{ID: 1, Kind: kind.Experiment, Pattern: ".*", Level: kind.Manage}, nil), errs.NotFound)
	end = now.Add(time.Hour)
	pattern.Expires = end
	give() // what has ended is in the way of nothing
	if diff := cmp.Diff(every, held()); diff != "" || listed() != 12 {
		t.Errorf("anew: %s%d", diff, listed())
	}
}

func TestEndOfAGrantIsChanged(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann")
	user, end, later, never := Principal{User: "ann"}, db.now().Add(time.Hour).Truncate(time.Second), db.now().Add(2*time.Hour).Truncate(time.Second), time.Time{}
	must(t, db.CreateGrant(t.Context(), user, kind.Experiment, "1", kind.Read, &end))
	must(t, db.CreatePattern(t.Context(), user, authz.Grant{Kind: kind.Experiment, Pattern: "a", Level: kind.Read, Expires: end}))
	for _, c := range []struct {
		name  string
		until *time.Time
		want  time.Time
	}{{"left out", nil, end}, {"later", &later, later}, {"none", &never, never}, {"an end again", &end, end}} {
		must(t, db.UpdateGrant(t.Context(), user, kind.Experiment, "1", kind.Edit, c.until))
		must(t, db.UpdatePattern(t.Context(), user, authz.Grant{ID: 1, Kind: kind.Experiment, Pattern: "b", Level: kind.Edit}, c.until))
		exact, err := db.Grants(t.Context(), user, kind.Experiment)
		must(t, err)
		patterns, err := db.Patterns(t.Context(), user, kind.Experiment)
		must(t, err)
		if len(exact) != 1 || len(patterns) != 1 || !exact[0].Expires.Equal(c.want) || !patterns[0].Expires.Equal(c.want) || exact[0].Level != kind.Edit {
			t.Errorf("%s: %v, %v, want the end %v", c.name, exact, patterns, c.want)
		}
	}
	wantCode(t, db.GrantDirectly(t.Context(), 1, kind.DefaultWorkspace, on("experiment", "1", "READ")), errs.Conflict)
	db.now = func() time.Time { return end }
	must(t, db.GrantDirectly(t.Context(), 1, kind.DefaultWorkspace, on("experiment", "1", "READ")))
}

package store

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// A trial says what the sign-in then comes to, and leaves everything as it is. That nothing is recorded of it is part of that: the
// events would tell of accounts that there never were.
func TestTryLoginSaysWhatASignInComesToAndChangesNothing(t *testing.T) {
	db := openTest(t)
	ann := from(t, db, at("a", "ann"), "ann", false, "red", "blue")
	from(t, db, at("a", "off"), "off", false, "red")
	must(t, db.SetActive(t.Context(), "off", false))
	_, err := db.CreateUser(t.Context(), directory.User{Username: "robot", Service: true})
	must(t, err)
	must(t, db.CreateGrant(t.Context(), Principal{User: "ann"}, kind.Experiment, "1", kind.Edit, nil))
	must(t, db.CreateGrant(t.Context(), Principal{Group: "red"}, kind.Experiment, "2", kind.Read, nil))
	must(t, db.CreateGroup(t.Context(), "green"))
	must(t, db.CreateGrant(t.Context(), Principal{Group: "green"}, kind.Experiment, "3", kind.Manage, nil))
	events := 0
	db.OnEvent(func(context.Context, audit.Event) { events++ })
	for _, c := range []struct {
		name    string
		login   directory.Login
		tried   directory.Tried
		refused string
		on      []string
	}{
		{"one with an account", directory.Login{Identity: at("a", "ann"), Username: "Ann", Groups: []string{"green", "new"}},
			directory.Tried{User: directory.User{Username: "ann", Active: true}, Known: []string{"green"}, Groups: []string{"green", "new"}}, "", []string{"1", "3"}},
		{"one who is new", directory.Login{Identity: at("a", "zed"), Username: "zed", Groups: []string{"red"}, Admin: true},
			directory.Tried{User: directory.User{Username: "zed", Active: true, Admin: true}, New: true, Known: []string{"red"}, Groups: []string{"red"}}, "", []string{"2"}},
		{"the name of another", directory.Login{Identity: at("b", "x"), Username: "ann", Groups: []string{"red"}},
			directory.Tried{Known: []string{"red"}}, "the name ann belongs to another account; an administrator has to link them", nil},
		{"the name of a service account", directory.Login{Identity: at("a", "y"), Username: "robot"},
			directory.Tried{}, "the name robot belongs to another account; an administrator has to link them: it is a service account's", nil},
		{"a deactivated account", directory.Login{Identity: at("a", "off"), Username: "off"}, directory.Tried{}, "the account off is deactivated", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := db.Change(t.Context())
			must(t, err)
			groups, err := db.Groups(t.Context())
			must(t, err)
			users, err := db.Users(t.Context(), false)
			must(t, err)
			tried, rows, err := db.TryLogin(t.Context(), c.login)
			must(t, err)
			says := ""
			if tried.Refused != nil {
				says, tried.User = tried.Refused.Error(), directory.User{}
			}
			tried.Refused = nil
			if diff := cmp.Diff(c.tried, tried, cmpopts.IgnoreFields(directory.User{}, "ID", "ManagedBy", "CreatedAt", "UpdatedAt", "DisplayName")); diff != "" || says != c.refused {
				t.Errorf("%s, refused: %q", diff, says)
			}
			if diff := cmp.Diff(c.on, resourcesOf(rows)); diff != "" {
				t.Error(diff)
			}
			afterGroups, err := db.Groups(t.Context())
			must(t, err)
			afterUsers, err := db.Users(t.Context(), false)
			must(t, err)
			if after, err := db.Change(t.Context()); err != nil || after != before || events != 0 || !cmp.Equal(groups, afterGroups) || !cmp.Equal(users, afterUsers) {
				t.Errorf("the counter went from %d to %d, %d events, groups %v, users %v, %v", before, after, events, afterGroups, afterUsers, err)
			}
			if got := held(t, db, ann); !cmp.Equal(got, []string{"blue", "red"}) {
				t.Errorf("ann is in %v", got)
			}
		})
	}
	// and the sign-in itself comes to the same
	user := from(t, db, at("a", "ann"), "Ann", false, "green", "new")
	rows, err := db.GrantsOf(t.Context(), user.ID)
	must(t, err)
	if diff := cmp.Diff([]string{"1", "3"}, resourcesOf(rows)); diff != "" {
		t.Error(diff)
	}
}

func resourcesOf(rows []authz.Grant) []string {
	var all []string
	for _, g := range rows {
		all = append(all, g.Resource)
	}
	return all
}

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// everything reads all rows of all watched tables.
func everything(t *testing.T, db *DB) map[string]map[string]seen {
	t.Helper()
	all := map[string]map[string]seen{}
	for name, table := range watchedTables {
		rows, err := table.read(t.Context(), db.read, chosen{"1 = 1", nil})
		if err != nil {
			t.Fatal(err)
		}
		all[name] = map[string]seen{}
		for _, row := range rows {
			all[name][row.key] = row
		}
	}
	return all
}

// difference gives the events that all is that differs.
func difference(before, after map[string]map[string]seen) []string {
	var all []string
	for name, table := range watchedTables {
		both := maps.Clone(before[name])
		maps.Copy(both, after[name])
		for key := range both {
			was, had := before[name][key]
			is, has := after[name][key]
			for _, e := range table.events(was, is, had, has, time.Now().UTC()) {
				all = append(all, told(e))
			}
		}
	}
	slices.Sort(all)
	return all
}

func told(e audit.Event) string {
	states := audit.Entry{Event: audit.Event{Before: e.Before, After: e.After}}
	return fmt.Sprintf("%s account=%s group=%s %s %s in %q %s", e.Name, e.Account, e.Group, e.Kind, e.Resource, e.Workspace, states.Details())
}

// kept gives the events that are stored, the newest first.
func kept(t *testing.T, db *DB) []audit.Entry {
	t.Helper()
	all, err := db.Audit(t.Context(), audit.Query{Most: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// operation is something that changes who may do what.
type operation struct {
	name string
	do   func(ctx context.Context, db *DB) error
	want []audit.Name // of its events, in any order, each once
}

func operations() []operation {
	ann, red := Principal{User: "ann"}, Principal{Group: "red"}
	id := directory.Identity{Provider: "oidc", Subject: "ann"}
	says := func(admin bool, name string, groups ...string) directory.Login {
		return directory.Login{Identity: id, Username: name, DisplayName: "Ann", Admin: admin, Groups: groups}
	}
	user := func(ctx context.Context, db *DB, name string) int64 {
		u, _ := db.User(ctx, name) // of nobody it is 0
		return u.ID
	}
	role := func(ctx context.Context, db *DB) directory.Role {
		all, err := db.Roles(ctx)
		if err != nil || len(all) == 0 {
			return directory.Role{}
		}
		return all[0]
	}
	pattern := func(ctx context.Context, db *DB) int64 {
		all, err := db.Patterns(ctx, ann, kind.Experiment)
		if err != nil || len(all) == 0 {
			return 0
		}
		return all[0].ID
	}
	direct := directory.RolePermission{Type: "experiment", Pattern: "*", Resource: authz.Everything, Permission: "READ"}
	plain := directory.RolePermission{Type: "experiment", Pattern: "9", Resource: "9", Permission: "READ"}
	permission := directory.RolePermission{Type: "registered_model", Pattern: "m", Resource: "m", Permission: "READ"}
	space := func(ctx context.Context) context.Context { return workspace.In(ctx, workspace.Scope{Name: "lab"}) }
	rule := func(ctx context.Context, db *DB) attach.Rule {
		all, err := db.WorkspaceRules(ctx)
		if err != nil || len(all) == 0 {
			return attach.Rule{}
		}
		return all[0]
	}
	return []operation{
		{"a first sign-in", func(ctx context.Context, db *DB) error {
			_, err := db.RecordLogin(ctx, says(false, "ann", "red"))
			return err
		},
			[]audit.Name{audit.AccountMade, audit.IdentityLinked, audit.GroupMade, audit.MembershipGiven}},
		{"a sign-in as administrator of other groups", func(ctx context.Context, db *DB) error {
			_, err := db.RecordLogin(ctx, says(true, "ann", "red", "blue"))
			return err
		}, []audit.Name{audit.AdminGained, audit.GroupMade, audit.MembershipGiven}},
		{"a sign-in that says nothing new", func(ctx context.Context, db *DB) error {
			_, err := db.RecordLogin(ctx, says(true, "ann", "red", "blue"))
			return err
		}, nil},
		{"a renewal without them", func(ctx context.Context, db *DB) error {
			_, err := db.ConfirmLogin(ctx, says(false, "ann", "red"))
			return err
		},
			[]audit.Name{audit.AdminLost, audit.MembershipTaken}},
		{"a new name at the provider", func(ctx context.Context, db *DB) error {
			_, err := db.ConfirmLogin(ctx, says(false, "anna", "red"))
			return err
		},
			[]audit.Name{audit.AccountChanged}},
		{"the old one again", func(ctx context.Context, db *DB) error {
			_, err := db.ConfirmLogin(ctx, says(false, "ann", "red"))
			return err
		},
			[]audit.Name{audit.AccountChanged}},
		{"the token of a stranger", func(ctx context.Context, db *DB) error {
			bearer := directory.Identity{Provider: "oidc", Subject: "bot"}
			login := directory.Login{Identity: bearer, Username: "bot", DisplayName: "Bot", Groups: []string{"red"}}
			return db.RecordBearer(ctx, directory.Bearer{Identity: bearer, Says: &login, Create: true, Groups: true, Issued: time.Now()})
		}, []audit.Name{audit.AccountMade, audit.IdentityLinked, audit.MembershipGiven}},
		{"making an administrator", func(ctx context.Context, db *DB) error {
			_, err := db.CreateUser(ctx, directory.User{Username: "root", Admin: true, ManagedBy: directory.Manual})
			return err
		}, []audit.Name{audit.AccountMade, audit.AdminGained}},
		{"making a local account", func(ctx context.Context, db *DB) error {
			_, err := db.CreateLocal(ctx, directory.User{Username: "local", ManagedBy: directory.Manual}, "a hash that is nobody's to see")
			return err
		}, []audit.Name{audit.AccountMade}},
		{"making a service account", func(ctx context.Context, db *DB) error {
			_, err := db.CreateService(ctx, directory.User{Username: "job", ManagedBy: directory.Manual}, "ann", directory.Identity{Provider: "oidc", Subject: "job"})
			return err
		}, []audit.Name{audit.ServiceMade, audit.OwnerGiven, audit.IdentityLinked}},
		{"who made a job", func(ctx context.Context, db *DB) error { return db.Own(ctx, "job", "j1", user(ctx, db, "local")) }, []audit.Name{audit.MakerNoted}},
		{"the job is another's", func(ctx context.Context, db *DB) error { return db.Own(ctx, "job", "j1", user(ctx, db, "job")) }, []audit.Name{audit.MakerNoted}},
		{"who made it, forgotten", func(ctx context.Context, db *DB) error { return db.Disown(ctx, "job", "j1") }, []audit.Name{audit.MakerForgotten}},
		{"another owner", func(ctx context.Context, db *DB) error { return db.SetServiceOwner(ctx, "job", "local") }, []audit.Name{audit.OwnerGiven, audit.OwnerTaken}},
		{"another identity", func(ctx context.Context, db *DB) error {
			return db.BindService(ctx, "job", directory.Identity{Provider: "oidc", Subject: "other"})
		}, []audit.Name{audit.IdentityLinked, audit.IdentityUnlinked}},
		{"an administrator of a service account", func(ctx context.Context, db *DB) error { return db.SetRoles(ctx, "job", true, true) },
			[]audit.Name{audit.AdminGained, audit.OwnerTaken}},
		{"a person of a service account", func(ctx context.Context, db *DB) error { return db.SetRoles(ctx, "job", false, false) },
			[]audit.Name{audit.AdminLost, audit.AccountChanged}},
		{"an administrator among service accounts", func(ctx context.Context, db *DB) error {
			_, err := db.CreateService(ctx, directory.User{Username: "deploy", Admin: true, ManagedBy: directory.Manual}, "root", directory.Identity{})
			return err
		}, []audit.Name{audit.ServiceMade, audit.AdminGained, audit.OwnerGiven}},
		{"demoting its owner", func(ctx context.Context, db *DB) error { return db.SetRoles(ctx, "root", false, false) },
			[]audit.Name{audit.AdminLost, audit.OwnerTaken}},
		{"deactivating", func(ctx context.Context, db *DB) error { return db.Deactivate(ctx, "local") }, []audit.Name{audit.AccountDeactivated}},
		{"activating", func(ctx context.Context, db *DB) error { return db.SetActive(ctx, "local", true) }, []audit.Name{audit.AccountActivated}},
		{"handing over", func(ctx context.Context, db *DB) error {
			_, err := db.HandOver(ctx, "bot", directory.Manual, true)
			return err
		},
			[]audit.Name{audit.AccountHandedOver, audit.MembershipGiven, audit.MembershipTaken}},
		{"linking", func(ctx context.Context, db *DB) error {
			return db.LinkIdentity(ctx, "local", directory.Identity{Provider: "second", Subject: "l"})
		}, []audit.Name{audit.IdentityLinked}},
		{"unlinking", func(ctx context.Context, db *DB) error {
			return db.UnlinkIdentity(ctx, "local", directory.Identity{Provider: "second", Subject: "l"})
		}, []audit.Name{audit.IdentityUnlinked}},
		{"making a group", func(ctx context.Context, db *DB) error { return db.CreateGroup(ctx, "green") }, []audit.Name{audit.GroupMade}},
		{"giving a grant", func(ctx context.Context, db *DB) error {
			return db.CreateGrant(ctx, ann, kind.Experiment, "1", kind.Read, nil)
		}, []audit.Name{audit.GrantGiven}},
		{"giving a group one", func(ctx context.Context, db *DB) error {
			return db.CreateGrant(space(ctx), red, kind.RegisteredModel, "m", kind.Edit, nil)
		}, []audit.Name{audit.GrantGiven}},
		{"changing it", func(ctx context.Context, db *DB) error {
			return db.UpdateGrant(ctx, ann, kind.Experiment, "1", kind.Manage, nil)
		}, []audit.Name{audit.GrantChanged}},
		{"renaming what it is on", func(ctx context.Context, db *DB) error { return db.Renamed(space(ctx), kind.RegisteredModel, "m", "n") }, []audit.Name{audit.GrantChanged}},
		{"taking it", func(ctx context.Context, db *DB) error { return db.DeleteGrant(ctx, ann, kind.Experiment, "1") }, []audit.Name{audit.GrantTaken}},
		{"giving a pattern", func(ctx context.Context, db *DB) error {
			return db.CreatePattern(ctx, ann, authz.Grant{Kind: kind.Experiment, Pattern: "a.*", Priority: 1, Level: kind.Read})
		}, []audit.Name{audit.PatternGiven}},
		{"changing it too", func(ctx context.Context, db *DB) error {
			return db.UpdatePattern(ctx, ann, authz.Grant{ID: pattern(ctx, db), Kind: kind.Experiment, Pattern: "b.*", Priority: 2, Level: kind.Edit}, nil)
		}, []audit.Name{audit.PatternChanged}},
		{"taking the pattern", func(ctx context.Context, db *DB) error {
			return db.DeletePattern(ctx, ann, kind.Experiment, pattern(ctx, db))
		}, []audit.Name{audit.PatternTaken}},
		{"creating a resource", func(ctx context.Context, db *DB) error {
			return db.Created(ctx, kind.RegisteredModel, "m", user(ctx, db, "ann"))
		}, []audit.Name{audit.GrantGiven}},
		{"creating one that is shared with groups", func(ctx context.Context, db *DB) error {
			db.ShareNew(Share{Level: kind.Read})
			defer db.ShareNew(Share{})
			return db.Created(ctx, kind.RegisteredModel, "shared", user(ctx, db, "ann"))
		}, []audit.Name{audit.GrantGiven}},
		{"giving something that has ended", func(ctx context.Context, db *DB) error {
			past := time.Now().Add(-time.Hour)
			return db.CreateGrant(ctx, ann, kind.Experiment, "5", kind.Edit, &past)
		}, []audit.Name{audit.GrantGiven}},
		{"giving it anew for a while", func(ctx context.Context, db *DB) error {
			later := time.Now().Add(time.Hour)
			return db.CreateGrant(ctx, ann, kind.Experiment, "5", kind.Read, &later)
		}, []audit.Name{audit.GrantGiven, audit.GrantTaken}},
		{"giving it for longer", func(ctx context.Context, db *DB) error {
			never := time.Time{}
			return db.UpdateGrant(ctx, ann, kind.Experiment, "5", kind.Read, &never)
		}, []audit.Name{audit.GrantChanged}},
		{"making a role", func(ctx context.Context, db *DB) error {
			_, err := db.CreateRole(ctx, directory.Role{Workspace: "default", Name: "readers"})
			return err
		}, []audit.Name{audit.RoleMade}},
		{"describing it", func(ctx context.Context, db *DB) error {
			text := "they read"
			return db.UpdateRole(ctx, role(ctx, db).ID, nil, &text)
		}, []audit.Name{audit.RoleChanged}},
		{"giving it a permission", func(ctx context.Context, db *DB) error {
			p := permission
			p.RoleID = role(ctx, db).ID
			_, err := db.AddRolePermission(ctx, p)
			return err
		}, []audit.Name{audit.RolePermGiven}},
		{"changing that", func(ctx context.Context, db *DB) error {
			r := role(ctx, db)
			return db.UpdateRolePermission(ctx, r.ID, r.Permissions[0].ID, "EDIT")
		}, []audit.Name{audit.RolePermChanged}},
		{"assigning it", func(ctx context.Context, db *DB) error {
			_, err := db.AssignRole(ctx, user(ctx, db, "ann"), role(ctx, db).ID, nil)
			return err
		}, []audit.Name{audit.RoleAssigned}},
		{"renaming the model of the role", func(ctx context.Context, db *DB) error { return db.Renamed(ctx, kind.RegisteredModel, "m", "n") }, []audit.Name{audit.GrantChanged, audit.RolePermChanged}},
		{"deleting the model of the role", func(ctx context.Context, db *DB) error { return db.Deleted(ctx, kind.RegisteredModel, "n") }, []audit.Name{audit.GrantTaken, audit.RolePermTaken}},
		{"giving it another permission", func(ctx context.Context, db *DB) error {
			p := permission
			p.RoleID = role(ctx, db).ID
			_, err := db.AddRolePermission(ctx, p)
			return err
		}, []audit.Name{audit.RolePermGiven}},
		{"taking that", func(ctx context.Context, db *DB) error {
			r := role(ctx, db)
			return db.RemoveRolePermission(ctx, r.ID, r.Permissions[0].ID)
		}, []audit.Name{audit.RolePermTaken}},
		{"taking the role", func(ctx context.Context, db *DB) error {
			return db.UnassignRole(ctx, user(ctx, db, "ann"), role(ctx, db).ID)
		}, []audit.Name{audit.RoleUnassigned}},
		{"assigning it again", func(ctx context.Context, db *DB) error {
			_, err := db.AssignRole(ctx, user(ctx, db, "ann"), role(ctx, db).ID, nil)
			return err
		}, []audit.Name{audit.RoleAssigned}},
		{"deleting the role", func(ctx context.Context, db *DB) error { return db.DeleteRole(ctx, role(ctx, db).ID) }, []audit.Name{audit.RoleDeleted, audit.RoleUnassigned}},
		{"granting directly", func(ctx context.Context, db *DB) error {
			return db.GrantDirectly(ctx, user(ctx, db, "ann"), "default", direct)
		}, []audit.Name{audit.RoleMade, audit.RolePermGiven}},
		{"granting one resource directly", func(ctx context.Context, db *DB) error {
			return db.GrantDirectly(ctx, user(ctx, db, "ann"), "default", plain)
		}, []audit.Name{audit.GrantGiven}},
		{"revoking that", func(ctx context.Context, db *DB) error {
			return db.RevokeDirectly(ctx, user(ctx, db, "ann"), "default", plain)
		}, []audit.Name{audit.GrantTaken}},
		{"revoking directly", func(ctx context.Context, db *DB) error {
			return db.RevokeDirectly(ctx, user(ctx, db, "ann"), "default", direct)
		}, []audit.Name{audit.RolePermTaken}},
		{"a workspace rule", func(ctx context.Context, db *DB) error {
			_, err := db.SaveWorkspaceRule(ctx, attach.Rule{Name: "r", Pattern: "^(red)$", Level: kind.Read, Enabled: true})
			return err
		}, []audit.Name{audit.RuleSaved}},
		{"changing the rule", func(ctx context.Context, db *DB) error {
			r := rule(ctx, db)
			r.Level = kind.Edit
			_, err := db.SaveWorkspaceRule(ctx, r)
			return err
		}, []audit.Name{audit.RuleSaved}},
		{"attaching", func(ctx context.Context, db *DB) error {
			_, err := db.Attach(ctx, func(attach.State) ([]attach.Change, error) {
				return []attach.Change{{Pair: attach.Pair{Group: "red", Workspace: "lab"}, Action: attach.Grant, Level: kind.Edit, Rule: rule(ctx, db).ID}}, nil
			})
			return err
		}, []audit.Name{audit.GrantGiven}},
		{"lowering", func(ctx context.Context, db *DB) error { return db.Lower(ctx, kind.Read) }, []audit.Name{audit.GrantTaken}},
		{"deleting the rule", func(ctx context.Context, db *DB) error { return db.DeleteWorkspaceRule(ctx, rule(ctx, db).ID) }, []audit.Name{audit.RuleDeleted}},
		{"a pattern of the workspace", func(ctx context.Context, db *DB) error {
			return db.CreatePattern(ctx, red, authz.Grant{Kind: kind.Experiment, Workspace: "lab", Pattern: "x", Level: kind.Read})
		}, []audit.Name{audit.PatternGiven}},
		{"a role of the workspace", func(ctx context.Context, db *DB) error {
			r, err := db.CreateRole(ctx, directory.Role{Workspace: "lab", Name: "there"})
			if err == nil {
				_, err = db.AssignRole(ctx, user(ctx, db, "ann"), r.ID, nil)
			}
			return err
		}, []audit.Name{audit.RoleMade, audit.RoleAssigned}},
		{"deleting the workspace", func(ctx context.Context, db *DB) error { return db.WorkspaceDeleted(ctx, "lab") },
			[]audit.Name{audit.GrantTaken, audit.PatternTaken, audit.RoleDeleted, audit.RoleUnassigned}},
		{"a scorer of an experiment", func(ctx context.Context, db *DB) error {
			return db.Created(ctx, kind.Scorer, kind.Within("1", "s"), user(ctx, db, "ann"))
		}, []audit.Name{audit.GrantGiven}},
		{"deleting the experiment for good", func(ctx context.Context, db *DB) error { return db.ExperimentGone(ctx, "1") }, []audit.Name{audit.GrantTaken}},
		{"asking for access", func(ctx context.Context, db *DB) error {
			_, err := db.AskAccess(ctx, Request{UserID: user(ctx, db, "ann"), Kind: kind.RegisteredModel, Asked: "asked", Level: kind.Edit, Reason: "to mend it"})
			return err
		}, []audit.Name{audit.AccessRequested}},
		{"refusing it", func(ctx context.Context, db *DB) error { return db.RefuseRequest(ctx, requestOf(ctx, db, "ann"), "no") }, []audit.Name{audit.AccessRequestRefused}},
		{"reopening it", func(ctx context.Context, db *DB) error { return db.ReopenRequest(ctx, requestOf(ctx, db, "ann")) }, []audit.Name{audit.AccessRequestReopened}},
		{"renaming what it is about", func(ctx context.Context, db *DB) error {
			return db.Renamed(ctx, kind.RegisteredModel, "asked", "called")
		}, []audit.Name{audit.AccessRequestChanged}},
		{"approving it", func(ctx context.Context, db *DB) error {
			_, err := db.ApproveRequest(ctx, requestOf(ctx, db, "ann"), kind.Read, time.Time{})
			return err
		}, []audit.Name{audit.AccessRequestApproved, audit.GrantGiven}},
		{"deleting what it is about", func(ctx context.Context, db *DB) error { return db.Deleted(ctx, kind.RegisteredModel, "called") },
			[]audit.Name{audit.AccessRequestChanged, audit.GrantTaken}},
		{"withdrawing it", func(ctx context.Context, db *DB) error {
			r := requestOf(ctx, db, "ann")
			return db.WithdrawRequest(ctx, r.UserID, r.ID)
		}, []audit.Name{audit.AccessRequestWithdrawn}},
		{"asking before leaving", func(ctx context.Context, db *DB) error {
			_, err := db.AskAccess(ctx, Request{UserID: user(ctx, db, "ann"), Kind: kind.Experiment, Asked: "1", Level: kind.Read})
			return err
		}, []audit.Name{audit.AccessRequested}},
		{"a grant of who leaves", func(ctx context.Context, db *DB) error {
			return db.CreateGrant(ctx, ann, kind.Experiment, "1", kind.Read, nil)
		}, []audit.Name{audit.GrantGiven}},
		{"deleting an account", func(ctx context.Context, db *DB) error { return db.DeleteUser(ctx, "ann") },
			[]audit.Name{audit.AccessRequestWithdrawn, audit.AccountDeleted, audit.GrantTaken, audit.IdentityUnlinked, audit.MembershipTaken, audit.RoleDeleted}},
	}
}

// What is recorded of each operation is all that it has changed in the whole database: no more, no less, and by whom.
func TestEveryChangeIsAnEvent(t *testing.T) {
	db := openTest(t)
	ctx := audit.With(audit.By(t.Context(), audit.Author{By: "root", Actor: "bot"}), func() audit.Origin { return audit.Origin{Client: "192.0.2.1", Agent: "a test", Request: "77"} })
	var logged []audit.Event
	db.OnEvent(func(_ context.Context, e audit.Event) { logged = append(logged, e) })
	if _, err := db.CreateUser(ctx, directory.User{Username: "keeper", Admin: true, ManagedBy: directory.Manual}); err != nil {
		t.Fatal(err)
	}
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			before, earlier := everything(t, db), len(kept(t, db))
			logged = nil
			if err := op.do(ctx, db); err != nil {
				t.Fatal(err)
			}
			all := kept(t, db)
			stored := all[:len(all)-earlier]
			var got, lines []string
			names := map[audit.Name]bool{}
			for _, e := range stored {
				got, names[e.Name] = append(got, told(e.Event)), true
				if e.Request != "77" || e.Client != "192.0.2.1" || e.Agent != "a test" || time.Since(e.At) > time.Minute {
					t.Errorf("it came from %+v at %v", e.Origin, e.At)
				}
				if (e.By != "root" || e.Actor != "bot") && e.Cause == "" {
					t.Errorf("nobody is known to have done it: %+v", e.Event)
				}
				if text := e.Details(); strings.Contains(text, "a hash") {
					t.Errorf("a secret is in it: %s", text)
				}
			}
			for _, e := range logged {
				lines = append(lines, told(e))
			}
			slices.Sort(got)
			slices.Sort(lines)
			if diff := gocmp.Diff(difference(before, everything(t, db)), got); diff != "" {
				t.Errorf("what changed is not what is recorded (-changed +recorded):\n%s", diff)
			}
			if diff := gocmp.Diff(got, lines); diff != "" {
				t.Errorf("what is stored is not what is logged (-stored +logged):\n%s", diff)
			}
			want := slices.Sorted(slices.Values(op.want))
			if diff := gocmp.Diff(want, slices.Sorted(maps.Keys(names))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBeforeAndAfter(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann")
	ann := Principal{User: "ann"}
	for _, err := range []error{db.CreateGrant(t.Context(), ann, kind.Experiment, "1", kind.Read, nil), db.UpdateGrant(t.Context(), ann, kind.Experiment, "1", kind.Edit, nil),
		db.DeleteGrant(t.Context(), ann, kind.Experiment, "1")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got [][2]audit.State
	for _, e := range kept(t, db)[:3] {
		got = append(got, [2]audit.State{e.Before, e.After})
	}
	read, edit := audit.State{"level": "READ"}, audit.State{"level": "EDIT"}
	if diff := gocmp.Diff([][2]audit.State{{edit, nil}, {read, edit}, {nil, read}}, got); diff != "" {
		t.Error(diff)
	}
}

// A statement that somebody adds without having it recorded changes nothing.
func TestUnrecordedChangesAreRefused(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann", "red")
	if err := db.CreateGrant(t.Context(), Principal{User: "ann"}, kind.Experiment, "1", kind.Read, nil); err != nil {
		t.Fatal(err)
	}
	before := everything(t, db)
	for name, change := range map[string]func(ctx context.Context, tx bun.Tx) error{
		"a delete": func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewDelete().Table(grants).Where("1 = 1").Exec(ctx)
			return err
		},
		"an update": func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Table(grants).Set("level = 'MANAGE'").Where("1 = 1").Exec(ctx)
			return err
		},
		"an insert": func(ctx context.Context, tx bun.Tx) error {
			values := map[string]any{"user_id": ann.ID, "kind": "experiment", "resource": "2", "level": "MANAGE"}
			_, err := tx.NewInsert().Model(&values).Table(grants).Exec(ctx)
			return err
		},
		"by a model": func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&groupRow{Name: "new"}).Exec(ctx)
			return err
		},
		"a text": func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewRaw("DELETE FROM gw_grants WHERE user_id = ?", ann.ID).Exec(ctx)
			return err
		},
		"a text that is executed": func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE gw_grants SET level = 'MANAGE'")
			return err
		},
		"what goes with a row": func(ctx context.Context, tx bun.Tx) error {
			if err := db.watch(ctx, tx, users, "u.id = ?", ann.ID); err != nil {
				return err
			}
			_, err := tx.NewDelete().Table(users).Where("id = ?", ann.ID).Exec(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, db.update(t.Context(), change), errs.Internal)
			if diff := gocmp.Diff(before, everything(t, db), gocmp.AllowUnexported(seen{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Writing outside of a change is what these few do, those of sessions among them. None changes who may do what.
func TestWritesOutsideOfChanges(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	write := regexp.MustCompile(`db\.write\.New(?:Insert|Update|Delete)|\bdb\.(?:transaction|serial)\(`)
	function := regexp.MustCompile(`(?m)^func (?:\(\w+ \*?\w+\) )?(\w+)`)
	found := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range write.FindAllIndex(text, -1) {
			all := function.FindAllSubmatch(text[:at[0]], -1)
			found[string(all[len(all)-1][1])] = true
		}
	}
	want := []string{"AnswerAsk", "CreateAsk", "Delete", "DropAudit", "Replace", "Save", "TokensUsed", "sometimes", "saidAgain", "serial"}
	slices.Sort(want)
	if diff := gocmp.Diff(want, slices.Sorted(maps.Keys(found))); diff != "" {
		t.Error(diff)
	}
}

// A column that is new in a watched table is shown in its events, or named here with the reason.
func TestEveryColumnIsInEvents(t *testing.T) {
	db := openTest(t)
	const named = "id user_id group_id kind workspace resource role_id owner_id" // in the event itself
	shown := map[string]string{
		users:           "username display_name is_admin active is_service managed_by; created_at updated_at", // behind ; is what says nothing
		groupsTable:     "name external_id; folded named_by",                                                  // the name again, and who made it
		memberships:     "managed_by",
		identitiesTable: "provider subject; last_login_at is_admin said_at", // what follows from it is in the account
		serviceOwners:   "",
		owners:          "",
		grants:          "level rule_id expires_at",
		patterns:        "level pattern priority expires_at",
		rolesTable:      "name description",
		rolePermissions: "permission resource_type resource_pattern",
		assignments:     "expires_at",
		rulesTable:      "name pattern level enforced enabled; created_by created_at updated_at",
		requests:        "asked level reason wanted_until status lapsed decided_by answer given_level given_until; asked_at decided_at",
	}
	for table := range watchedTables {
		rows, err := db.read.QueryContext(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err = errors.Join(err, rows.Err(), rows.Close()); err != nil { //nolint:sqlclosecheck // there are more to come
			t.Fatal(err)
		}
		known := strings.Fields(named + " " + strings.ReplaceAll(shown[table], ";", " "))
		for _, column := range columns {
			if !slices.Contains(known, column) {
				t.Errorf("%s.%s is in no event", table, column)
			}
		}
	}
}

// A change whose event cannot be stored is none.
func TestNoChangeWithoutItsEvent(t *testing.T) {
	db := open(t, Options{Audit: true, Address: dbtest.New(t, engineUnderTest)})
	if _, err := db.write.ExecContext(t.Context(), "DROP TABLE gw_audit"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.CreateGroup(t.Context(), "red"), errs.Unavailable)
	if groups, err := db.Groups(t.Context()); err != nil || len(groups) != 0 {
		t.Errorf("%v, %v", groups, err)
	}
	db.keeps = false
	if err := db.CreateGroup(t.Context(), "red"); err != nil {
		t.Errorf("where no events are kept: %v", err)
	}
}

func TestRefusedChangesLeaveNoEvent(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann")
	earlier := len(kept(t, db))
	wantCode(t, db.CreateGrant(t.Context(), Principal{User: "nobody"}, kind.Experiment, "1", kind.Read, nil), errs.NotFound)
	wantCode(t, db.UpdateGrant(t.Context(), Principal{User: "ann"}, kind.Experiment, "1", kind.Read, nil), errs.NotFound)
	if err := db.CreateGroup(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.CreateGroup(t.Context(), "x"), errs.Conflict)
	if got := len(kept(t, db)); got != earlier+1 {
		t.Errorf("%d events for one change", got-earlier)
	}
}

func TestAuditIsSearched(t *testing.T) {
	db := openTest(t)
	at := time.UnixMilli(1_800_000_000_000).UTC()
	var all []audit.Entry
	for i := range 7 {
		e := audit.Entry{At: at.Add(time.Duration(i/2) * time.Second), Event: audit.Event{Name: audit.GrantGiven, By: fmt.Sprint("by", i), Account: fmt.Sprint("a", i), Group: fmt.Sprint("g", i),
			Kind: fmt.Sprint("k", i), Resource: fmt.Sprint("r", i), Workspace: fmt.Sprint("w", i)}, Origin: audit.Origin{Client: fmt.Sprint("c", i), Request: fmt.Sprint("q", i)}}
		if i == 3 {
			e.Name = audit.GrantTaken
		}
		all = append(all, e)
	}
	if err := db.KeepAudit(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]audit.Query{"name": {Name: "grant_taken"}, "by": {By: "by3"}, "account": {Account: "a3"}, "group": {Group: "g3"}, "kind": {Kind: "k3"},
		"resource": {Resource: "r3"}, "workspace": {Workspace: "w3"}, "client": {Client: "c3"}, "request": {Request: "q3"}, "time": {Since: at.Add(time.Second), Until: at.Add(2 * time.Second), By: "by3"}} {
		q.Most = 10
		if got, err := db.Audit(t.Context(), q); err != nil || len(got) != 1 || got[0].By != "by3" {
			t.Errorf("by %s: %+v, %v", name, got, err)
		}
	}
	var pages []string
	for q := (audit.Query{Most: 2}); ; {
		some, err := db.Audit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range some {
			pages, q.After = append(pages, e.By), e.Place()
		}
		if len(some) < q.Most {
			break
		}
	}
	if diff := gocmp.Diff([]string{"by6", "by5", "by4", "by3", "by2", "by1", "by0"}, pages); diff != "" {
		t.Error(diff)
	}
	for _, want := range []int{2, 2, 0} {
		if n, err := db.DropAudit(t.Context(), at.Add(2*time.Second), 2); err != nil || n != want {
			t.Errorf("%d were dropped, %v", n, err)
		}
	}
	left := kept(t, db)
	if slices.SortFunc(left, func(a, b audit.Entry) int { return cmp.Compare(a.ID, b.ID) }); len(left) != 3 || left[0].By != "by4" {
		t.Errorf("left are %+v", left)
	}
}

// The attack: a name that no column holds, or that is no text, so that what is done under it is not recorded.
func TestAttackEventThatCannotBeStored(t *testing.T) {
	db := openTest(t)
	evil := strings.Repeat("é", 5000) + "\x00\xff\n"
	e := audit.Event{Name: audit.RequestRefused, By: evil, Account: evil, Group: evil, Kind: evil, Resource: evil, Workspace: evil, Route: evil, Reason: evil, Before: audit.State{"x": evil}}
	if err := db.KeepAudit(t.Context(), []audit.Entry{{At: time.Now(), Event: e, Origin: audit.Origin{Client: evil, Agent: evil, Request: evil}}}); err != nil {
		t.Fatal(err)
	}
	if got := kept(t, db); len(got) != 1 || !strings.HasPrefix(got[0].Account, "éé") {
		t.Errorf("%.200v", got)
	}
}

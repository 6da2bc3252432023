package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

func login(t *testing.T, db *DB, subject, username string, groups ...string) directory.User {
	t.Helper()
	user, err := db.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: subject},
		Username: username, DisplayName: "The " + username, Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func wantCode(t *testing.T, err error, code errs.Code) {
	t.Helper()
	if !errs.Is(err, code) {
		t.Fatalf("error %v has code %d, want %d", err, errs.CodeOf(err), code)
	}
}

func TestLoginKeepsPersonAndMemberships(t *testing.T) {
	db := openTest(t)
	first := login(t, db, "s1", "Ann@Example.com", "red", "blue")
	if first.Username != "ann@example.com" || first.Admin || !first.Active {
		t.Fatalf("stored %+v", first)
	}
	again := login(t, db, "s1", "ann@example.com", "blue", "green")
	if again.ID != first.ID {
		t.Fatalf("a second login made user %d beside %d", again.ID, first.ID)
	}
	groups, err := db.GroupsOf(t.Context(), again.ID)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range groups {
		names = append(names, g.Name)
	}
	if diff := cmp.Diff([]string{"blue", "green"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestLostAdminGroupTakesAdminAway(t *testing.T) {
	db := openTest(t)
	as := directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "s"}, Username: "root", Admin: true}
	user, err := db.RecordLogin(t.Context(), as)
	if err != nil || !user.Admin {
		t.Fatalf("%+v, %v", user, err)
	}
	as.Admin = false
	if user, err = db.RecordLogin(t.Context(), as); err != nil || user.Admin {
		t.Fatalf("%+v, %v", user, err)
	}
}

// The attack: another subject at the provider sets its e-mail address to the victim's.
func TestAttackSecondSubjectClaimsTakenUsername(t *testing.T) {
	db := openTest(t)
	login(t, db, "victim", "ann")
	login(t, db, "other", "bob")
	for name, claim := range map[string]directory.Login{
		"new subject":        {Identity: directory.Identity{Provider: "oidc", Subject: "attacker"}, Username: "ann"},
		"other case":         {Identity: directory.Identity{Provider: "oidc", Subject: "attacker"}, Username: "ANN"},
		"other provider":     {Identity: directory.Identity{Provider: "evil", Subject: "victim"}, Username: "ann"},
		"renames to a taken": {Identity: directory.Identity{Provider: "oidc", Subject: "other"}, Username: "Ann"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := db.RecordLogin(t.Context(), claim)
			wantCode(t, err, errs.Conflict)
		})
	}
}

// The attack: an administrator, or a service account, was made by name beforehand; whoever gets that name must not become it.
func TestAttackClaimOfPreparedAdministrator(t *testing.T) {
	db := openTest(t)
	for _, u := range []directory.User{{Username: "boss", Admin: true, ManagedBy: directory.Manual}, {Username: "robot", Service: true, ManagedBy: directory.Manual}} {
		if _, err := db.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		_, err := db.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "x"}, Username: u.Username})
		wantCode(t, err, errs.Conflict)
	}
	prepared, err := db.CreateUser(t.Context(), directory.User{Username: "carol", ManagedBy: directory.Manual})
	if err != nil {
		t.Fatal(err)
	}
	if linked := login(t, db, "carol-subject", "carol"); linked.ID != prepared.ID {
		t.Errorf("the prepared user was not linked: %d, %d", linked.ID, prepared.ID)
	}
}

func TestDeactivatedUserIsRefused(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann")
	if err := db.SetActive(t.Context(), "ann", false); err != nil {
		t.Fatal(err)
	}
	_, err := db.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "s"}, Username: "ann"})
	wantCode(t, err, errs.Denied)
}

func TestGrantsOfUserAndGroups(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann", "red")
	user, group := Principal{User: "ann"}, Principal{Group: "red"}
	for _, err := range []error{
		db.CreateGrant(t.Context(), user, kind.Experiment, "1", kind.Edit, nil),
		db.CreateGrant(t.Context(), group, kind.Experiment, "1", kind.Read, nil),
		db.CreatePattern(t.Context(), user, authz.Grant{Kind: kind.RegisteredModel, Pattern: "a.*", Priority: 3, Level: kind.Read}),
		db.CreatePattern(t.Context(), group, authz.Grant{Kind: kind.Experiment, Pattern: ".*", Priority: 1, Level: kind.NoPermissions}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.GrantsOf(t.Context(), ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []authz.Grant{
		{ID: 1, Source: authz.User, Kind: kind.Experiment, Resource: "1", Level: kind.Edit},
		{ID: 2, Source: authz.Group, Kind: kind.Experiment, Resource: "1", Level: kind.Read, Group: "red"},
		{ID: 1, Source: authz.UserPattern, Kind: kind.RegisteredModel, Pattern: "a.*", Priority: 3, Level: kind.Read},
		{ID: 2, Source: authz.GroupPattern, Kind: kind.Experiment, Pattern: ".*", Priority: 1, Group: "red"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantCode(t, db.CreateGrant(t.Context(), user, kind.Experiment, "1", kind.Read, nil), errs.Conflict)
	wantCode(t, db.CreateGrant(t.Context(), Principal{User: "nobody"}, kind.Experiment, "1", kind.Read, nil), errs.NotFound)
	wantCode(t, db.UpdateGrant(t.Context(), user, kind.Experiment, "9", kind.Read, nil), errs.NotFound)
	wantCode(t, db.CreatePattern(t.Context(), user, authz.Grant{Kind: kind.Experiment, Pattern: "(", Level: kind.Read}), errs.Invalid)
	if err := db.UpdateGrant(t.Context(), user, kind.Experiment, "1", kind.Manage, nil); err != nil {
		t.Fatal(err)
	}
	users, groups, err := db.GrantsOn(t.Context(), kind.Experiment, "1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]Holder{{{Name: "ann", Level: kind.Manage}}, {{Name: "red", Level: kind.Read}}}, [][]Holder{users, groups}); diff != "" {
		t.Error(diff)
	}
}

// The attack: change a pattern of somebody else by its number.
func TestAttackPatternOfAnother(t *testing.T) {
	db := openTest(t)
	login(t, db, "1", "ann", "red")
	login(t, db, "2", "bob")
	if err := db.CreatePattern(t.Context(), Principal{User: "ann"}, authz.Grant{Kind: kind.Experiment, Pattern: "x", Level: kind.NoPermissions}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Principal{{User: "bob"}, {Group: "red"}} {
		wantCode(t, db.DeletePattern(t.Context(), p, kind.Experiment, 1), errs.NotFound)
		wantCode(t, db.UpdatePattern(t.Context(), p, authz.Grant{ID: 1, Kind: kind.Experiment, Pattern: "x", Level: kind.Manage}, nil), errs.NotFound)
	}
	wantCode(t, db.DeletePattern(t.Context(), Principal{User: "ann"}, kind.RegisteredModel, 1), errs.NotFound)
}

func TestRecycledNamesInheritNothing(t *testing.T) {
	db := openTest(t)
	ann, bob := login(t, db, "1", "ann"), login(t, db, "2", "bob")
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step(db.Created(t.Context(), kind.RegisteredModel, "m", ann.ID))
	step(db.Created(t.Context(), kind.RegisteredModel, "m", bob.ID)) // ann's was deleted past us
	step(db.Created(t.Context(), kind.RegisteredModel, "old", ann.ID))
	step(db.Renamed(t.Context(), kind.RegisteredModel, "m", "old"))
	users, _, err := db.GrantsOn(t.Context(), kind.RegisteredModel, "old")
	step(err)
	if diff := cmp.Diff([]Holder{{Name: "bob", Level: kind.Manage}}, users); diff != "" {
		t.Error(diff)
	}
	step(db.Deleted(t.Context(), kind.RegisteredModel, "old"))
	if users, _, err = db.GrantsOn(t.Context(), kind.RegisteredModel, "old"); err != nil || len(users) > 0 {
		t.Errorf("%v, %v", users, err)
	}
}

func TestDeleteUserTakesAllThatBelongsToIt(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "1", "ann", "red")
	if err := db.CreateGrant(t.Context(), Principal{User: "ann"}, kind.Experiment, "1", kind.Edit, nil); err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte("secret"))
	if err := db.SetAccessToken(t.Context(), directory.AccessToken{UserID: ann.ID, Hash: hash, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if owner, err := db.UserByToken(t.Context(), hash); err != nil || owner.User.ID != ann.ID {
		t.Fatalf("%+v, %v", owner, err)
	}
	if err := db.DeleteUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	_, err := db.UserByToken(t.Context(), hash)
	wantCode(t, err, errs.NotFound)
	_, err = db.UserByIdentity(t.Context(), directory.Identity{Provider: "oidc", Subject: "1"})
	wantCode(t, err, errs.NotFound)
	if users, _, err := db.GrantsOn(t.Context(), kind.Experiment, "1"); err != nil || len(users) > 0 {
		t.Errorf("%v, %v", users, err)
	}
}

// A session and a token name their user by id. On an id that is used again, whoever kept the cookie of a deleted account
// would be somebody else.
func TestIDOfADeletedUserIsNeverUsedAgain(t *testing.T) {
	db := openTest(t)
	gone := login(t, db, "1", "gone")
	if err := db.DeleteUser(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if next := login(t, db, "2", "next"); next.ID == gone.ID {
		t.Errorf("the next user has the id %d of the deleted one", next.ID)
	}
}

func TestLastActiveAdministratorStays(t *testing.T) {
	db := openTest(t)
	for _, name := range []string{"one", "two"} {
		if _, err := db.CreateUser(t.Context(), directory.User{Username: name, Admin: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.SetActive(t.Context(), "two", false); err != nil { // a deactivated one does not count
		t.Fatal(err)
	}
	for name, lose := range map[string]func() error{
		"deleted":     func() error { return db.DeleteUser(t.Context(), "one") },
		"deactivated": func() error { return db.SetActive(t.Context(), "one", false) },
		"demoted":     func() error { return db.SetRoles(t.Context(), "one", false, false) },
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, lose(), errs.Conflict) })
	}
	if err := db.SetActive(t.Context(), "two", true); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteUser(t.Context(), "one"); err != nil {
		t.Errorf("one of two administrators could not be deleted: %v", err)
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "1", "ann")
	other := another(t, db)
	var wg sync.WaitGroup
	for worker := range 10 {
		for _, handle := range []*DB{db, other} {
			wg.Go(func() {
				for i := range 25 {
					name := fmt.Sprintf("m%d-%d-%p", worker, i, handle)
					if err := handle.Created(context.Background(), kind.RegisteredModel, name, ann.ID); err != nil {
						t.Error(err)
						return
					}
					if _, err := handle.GrantsOf(context.Background(), ann.ID); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	got, err := db.GrantsOf(t.Context(), ann.ID)
	if err != nil || len(got) != 500 {
		t.Fatalf("%d grants, %v", len(got), err)
	}
}

func TestManyReplicasStartAtOnce(t *testing.T) {
	o := Options{Address: dbtest.New(t, engineUnderTest)}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := Connect(context.Background(), o)
			if err != nil {
				t.Error(err)
				return
			}
			_ = db.Close()
		})
	}
	wg.Wait()
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	db := open(t, Options{Address: dbtest.New(t, engineUnderTest)})
	if _, err := db.write.ExecContext(t.Context(), "INSERT INTO gw_migrations (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
		t.Fatal(err)
	}
	if again, err := Connect(t.Context(), addressOf(t, db)); !errors.Is(err, errNewer) {
		if err == nil {
			_ = again.Close()
		}
		t.Fatal("a database of a newer program was opened, or: " + fmt.Sprint(err))
	}
}

func TestEveryChangeMovesTheCounter(t *testing.T) {
	db := openTest(t)
	called := 0
	db.OnChange(func() { called++ })
	before, err := db.Change(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	login(t, db, "1", "ann")
	if err := db.CreateGroup(t.Context(), "red"); err != nil {
		t.Fatal(err)
	}
	after, err := db.Change(t.Context())
	if err != nil || after != before+2 || called != 2 {
		t.Errorf("counter %d → %d, %d calls, %v", before, after, called, err)
	}
	if _, err := db.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "2"}, Username: "ann", Groups: []string{"x"}}); err == nil {
		t.Fatal("taken name let in")
	}
	if groups, _ := db.Groups(t.Context()); len(groups) != 1 {
		t.Errorf("a failed call left groups behind: %v", groups)
	}
	if unchanged, _ := db.Change(t.Context()); unchanged != after {
		t.Error("a failed call moved the counter")
	}
}

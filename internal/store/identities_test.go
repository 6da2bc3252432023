package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

func at(provider, subject string) directory.Identity {
	return directory.Identity{Provider: provider, Subject: subject}
}

// from signs somebody in at a provider.
func from(t *testing.T, db *DB, id directory.Identity, username string, admin bool, groups ...string) directory.User {
	t.Helper()
	user, err := db.RecordLogin(t.Context(), directory.Login{Identity: id, Username: username, Groups: groups, Admin: admin})
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func held(t *testing.T, db *DB, user directory.User) []string {
	t.Helper()
	groups, err := db.GroupsOf(t.Context(), user.ID)
	must(t, err)
	var names []string
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names
}

func TestLinkAndUnlink(t *testing.T) {
	db := openTest(t)
	ann := from(t, db, at("a", "1"), "ann", false, "red")
	from(t, db, at("a", "2"), "bob", false)
	must(t, db.LinkIdentity(t.Context(), "ann", at("b", "x")))
	wantCode(t, db.LinkIdentity(t.Context(), "ann", at("b", "x")), errs.Conflict)
	wantCode(t, db.LinkIdentity(t.Context(), "bob", at("b", "x")), errs.Conflict)
	wantCode(t, db.LinkIdentity(t.Context(), "nobody", at("b", "y")), errs.NotFound)
	if _, err := db.CreateUser(t.Context(), directory.User{Username: "robot", Service: true}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.LinkIdentity(t.Context(), "robot", at("b", "y")), errs.Conflict)
	got, err := db.Identities(t.Context(), "ann")
	if diff := cmp.Diff([]directory.Identity{at("a", "1"), at("b", "x")}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if again := from(t, db, at("b", "x"), "ann", false, "blue"); again.ID != ann.ID {
		t.Errorf("became %d", again.ID)
	}
	wantCode(t, db.UnlinkIdentity(t.Context(), "bob", at("b", "x")), errs.NotFound)
	must(t, db.UnlinkIdentity(t.Context(), "ann", at("b", "x")))
	if diff := cmp.Diff([]string{"red"}, held(t, db, ann)); diff != "" {
		t.Error(diff)
	}
	if _, err := db.UserByIdentity(t.Context(), at("b", "x")); !errs.Is(err, errs.NotFound) {
		t.Errorf("still known: %v", err)
	}
}

// What one provider gives, another one does not take away: a group, also one that both give, and the administrator's role.
func TestProvidersTakeOnlyWhatTheyGave(t *testing.T) {
	db := openTest(t)
	ann := from(t, db, at("a", "1"), "ann", true, "red", "both")
	must(t, db.LinkIdentity(t.Context(), "ann", at("b", "x")))
	if user := from(t, db, at("b", "x"), "else", false, "blue", "both"); !user.Admin || user.Username != "ann" {
		t.Errorf("the second provider made %+v", user)
	}
	for i, step := range []struct {
		id     directory.Identity
		admin  bool
		groups []string
		want   []string
	}{
		{at("a", "1"), true, []string{"red"}, []string{"blue", "both", "red"}},
		{at("b", "x"), true, []string{"blue"}, []string{"blue", "red"}},
		{at("a", "1"), false, nil, []string{"blue"}},
	} {
		user := from(t, db, step.id, "ann", step.admin, step.groups...)
		if diff := cmp.Diff(step.want, held(t, db, ann)); diff != "" || !user.Admin {
			t.Errorf("step %d: admin %v %s", i, user.Admin, diff)
		}
	}
	members, err := db.GroupMembers(t.Context(), "blue")
	if err != nil || len(members) != 1 {
		t.Errorf("%v, %v", members, err)
	}
	wantCode(t, db.UnlinkIdentity(t.Context(), "ann", at("b", "x")), errs.Conflict) // nobody would be left
	from(t, db, at("a", "2"), "root", true)
	must(t, db.UnlinkIdentity(t.Context(), "ann", at("b", "x")))
	if user, err := db.User(t.Context(), "ann"); err != nil || user.Admin || held(t, db, ann) != nil {
		t.Errorf("%+v, %v", user, err)
	}
}

// The attack: an administrator took the role away, and an earlier word of another provider gives it back.
func TestAttackStaleRoleOfAnotherProvider(t *testing.T) {
	db := openTest(t)
	from(t, db, at("a", "0"), "root", true)
	from(t, db, at("a", "1"), "ann", true)
	must(t, db.LinkIdentity(t.Context(), "ann", at("b", "x")))
	must(t, db.SetRoles(t.Context(), "ann", false, false))
	if user := from(t, db, at("b", "x"), "ann", false); user.Admin {
		t.Error("is an administrator again")
	}
}

func bearer(id directory.Identity, issued time.Time, create, groups bool, says directory.Login) directory.Bearer {
	says.Identity = id
	return directory.Bearer{Identity: id, Issued: issued, Create: create, Groups: groups, Says: &says}
}

func TestBearersMakeAccounts(t *testing.T) {
	db := openTest(t)
	now := time.Now()
	says := directory.Login{Username: "Ann", Groups: []string{"red"}, Admin: true}
	must(t, db.RecordBearer(t.Context(), directory.Bearer{Identity: at("a", "1")}))
	must(t, db.RecordBearer(t.Context(), bearer(at("a", "1"), now, false, true, says)))
	if _, err := db.UserByIdentity(t.Context(), at("a", "1")); !errs.Is(err, errs.NotFound) {
		t.Fatalf("made without being told to: %v", err)
	}
	must(t, db.RecordBearer(t.Context(), bearer(at("a", "1"), now, true, false, says)))
	ann, err := db.UserByIdentity(t.Context(), at("a", "1"))
	if err != nil || ann.Admin || held(t, db, ann) != nil {
		t.Errorf("where its groups do not count: %+v, %v, %v", ann, held(t, db, ann), err)
	}
	must(t, db.RecordBearer(t.Context(), bearer(at("a", "2"), now, true, true, directory.Login{Username: "bob", Groups: []string{"red"}, Admin: true})))
	bob, err := db.UserByIdentity(t.Context(), at("a", "2"))
	if err != nil || !bob.Admin || cmp.Diff([]string{"red"}, held(t, db, bob)) != "" {
		t.Errorf("where its groups count: %+v, %v, %v", bob, held(t, db, bob), err)
	}
	wantCode(t, db.RecordBearer(t.Context(), bearer(at("b", "9"), now, true, true, directory.Login{Username: "bob"})), errs.Conflict)
	if _, err := db.CreateUser(t.Context(), directory.User{Username: "carol", ManagedBy: directory.Manual}); err != nil {
		t.Fatal(err)
	}
	// The attack: a token takes the account that waits for somebody who signs in.
	wantCode(t, db.RecordBearer(t.Context(), bearer(at("a", "3"), now, true, true, directory.Login{Username: "carol"})), errs.Conflict)
}

func TestBearersSayTheGroups(t *testing.T) {
	db := openTest(t)
	ann := from(t, db, at("a", "1"), "ann", false, "red")
	say := func(issued time.Time, groups ...string) (statements int64) {
		t.Helper()
		change, err := db.Change(t.Context())
		must(t, err)
		must(t, db.RecordBearer(t.Context(), bearer(at("a", "1"), issued, false, true, directory.Login{Groups: groups})))
		after, err := db.Change(t.Context())
		must(t, err)
		return after - change
	}
	later := time.Now().Add(time.Minute).Truncate(time.Second) // as tokens say it
	if n := say(later, "blue", "green"); n != 1 || cmp.Diff([]string{"blue", "green"}, held(t, db, ann)) != "" {
		t.Errorf("%d changes, %v", n, held(t, db, ann))
	}
	if n := say(later.Add(time.Second), "green", "blue"); n != 0 {
		t.Errorf("%d changes for what is known", n)
	}
	// The attack: come back into a group with a token from before one was put out of it, or with one of no date.
	for _, old := range []time.Time{later.Add(-2 * time.Minute), later, {}} {
		if n := say(old, "red", "admins"); n != 0 || cmp.Diff([]string{"blue", "green"}, held(t, db, ann)) != "" {
			t.Errorf("an old token: %d changes, %v", n, held(t, db, ann))
		}
	}
	must(t, db.SetActive(t.Context(), "ann", false))
	if n := say(later.Add(time.Hour), "red"); n != 0 {
		t.Error("a deactivated account was changed")
	}
}

// The attack: whoever was put out of a group comes back with a token from before the provider last stood by what it says: in a
// renewal of the session, or in a newer token.
func TestAttackTokenFromBeforeTheProvidersLastWord(t *testing.T) {
	for name, again := range map[string]func(db *DB, at time.Time, says directory.Login) error{
		"renewal": func(db *DB, at time.Time, says directory.Login) error {
			db.now = func() time.Time { return at.UTC() }
			_, err := db.ConfirmLogin(t.Context(), says)
			return err
		},
		"newer token": func(db *DB, at time.Time, says directory.Login) error {
			return db.RecordBearer(t.Context(), bearer(says.Identity, at, false, true, says))
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t)
			ann := from(t, db, at("a", "1"), "ann", false, "red")
			signed := time.Now()
			says := directory.Login{Identity: at("a", "1"), Username: "ann", Groups: []string{"red"}}
			before, err := db.Change(t.Context())
			must(t, err)
			must(t, again(db, signed.Add(2*time.Minute), says))
			if after, err := db.Change(t.Context()); err != nil || after != before {
				t.Errorf("what is known moved the counter by %d, %v", after-before, err)
			}
			kept := bearer(at("a", "1"), signed.Add(time.Minute), false, true, directory.Login{Username: "ann", Groups: []string{"red", "admins"}, Admin: true})
			must(t, db.RecordBearer(t.Context(), kept))
			if diff := cmp.Diff([]string{"red"}, held(t, db, ann)); diff != "" {
				t.Error(diff)
			}
			if user, err := db.User(t.Context(), "ann"); err != nil || user.Admin {
				t.Errorf("%+v, %v", user, err)
			}
		})
	}
}

// A person of several providers is confirmed by each for what it gave, and by none for another's.
func TestConfirmedLoginOfSeveralProviders(t *testing.T) {
	db := openTest(t)
	ann := from(t, db, at("a", "1"), "ann", true, "red", "both")
	must(t, db.LinkIdentity(t.Context(), "ann", at("b", "x")))
	from(t, db, at("b", "x"), "ann", false, "blue", "both")
	confirm := func(id directory.Identity, username string, admin bool, groups ...string) (moved int64) {
		t.Helper()
		before, err := db.Change(t.Context())
		must(t, err)
		user, err := db.ConfirmLogin(t.Context(), directory.Login{Identity: id, Username: username, Groups: groups, Admin: admin})
		if err != nil || user.ID != ann.ID || user.Username != "ann" {
			t.Fatalf("%+v, %v", user, err)
		}
		after, err := db.Change(t.Context())
		must(t, err)
		return after - before
	}
	if n := confirm(at("b", "x"), "ann of b", false, "both", "blue"); n != 0 {
		t.Errorf("what b said before moved the counter by %d", n)
	}
	if n := confirm(at("b", "x"), "ann of b", false, "both"); n != 1 || cmp.Diff([]string{"both", "red"}, held(t, db, ann)) != "" {
		t.Errorf("without blue: moved by %d, %v", n, held(t, db, ann))
	}
	if n := confirm(at("a", "1"), "ann", true, "red"); n != 1 || cmp.Diff([]string{"both", "red"}, held(t, db, ann)) != "" {
		t.Errorf("b gives both still: moved by %d, %v", n, held(t, db, ann))
	}
	if n := confirm(at("a", "1"), "ann", false, "red"); n != 1 {
		t.Errorf("no administrator any more: moved by %d", n)
	}
	if user, err := db.User(t.Context(), "ann"); err != nil || user.Admin {
		t.Errorf("%+v, %v", user, err)
	}
}

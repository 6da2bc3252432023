package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
)

func TestSessionsBehave(t *testing.T) {
	clock := sessiontest.NewClock()
	sessiontest.Run(t, clock, func(t *testing.T) session.Store { return openTest(t).Sessions(clock.Now) })
}

// Sessions come and go all the time: that must not empty what every replica has in memory.
func TestSessionsMoveNoChangeCounter(t *testing.T) {
	db := openTest(t)
	before, err := db.Change(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := db.Sessions(time.Now)
	record := session.Record{UserID: 1, ExpiresAt: time.Now().Add(time.Hour)}
	if err := errors.Join(s.Save(t.Context(), "k", record), s.Delete(t.Context(), "k")); err != nil {
		t.Fatal(err)
	}
	if after, err := db.Change(t.Context()); err != nil || after != before {
		t.Errorf("the counter went from %d to %d, %v", before, after, err)
	}
}

func TestExpiredSessionsAreRemoved(t *testing.T) {
	db, clock := openTest(t), sessiontest.NewClock()
	s := db.Sessions(clock.Now)
	for n, key := range []session.Key{"old", "new"} {
		if err := s.Save(t.Context(), key, session.Record{ExpiresAt: clock.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if rows, err := db.read.NewSelect().Table("gw_sessions").Count(t.Context()); err != nil || rows != 1 {
			t.Errorf("after %d sign-ins, an hour apart, there are %d rows, %v", n+1, rows, err)
		}
		clock.Advance(time.Hour)
	}
}

// A database that cannot be asked is an error, never "no such session".
func TestSessionsOfAClosedDatabase(t *testing.T) {
	db := openTest(t)
	s := db.Sessions(time.Now)
	if err := errors.Join(db.read.Close(), db.write.Close()); err != nil {
		t.Fatal(err)
	}
	record := session.Record{ExpiresAt: time.Now().Add(time.Hour)}
	_, loading := s.Load(t.Context(), "k")
	_, finding := s.Find(t.Context(), session.Query{UserID: 1})
	for name, err := range map[string]error{"load": loading, "find": finding, "save": s.Save(t.Context(), "k", record),
		"replace": s.Replace(t.Context(), "k", record), "delete": s.Delete(t.Context(), "k"), "ping": s.Ping(t.Context())} {
		if !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s gave %v", name, err)
		}
	}
}

func TestConfirmedLogin(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s1", "ann", "red", "blue")
	says := directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "s1"}, Username: "Ann", DisplayName: ann.DisplayName, Groups: []string{"blue", "red"}}
	counter := func() int64 {
		t.Helper()
		value, err := db.Change(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	before := counter()
	if user, err := db.ConfirmLogin(t.Context(), says); err != nil || user.ID != ann.ID || counter() != before {
		t.Errorf("nothing new gave %+v, %v, and moved the counter by %d", user, err, counter()-before)
	}
	for name, change := range map[string]func(*directory.Login){
		"a group more":     func(l *directory.Login) { l.Groups = []string{"blue", "red", "green"} },
		"a group less":     func(l *directory.Login) { l.Groups = []string{"blue"} },
		"an administrator": func(l *directory.Login) { l.Admin = true },
		"none any more":    func(l *directory.Login) { l.Admin = false },
		"another name":     func(l *directory.Login) { l.Username = "anna" },
		"shown otherwise":  func(l *directory.Login) { l.DisplayName = "Anna" },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := db.ConfirmLogin(t.Context(), directory.Login{Identity: says.Identity, Username: "ann", DisplayName: ann.DisplayName,
				Groups: says.Groups, Admin: name == "none any more"}); err != nil {
				t.Fatal(err)
			}
			changed, before := says, counter()
			change(&changed)
			user, err := db.ConfirmLogin(t.Context(), changed)
			if err != nil || user.Admin != changed.Admin || user.DisplayName != changed.DisplayName || counter() == before {
				t.Errorf("%+v, %v, counter moved by %d", user, err, counter()-before)
			}
			groups, err := db.GroupsOf(t.Context(), ann.ID)
			if err != nil || len(groups) != len(changed.Groups) {
				t.Errorf("groups %v, %v", groups, err)
			}
		})
	}
}

// The attack: whoever was deleted or deactivated comes back by a renewal of the session.
func TestAttackRenewalRevivesAccount(t *testing.T) {
	db := openTest(t)
	login(t, db, "s1", "ann", "red")
	login(t, db, "s2", "bob", "red")
	if err := errors.Join(db.DeleteUser(t.Context(), "ann"), db.SetActive(t.Context(), "bob", false)); err != nil {
		t.Fatal(err)
	}
	for subject, name := range map[string]string{"s1": "ann", "s2": "bob"} {
		_, err := db.ConfirmLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: subject},
			Username: name, DisplayName: "Other", Groups: []string{"red"}})
		wantCode(t, err, errs.Denied)
	}
	if _, err := db.User(t.Context(), "ann"); !errs.Is(err, errs.NotFound) {
		t.Errorf("the deleted user gave %v", err)
	}
}

// The attack: keep the groups that an import has brought, of which the provider says that they are none.
func TestAttackImportedGroupsOutliveTheProvidersWord(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann")
	must(t, db.CreateGroup(t.Context(), "red"))
	red, err := db.PrincipalID(t.Context(), Principal{Group: "red"})
	must(t, err)
	must(t, db.update(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if err := db.watch(ctx, tx, memberships, "m.user_id = ?", ann.ID); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&membershipRow{UserID: ann.ID, GroupID: red, ManagedBy: directory.Imported}).Exec(ctx)
		return err
	}))
	_, err = db.ConfirmLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "s"}, Username: "ann", DisplayName: ann.DisplayName})
	must(t, err)
	if all, err := db.GroupsOf(t.Context(), ann.ID); err != nil || len(all) > 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

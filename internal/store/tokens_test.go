package store

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// aToken is a token as it is made, its secret told by its name.
func aToken(user directory.User, name string) directory.Token {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	return directory.Token{UserID: user.ID, Name: name, Prefix: "mlo_" + name, Hash: sha256.Sum256([]byte(name)), CreatedAt: at, CreatedBy: "root",
		ExpiresAt: at.Add(time.Hour)}
}

func TestTokensAreKeptAsTheyWereMade(t *testing.T) {
	db := openTest(t)
	ann, bob := login(t, db, "s1", "ann"), login(t, db, "s2", "bob")
	scoped := aToken(ann, "scoped")
	scoped.Scope = &authz.Scope{ReadOnly: true, Kinds: []kind.Name{kind.RegisteredModel},
		Resources: []authz.Scoped{{Kind: kind.Experiment, ID: "1"}, {Kind: kind.GatewaySecret, Workspace: "w", ID: "s"}}}
	var want []directory.Token
	for _, one := range []directory.Token{aToken(ann, "plain"), scoped} {
		made, err := db.CreateToken(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		owner, err := db.UserByToken(t.Context(), one.Hash)
		if diff := cmp.Diff(directory.TokenOwner{User: ann, ExpiresAt: one.ExpiresAt, TokenID: made.ID, Scope: one.Scope}, owner); diff != "" || err != nil {
			t.Errorf("%s: %v %s", one.Name, err, diff)
		}
		made.Hash = [32]byte{} // is not shown
		want = append(want, made)
	}
	got, err := db.Tokens(t.Context(), ann.ID)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	_, err = db.CreateToken(t.Context(), aToken(ann, "plain"))
	wantCode(t, err, errs.Conflict)
	other := aToken(bob, "plain")
	other.Hash[0]++
	if _, err := db.CreateToken(t.Context(), other); err != nil {
		t.Errorf("a name of ann's is taken from bob: %v", err)
	}
	wantCode(t, db.DeleteToken(t.Context(), bob.ID, want[0].ID), errs.NotFound) // it is ann's
	if err := db.DeleteUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	_, err = db.UserByToken(t.Context(), scoped.Hash)
	wantCode(t, err, errs.NotFound)
}

// A scope that cannot be read has taken away nobody knows what: the token is refused, not taken for one without.
func TestTokenWithAnUnreadableScopeIsRefused(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s1", "ann")
	one := aToken(ann, "one")
	if _, err := db.CreateToken(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"{}", "null", " ", "read", `{"read_only":false}`, `{"kinds":["of a newer version"]}`, `{"hours":"9-17","read_only":true}`} {
		if _, err := db.write.NewUpdate().Table("gw_tokens").Set("scope = ?", text).Where("name = 'one'").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		owner, err := db.UserByToken(t.Context(), one.Hash)
		if !errs.Is(err, errs.Internal) || owner.User.ID != 0 {
			t.Errorf("the scope %q gives %+v, %v", text, owner, err)
		}
	}
}

func TestTokensOfAUserAreBounded(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s1", "ann")
	for i := range mostTokens {
		if _, err := db.CreateToken(t.Context(), aToken(ann, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.CreateToken(t.Context(), aToken(ann, "more"))
	wantCode(t, err, errs.Conflict)
}

func TestServiceAccounts(t *testing.T) {
	db := openTest(t)
	login(t, db, "s1", "ann")
	identity := directory.Identity{Provider: "oidc", Subject: "robot"}
	robot, err := db.CreateService(t.Context(), directory.User{Username: "Robot", ManagedBy: directory.Manual}, "ann", identity)
	if err != nil || !robot.Service || robot.Username != "robot" {
		t.Fatalf("%+v, %v", robot, err)
	}
	if owner, err := db.ServiceOwner(t.Context(), robot.ID); err != nil || owner.Username != "ann" {
		t.Errorf("its owner is %+v, %v", owner, err)
	}
	if user, err := db.UserByIdentity(t.Context(), identity); err != nil || user.ID != robot.ID {
		t.Errorf("its JWT is %+v's, %v", user, err)
	}
	// Its provider knows it, and still nobody signs in to it.
	_, err = db.RecordLogin(t.Context(), directory.Login{Identity: identity, Username: "robot"})
	wantCode(t, err, errs.Denied)
	_, err = db.CreateService(t.Context(), directory.User{Username: "twin"}, "", identity)
	wantCode(t, err, errs.Conflict)
	_, err = db.User(t.Context(), "twin") // nothing of it is left
	wantCode(t, err, errs.NotFound)
	_, err = db.CreateService(t.Context(), directory.User{Username: "child"}, "robot", directory.Identity{})
	wantCode(t, err, errs.Invalid)
	_, err = db.CreateService(t.Context(), directory.User{Username: "root", Admin: true}, "ann", directory.Identity{})
	wantCode(t, err, errs.Invalid)
	wantCode(t, db.SetServiceOwner(t.Context(), "ann", "ann"), errs.Invalid)
	wantCode(t, db.BindService(t.Context(), "ann", directory.Identity{Provider: "oidc", Subject: "x"}), errs.Conflict)
	if err := db.BindService(t.Context(), "robot", directory.Identity{}); err != nil {
		t.Fatal(err)
	}
	_, err = db.UserByIdentity(t.Context(), identity)
	wantCode(t, err, errs.NotFound)
	if err := db.DeleteUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	_, err = db.ServiceOwner(t.Context(), robot.ID)
	wantCode(t, err, errs.NotFound)
	if _, err := db.User(t.Context(), "robot"); err != nil {
		t.Errorf("the service account went with its owner: %v", err)
	}
}

// The attack: make oneself a token of one's service account, and wait until it is made an administrator.
func TestAttackOwnerOfWhatBecomesAdministrator(t *testing.T) {
	db := openTest(t)
	login(t, db, "s1", "ann")
	robot, err := db.CreateService(t.Context(), directory.User{Username: "robot"}, "ann", directory.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	one := aToken(robot, "kept")
	if _, err := db.CreateToken(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := db.SetRoles(t.Context(), "robot", false, true); err != nil { // changes nothing
		t.Fatal(err)
	}
	if _, err := db.UserByToken(t.Context(), one.Hash); err != nil {
		t.Fatal(err)
	}
	if err := db.SetRoles(t.Context(), "robot", true, true); err != nil {
		t.Fatal(err)
	}
	_, err = db.UserByToken(t.Context(), one.Hash)
	wantCode(t, err, errs.NotFound)
	_, err = db.ServiceOwner(t.Context(), robot.ID)
	wantCode(t, err, errs.NotFound)
}

// The attack: make oneself a token of the service account that administers, and be an administrator no more.
func TestAttackOwnerWhoAdministersNoMore(t *testing.T) {
	one := at("a", "1")
	for name, demote := range map[string]func(t *testing.T, db *DB) error{
		"by an administrator": func(t *testing.T, db *DB) error { return db.SetRoles(t.Context(), "ann", false, false) },
		"by the provider at a sign-in": func(t *testing.T, db *DB) error {
			_, err := db.RecordLogin(t.Context(), directory.Login{Identity: one, Username: "ann"})
			return err
		},
		"by the provider in a renewal": func(t *testing.T, db *DB) error {
			_, err := db.ConfirmLogin(t.Context(), directory.Login{Identity: one, Username: "ann"})
			return err
		},
		"by the provider in a token": func(t *testing.T, db *DB) error {
			return db.RecordBearer(t.Context(), bearer(one, time.Now().Add(time.Minute), false, true, directory.Login{Username: "ann"}))
		},
		"with the identity": func(t *testing.T, db *DB) error { return db.UnlinkIdentity(t.Context(), "ann", one) },
		"by a policy file": func(t *testing.T, db *DB) error {
			_, err := db.HandOver(t.Context(), "ann", directory.Manual, false)
			want := []string{`~ user ann: administrator, called "ann" → called "ann"`, "- owner of service account deploy: ann"}
			if diff := cmp.Diff(want, applied(t, db, "version: 1\nusers: [{username: ann}]", false)); diff != "" {
				t.Error(diff)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t)
			_, err := db.CreateUser(t.Context(), directory.User{Username: "root", Admin: true})
			must(t, err)
			_, err = db.RecordLogin(t.Context(), directory.Login{Identity: one, Username: "ann", DisplayName: "ann", Admin: true})
			must(t, err)
			tokens := map[string]directory.Token{}
			for account, admin := range map[string]bool{"deploy": true, "train": false} {
				robot, err := db.CreateService(t.Context(), directory.User{Username: account, Admin: admin}, "ann", directory.Identity{})
				must(t, err)
				tokens[account] = aToken(robot, account)
				_, err = db.CreateToken(t.Context(), tokens[account])
				must(t, err)
			}
			must(t, demote(t, db))
			_, err = db.UserByToken(t.Context(), tokens["deploy"].Hash)
			wantCode(t, err, errs.NotFound)
			deploy, err := db.User(t.Context(), "deploy")
			must(t, err)
			_, err = db.ServiceOwner(t.Context(), deploy.ID)
			wantCode(t, err, errs.NotFound)
			train, err := db.User(t.Context(), "train")
			must(t, err)
			if _, err := db.UserByToken(t.Context(), tokens["train"].Hash); err != nil {
				t.Errorf("what does not administer lost its token: %v", err)
			}
			if owner, err := db.ServiceOwner(t.Context(), train.ID); err != nil || owner.Username != "ann" {
				t.Errorf("what does not administer is %q's, %v", owner.Username, err)
			}
		})
	}
}

// A file that has a service account and its owner administer no more leaves it in the owner's hands, as its plan does.
func TestFileThatDemotesOwnersAndTheirServices(t *testing.T) {
	db := openTest(t)
	for _, name := range []string{"root", "ann"} {
		_, err := db.CreateUser(t.Context(), directory.User{Username: name, Admin: true, ManagedBy: directory.Manual})
		must(t, err)
	}
	robot, err := db.CreateService(t.Context(), directory.User{Username: "deploy", Admin: true, ManagedBy: directory.Manual}, "ann", directory.Identity{})
	must(t, err)
	one := aToken(robot, "its program's")
	_, err = db.CreateToken(t.Context(), one)
	must(t, err)
	applied(t, db, "version: 1\nusers: [{username: ann}, {username: deploy, service: true, owner: ann}]", false)
	if owner, err := db.ServiceOwner(t.Context(), robot.ID); err != nil || owner.Username != "ann" {
		t.Errorf("it is %q's, %v", owner.Username, err)
	}
	if _, err := db.UserByToken(t.Context(), one.Hash); err != nil {
		t.Error(err)
	}
}

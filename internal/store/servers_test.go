package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// twice runs something at once on two replicas, and gives what came of both.
func twice(t *testing.T, db *DB, do func(*DB) error) (all []error) {
	t.Helper()
	return atOnce([]*DB{db, another(t, db)}, 1, func(r *DB, _ int) error { return do(r) })
}

// atOnce runs something on each of the replicas, several times at once.
func atOnce(replicas []*DB, each int, do func(r *DB, n int) error) []error {
	all := make([]error, len(replicas)*each)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for n := range all {
		wg.Go(func() {
			<-begin
			all[n] = do(replicas[n%len(replicas)], n)
		})
	}
	close(begin)
	wg.Wait()
	return all
}

func failed(all []error) (failures []error) {
	return slices.DeleteFunc(slices.Clone(all), func(err error) bool { return err == nil })
}

// The attack: have a name that a careless comparison takes for another's.
func TestAttackNamesThatAreAlmostTheSame(t *testing.T) {
	db := openTest(t)
	names := []string{"Red", "red", "RED", "red ", "red\t", "rèd", "re\u0300d", "rëd", "ｒｅｄ", "red\u200b", "ss", "ß", "ı", "i", "😀", "😁", `re\d`, `re\\d`, "re'd", `re"d`, "re%d", "re_d", "re?d", "$1", "'; DROP TABLE gw_users; --", `\'; DROP TABLE gw_users; --`}
	ann := login(t, db, "s", "ann", names...)
	groups, err := db.GroupsOf(t.Context(), ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, g := range groups {
		held = append(held, g.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, held); diff != "" { // in the same order on all engines, too
		t.Error(diff)
	}
	for i, name := range names {
		level := kind.Level(kind.Read)
		if i%2 == 0 {
			level = kind.Manage
		}
		if err := db.CreateGrant(t.Context(), Principal{Group: name}, kind.RegisteredModel, name, level, nil); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for i, name := range names {
		_, groups, err := db.GrantsOn(t.Context(), kind.RegisteredModel, name)
		want := []Holder{{Name: name, Level: kind.Read}}
		if i%2 == 0 {
			want[0].Level = kind.Manage
		}
		if diff := cmp.Diff(want, groups); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", name, err, diff)
		}
	}
	login(t, db, "S", "bob")
	login(t, db, "s ", "carol")
	for _, subject := range []string{"ß", "\u0073\u0301"} {
		_, err := db.UserByIdentity(t.Context(), directory.Identity{Provider: "oidc", Subject: subject})
		wantCode(t, err, errs.NotFound)
	}
}

// The attack: a NUL, which one engine leaves out, makes one name of another.
func TestAttackNULInAName(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann")
	if user, err := db.User(t.Context(), "an\x00n"); err == nil {
		t.Errorf("found %+v", user)
	}
	if user, err := db.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "s\x00"}, Username: "ann"}); err == nil {
		t.Errorf("signed in as %+v", user)
	}
}

func TestTimesAreTheSameInstant(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann")
	if age := time.Since(ann.CreatedAt); age < 0 || age > time.Minute {
		t.Errorf("made at %v", ann.CreatedAt)
	}
	for _, at := range []time.Time{
		time.Date(2030, 7, 1, 0, 30, 0, 0, time.FixedZone("east", 5*3600+1800)),
		time.Date(2030, 3, 31, 2, 30, 0, 0, time.UTC), // no such time where clocks go forward
		time.Date(2500, 1, 1, 0, 0, 0, 0, time.FixedZone("west", -9*3600)),
	} {
		hash := sha256.Sum256([]byte(at.String()))
		if err := db.SetAccessToken(t.Context(), directory.AccessToken{UserID: ann.ID, Hash: hash, CreatedAt: at, ExpiresAt: at}); err != nil {
			t.Fatal(err)
		}
		if owner, err := db.UserByToken(t.Context(), hash); err != nil || !owner.ExpiresAt.Equal(at) {
			t.Errorf("%v came back as %v, %v", at, owner.ExpiresAt, err)
		}
	}
}

func TestTooLongForAColumn(t *testing.T) {
	db := openTest(t)
	err := db.CreateGroup(t.Context(), strings.Repeat("é", 255))
	if err != nil {
		t.Fatal(err)
	}
	err = db.CreateGroup(t.Context(), strings.Repeat("é", 256))
	if engineUnderTest == database.SQLite { // whose columns have no length
		return
	}
	wantCode(t, err, errs.Invalid)
	if groups, err := db.Groups(t.Context()); err != nil || len(groups) != 1 {
		t.Errorf("%v, %v", groups, err)
	}
}

func TestLastAdministratorOfTwoReplicas(t *testing.T) {
	db := openTest(t)
	other := another(t, db)
	for round := range 10 {
		for _, name := range []string{"one", "two"} {
			if _, err := db.CreateUser(t.Context(), directory.User{Username: name, Admin: true, ManagedBy: directory.Manual}); err != nil && !errs.Is(err, errs.Conflict) {
				t.Fatal(err)
			}
		}
		all := atOnce([]*DB{db, other}, 1, func(r *DB, n int) error {
			name := []string{"one", "two"}[n]
			if round%2 == 0 {
				return r.SetActive(context.Background(), name, false)
			}
			return r.DeleteUser(context.Background(), name)
		})
		if bad := failed(all); len(bad) != 1 || !errs.Is(bad[0], errs.Conflict) {
			t.Fatalf("round %d: of two administrators who end at once, %v", round, all)
		}
		for _, name := range []string{"one", "two"} {
			if err := db.SetActive(t.Context(), name, true); err != nil && !errs.Is(err, errs.NotFound) {
				t.Fatal(err)
			}
		}
	}
}

// The attack: show a code, or a refresh token, to two replicas at once, and have two tokens for it.
func TestAttackCodeShownToTwoReplicasAtOnce(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann")
	other := another(t, db)
	now := time.Now().UTC().Truncate(time.Second)
	terminal := func(n int) *directory.Terminal {
		return &directory.Terminal{Token: directory.Token{UserID: ann.ID, Name: fmt.Sprint("t", n), Hash: sha256.Sum256(fmt.Append(nil, "token", n)), CreatedAt: now, ExpiresAt: now.Add(time.Hour)},
			Key: sha256.Sum256(fmt.Append(nil, "key", n)), Refresh: [32]byte{1}, ExpiresAt: now.Add(time.Hour)}
	}
	for round := range 5 {
		secret := sha256.Sum256(fmt.Append(nil, "code", round))
		if err := db.CreateAsk(t.Context(), directory.Ask{Secret: secret, UserCode: fmt.Sprint(round), State: directory.AskApproved, UserID: ann.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		used := errs.New(errs.Denied, "used")
		var made atomic.Int64
		all := atOnce([]*DB{db, other}, 3, func(r *DB, n int) error {
			return r.Redeem(context.Background(), secret, func(a directory.Ask) directory.Redemption {
				if a.State == directory.AskUsed {
					return directory.Redemption{Ask: a, Answer: used}
				}
				a.State = directory.AskUsed
				return directory.Redemption{Ask: a, Make: terminal(round*100 + n)}
			})
		})
		for _, err := range all {
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, used) {
				t.Error(err)
			}
		}
		if tokens, err := db.Tokens(t.Context(), ann.ID); err != nil || len(tokens) != round+1 || made.Load() != 1 {
			t.Fatalf("one code gave %d tokens, after %d before; %v", len(tokens), round, err)
		}
	}
	sign := terminal(9999)
	if err := db.transaction(t.Context(), func(ctx context.Context, tx bun.Tx) error { return db.makeTerminal(ctx, tx, sign) }); err != nil {
		t.Fatal(err)
	}
	reused := errs.New(errs.Denied, "reused")
	all := atOnce([]*DB{db, other}, 3, func(r *DB, n int) error {
		return r.Renew(context.Background(), sign.Key, func(s directory.Terminal, _ directory.User) directory.Renewal {
			if s.Refresh != [32]byte{1} {
				return directory.Renewal{Answer: reused}
			}
			s.Refresh, s.Token.Hash = [32]byte{2, byte(n)}, sha256.Sum256(fmt.Append(nil, "renewed", n))
			return directory.Renewal{Terminal: s}
		})
	})
	if bad := failed(all); len(bad) != len(all)-1 || !errors.Is(bad[0], reused) {
		t.Errorf("one refresh token shown at once renewed several times: %v", all)
	}
}

func TestLimitsHoldForTwoReplicas(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann")
	for n := range mostTokens - 1 {
		if _, err := db.CreateToken(t.Context(), directory.Token{UserID: ann.ID, Name: fmt.Sprint(n), Hash: sha256.Sum256(fmt.Append(nil, n)), ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	all := atOnce([]*DB{db, another(t, db)}, 4, func(r *DB, n int) error {
		_, err := r.CreateToken(context.Background(), directory.Token{UserID: ann.ID, Name: fmt.Sprint("more", n), Hash: sha256.Sum256(fmt.Append(nil, "more", n)), ExpiresAt: time.Now().Add(time.Hour)})
		return err
	})
	if bad := failed(all); len(bad) != len(all)-1 {
		t.Errorf("of %d tokens for one free place %d were refused: %v", len(all), len(bad), all)
	}
}

func TestChangesAtOnceAreAllCounted(t *testing.T) {
	db := openTest(t)
	before, err := db.Change(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := atOnce([]*DB{db, another(t, db)}, 8, func(r *DB, n int) error { // groups in several orders: a circle of locks otherwise
		groups := []string{"a", "b", "c"}
		if n%2 == 0 {
			slices.Reverse(groups)
		}
		_, err := r.RecordLogin(context.Background(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: fmt.Sprint(n)}, Username: fmt.Sprint("u", n), Groups: groups})
		return err
	})
	if bad := failed(all); len(bad) > 0 {
		t.Fatal(bad)
	}
	if after, err := db.Change(t.Context()); err != nil || after != before+int64(len(all)) {
		t.Errorf("%d changes moved the counter by %d, %v", len(all), after-before, err)
	}
	if groups, err := db.Groups(t.Context()); err != nil || len(groups) != 3 || groups[0].Members != len(all) {
		t.Errorf("%+v, %v", groups, err)
	}
}

func TestCollisionsAreTriedAgain(t *testing.T) {
	db := openTest(t)
	users := []directory.User{login(t, db, "1", "one"), login(t, db, "2", "two")}
	var met sync.WaitGroup
	met.Add(2)
	var tries atomic.Int64
	all := twice(t, db, func(r *DB) error {
		order := slices.Clone(users)
		if r != db {
			slices.Reverse(order)
		}
		first := true
		return r.transaction(context.Background(), func(ctx context.Context, tx bun.Tx) error {
			tries.Add(1)
			for i, u := range order {
				if _, err := tx.NewUpdate().Table("gw_users").Set("display_name = ?", "changed").Where("id = ?", u.ID).Exec(ctx); err != nil {
					return err
				}
				if i == 0 && first && engineUnderTest != database.SQLite { // where each would wait for the other before it begins
					first = false
					met.Done()
					met.Wait()
				}
			}
			return nil
		})
	})
	if bad := failed(all); len(bad) > 0 {
		t.Error(bad)
	}
	if engineUnderTest != database.SQLite && tries.Load() < 3 {
		t.Error("nothing collided: this proves nothing")
	}
}

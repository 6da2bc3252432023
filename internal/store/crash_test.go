package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

// signIns writes until it cannot any more: people, each with two groups that are new. It tells of each that was stored.
func signIns(db *DB, worker string, stored func(name string)) error {
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s-%d", worker, n)
		_, err := db.RecordLogin(context.Background(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: name}, Username: name, Groups: []string{"a" + name, "b" + name}})
		if err != nil {
			return err
		}
		stored(name)
	}
}

// whole checks that all that was told of is stored, and that nothing is stored in part.
func whole(t *testing.T, db *DB, stored []string) {
	t.Helper()
	if len(stored) == 0 {
		t.Fatal("nothing was stored before the crash: this proves nothing")
	}
	users, err := db.Users(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, u := range users {
		there[u.Username] = true
		groups, err := db.GroupsOf(t.Context(), u.ID)
		if err != nil || len(groups) != 2 {
			t.Errorf("%s has %d of 2 groups, %v", u.Username, len(groups), err)
		}
		if _, err := db.UserByIdentity(t.Context(), directory.Identity{Provider: "oidc", Subject: u.Username}); err != nil {
			t.Errorf("%s is there without its identity: %v", u.Username, err)
		}
	}
	for _, name := range stored {
		if !there[name] {
			t.Errorf("%s was stored, and is lost", name)
		}
	}
	groups, err := db.Groups(t.Context())
	if err != nil || len(groups) != 2*len(users) {
		t.Errorf("%d groups of %d users, %v", len(groups), len(users), err)
	}
	if value, err := db.Change(t.Context()); err != nil || value != int64(len(users))+1 {
		t.Errorf("%d changes were counted as %d, %v", len(users), value-1, err)
	}
}

func TestServerKilledAmidWrites(t *testing.T) {
	if engineUnderTest == database.SQLite {
		return // TestProcessKilledAmidWrites is its test
	}
	server := dbtest.Start(t, engineUnderTest)
	db := open(t, Options{Address: server.New(t)})
	replicas := []*DB{db, another(t, db)}
	var told atomic.Int64
	db.OnChange(func() { told.Add(1) })
	var mu sync.Mutex
	var stored []string
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			err := signIns(replicas[worker%2], fmt.Sprint(worker), func(name string) {
				mu.Lock()
				defer mu.Unlock()
				if stored = append(stored, name); len(stored) == 60 {
					wg.Go(server.Kill)
				}
			})
			if !errs.Is(err, errs.Unavailable) {
				t.Errorf("a writer ended with %v", err)
			}
		})
	}
	wg.Wait()
	if err := db.Ping(t.Context()); !errs.Is(err, errs.Unavailable) {
		t.Errorf("without a server: %v", err)
	}
	before := told.Load()
	if err := db.CreateGroup(t.Context(), "x"); !errs.Is(err, errs.Unavailable) || told.Load() == before {
		t.Errorf("a change of which nobody knows whether it was stored left memory as it is: %v", err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	whole(t, db, stored) // through the connections of before, too
	if err := db.CreateGrant(t.Context(), Principal{User: stored[0]}, kind.Experiment, "1", kind.Read, nil); err != nil {
		t.Error(err)
	}
}

// TestProcessKilledAmidWrites kills the gateway's own process, or what stands for it: this test's program, run once more.
func TestProcessKilledAmidWrites(t *testing.T) {
	const variable = "STORE_TEST_WRITES_TO"
	if path := os.Getenv(variable); path != "" {
		db, err := Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Fatal(signIns(db, "w", func(name string) { fmt.Println("stored", name) }))
	}
	if engineUnderTest != database.SQLite {
		return // a server takes back what its client has not finished
	}
	path := filepath.Join(t.TempDir(), "auth.db")
	command := exec.Command(os.Args[0], "-test.run", "^TestProcessKilledAmidWrites$")
	command.Env = append(os.Environ(), variable+"="+path)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var stored []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "stored "); ok {
			stored = append(stored, name)
		}
		if len(stored) == 60 {
			_ = command.Process.Kill()
		}
	}
	_ = command.Wait()
	whole(t, open(t, Options{Address: database.File(path)}), stored)
}

// A connection that a server or a network cut is replaced, and nobody is told anything but that it is not possible right now.
func TestConnectionsThatAreCut(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann")
	if engineUnderTest == database.SQLite {
		return // it has no connections
	}
	for range 3 {
		if dbtest.Cut(t, addressOf(t, db).Address) == 0 {
			t.Fatal("there is no connection to cut: this proves nothing")
		}
		if _, err := db.GrantsOf(t.Context(), ann.ID); err != nil && !errs.Is(err, errs.Unavailable) {
			t.Error(err)
		}
		if err := db.SetActive(t.Context(), "ann", true); err != nil && !errs.Is(err, errs.Unavailable) {
			t.Error(err)
		}
		if err := db.SetActive(t.Context(), "ann", true); err != nil {
			t.Errorf("the second time: %v", err)
		}
	}
}

// The attack: read the password in what is said of a database that cannot be used.
func TestAttackPasswordInAnError(t *testing.T) {
	if engineUnderTest == database.SQLite {
		return // it has no password
	}
	listening := dbtest.New(t, engineUnderTest)
	scheme := map[database.Engine]string{database.PostgreSQL: "postgresql", database.MySQL: "mysql"}[engineUnderTest]
	for name, uri := range map[string]string{
		"nobody listens":   "://gw:hunter2@127.0.0.1:1/auth",
		"no such host":     "://gw:hunter2@host.invalid/auth",
		"no such user":     fmt.Sprintf("://somebody:hunter2@127.0.0.1:%d/%s", listening.Port, listening.Name),
		"no such database": fmt.Sprintf("://gw:hunter2@127.0.0.1:%d/nothing", listening.Port),
		"no such file":     map[database.Engine]string{database.PostgreSQL: "://gw:hunter2@h/d?sslmode=verify-ca&sslrootcert=/nowhere", database.MySQL: "://gw:hunter2@h/d?ssl_ca=/nowhere"}[engineUnderTest],
	} {
		t.Run(name, func(t *testing.T) {
			a, err := database.Parse(scheme + uri)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			db, err := Connect(ctx, Options{Address: a})
			if err == nil {
				_ = db.Close()
				t.Fatal("connected")
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2") {
				t.Errorf("the password is in %v", err)
			}
			t.Log(err)
		})
	}
}

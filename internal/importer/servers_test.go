package importer

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

// onServers are dumps with the tables that the predecessors' own migrations make on a server, and the content of the dump of SQLite. MLflow's
// basic-auth does not run on MySQL: its migrations name two foreign keys of one database alike, which is refused there.
var onServers = map[database.Engine]struct {
	ending string
	names  map[string]string // and whose they are
}{
	database.PostgreSQL: {".postgres", map[string]string{"plugin-5.7.0": Plugin, "plugin-11.0.2": Plugin, "basic-auth-3.17.2": BasicAuth}},
	database.MySQL:      {".mysql", map[string]string{"plugin-5.7.0": Plugin, "plugin-11.0.2": Plugin}},
}

// everywhere are texts and times that servers could change on the way.
var everywhere = []string{"UPDATE groups SET group_name = 'Größe 😀 ' WHERE group_name = 'red'", `UPDATE experiment_regex_permissions SET regex = '^ann''[.]$' WHERE regex = '^ann-.*'`}

func changesOf(name, whose string, engine database.Engine) []string {
	if whose != Plugin {
		return nil
	}
	changes := everywhere
	if name == "plugin-11.0.2" {
		changes = append(changes[:len(changes):len(changes)], "UPDATE user_tokens SET created_at = '2026-07-01 00:30:00', expires_at = '2098-07-01 00:30:00'")
	}
	all := make([]string, len(changes))
	for i, one := range changes {
		if all[i] = one; engine == database.MySQL {
			all[i] = strings.Replace(one, "UPDATE groups", "UPDATE `groups`", 1)
		}
	}
	return all
}

// A predecessor's database on a server comes over as the same one in a file does: into a file, and into another database of that server.
func TestPredecessorsOnServers(t *testing.T) {
	for engine, on := range onServers {
		for name, whose := range on.names {
			t.Run(name+on.ending, func(t *testing.T) {
				want := read(t, whose, dump(t, name, changesOf(name, whose, database.SQLite)...), settings(true))
				at := dbtest.New(t, engine)
				dbtest.Load(t, at, text(t, name+on.ending), changesOf(name, whose, engine)...)
				for _, target := range []database.Engine{database.SQLite, engine} {
					source := read(t, whose, at, settings(true))
					if diff := cmp.Diff(want.Contents, source.Contents); diff != "" {
						t.Fatalf("in a file and on the server it is not the same:\n%s", diff)
					}
					if diff := cmp.Diff(want.Notes, source.Notes); diff != "" {
						t.Errorf("what is said of it is not the same:\n%s", diff)
					}
					db := connected(t, ready(t, target))
					if plan := imported(t, source, db, Options{From: at, By: "test"}); !plan.Changes() || len(plan.Conflicts) > 0 {
						t.Errorf("into %s: %+v", target, plan.Counts)
					}
					if diff := cmp.Diff(source.Contents, contents(t, db, whose), cmpopts.IgnoreFields(takeover.Password{}, "Made")); diff != "" {
						t.Errorf("into %s, there and here differ:\n%s", target, diff)
					}
					if plan := imported(t, read(t, whose, at, settings(true)), db, Options{From: at, By: "test"}); plan.Changes() || len(plan.Conflicts) > 0 {
						t.Errorf("into %s a second time: %+v, %+v", target, plan.Counts, plan.Conflicts)
					}
				}
			})
		}
	}
}

func ready(t *testing.T, engine database.Engine) database.Address {
	t.Helper()
	return dbtest.Ready(t, engine, func(a database.Address) error {
		_, err := store.Upgrade(t.Context(), store.Options{Address: a})
		return err
	})
}

func connected(t *testing.T, a database.Address) *store.DB {
	t.Helper()
	db, err := store.Connect(t.Context(), store.Options{Address: a})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // a server that was killed has closed it
	return db
}

// tables gives the rows of the plugin's tables, to see that they stay as they are.
func tables(t *testing.T, at database.Address) map[string][]store.Row {
	t.Helper()
	db, err := store.OpenForeign(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string][]store.Row{}
	for _, table := range []string{"users", "groups", "user_tokens", "user_identities", "experiment_permissions", "experiment_regex_permissions", "workspace_group_rules", "alembic_version"} {
		rows, err := db.Rows(t.Context(), table, "")
		if err != nil || len(rows) == 0 {
			t.Fatalf("the plugin's table %s has %d rows, %v", table, len(rows), err)
		}
		all[table] = rows
	}
	return all
}

// serve does with a database of the plugin's what each replica does that starts on it.
func serve(ctx context.Context, at database.Address, s Settings) (takeover.Plan, error) {
	db, err := store.Connect(ctx, store.Options{Address: at})
	if err != nil {
		return takeover.Plan{}, err
	}
	defer db.Close() //nolint:errcheck // the server may be dead
	source, err := Read(ctx, Plugin, at, s)
	if err != nil {
		return takeover.Plan{}, err
	}
	return source.Import(ctx, db, Options{From: at, Own: true})
}

// Replicas that start at once on the plugin's own database, which none of them has upgraded, take it over once.
func TestReplicasTakeOverOnce(t *testing.T) {
	for _, engine := range dbtest.Engines {
		t.Run(engine.String(), func(t *testing.T) {
			at := dbtest.New(t, engine)
			dbtest.Load(t, at, text(t, "plugin-11.0.2"+onServers[engine].ending))
			before := tables(t, at)
			const replicas = 3
			var changed [replicas]bool
			var wg sync.WaitGroup
			for n := range replicas {
				wg.Go(func() {
					plan, err := serve(t.Context(), at, settings(true))
					if changed[n] = plan.Changes(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if strings.Count(fmt.Sprint(changed), "true") != 1 {
				t.Errorf("who took it over: %v", changed)
			}
			overWhole(t, at, before)
		})
	}
}

// overWhole checks that the plugin's content is here whole, once, and its tables are as they were.
func overWhole(t *testing.T, at database.Address, before map[string][]store.Row) {
	t.Helper()
	db := connected(t, at)
	if imports, err := db.Imports(t.Context()); err != nil || len(imports) != 1 || !imports[0].Own {
		t.Errorf("%+v, %v", imports, err)
	}
	want := read(t, Plugin, dump(t, "plugin-11.0.2"), settings(true)).Contents
	if diff := cmp.Diff(want, contents(t, db, Plugin), cmpopts.IgnoreFields(takeover.Password{}, "Made")); diff != "" {
		t.Errorf("what came is not what a file with the same content brings:\n%s", diff)
	}
	if diff := cmp.Diff(before, tables(t, at)); diff != "" {
		t.Errorf("the plugin's tables were changed:\n%s", diff)
	}
}

// A server that dies amid the taking over has taken over nothing, and all with the next start. Somebody else's insert of a group that is not
// committed holds the taking over in the middle: users are written, groups are not.
func TestServerKilledAmidTakingOver(t *testing.T) {
	for engine, on := range onServers {
		t.Run(engine.String(), func(t *testing.T) {
			server := dbtest.Start(t, engine)
			at := server.New(t)
			server.Load(t, at, text(t, "plugin-11.0.2"+on.ending))
			before := tables(t, at)
			connected(t, at) // upgrades
			ended := make(chan error, 1)
			server.Within(t, at, func(other *sql.Conn) {
				for _, statement := range []string{"BEGIN", "INSERT INTO gw_groups (name) VALUES ('red')"} {
					if _, err := other.ExecContext(t.Context(), statement); err != nil {
						t.Fatal(err)
					}
				}
				go func() { _, err := serve(t.Context(), at, settings(true)); ended <- err }()
				server.Blocked(t)
				server.Kill()
			})
			if err := <-ended; err == nil {
				t.Fatal("it was taken over in spite of that")
			}
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			if here := contents(t, connected(t, at), Plugin); len(here.Users)+len(here.Groups)+len(here.Grants) > 0 {
				t.Errorf("a part was taken over: %+v", here)
			}
			if _, err := serve(t.Context(), at, settings(true)); err != nil {
				t.Fatal(err)
			}
			overWhole(t, at, before)
		})
	}
}

// A server that dies amid the making of the gateway's tables leaves the plugin's as they are. PostgreSQL goes on with the next start; MySQL, which
// takes no change of tables back, may need what was made to be dropped, as docs/migration.md says.
func TestServerKilledAmidUpgrade(t *testing.T) {
	for engine, on := range onServers {
		t.Run(engine.String(), func(t *testing.T) {
			server := dbtest.Start(t, engine)
			at := server.New(t)
			server.Load(t, at, text(t, "plugin-11.0.2"+on.ending))
			before := tables(t, at)
			ended := make(chan error, 1)
			go func() { _, err := serve(t.Context(), at, settings(true)); ended <- err }()
			server.Within(t, at, func(other *sql.Conn) {
				for n, deadline := 0, time.Now().Add(30*time.Second); n == 0; {
					err := other.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'gw_users'").Scan(&n)
					if err != nil || time.Now().After(deadline) {
						t.Fatalf("no table is made, %v", err)
					}
				}
				server.Kill()
			})
			if err := <-ended; err == nil {
				t.Fatal("it was done before the server died")
			}
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, tables(t, at)); diff != "" {
				t.Fatalf("the plugin's tables were changed:\n%s", diff)
			}
			_, err := serve(t.Context(), at, settings(true))
			if err != nil && engine == database.MySQL {
				t.Logf("in the middle of a migration: %v", err)
				dropOurs(t, server, at)
				_, err = serve(t.Context(), at, settings(true))
			}
			if err != nil {
				t.Fatal(err)
			}
			overWhole(t, at, before)
		})
	}
}

// dropOurs drops the gateway's tables, by their names, and no others.
func dropOurs(t *testing.T, server *dbtest.Server, at database.Address) {
	t.Helper()
	server.Within(t, at, func(conn *sql.Conn) {
		var names string
		err := conn.QueryRowContext(t.Context(), "SELECT GROUP_CONCAT(table_name) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'gw~_%' ESCAPE '~'").Scan(&names)
		if err == nil {
			_, err = conn.ExecContext(t.Context(), "SET foreign_key_checks = 0; DROP TABLE "+names)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

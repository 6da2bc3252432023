package directory_test

import (
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

const grantsEach = 10

// filled gives a database with 10^n users of ten grants each.
func filled(tb testing.TB, engine database.Engine, n int) *store.DB {
	tb.Helper()
	a := dbtest.New(tb, engine)
	db, err := store.Connect(tb.Context(), store.Options{Address: a})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	driver, dsn := "sqlite", a.Path
	switch engine {
	case database.PostgreSQL:
		driver, dsn = "pgx", a.URL()
	case database.MySQL:
		driver, dsn = "mysql", fmt.Sprintf("%s@tcp(%s:%d)/%s", a.User, a.Host, a.Port, a.Name)
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	defer raw.Close()
	from, number := dbtest.Digits(n)
	users := "INSERT INTO gw_users (username, display_name, is_admin, active, is_service, managed_by, created_at, updated_at) " +
		"SELECT CONCAT('u', n), '', FALSE, TRUE, FALSE, 'oidc', '2026-01-01 00:00:00', '2026-01-01 00:00:00' FROM (SELECT " + number + " AS n FROM " + from + ") AS numbers"
	ten, digit := dbtest.Digits(1)
	rules := "INSERT INTO gw_grants (user_id, kind, workspace, resource, level) SELECT u.id, '" + string(kind.Experiment) + "', '', CONCAT('', u.id * 10 + " + digit + "), 'READ' FROM gw_users AS u CROSS JOIN " + ten
	for _, statement := range []string{users, rules} {
		if _, err := raw.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatal(err)
		}
	}
	return db
}

// TestManyUsersAndGrants shows that what one request costs does not grow with how many people and grants there are.
func TestManyUsersAndGrants(t *testing.T) {
	for _, engine := range dbtest.Engines {
		t.Run(engine.String(), func(t *testing.T) { measure(t, engine, 3, 500) })
	}
}

// TestMillionGrants is TestManyUsersAndGrants at full size: 1,000,000 grants of 100,000 users, of whom more are asked for than are kept in memory.
func TestMillionGrants(t *testing.T) {
	if dbtest.Raced {
		t.Skip("it is run without the race detector, with which it would take minutes")
	}
	measure(t, database.SQLite, 5, 30_000)
}

// BenchmarkMillionGrants is TestMillionGrants on all engines: go test -bench MillionGrants -benchtime 1x ./internal/directory.
func BenchmarkMillionGrants(b *testing.B) {
	for _, engine := range dbtest.Engines {
		b.Run(engine.String(), func(b *testing.B) {
			for b.Loop() {
				measure(b, engine, 5, 30_000)
			}
		})
	}
}

// What one request may cost, and the process, whatever there is. Machines that test are slow and busy: loading takes less than a
// millisecond, and deciding a few microseconds, where nothing else runs.
const (
	mostLoading  = 50 * time.Millisecond
	mostDeciding = time.Millisecond
	mostMemory   = 200 // MB
)

// resident is how much memory the process has of the machine, in MB; 0 where the system does not say so as Linux does.
func resident(tb testing.TB) int {
	tb.Helper()
	said, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var all, own int
	if _, err := fmt.Sscan(string(said), &all, &own); err != nil {
		tb.Fatal(err)
	}
	return own * os.Getpagesize() >> 20
}

// measure loads some of the 10^n users, and asks for one again and again.
func measure(tb testing.TB, engine database.Engine, n int, some int64) {
	began := time.Now()
	db := filled(tb, engine, n)
	filling := time.Since(began)
	debug.FreeOSMemory() // what filling took
	began = time.Now()
	memory := resident(tb)
	c, err := directory.NewCache(db, authz.DefaultOrder())
	if err != nil {
		tb.Fatal(err)
	}
	last := int64(1)
	for range n {
		last *= 10
	}
	decide := func(id int64) {
		g, err := c.Of(tb.Context(), id)
		if err != nil {
			tb.Fatal(err)
		}
		if !(authz.Rules{}.Decide(authz.Subject{Active: true}, g, authz.Resource{Kind: kind.Experiment, ID: fmt.Sprint(id*10 + 3)}, kind.Read).Allowed) {
			tb.Fatalf("user %d has not what was granted", id)
		}
	}
	var loads []time.Duration
	for id := int64(1); id <= last; id += max(1, last/some) {
		c.Look(tb.Context())
		before, at := db.Queries(), time.Now()
		decide(id)
		loads = append(loads, time.Since(at))
		if statements := db.Queries() - before; statements != 1 {
			tb.Fatalf("loading what a user holds took %d statements", statements)
		}
		if len(loads)%1000 == 0 {
			memory = max(memory, resident(tb))
		}
	}
	loading := time.Since(began)
	slices.Sort(loads)
	c.Look(tb.Context())
	decide(last / 2)
	const again = 1000
	before, at := db.Queries(), time.Now()
	for range again {
		decide(last / 2)
	}
	known := time.Since(at) / again
	if statements := db.Queries() - before; statements != 0 && time.Since(at) < time.Second/2 {
		tb.Errorf("%d statements for a user who is known", statements)
	}
	memory = max(memory, resident(tb))
	middle, slowest := loads[len(loads)/2], loads[len(loads)*99/100]
	tb.Logf("%d grants of %d users, made in %v, of whom %d were loaded in %v: one takes %v (the slowest percent %v), deciding for one who is known %v; the process has had %d MB",
		last*grantsEach, last, filling.Round(time.Millisecond), len(loads), loading.Round(time.Millisecond), middle, slowest, known, memory)
	if middle > mostLoading || known > mostDeciding || memory > mostMemory {
		tb.Errorf("more than %v, %v or %d MB", mostLoading, mostDeciding, mostMemory)
	}
	runtime.KeepAlive(c)
}

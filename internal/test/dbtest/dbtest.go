// Package dbtest runs real database servers for tests: one of each kind for a test process, with a database for each test.
package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // opens the servers to make databases
	_ "github.com/jackc/pgx/v5/stdlib" // likewise

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
)

// Required is the variable that makes a test fail where it would be skipped, because a server is not installed.
const Required = "TEST_DATABASES"

// Engines are all kinds of databases.
var Engines = []database.Engine{database.SQLite, database.PostgreSQL, database.MySQL}

var shared = struct {
	sync.Mutex
	servers map[database.Engine]*Server
	ready   map[database.Engine][]database.Address // upgraded and empty
}{servers: map[database.Engine]*Server{}, ready: map[database.Engine][]database.Address{}}

var serial atomic.Int64

// Main runs the tests of a package (testing.M), each on all engines if it says so, and stops the servers that they started.
func Main(m interface{ Run() int }, onEngine func(database.Engine)) int {
	defer stop()
	if onEngine == nil {
		return m.Run()
	}
	code := 0
	for _, engine := range Engines {
		fmt.Println("on", engine)
		onEngine(engine)
		code = max(code, m.Run())
	}
	return code
}

func stop() {
	shared.Lock()
	defer shared.Unlock()
	for _, server := range slices.Collect(maps.Values(shared.servers)) {
		server.Stop()
	}
}

// New gives an empty database of its own to a test. The server starts with the first one.
func New(t testing.TB, engine database.Engine) database.Address {
	t.Helper()
	if engine == database.SQLite {
		return database.File(filepath.Join(t.TempDir(), "auth.db"))
	}
	return server(t, engine).New(t)
}

// Ready gives a database that was upgraded, with empty tables. Another test gets it afterwards, emptied: that takes less time
// than a new one. Of SQLite each test gets a copy of the first one.
func Ready(t testing.TB, engine database.Engine, upgrade func(database.Address) error) database.Address {
	t.Helper()
	if engine == database.SQLite {
		return copied(t, upgrade)
	}
	s := server(t, engine)
	shared.Lock()
	defer shared.Unlock()
	var a database.Address
	if n := len(shared.ready[engine]); n > 0 {
		a, shared.ready[engine] = shared.ready[engine][n-1], shared.ready[engine][:n-1]
	} else {
		a = s.Address(fmt.Sprintf("ready%d", serial.Add(1)))
		if err := errors.Join(s.Exec("CREATE DATABASE "+a.Name), upgrade(a)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := s.empty(a.Name); err != nil {
			t.Error(err)
			return
		}
		shared.Lock()
		defer shared.Unlock()
		shared.ready[engine] = append(shared.ready[engine], a)
	})
	return a
}

// upgraded is the content of a SQLite database with empty tables.
var upgraded struct {
	sync.Mutex
	content []byte
}

func copied(t testing.TB, upgrade func(database.Address) error) database.Address {
	t.Helper()
	upgraded.Lock()
	defer upgraded.Unlock()
	a := New(t, database.SQLite)
	if upgraded.content == nil {
		err := upgrade(a)
		if err == nil {
			upgraded.content, err = os.ReadFile(a.Path)
		}
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if err := os.WriteFile(a.Path, upgraded.content, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func server(t testing.TB, engine database.Engine) *Server {
	t.Helper()
	need(t, engine)
	shared.Lock()
	defer shared.Unlock()
	s := shared.servers[engine]
	if s == nil {
		var err error
		if s, err = start(engine); err != nil {
			t.Fatal(err)
		}
		shared.servers[engine] = s
	}
	return s
}

// need skips a test, or fails it, when the engine's server is not installed.
func need(t testing.TB, engine database.Engine) {
	t.Helper()
	if _, err := find(engine); err != nil {
		if os.Getenv(Required) != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// New makes an empty database on the server, which the end of the test drops.
func (s *Server) New(t testing.TB) database.Address {
	t.Helper()
	name := fmt.Sprintf("test%d", serial.Add(1))
	if err := s.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		drop := "DROP DATABASE " + name
		if s.engine == database.PostgreSQL {
			drop += " WITH (FORCE)"
		}
		if err := s.Exec(drop); err != nil && !s.killed.Load() {
			t.Error(err)
		}
	})
	return s.Address(name)
}

// Address is where one of the server's databases is.
func (s *Server) Address(name string) database.Address {
	a := database.Address{Engine: s.engine, Host: "127.0.0.1", Port: s.port, User: kinds[s.engine].master, Name: name}
	if s.engine == database.MySQL {
		a.Options = map[string]string{"ssl_mode": "disabled"}
	} else {
		a.Options = map[string]string{"sslmode": "disable"}
	}
	return a
}

// Exec runs a statement on the server as its master.
func (s *Server) Exec(statement string) error {
	return s.in(kinds[s.engine].own, func(db *sql.Conn) error { return run(db, statement) })
}

func (s *Server) in(name string, do func(*sql.Conn) error) error {
	driver, dsn := "pgx", s.Address(name).URL()
	if s.engine == database.MySQL {
		driver, dsn = "mysql", fmt.Sprintf("%s@tcp(127.0.0.1:%d)/%s?multiStatements=true", kinds[s.engine].master, s.port, name)
	}
	return open(driver, dsn, do)
}

func open(driver, dsn string, do func(*sql.Conn) error) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

func run(db *sql.Conn, statement string) error {
	_, err := db.ExecContext(context.Background(), statement)
	if err != nil {
		err = fmt.Errorf("%.200s: %w", statement, err)
	}
	return err
}

// empty takes all rows away, but those that upgrading has made.
func (s *Server) empty(name string) error {
	const but = "AND table_name NOT IN ('gw_migrations', 'gw_change')"
	return s.in(name, func(db *sql.Conn) error {
		if s.engine == database.PostgreSQL {
			tables, err := column(db, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' "+but)
			if err != nil {
				return err
			}
			return run(db, "TRUNCATE "+strings.Join(tables, ", ")+" RESTART IDENTITY CASCADE")
		}
		tables, err := column(db, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() "+but)
		err = errors.Join(err, run(db, "SET foreign_key_checks = 0"))
		for _, table := range tables {
			err = errors.Join(err, run(db, "DELETE FROM "+table))
		}
		numbered, more := column(db, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND auto_increment > 1 "+but)
		err = errors.Join(err, more)
		for _, table := range numbered {
			err = errors.Join(err, run(db, "ALTER TABLE "+table+" AUTO_INCREMENT = 1"))
		}
		return err
	})
}

// Load runs a dump, and more statements, in a database of the shared servers, or in a file.
func Load(t testing.TB, a database.Address, dump string, more ...string) {
	t.Helper()
	if a.Engine == database.SQLite {
		if err := open("sqlite", a.Path, func(db *sql.Conn) error { return runAll(db, append([]string{dump}, more...)) }); err != nil {
			t.Fatal(err)
		}
		return
	}
	server(t, a.Engine).Load(t, a, dump, more...)
}

// Load runs a dump, and more statements, in one of the server's databases.
func (s *Server) Load(t testing.TB, a database.Address, dump string, more ...string) {
	t.Helper()
	as := "SET standard_conforming_strings = on" // what dumps rest on
	if s.engine == database.MySQL {
		as = "SET foreign_key_checks = 0"
	}
	if err := s.in(a.Name, func(db *sql.Conn) error { return runAll(db, append([]string{as, dump}, more...)) }); err != nil {
		t.Fatal(err)
	}
}

// Within does something on a connection to one of the server's databases.
func (s *Server) Within(t testing.TB, a database.Address, do func(*sql.Conn)) {
	t.Helper()
	if err := s.in(a.Name, func(db *sql.Conn) error { do(db); return nil }); err != nil {
		t.Fatal(err)
	}
}

// Blocked waits until a statement on the server waits for what another one has locked.
func (s *Server) Blocked(t testing.TB) {
	t.Helper()
	waits := "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
	if s.engine == database.MySQL {
		waits = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
	}
	tick := time.NewTicker(150 * time.Millisecond) // MySQL looks anew after 100, where nobody has asked meanwhile
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		var found []string
		err := s.in(kinds[s.engine].own, func(db *sql.Conn) (err error) { found, err = column(db, waits); return err })
		if err != nil {
			t.Fatal(err)
		}
		if found[0] != "0" {
			return
		}
	}
	t.Fatal("nothing waits for a lock")
}

func runAll(db *sql.Conn, statements []string) error {
	for _, one := range statements {
		if err := run(db, one); err != nil {
			return err
		}
	}
	return nil
}

// Cut ends all connections to a database, as an administrator or a restart of the server does, and says how many there were.
func Cut(t testing.TB, a database.Address) int {
	t.Helper()
	if a.Engine == database.SQLite {
		return 0
	}
	others, kill := "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", "SELECT pg_terminate_backend(%s)"
	if a.Engine == database.MySQL {
		others, kill = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()", "KILL %s"
	}
	var ids []string
	err := server(t, a.Engine).in(a.Name, func(db *sql.Conn) (err error) {
		ids, err = column(db, others)
		for _, id := range ids {
			_ = run(db, fmt.Sprintf(kill, id)) // it may have ended meanwhile
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(ids)
}

func column(db *sql.Conn, query string) (all []string, err error) {
	rows, err := db.QueryContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// Digits numbers rows from 0 to 10^n-1 in words that all engines have.
func Digits(n int) (from, number string) {
	var tables, sum []string
	for i := range n {
		tables = append(tables, fmt.Sprintf("(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) AS d%d", i))
		sum = append(sum, fmt.Sprintf("d%d.d * 1%s", i, strings.Repeat("0", i)))
	}
	return strings.Join(tables, " CROSS JOIN "), strings.Join(sum, " + ")
}

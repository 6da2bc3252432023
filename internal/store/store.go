// Package store holds all SQL: migrations, people, grants, and the change counter that other replicas watch.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable keeps our migrations apart from those of the Python plugin and of MLflow in the same database.
const versionTable = "gw_migrations"

// DB is the users database.
type DB struct {
	write *bun.DB // one connection: SQLite takes one writer at a time, and waiting here beats failing there
	read  *bun.DB
	now   func() time.Time

	onChange atomic.Pointer[func()]
	onPerson atomic.Pointer[func(context.Context, directory.PersonChange)]
	queries  atomic.Int64
}

// Open opens the SQLite database at the path, makes it when it is not there, and brings its tables up to date.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	write, err := open(path, 1, "immediate")
	if err != nil {
		return nil, err
	}
	read, err := open(path, 8, "deferred")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	db := &DB{write: write, read: read, now: func() time.Time { return time.Now().UTC().Truncate(time.Second) }}
	if err := migrate(ctx, write.DB); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	for _, pool := range []*bun.DB{read, write} {
		pool.AddQueryHook(counter{&db.queries})
	}
	return db, nil
}

// create makes the file readable by this user alone: it holds hashes of tokens.
func create(path string) error {
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the folder of the users database: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the users database: %w", err)
	}
	return file.Close()
}

func open(path string, connections int, lock string) (*bun.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the users database: %w", err)
	}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: absolute, RawQuery: url.Values{
		"_txlock": {lock},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"},
	}.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("opening the users database: %w", err)
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return bun.NewDB(pool, sqlitedialect.New()), nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	versions, err := database.NewStore(database.DialectSQLite3, versionTable)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, files, goose.WithStore(versions))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	for attempt := 0; ; attempt++ { // another process may be at it
		var current int64
		if current, err = provider.GetDBVersion(ctx); err == nil && current > newest {
			return fmt.Errorf("the users database has version %d and this program knows only up to %d: use the newer program that upgraded it", current, newest)
		}
		if err == nil {
			_, err = provider.Up(ctx)
		}
		if err == nil {
			return nil
		}
		if attempt == 20 {
			return fmt.Errorf("upgrading the users database: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Close closes the database.
func (db *DB) Close() error { return errors.Join(db.read.Close(), db.write.Close()) }

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	_, err := db.Change(ctx) // the driver's own ping does not read the file
	return err
}

// OnChange has a function called after each change that this process makes.
func (db *DB) OnChange(f func()) { db.onChange.Store(&f) }

// OnPerson has a function called after each change of an account that a provider's word made.
func (db *DB) OnPerson(f func(context.Context, directory.PersonChange)) { db.onPerson.Store(&f) }

// changes are the accounts that a transaction changes, to be told of when it is done.
type changes struct{ people []directory.PersonChange }

type changesKey struct{}

func note(ctx context.Context, change directory.PersonChange) {
	if into, ok := ctx.Value(changesKey{}).(*changes); ok {
		into.people = append(into.people, change)
	}
}

// Queries counts the statements so far, for tests of the paths that must not need any.
func (db *DB) Queries() int64 { return db.queries.Load() }

// Change gives the counter that every change moves, in whichever process it was made.
func (db *DB) Change(ctx context.Context) (int64, error) {
	var value int64
	err := db.read.NewSelect().Table("gw_change").Column("value").Where("id = 1").Scan(ctx, &value)
	return value, db.coded(err, "the change counter")
}

// update runs a change in one transaction, and moves the counter in the same.
func (db *DB) update(ctx context.Context, change func(ctx context.Context, tx bun.Tx) error) error {
	return db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) { return true, change(ctx, tx) })
}

// sometimes runs what may be a change in one transaction, and moves the counter where it says that it was one.
func (db *DB) sometimes(ctx context.Context, change func(ctx context.Context, tx bun.Tx) (bool, error)) error {
	var changed bool
	noted := &changes{}
	err := db.write.RunInTx(context.WithValue(ctx, changesKey{}, noted), nil, func(ctx context.Context, tx bun.Tx) error {
		var err error
		noted.people = nil
		if changed, err = change(ctx, tx); err != nil || !changed {
			return err
		}
		_, err = tx.NewUpdate().Table("gw_change").Set("value = value + 1").Where("id = 1").Exec(ctx)
		return err
	})
	if err != nil {
		return db.coded(err, "")
	}
	if f := db.onChange.Load(); changed && f != nil {
		(*f)()
	}
	if f := db.onPerson.Load(); f != nil {
		for _, one := range noted.people {
			(*f)(ctx, one)
		}
	}
	return nil
}

// coded gives a database error its code: what is what to the caller, and Unavailable for all that is not the caller's.
func (db *DB) coded(err error, what string) error {
	var coded *errs.Error
	var driver *sqlite.Error
	switch {
	case err == nil || errors.As(err, &coded):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return errs.New(errs.NotFound, "%s does not exist", what)
	case errors.As(err, &driver) && unique(driver.Code()):
		return errs.Wrap(errs.Conflict, err, "it exists already")
	}
	return errs.Wrap(errs.Unavailable, err, "the users database cannot be used right now")
}

func unique(code int) bool {
	return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

type counter struct{ count *atomic.Int64 }

// BeforeQuery counts a statement (bun.QueryHook).
func (c counter) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	c.count.Add(1)
	return ctx
}

// AfterQuery does nothing (bun.QueryHook).
func (counter) AfterQuery(context.Context, *bun.QueryEvent) {}

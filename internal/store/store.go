// Package store holds all SQL: migrations, people, grants, and the change counter that other replicas watch.
package store

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
)

// DB is the users database.
type DB struct {
	engine *engine
	write  *bun.DB
	read   *bun.DB // the same, but where SQLite has one connection that writes
	turn   chan struct{}
	share  Share
	now    func() time.Time
	clock  func() time.Time // finer, for events

	onChange atomic.Pointer[func()]
	onEvent  atomic.Pointer[func(context.Context, audit.Event)]
	onQuery  atomic.Pointer[func(operation string, took time.Duration, err error)]
	keeps    bool // events in the table of them
	queries  atomic.Int64
}

// Options say where the database is, and how it is used.
type Options struct {
	Address database.Address
	Pool    Pool
	Audit   bool // changes are kept in the table of events too
}

// Pool bounds the connections to a database server; SQLite needs none.
type Pool struct {
	Size     int           // connections that are kept
	Overflow int           // connections beyond them, while they are needed
	Recycle  time.Duration // how old a connection may get; 0: any age
}

// Open opens the SQLite database at the path, makes it when it is not there, and brings its tables up to date.
func Open(ctx context.Context, path string) (*DB, error) {
	return Connect(ctx, Options{Address: database.File(path)})
}

// Connect opens the database at an address, and brings its tables up to date.
func Connect(ctx context.Context, o Options) (*DB, error) {
	if err := migrate(ctx, o); err != nil {
		return nil, err
	}
	e := engines[o.Address.Engine]
	write, read, err := e.connect(o)
	if err != nil {
		return nil, err
	}
	db := &DB{engine: e, write: bun.NewDB(write, e.dialect()), turn: make(chan struct{}, 1), keeps: o.Audit, clock: time.Now,
		now: func() time.Time { return time.Now().UTC().Truncate(time.Second) }}
	db.write = db.write.WithQueryHook(counter{db})
	if db.read = db.write; read != write {
		db.read = bun.NewDB(read, e.dialect()).WithQueryHook(counter{db})
	}
	return db, nil
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

// OnEvent has a function called with each change after it is stored, for the log: in the table of events it is already.
func (db *DB) OnEvent(f func(context.Context, audit.Event)) { db.onEvent.Store(&f) }

// OnQuery has a function called after each statement, with its first word.
func (db *DB) OnQuery(f func(operation string, took time.Duration, err error)) { db.onQuery.Store(&f) }

// Stats are those of the pools of connections, by their names.
func (db *DB) Stats() map[string]sql.DBStats {
	if db.read == db.write {
		return map[string]sql.DBStats{"all": db.write.Stats()}
	}
	return map[string]sql.DBStats{"write": db.write.Stats(), "read": db.read.Stats()}
}

// Queries counts the statements so far, for tests of the paths that must not need any.
func (db *DB) Queries() int64 { return db.queries.Load() }

// Change gives the counter that every change moves, in whichever process it was made.
func (db *DB) Change(ctx context.Context) (int64, error) {
	var value int64
	err := db.read.NewSelect().Table("gw_change").Column("value").Where("id = 1").Scan(ctx, &value)
	return value, db.coded(err, "the change counter")
}

type counter struct{ db *DB }

// BeforeQuery counts a statement (bun.QueryHook).
func (c counter) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	c.db.queries.Add(1)
	guard(ctx, event)
	return ctx
}

// AfterQuery tells of a statement (bun.QueryHook). That there is no such row is no failure.
func (c counter) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	tell := c.db.onQuery.Load()
	if tell == nil {
		return
	}
	err := event.Err
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	(*tell)(event.Operation(), time.Since(event.StartTime), err)
}

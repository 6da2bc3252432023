package store

import (
	"context"
	"database/sql"
	"time"

	versions "github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun/schema"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
)

// engine is all in which one kind of database differs from the others.
type engine struct {
	dialect  func() schema.Dialect
	versions versions.Dialect
	// connect gives the pool that writes, and the one that reads; they may be one. Migrations have a pool of their own.
	connect func(o Options) (write, read *sql.DB, err error)
	migrate func(o Options) (*sql.DB, error)
	// words puts the engine's own types into a migration, see migrations/README.md.
	words func(ctx context.Context, db *sql.DB) (func(migration string) string, error)
	// alone holds all other replicas' migrations off until the release.
	alone func(ctx context.Context, db *sql.DB) (release func(), err error)
	// upgraded counts the table of versions: none in a database that was never upgraded.
	upgraded string
	// begin are the options of a transaction; rowLocks is false where a transaction has the whole database to itself.
	begin    *sql.TxOptions
	rowLocks bool
	upsert   string // of a row with an id
	fault    func(error) fault
}

// fault is what an engine's error means to us.
type fault uint8

const (
	broken    fault = iota // or unreachable, or anything else that is not the caller's
	duplicate              // a unique key is taken
	unfit                  // a value that no column can hold
	collided               // with another transaction: nothing happened, and the same may succeed now
)

var engines = map[database.Engine]*engine{database.SQLite: sqlite, database.PostgreSQL: postgres, database.MySQL: mySQL}

// pooled sets up the pool of a database server.
func pooled(db *sql.DB, p Pool) *sql.DB {
	size, overflow := p.Size, p.Overflow
	if size <= 0 {
		size = 5
	}
	if overflow <= 0 {
		overflow = 10
	}
	db.SetMaxIdleConns(size)
	db.SetMaxOpenConns(size + overflow)
	db.SetConnMaxLifetime(p.Recycle)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db
}

// connectTimeout is how long connecting may take when the address does not say.
const connectTimeout = 10 * time.Second

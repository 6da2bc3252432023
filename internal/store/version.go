package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pressly/goose/v3"
	versions "github.com/pressly/goose/v3/database"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
)

// Version says how far a database is upgraded.
type Version struct {
	Current int64 // 0: there are no tables of ours
	Newest  int64 // that this program knows
}

// Upgrade brings the tables up to date, and says what they were before.
func Upgrade(ctx context.Context, o Options) (Version, error) {
	before, err := VersionOf(ctx, o)
	if err != nil {
		return before, err
	}
	return before, migrate(ctx, o)
}

// VersionOf reads how far a database is upgraded, and changes nothing.
func VersionOf(ctx context.Context, o Options) (v Version, err error) {
	if v.Newest, err = newest(); err != nil {
		return v, err
	}
	if o.Address.Engine == database.SQLite {
		if info, err := os.Stat(o.Address.Path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			return v, nil
		}
	}
	e := engines[o.Address.Engine]
	db, err := e.migrate(o)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	v.Current, err = current(ctx, e, db)
	return v, err
}

// Version reads how far the open database is upgraded.
func (db *DB) Version(ctx context.Context) (v Version, err error) {
	if v.Newest, err = newest(); err != nil {
		return v, err
	}
	v.Current, err = current(ctx, db.engine, db.read.DB)
	return v, err
}

func current(ctx context.Context, e *engine, db *sql.DB) (int64, error) {
	var there int
	if err := db.QueryRowContext(ctx, e.upgraded).Scan(&there); err != nil || there == 0 {
		return 0, wrapped(err)
	}
	table, err := versions.NewStore(e.versions, versionTable)
	if err != nil {
		return 0, err
	}
	at, err := table.GetLatestVersion(ctx, db)
	if errors.Is(err, versions.ErrVersionNotFound) {
		return 0, nil
	}
	return at, wrapped(err)
}

func wrapped(err error) error {
	if err != nil {
		err = fmt.Errorf("reading the version of the users database: %w", err)
	}
	return err
}

// newest is the version of the last migration.
func newest() (last int64, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		last = max(last, version)
	}
	return last, err
}

// known refuses a version that a newer program has made.
func (v Version) known() error {
	if v.Current > v.Newest {
		return fmt.Errorf("the users database has version %d and this program knows only up to %d: %w", v.Current, v.Newest, errNewer)
	}
	return nil
}

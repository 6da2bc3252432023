package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"

	versions "github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"
)

// sqlite has one connection that writes: SQLite takes one writer at a time, and waiting here beats failing there.
var sqlite = &engine{
	dialect:  func() schema.Dialect { return sqlitedialect.New() },
	versions: versions.DialectSQLite3,
	connect: func(o Options) (write, read *sql.DB, err error) {
		if err := createFile(o.Address.Path); err != nil {
			return nil, nil, err
		}
		if write, err = openFile(o.Address.Path, 1, "immediate"); err != nil {
			return nil, nil, err
		}
		if read, err = openFile(o.Address.Path, 8, "deferred"); err != nil {
			return nil, nil, errors.Join(err, write.Close())
		}
		return write, read, nil
	},
	migrate: func(o Options) (*sql.DB, error) {
		if err := createFile(o.Address.Path); err != nil {
			return nil, err
		}
		return openFile(o.Address.Path, 1, "immediate")
	},
	words: func(context.Context, *sql.DB) (func(string) string, error) {
		return indexAlone, nil
	},
	alone:    func(context.Context, *sql.DB) (func(), error) { return func() {}, nil }, // each migration has the file to itself
	upgraded: "SELECT COUNT(*) FROM sqlite_master WHERE name = '" + versionTable + "'",
	upsert:   "CONFLICT (id) DO UPDATE",
	fault: func(err error) fault {
		var refusal *driver.Error
		if errors.As(err, &refusal) && (refusal.Code() == code.SQLITE_CONSTRAINT_UNIQUE || refusal.Code() == code.SQLITE_CONSTRAINT_PRIMARYKEY) {
			return duplicate
		}
		return broken
	},
}

// dropped is how an index is dropped; MySQL alone wants to know of which table.
var dropped = regexp.MustCompile(`(?m)^(DROP INDEX \w+) ON \w+;`)

func indexAlone(migration string) string { return dropped.ReplaceAllString(migration, "$1;") }

// createFile makes the file readable by this user alone: it holds hashes of tokens.
func createFile(path string) error {
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

func openFile(path string, connections int, lock string) (*sql.DB, error) {
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
	return pool, nil
}

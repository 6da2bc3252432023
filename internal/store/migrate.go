package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	versions "github.com/pressly/goose/v3/database"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable keeps our migrations apart from those of the Python plugin and of MLflow in the same database.
const versionTable = "gw_migrations"

// migrate brings the tables up to date, with all other replicas held off.
func migrate(ctx context.Context, o Options) (err error) {
	e := engines[o.Address.Engine]
	db, err := e.migrate(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	last, err := newest()
	if err != nil {
		return err
	}
	if at, err := current(ctx, e, db); err == nil && at == last {
		return nil // as most starts find it; what hinders the reading hinders what follows, and is said there
	}
	release, err := e.alone(ctx, db)
	if err != nil {
		return fmt.Errorf("reaching the users database: %w", err)
	}
	defer release()
	provider, err := newProvider(ctx, e, db)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ { // another process may be at it, where nothing holds it off
		if err = upgrade(ctx, provider); err == nil || errors.Is(err, errNewer) || o.Address.Engine != database.SQLite || attempt == 20 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func newProvider(ctx context.Context, e *engine, db *sql.DB) (*goose.Provider, error) {
	words, err := e.words(ctx, db)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	table, err := versions.NewStore(e.versions, versionTable)
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider("", db, translated{files, words}, goose.WithStore(table))
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return provider, nil
}

// errNewer refuses a database that a newer program has upgraded: what it means is not known here.
var errNewer = errors.New("use the newer program that upgraded it")

func upgrade(ctx context.Context, provider *goose.Provider) error {
	at, last, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the version of the users database: %w", err)
	}
	if err := (Version{at, last}).known(); err != nil {
		return err
	}
	if _, err = provider.Up(ctx); err != nil {
		return fmt.Errorf("upgrading the users database: %w", err)
	}
	return nil
}

// translated are the migrations in the words of one engine.
type translated struct {
	from  fs.FS
	words func(string) string
}

// Open opens a migration, or the folder of them (fs.FS).
func (t translated) Open(name string) (fs.File, error) {
	file, err := t.from.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return file, err
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return migration{file, strings.NewReader(t.words(string(content)))}, nil
}

type migration struct {
	fs.File
	words io.Reader
}

// Read reads the translation (fs.File).
func (m migration) Read(b []byte) (int, error) { return m.words.Read(b) }

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
)

// Foreign is another program's database, which is read as it is at one moment and never changed.
type Foreign struct {
	pool *bun.DB
	tx   bun.Tx
}

// OpenForeign opens another program's database. Nothing is written to it, whoever asks.
func OpenForeign(ctx context.Context, a database.Address) (*Foreign, error) {
	e := engines[a.Engine]
	pool, err := foreignPool(a)
	if err != nil {
		return nil, err
	}
	f := &Foreign{pool: bun.NewDB(pool, e.dialect())}
	options := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if a.Engine == database.SQLite {
		options = nil // each of its transactions sees one moment, and the file is opened to be read alone
	}
	if f.tx, err = f.pool.BeginTx(ctx, options); err == nil {
		_, err = f.tx.ExecContext(ctx, "SELECT 1")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", a, err), pool.Close())
	}
	return f, nil
}

func foreignPool(a database.Address) (*sql.DB, error) {
	switch a.Engine {
	case database.PostgreSQL:
		return openPostgres(Options{Address: a})
	case database.MySQL:
		return openMySQL(Options{Address: a}, 5*time.Minute)
	}
	path, err := filepath.Abs(a.Path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", a, err)
	}
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("reading %s: %w", a, err)
	} else if info.IsDir() {
		return nil, fmt.Errorf("reading %s: it is a folder", a)
	}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: url.Values{
		"mode": {"ro"}, "_pragma": {"busy_timeout(10000)", "query_only(1)"}}.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err == nil {
		pool.SetMaxOpenConns(1)
	}
	return pool, err
}

// Close closes the database.
func (f *Foreign) Close() error {
	_ = f.tx.Rollback() // there is nothing to take back
	return f.pool.Close()
}

// Has tells whether there is a table.
func (f *Foreign) Has(ctx context.Context, table string) (bool, error) {
	query := "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?"
	switch f.pool.Dialect().Name().String() {
	case "sqlite":
		query = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
	case "mysql":
		query = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
	}
	var n int
	err := f.tx.NewRaw(query, table).Scan(ctx, &n)
	return n > 0, err
}

// Row is a row of a foreign table, by the names of its columns. What a table of an older version has not is not there.
type Row map[string]any

// Rows reads a whole table, in the order of a column.
func (f *Foreign) Rows(ctx context.Context, table, order string) ([]Row, error) {
	var all []map[string]any
	q := f.tx.NewSelect().TableExpr("?", bun.Ident(table)).ColumnExpr("*")
	if order != "" {
		q = q.OrderExpr("?", bun.Ident(order))
	}
	err := q.Scan(ctx, &all)
	if err != nil {
		return nil, fmt.Errorf("reading its table %s: %w", table, err)
	}
	rows := make([]Row, len(all))
	for i, one := range all {
		rows[i] = one
		for name, value := range one {
			if nullable, ok := value.(driver.Valuer); ok { // as some drivers give what can be NULL
				if one[name], err = nullable.Value(); err != nil {
					return nil, err
				}
			}
		}
	}
	return rows, nil
}

// Has tells whether the row has a value under a name.
func (r Row) Has(name string) bool { return r[name] != nil }

// Text gives a text, "" where there is none.
func (r Row) Text(name string) string {
	switch v := r[name].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

// Number gives a number, 0 where there is none.
func (r Row) Number(name string) int64 {
	switch v := r[name].(type) {
	case int64:
		return v
	case int32:
		return int64(v)
	case bool:
		if v {
			return 1
		}
	}
	return 0
}

// Truth gives a truth; no value is false.
func (r Row) Truth(name string) bool {
	if b, ok := r[name].(bool); ok {
		return b
	}
	return r.Number(name) != 0
}

// Moment gives a time, UTC where it says no zone; false where there is none, or none that can be read.
func (r Row) Moment(name string) (time.Time, bool) {
	if t, ok := r[name].(time.Time); ok {
		return t.UTC(), true
	}
	text := r.Text(name)
	for _, form := range []string{"2006-01-02 15:04:05.999999", time.RFC3339Nano, "2006-01-02T15:04:05.999999"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

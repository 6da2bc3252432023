package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
)

// errServer refuses what the tools of a database server do better.
func errServer(a database.Address) error {
	tool := map[database.Engine]string{database.PostgreSQL: "pg_dump and pg_restore", database.MySQL: "mysqldump or mariadb-dump"}[a.Engine]
	if tool == "" {
		return nil
	}
	return fmt.Errorf("the users are in %s: use %s, with all tables that begin with gw_", a, tool)
}

// Backup writes a copy of a SQLite database, as it is at one moment, to a new file that its owner alone can read. The gateway
// may run meanwhile. On an error there is no file.
func Backup(ctx context.Context, a database.Address, to string) (err error) {
	if err := errServer(a); err != nil {
		return err
	}
	if _, err := os.Stat(a.Path); err != nil {
		return fmt.Errorf("reading the users database: %w", err)
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is there already, and is not overwritten", to)
	}
	part, err := beside(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove(part)) }()
	db, err := openFile(a.Path, 1, "deferred")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", part)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("copying the users database: %w", err)
	}
	if _, err := check(ctx, part); err != nil {
		return err
	}
	if err := settle(part); err != nil {
		return err
	}
	if err := os.Link(part, to); err != nil { // which overwrites nothing, also if it came to be meanwhile
		return fmt.Errorf("writing the copy: %w", err)
	}
	return nil
}

// Restore puts a backup in place of a SQLite database, all of it or nothing, and gives the file in which it has kept what was
// there before; "" when nothing was. A gateway may run meanwhile, and has the restored state within a second. Sessions and
// sign-ins under way are not restored: they may have been ended since.
func Restore(ctx context.Context, a database.Address, from string) (kept string, err error) {
	if err := errServer(a); err != nil {
		return "", err
	}
	was, err := VersionOf(ctx, Options{Address: a})
	if err != nil {
		return "", err
	}
	if err := was.known(); err != nil {
		return "", err
	}
	if err := createFile(a.Path); err != nil {
		return "", err
	}
	part, err := beside(a.Path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, remove(part)) }()
	if err := copied(from, part); err != nil {
		return "", err
	}
	if err := prepared(ctx, part, a, was.Current > 0); err != nil {
		return "", fmt.Errorf("%s cannot be restored: %w", from, err)
	}
	if was.Current > 0 {
		kept = a.Path + ".before-" + time.Now().UTC().Format("20060102T150405.000Z")
		if err := Backup(ctx, a, kept); err != nil {
			return "", fmt.Errorf("keeping what is there: %w", err)
		}
	}
	return kept, put(ctx, part, a.Path)
}

// beside makes an empty file in the folder of another, readable by its owner alone.
func beside(path string) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".mlflow-oidc-auth-*.part")
	if err != nil {
		return "", fmt.Errorf("making a file beside %s: %w", path, err)
	}
	return file.Name(), file.Close()
}

// remove removes a database's file, and those that SQLite has beside it.
func remove(path string) error {
	var all []error
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// settle has a file outlive the machine's end.
func settle(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

func copied(from, to string) error {
	if info, err := os.Stat(from + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s is a database in use, of which a part is in another file: make a copy of it with db backup", from)
	}
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// check says how far a file is upgraded, if it is a whole database of ours that this program knows.
func check(ctx context.Context, path string) (v Version, err error) {
	if v, err = VersionOf(ctx, Options{Address: database.File(path)}); err != nil {
		return v, fmt.Errorf("it is no SQLite database: %w", err)
	}
	if v.Current == 0 {
		return v, errors.New("it is no users database: the tables of one are not in it")
	}
	if err := v.known(); err != nil {
		return v, err
	}
	db, err := openFile(path, 1, "deferred")
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil || found != "ok" {
		return v, errors.Join(err, fmt.Errorf("it is damaged: %s", found))
	}
	err = db.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&found)
	if !errors.Is(err, sql.ErrNoRows) {
		return v, errors.Join(err, fmt.Errorf("it is damaged: %s refers to what is not there", found))
	}
	return v, nil
}

// prepared makes a copy what can take the place of a database: upgraded, without sessions, and with no id and no state of the
// change counter that was there before, so that nobody takes one for the other.
func prepared(ctx context.Context, part string, in database.Address, replaces bool) (err error) {
	if _, err := check(ctx, part); err != nil {
		return err
	}
	if err := migrate(ctx, Options{Address: database.File(part)}); err != nil {
		return err
	}
	db, err := openFile(part, 1, "immediate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	statements := []string{"DELETE FROM gw_sessions", "DELETE FROM gw_asks", "UPDATE gw_change SET value = value + 1"}
	if replaces {
		if _, err := db.ExecContext(ctx, "ATTACH DATABASE ? AS old", in.Path); err != nil {
			return err
		}
		statements = append(statements,
			"UPDATE gw_change SET value = max(value, 1 + (SELECT value FROM old.gw_change))",
			"UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT o.seq FROM old.sqlite_sequence AS o WHERE o.name = sqlite_sequence.name), 0))",
			"INSERT INTO sqlite_sequence (name, seq) SELECT o.name, o.seq FROM old.sqlite_sequence AS o WHERE o.name NOT IN (SELECT name FROM sqlite_sequence)")
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// put copies a database over another one in one transaction, which whoever uses that one sees all of or nothing.
func put(ctx context.Context, part, over string) (err error) {
	db, err := openFile(over, 1, "immediate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("opening the users database: %w", err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		restore, err := c.(interface { // SQLite's driver has it
			NewRestore(string) (*driver.Backup, error)
		}).NewRestore("file:" + part)
		if err != nil {
			return err
		}
		_, err = restore.Step(-1)
		return errors.Join(err, restore.Finish())
	})
	if err != nil {
		return fmt.Errorf("putting the backup in place; nothing has changed: %w", err)
	}
	return nil
}

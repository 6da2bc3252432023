package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

func inFolder(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "-wal") && !strings.HasSuffix(e.Name(), "-shm") {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestBackupAndRestoreWhileTheGatewayRuns(t *testing.T) {
	db := openTest(t)
	a := addressOf(t, db).Address
	copyOf := filepath.Join(t.TempDir(), "copy.db")
	if engineUnderTest != database.SQLite {
		if err := Backup(t.Context(), a, copyOf); err == nil || !strings.Contains(err.Error(), "dump") {
			t.Errorf("%v does not say what makes a backup", err)
		}
		if _, err := Restore(t.Context(), a, copyOf); err == nil || !strings.Contains(err.Error(), "dump") {
			t.Errorf("%v does not say what restores one", err)
		}
		return
	}
	ann := login(t, db, "1", "ann", "red")
	sessions := db.Sessions(db.now)
	if err := sessions.Save(t.Context(), "k", session.Record{UserID: ann.ID, ExpiresAt: db.now().AddDate(1, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	if err := Backup(t.Context(), a, copyOf); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copyOf); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others can read the copy", info.Mode(), err)
	}
	if err := Backup(t.Context(), a, copyOf); err == nil {
		t.Error("a backup was overwritten")
	}
	bob := login(t, db, "2", "bob")
	before, err := db.Change(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := Restore(t.Context(), a, copyOf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.User(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	_, err = db.User(t.Context(), "bob")
	wantCode(t, err, errs.NotFound)
	if after, err := db.Change(t.Context()); err != nil || after <= before {
		t.Errorf("the counter went from %d to %d, %v: memory would not be given up", before, after, err)
	}
	if _, err := sessions.Load(t.Context(), "k"); err == nil {
		t.Error("a session was restored")
	}
	if carol := login(t, db, "3", "carol"); carol.ID <= bob.ID {
		t.Errorf("carol has the id %d, up to %d were others' before the restore", carol.ID, bob.ID)
	}
	old := open(t, Options{Address: database.File(kept)})
	if _, err := old.User(t.Context(), "bob"); err != nil {
		t.Errorf("what was there was not kept: %v", err)
	}
	if diff := cmp.Diff([]string{"auth.db", filepath.Base(kept)}, inFolder(t, a.Path)); diff != "" {
		t.Errorf("files are left:\n%s", diff)
	}
}

func TestRestoreToANewFile(t *testing.T) {
	if engineUnderTest != database.SQLite {
		return
	}
	db := openTest(t)
	login(t, db, "1", "ann")
	copyOf, fresh := filepath.Join(t.TempDir(), "copy.db"), filepath.Join(t.TempDir(), "new", "auth.db")
	if err := Backup(t.Context(), addressOf(t, db).Address, copyOf); err != nil {
		t.Fatal(err)
	}
	kept, err := Restore(t.Context(), database.File(fresh), copyOf)
	if err != nil || kept != "" {
		t.Fatal(kept, err)
	}
	if _, err := open(t, Options{Address: database.File(fresh)}).User(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
}

func TestRefusedRestoresChangeNothing(t *testing.T) {
	if engineUnderTest != database.SQLite {
		return
	}
	file := func(t *testing.T, change ...string) string {
		t.Helper()
		other := open(t, Options{Address: database.File(filepath.Join(t.TempDir(), "other.db"))})
		login(t, other, "x", "mallory", "red")
		for _, statement := range append(change, "PRAGMA wal_checkpoint(TRUNCATE)") {
			if _, err := other.write.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		return addressOf(t, other).Address.Path
	}
	for name, tc := range map[string]struct {
		from func(t *testing.T) string
		want string
	}{
		"nothing":      {func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, "no such file"},
		"an empty one": {func(t *testing.T) string { return written(t, "") }, "not in it"},
		"text":         {func(t *testing.T) string { return written(t, strings.Repeat("no database ", 1000)) }, "no SQLite database"},
		"of another program": {func(t *testing.T) string {
			return file(t, "DROP TABLE gw_migrations")
		}, "not in it"},
		"newer": {func(t *testing.T) string {
			return file(t, "INSERT INTO gw_migrations (version_id, is_applied) VALUES (9999, 1)")
		}, "version 9999"},
		"damaged": {func(t *testing.T) string { return file(t, "PRAGMA foreign_keys = 0", "DELETE FROM gw_users") }, "damaged"},
		"cut off": {func(t *testing.T) string {
			path := file(t)
			if err := os.Truncate(path, 40960); err != nil {
				t.Fatal(err)
			}
			return path
		}, "cannot be restored"},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t)
			a := addressOf(t, db).Address
			login(t, db, "1", "ann")
			before, err := db.Change(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(t.Context(), a, tc.from(t)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if after, err := db.Change(t.Context()); err != nil || after != before {
				t.Errorf("the counter went from %d to %d, %v", before, after, err)
			}
			if _, err := db.User(t.Context(), "ann"); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff([]string{"auth.db"}, inFolder(t, a.Path)); diff != "" {
				t.Errorf("files are left:\n%s", diff)
			}
		})
	}
}

func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

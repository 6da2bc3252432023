package store

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

// engineUnderTest is what openTest opens: each test runs on SQLite, PostgreSQL and MariaDB, one engine after the other.
var engineUnderTest database.Engine

func TestMain(m *testing.M) {
	os.Exit(dbtest.Main(m, func(engine database.Engine) { engineUnderTest = engine }))
}

// addresses are where the databases are that tests have opened.
var addresses sync.Map

func openTest(t *testing.T) *DB {
	t.Helper()
	return open(t, Options{Audit: true, Address: dbtest.Ready(t, engineUnderTest, func(a database.Address) error {
		return migrate(context.Background(), Options{Address: a})
	})})
}

// another opens a database once more, as another replica does.
func another(t *testing.T, db *DB) *DB {
	t.Helper()
	return open(t, addressOf(t, db))
}

func addressOf(t *testing.T, db *DB) Options {
	t.Helper()
	o, _ := addresses.Load(db)
	return o.(Options) // open stored it
}

func open(t *testing.T, o Options) *DB {
	t.Helper()
	db, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	addresses.Store(db, o)
	t.Cleanup(func() {
		addresses.Delete(db)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Package storetest gives tests a users database of their own that is upgraded already.
package storetest

import (
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

// Ready gives the address of a SQLite database with empty tables.
func Ready(t testing.TB) database.Address {
	t.Helper()
	return dbtest.Ready(t, database.SQLite, func(a database.Address) error {
		_, err := store.Upgrade(t.Context(), store.Options{Address: a})
		return err
	})
}

package app

import (
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/operate"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// Operate makes the commands of operators, on the settings that load reads.
func Operate(load func(*cobra.Command) (*config.Config, error)) []*cobra.Command {
	return operate.Commands(operate.Options{Load: load, Change: changing, Operator: operator, Now: time.Now,
		Sessions: func(c *config.Config, db *store.DB) (session.Store, error) {
			return sessionStore(c, db, slog.New(slog.DiscardHandler))
		}})
}

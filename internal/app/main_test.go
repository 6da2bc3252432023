package app_test

import (
	"os"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

// behind are the tests, with the MLflow that they share stopped behind them.
type behind struct{ *testing.M }

// Run runs them (dbtest.Main).
func (b behind) Run() int { return mlflowtest.Main(b.M) }

func TestMain(m *testing.M) { os.Exit(dbtest.Main(behind{m}, nil)) }

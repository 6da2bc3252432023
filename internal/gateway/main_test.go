package gateway_test

import (
	"os"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

func TestMain(m *testing.M) { os.Exit(mlflowtest.Main(m)) }

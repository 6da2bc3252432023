package importer

import (
	"os"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m, nil)) }

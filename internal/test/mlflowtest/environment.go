package mlflowtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Environment is a Python environment with MLflow in it: the folder of its commands.
type Environment string

// Command is the path of one of its commands.
func (e Environment) Command(name string) string { return filepath.Join(string(e), name) }

// Pinned is the environment with the version that the table of routes was made for: the folder MLFLOW_BIN, or .venv/bin of
// the module.
func Pinned(t testing.TB) Environment {
	t.Helper()
	e, err := pinned()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Older is the environment with an older version.
func Older(t testing.TB, version string) Environment {
	t.Helper()
	e, err := environment(filepath.Join(".mlflow", version, "bin"), "scripts/mlflow.sh "+version)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func pinned() (Environment, error) {
	if dir := os.Getenv("MLFLOW_BIN"); dir != "" {
		return Environment(dir), nil
	}
	return environment(filepath.Join(".venv", "bin"), "scripts/mlflow.sh")
}

func environment(dir, script string) (Environment, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	e := Environment(filepath.Join(root, dir))
	if _, err := os.Stat(e.Command("python")); err != nil {
		return "", fmt.Errorf("%s is needed: run %s, which makes it: %w", e, script, err)
	}
	return e, nil
}

//go:embed routes.py
var listRoutes string

// Listing is what an installed MLflow serves.
type Listing struct {
	Version string
	Routes  []string // "METHOD /path", each path as MLflow writes it
}

// Routes lists what the environment's MLflow serves.
func (e Environment) Routes(t testing.TB) Listing {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), e.Command("python"), "-W", "ignore", "-c", listRoutes).Output()
	if err != nil {
		t.Fatalf("listing MLflow's routes: %v", err)
	}
	var said struct {
		Version string
		Routes  [][2]string
	}
	if err := json.Unmarshal(output, &said); err != nil {
		t.Fatal(err)
	}
	list := Listing{Version: said.Version}
	for _, row := range said.Routes {
		list.Routes = append(list.Routes, row[0]+" "+row[1])
	}
	return list
}

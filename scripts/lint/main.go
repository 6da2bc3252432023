// Command lint looks at the source of the project with the linters of .golangci.yml, at a tenth of what golangci-lint takes on a machine
// that has compiled nothing. It is a tool of go vet, which hands it one package after the other with all that is compiled already:
//
//	go vet -vettool=lint -json ./... | lint
//
// As the second, it prints what was found, without what .golangci.yml excludes.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/analysis/unitchecker"
	"honnef.co/go/tools/analysis/facts/deprecated"
)

const project = "github.com/mlflow-oidc/mlflow-oidc-auth/"

func main() {
	if len(os.Args) == 1 {
		found, err := report(os.Stdin, ".golangci.yml", os.Stdout)
		if err != nil {
			fmt.Fprintln(os.Stderr, "lint:", err)
		}
		if err != nil || found {
			os.Exit(1)
		}
		return
	}
	of, err := imported(os.Args[len(os.Args)-1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
	if of != "" && !strings.HasPrefix(of, project) {
		// Of others' packages only what ours have to know is wanted, such as what is deprecated.
		unitchecker.Main(append(vet.Suite, deprecated.Analyzer)...)
	}
	unitchecker.Main(analyzers()...)
}

// imported gives the package that the file of go vet is about; nothing where go vet asks for something else.
func imported(file string) (string, error) {
	if filepath.Ext(file) != ".cfg" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading what go vet says of a package: %w", err)
	}
	var unit struct{ ImportPath string }
	if err := json.Unmarshal(text, &unit); err != nil {
		return "", fmt.Errorf("reading what go vet says of a package: %w", err)
	}
	return unit.ImportPath, nil
}

package app_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
)

// variable is a segment of a path that stands for anything; what it is called differs.
var variable = regexp.MustCompile(`\{[^}]+\}`)

// What the Python plugin 11.0.2 answers, but for SAML and SCIM, is answered here too, at the same place and by the same method.
func TestOpenAPIHoldsEveryOperationOfThePlugin(t *testing.T) {
	var printed strings.Builder
	if err := app.OpenAPI(&printed); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(printed.String()), &document); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for path, methods := range document.Paths {
		for method := range methods {
			have[strings.ToUpper(method)+" "+variable.ReplaceAllString(path, "{}")] = true
		}
	}
	rows := strings.Split(strings.TrimSpace(readFile(t, filepath.Join("testdata", "plugin-11.0.2.txt"))), "\n")
	if len(rows) < 240 {
		t.Fatalf("the list has %d rows", len(rows))
	}
	for _, row := range rows {
		if !have[variable.ReplaceAllString(row, "{}")] {
			t.Errorf("there is no %s", row)
		}
	}
}

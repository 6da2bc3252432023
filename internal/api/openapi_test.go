package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The document is public, and says of every operation what a client generator needs. That it lists all operations is
// tested with the callers.
func TestOpenAPIDocument(t *testing.T) {
	c := newCast(t)
	got := c.nobody.Do(t, http.MethodGet, "/openapi.json", nil)
	var document struct {
		OpenAPI    string `json:"openapi"`
		Components struct {
			Schemas map[string]any            `json:"schemas"`
			Schemes map[string]map[string]any `json:"securitySchemes"`
		} `json:"components"`
		Paths map[string]map[string]struct {
			ID         string                      `json:"operationId"`
			Summary    string                      `json:"summary"`
			Security   []map[string][]string       `json:"security"`
			Responses  map[string]any              `json:"responses"`
			Parameters []struct{ Name, In string } `json:"parameters"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(got.Body, &document); err != nil || got.Status != 200 || !strings.HasPrefix(document.OpenAPI, "3.1.") {
		t.Fatalf("%d %q %v", got.Status, document.OpenAPI, err)
	}
	schemes := map[string]string{}
	for name, scheme := range document.Components.Schemes {
		schemes[name], _ = scheme["type"].(string)
	}
	if diff := cmp.Diff(map[string]string{"session": "apiKey", "basic": "http", "bearer": "http"}, schemes); diff != "" {
		t.Error(diff)
	}
	seen := map[string]bool{}
	braces := regexp.MustCompile(`\{([a-z_]+)\}`)
	for path, methods := range document.Paths {
		for method, operation := range methods {
			named := map[string]bool{}
			for _, p := range operation.Parameters {
				named[p.Name] = p.In == "path"
			}
			for _, variable := range braces.FindAllStringSubmatch(path, -1) {
				if !named[variable[1]] {
					t.Errorf("%s %s does not declare %s", method, path, variable[1])
				}
			}
			if seen[operation.ID] || operation.ID == "" || operation.Summary == "" || len(operation.Security) != len(schemes) && operation.Security != nil || len(operation.Responses) == 0 {
				t.Errorf("%s %s is declared as %+v", method, path, operation)
			}
			seen[operation.ID] = true
			for _, way := range operation.Security {
				for name := range way {
					if schemes[name] == "" {
						t.Errorf("%s %s names the unknown security scheme %s", method, path, name)
					}
				}
			}
		}
	}
	for _, reference := range regexp.MustCompile(`#/components/schemas/([^"]+)`).FindAllStringSubmatch(string(got.Body), -1) {
		if document.Components.Schemas[reference[1]] == nil {
			t.Errorf("the schema %s is referred to and not there", reference[1])
		}
	}
	if secret := c.Settings["SECRET_KEY"]; strings.Contains(string(got.Body), secret) {
		t.Error("the document has a secret")
	}
}

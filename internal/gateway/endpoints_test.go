package gateway

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

func TestEndpointsInADefinition(t *testing.T) {
	for name, c := range map[string]struct {
		definition string
		want       []string
	}{
		"nothing":            {`{}`, nil},
		"another provider":   {`{"a":{"model":"openai:/gateway:/x"}}`, nil},
		"a judge":            {`{"instructions_judge_pydantic_data":{"model":"gateway:/e"}}`, []string{"e"}},
		"more slashes":       {`{"a":{"model":"gateway:///e/f"}}`, []string{"e/f"}},
		"escaped":            {`{"a":{"model":"\u0067ateway:\/e"}}`, []string{"e"}},
		"deep, and several":  {`{"a":[{"b":{"c":["gateway:/e",1,null]}}],"model":"gateway:/f"}`, []string{"e", "f"}},
		"a text that is one": {`{"a":"gateway:/e"}`, []string{"e"}},
		"no name":            {`{"model":"gateway:/"}`, []string{""}}, // which no endpoint has
	} {
		t.Run(name, func(t *testing.T) {
			scorer, err := httpx.ParseObject([]byte(c.definition))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, endpointsIn(scorer)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever else is in a definition, an endpoint that a model of it names is found, or the definition is refused.
func FuzzEndpoints(f *testing.F) {
	f.Add("endpoint", "a", `{"b":1}`)
	f.Add("//e", "model", `"gateway:/other"`)
	f.Fuzz(func(t *testing.T, name, key, beside string) {
		if !utf8.ValidString(name) || !utf8.ValidString(key) || !json.Valid([]byte(beside)) {
			return
		}
		inner, _ := json.Marshal(map[string]any{key: []any{json.RawMessage(beside), map[string]any{"model": "gateway:/" + name}}})
		scorer, err := httpx.ParseObject(inner)
		if err != nil {
			return
		}
		if found := endpointsIn(scorer); !slices.Contains(found, strings.TrimLeft(name, "/")) {
			t.Errorf("%s names the endpoint %q; found are %q", inner, name, found)
		}
	})
}

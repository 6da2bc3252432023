package extract

import (
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// collect gives the texts at a path of a body: "a.b" leads into objects, "a[].b" into each object of a list, and "a[]" to
// each text of one. What is missing or null gives nothing; any other type than the path says is an error, so that no text
// can hide from the decision in a form that MLflow would still read.
func collect(from any, path string) ([]string, error) {
	field, rest, _ := strings.Cut(path, ".")
	name, listed := strings.CutSuffix(field, "[]")
	object, ok := from.(*httpx.Object)
	if !ok {
		return nil, errs.New(errs.Invalid, "the field that holds %q must be an object", name)
	}
	value, given := object.Get(name)
	if !given || value == nil {
		return nil, nil
	}
	items := []any{value}
	if listed {
		if items, ok = value.([]any); !ok {
			return nil, errs.New(errs.Invalid, "field %q must be a list", name)
		}
	}
	var all []string
	for _, item := range items {
		if rest != "" {
			texts, err := collect(item, rest)
			if err != nil {
				return nil, err
			}
			all = append(all, texts...)
			continue
		}
		text, ok := item.(string)
		if !ok {
			return nil, errs.New(errs.Invalid, "field %q must be text, or a list of texts", name)
		}
		all = append(all, text)
	}
	return all, nil
}

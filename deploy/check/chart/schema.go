package chart

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed schemas/kubernetes.json
var published []byte

const place = "kubernetes.json"

var compiler = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(published))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	return c, c.AddResource(place, document)
})

// Check holds an object against the schema of its kind: each field has to be one of it, of its type, and those that have to
// be there have to be.
func Check(o Object) error {
	c, err := compiler()
	if err != nil {
		return err
	}
	schema, err := c.Compile(place + "#/kinds/" + strings.ReplaceAll(o.Kind(), "/", "~1"))
	if err != nil {
		return fmt.Errorf("%s has no schema; if it is meant, add it to generate/main.go: %w", o.Kind(), err)
	}
	if o.Name() == "" {
		return errors.New(o.Kind() + " has no name")
	}
	if err := schema.Validate(map[string]any(o)); err != nil {
		return fmt.Errorf("%s %s: %w", o.Kind(), o.Name(), err)
	}
	return nil
}

// Package graphql reads an operation of MLflow's GraphQL, says what it touches, and writes it anew: one operation with
// neither variables nor fragments, so that MLflow executes what was decided on and nothing else.
package graphql

import (
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// The limits are MLflow's own (mlflow/server/graphql/graphql_no_batching.py), but for that of tokens, which bounds the
// work of reading a document at all.
const (
	maxTokens  = 5000
	maxDepth   = 10
	maxFields  = 1000
	maxRoots   = 10
	maxAliases = 10
	maxSize    = 1 << 20 // of all values, once variables are put in wherever they are named
)

//go:embed schema.graphql
var sdl string

var schema = gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: sdl})

// Operation is one operation, with its fragments and variables put in where they belong.
type Operation struct {
	mutation bool
	fields   []*field
}

// field is one field of an object: all the selections under one key of the answer.
type field struct {
	key, name string
	arguments map[string]any
	list      bool
	rule      rule
	fields    []*field
	added     bool // by us, and so taken out of the answer again
}

// Read reads the body of a request.
func Read(body *httpx.Object) (*Operation, error) {
	document, variables, name, err := parts(body)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: document}, maxTokens)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the GraphQL document cannot be read: %v", err)
	}
	if len(parsed.Operations) != 1 {
		return nil, errs.New(errs.Invalid, "a request must have exactly one GraphQL operation")
	}
	root := parsed.Operations[0]
	if name != "" && name != root.Name {
		return nil, errs.New(errs.Invalid, "the GraphQL document has no operation %q", name)
	}
	r := reader{fragments: map[string]*ast.FragmentDefinition{}, declared: map[string]*ast.VariableDefinition{}, variables: variables, left: maxFields, size: maxSize}
	return r.operation(root, parsed.Fragments)
}

// parts takes a request's body apart.
func parts(body *httpx.Object) (document string, variables map[string]any, name string, err error) {
	var whole map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(body.Encode())))
	decoder.UseNumber()
	if err := decoder.Decode(&whole); err != nil {
		return "", nil, "", errs.Wrap(errs.Invalid, err, "the body cannot be read")
	}
	for member, value := range whole {
		ok := value == nil
		switch member {
		case "query":
			document, ok = value.(string)
		case "operationName":
			if !ok {
				name, ok = value.(string)
			}
		case "variables":
			if !ok {
				variables, ok = value.(map[string]any)
			}
		default:
			return "", nil, "", errs.New(errs.Invalid, "a GraphQL request has no field %q", member)
		}
		if !ok {
			return "", nil, "", errs.New(errs.Invalid, "field %q has the wrong type", member)
		}
	}
	if document == "" {
		return "", nil, "", errs.New(errs.Invalid, "the request needs query")
	}
	return document, variables, name, nil
}

func (r *reader) operation(root *ast.OperationDefinition, fragments ast.FragmentDefinitionList) (*Operation, error) {
	for _, directive := range root.Directives {
		if directive.Name != "component" { // MLflow's UI sends it, and MLflow does nothing with it
			return nil, directives(root.Directives)
		}
	}
	for _, fragment := range fragments {
		if r.fragments[fragment.Name] != nil || len(fragment.VariableDefinition) > 0 {
			return nil, errs.New(errs.Invalid, "the fragment %q is there twice, or has variables", fragment.Name)
		}
		if err := directives(fragment.Directives); err != nil {
			return nil, err
		}
		r.fragments[fragment.Name] = fragment
	}
	for _, variable := range root.VariableDefinitions {
		if r.declared[variable.Variable] != nil {
			return nil, errs.New(errs.Invalid, "the variable $%s is there twice", variable.Variable)
		}
		if err := directives(variable.Directives); err != nil {
			return nil, err
		}
		r.declared[variable.Variable] = variable
	}
	of := map[ast.Operation]*ast.Definition{ast.Query: schema.Query, ast.Mutation: schema.Mutation}[root.Operation]
	if of == nil {
		return nil, errs.New(errs.Invalid, "only queries and mutations can be sent")
	}
	o := &Operation{mutation: root.Operation == ast.Mutation}
	var err error
	if o.fields, err = r.selection(of, root.SelectionSet, 1); err != nil {
		return nil, err
	}
	if len(o.fields) > maxRoots {
		return nil, errs.New(errs.Invalid, "a request may have at most %d root fields", maxRoots)
	}
	return o, nil
}

// Restricted names a field that is for administrators alone; "" when there is none.
func (o *Operation) Restricted() string {
	for _, f := range o.fields { // such fields are roots
		if f.rule.way == administrators {
			return f.name
		}
	}
	return ""
}

// Targets gives all that the operation touches and that must be readable.
func (o *Operation) Targets() ([]extract.Target, error) {
	var all []extract.Target
	for _, f := range o.fields {
		if f.rule.way != each {
			continue
		}
		targets, err := f.targets()
		if err != nil {
			return nil, err
		}
		all = append(all, targets...)
		if member := f.rule.path; member != "" {
			path, _ := f.input()[member].(string)
			if err := httpx.RelativePath(path); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// Narrow keeps of each search's ids those that the caller may read. A search of which nothing is left is refused, by the
// error for its last id.
func (o *Operation) Narrow(readable func(extract.Target) error) error {
	for _, f := range o.fields {
		if f.rule.way != narrowed {
			continue
		}
		targets, err := f.targets()
		if err != nil {
			return err
		}
		kept := []any{}
		for _, target := range targets {
			switch err = readable(target); {
			case err == nil:
				kept = append(kept, target.Value)
			case !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Denied):
				return err
			}
		}
		if len(kept) == 0 {
			return err
		}
		f.input()[f.rule.members[0]] = kept
	}
	return nil
}

func (f *field) input() map[string]any {
	input, _ := f.arguments["input"].(map[string]any)
	return input
}

// targets gives the ids in the field's input. MLflow takes an empty one for one that is not given.
func (f *field) targets() ([]extract.Target, error) {
	var all []extract.Target
	for _, member := range f.rule.members {
		value := f.input()[member]
		if !f.rule.many && (value == nil || value == "") {
			continue
		}
		values := []any{value}
		if f.rule.many {
			values, _ = value.([]any)
		}
		for _, value := range values {
			text, _ := value.(string) // null among the ids is refused as an empty one is
			target, err := extract.NewTarget(f.rule.ref, member, text, kind.Read)
			if err != nil {
				return nil, err
			}
			if !f.rule.many && len(all) > 0 && all[0].Value != text {
				return nil, errs.New(errs.Invalid, "%s names %s with different values", f.name, strings.Join(f.rule.members, " and "))
			}
			all = append(all, target)
		}
	}
	if len(all) == 0 {
		return nil, errs.New(errs.Invalid, "%s needs %s", f.name, strings.Join(f.rule.members, " or "))
	}
	return all, nil
}

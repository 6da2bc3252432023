package graphql

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// reader puts fragments and variables in where they are named.
type reader struct {
	fragments map[string]*ast.FragmentDefinition
	declared  map[string]*ast.VariableDefinition
	variables map[string]any
	left      int // fields that may still come
	size      int // of the values that may still come
}

// directives refuses all of them. @include and @skip hide fields from who reads the document, and no client of MLflow's
// sends them.
func directives(list ast.DirectiveList) error {
	for _, directive := range list {
		return errs.New(errs.Invalid, "the directive @%s is not supported here", directive.Name)
	}
	return nil
}

// selection reads a selection set. Selections under one key are one field.
func (r *reader) selection(of *ast.Definition, set ast.SelectionSet, depth int) ([]*field, error) {
	if depth > maxDepth {
		return nil, errs.New(errs.Invalid, "the GraphQL document is more than %d levels deep", maxDepth)
	}
	flat, aliases, err := r.flatten(of, set, 0)
	if err != nil {
		return nil, err
	}
	if aliases > maxAliases {
		return nil, errs.New(errs.Invalid, "the GraphQL document has more than %d aliases at one level", maxAliases)
	}
	var keys []string
	together := map[string][]*ast.Field{}
	for _, selected := range flat {
		if together[selected.Alias] == nil {
			keys = append(keys, selected.Alias)
		}
		together[selected.Alias] = append(together[selected.Alias], selected)
	}
	fields := make([]*field, 0, len(keys))
	for _, key := range keys {
		f, err := r.field(of, together[key], depth)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// flatten puts fragments in. The schema has neither interfaces nor unions: a fragment is on the type itself, or wrong. A
// fragment that leads back to itself ends at the limit, as one that multiplies does.
func (r *reader) flatten(of *ast.Definition, set ast.SelectionSet, nested int) (flat []*ast.Field, aliases int, err error) {
	if nested > maxDepth {
		return nil, 0, errs.New(errs.Invalid, "the GraphQL document nests more than %d fragments", maxDepth)
	}
	for _, selection := range set {
		if r.left--; r.left < 0 {
			return nil, 0, errs.New(errs.Invalid, "the GraphQL document has more than %d fields", maxFields)
		}
		var on string
		var inner ast.SelectionSet
		switch s := selection.(type) {
		case *ast.Field:
			if err := directives(s.Directives); err != nil {
				return nil, 0, err
			}
			if s.Alias != s.Name {
				aliases++
			}
			flat = append(flat, s)
			continue
		case *ast.InlineFragment:
			on, inner, err = s.TypeCondition, s.SelectionSet, directives(s.Directives)
		case *ast.FragmentSpread:
			fragment := r.fragments[s.Name]
			if fragment == nil {
				return nil, 0, errs.New(errs.Invalid, "there is no fragment %q", s.Name)
			}
			on, inner, err = fragment.TypeCondition, fragment.SelectionSet, directives(s.Directives)
		}
		if err != nil {
			return nil, 0, err
		}
		if on != "" && on != of.Name {
			return nil, 0, errs.New(errs.Invalid, "a fragment on %q cannot stand in a %s", on, of.Name)
		}
		more, count, err := r.flatten(of, inner, nested+1)
		if err != nil {
			return nil, 0, err
		}
		flat, aliases = append(flat, more...), aliases+count
	}
	return flat, aliases, nil
}

// field reads all the selections under one key, which must be of one field with the same arguments.
func (r *reader) field(of *ast.Definition, selected []*ast.Field, depth int) (*field, error) {
	f := &field{key: selected[0].Alias, name: selected[0].Name}
	for _, s := range selected {
		if s.Name != f.name {
			return nil, errs.New(errs.Invalid, "%q stands for two fields, %s and %s", f.key, f.name, s.Name)
		}
	}
	var inner ast.SelectionSet
	for _, s := range selected {
		inner = append(inner, s.SelectionSet...)
	}
	if f.name == "__typename" {
		if len(inner) > 0 || len(selected[0].Arguments) > 0 {
			return nil, errs.New(errs.Invalid, "__typename is text")
		}
		return f, nil
	}
	known := of.Fields.ForName(f.name)
	if known == nil {
		return nil, errs.New(errs.Invalid, "%s has no field %q", of.Name, f.name)
	}
	result := schema.Types[known.Type.Name()]
	if result == nil {
		return nil, errs.New(errs.Internal, "the type %s is not known", known.Type.Name())
	}
	ruled := false
	if f.rule, ruled = rules[of.Name+"."+f.name]; !ruled && needsRule(of.Name, result.Name) {
		return nil, errs.New(errs.Denied, "the field %s.%s is not known to this gateway, and so not allowed", of.Name, f.name)
	}
	f.list = known.Type.Elem != nil
	for i, s := range selected {
		arguments, err := r.arguments(known, s)
		if err != nil {
			return nil, err
		}
		if i > 0 && !reflect.DeepEqual(arguments, f.arguments) {
			return nil, errs.New(errs.Invalid, "%q stands for two calls of %s", f.key, f.name)
		}
		f.arguments = arguments
	}
	if result.IsLeafType() != (len(inner) == 0) {
		return nil, errs.New(errs.Invalid, "the fields of %s must be named if it has any", f.name)
	}
	if len(inner) == 0 {
		return f, nil
	}
	var err error
	if f.fields, err = r.selection(result, inner, depth+1); err == nil && f.rule.way == filtered {
		err = f.addName()
	}
	return f, err
}

func (r *reader) arguments(known *ast.FieldDefinition, s *ast.Field) (map[string]any, error) {
	given := map[string]any{}
	for _, argument := range s.Arguments {
		if _, twice := given[argument.Name]; twice || known.Arguments.ForName(argument.Name) == nil {
			return nil, errs.New(errs.Invalid, "%s has no argument %q, or it is there twice", s.Name, argument.Name)
		}
		value, err := literal(argument.Value)
		if err != nil {
			return nil, err
		}
		given[argument.Name] = value
	}
	arguments := map[string]any{}
	for _, argument := range known.Arguments {
		if err := r.member(arguments, given, argument.Name, argument.Type); err != nil {
			return nil, err
		}
	}
	return arguments, nil
}

// member coerces one argument, or one member of an input object. A variable without a value is as if it were not there.
func (r *reader) member(into, given map[string]any, name string, of *ast.Type) error {
	value, there := given[name]
	if v, is := value.(variable); there && is {
		var err error
		if value, there, err = r.value(v, of); err != nil {
			return err
		}
	}
	if !there && !of.NonNull {
		return nil
	}
	coerced, err := r.coerce(of, value)
	if err != nil {
		return errs.New(errs.Invalid, "%s: %v", name, err)
	}
	into[name] = coerced
	return nil
}

type (
	variable string // a variable's name
	word     string // an enum's value
)

// literal reads a value of the document.
func literal(v *ast.Value) (any, error) {
	switch v.Kind {
	case ast.Variable:
		return variable(v.Raw), nil
	case ast.IntValue, ast.FloatValue:
		return json.Number(v.Raw), nil
	case ast.StringValue, ast.BlockValue:
		return v.Raw, nil
	case ast.BooleanValue:
		return v.Raw == "true", nil
	case ast.EnumValue:
		return word(v.Raw), nil
	case ast.NullValue:
		return nil, nil
	case ast.ListValue:
		list := []any{}
		for _, child := range v.Children {
			item, err := literal(child.Value)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		return list, nil
	case ast.ObjectValue:
		object := map[string]any{}
		for _, child := range v.Children {
			if _, twice := object[child.Name]; twice {
				return nil, errs.New(errs.Invalid, "%q is there twice", child.Name)
			}
			item, err := literal(child.Value)
			if err != nil {
				return nil, err
			}
			object[child.Name] = item
		}
		return object, nil
	}
	return nil, errs.New(errs.Invalid, "a value of an unknown kind")
}

// value gives what a variable stands for, and whether it stands for anything.
func (r *reader) value(v variable, at *ast.Type) (any, bool, error) {
	declared := r.declared[string(v)]
	if declared == nil {
		return nil, false, errs.New(errs.Invalid, "the variable $%s is not declared", v)
	}
	if plain(declared.Type) != plain(at) {
		return nil, false, errs.New(errs.Invalid, "the variable $%s is a %s, where a %s is needed", v, declared.Type, at)
	}
	value, given := r.variables[string(v)]
	if !given && declared.DefaultValue != nil {
		var err error
		if value, err = literal(declared.DefaultValue); err != nil {
			return nil, false, err
		}
		given = true
	}
	if declared.Type.NonNull && value == nil {
		return nil, false, errs.New(errs.Invalid, "the variable $%s needs a value", v)
	}
	return value, given, nil
}

func plain(of *ast.Type) string { return strings.ReplaceAll(of.String(), "!", "") }

// coerce gives the value in the one form in which it is decided on and written.
func (r *reader) coerce(of *ast.Type, value any) (any, error) {
	if v, is := value.(variable); is {
		var err error
		if value, _, err = r.value(v, of); err != nil {
			return nil, err
		}
	}
	text, _ := value.(string)
	if r.size -= 1 + len(text); r.size < 0 {
		return nil, errs.New(errs.Invalid, "the values of the GraphQL request are too large together")
	}
	if value == nil {
		if of.NonNull {
			return nil, errs.New(errs.Invalid, "a value is needed")
		}
		return nil, nil
	}
	if of.Elem != nil {
		items, is := value.([]any)
		if !is { // GraphQL takes a single value for a list of one
			items = []any{value}
		}
		list := make([]any, len(items))
		for i, item := range items {
			var err error
			if list[i], err = r.coerce(of.Elem, item); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	known := schema.Types[of.NamedType]
	if known != nil && known.Kind == ast.InputObject {
		return r.object(known, value)
	}
	if scalar, ok := scalar(known, value); ok {
		return scalar, nil
	}
	return nil, errs.New(errs.Invalid, "this is no %s", of.NamedType)
}

func (r *reader) object(of *ast.Definition, value any) (any, error) {
	given, is := value.(map[string]any)
	if !is {
		return nil, errs.New(errs.Invalid, "this is no %s", of.Name)
	}
	for name := range given {
		if of.Fields.ForName(name) == nil {
			return nil, errs.New(errs.Invalid, "%s has no field %q", of.Name, name)
		}
	}
	object := map[string]any{}
	for _, member := range of.Fields {
		if err := r.member(object, given, member.Name, member.Type); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// scalar takes no type for another, where MLflow takes 1.0 for a whole number, and text for a long one.
func scalar(of *ast.Definition, value any) (any, bool) {
	if of == nil {
		return nil, false
	}
	text, isText := value.(string)
	switch {
	case of.Name == "String":
		return text, isText
	case of.Name == "Boolean":
		truth, is := value.(bool)
		return truth, is
	case of.Name == "Int":
		number, is := value.(json.Number)
		_, err := strconv.ParseInt(number.String(), 10, 32)
		return number, is && err == nil
	case of.Name == "LongString":
		number, is := value.(json.Number)
		_, err := strconv.ParseInt(number.String(), 10, 64)
		return number, is && err == nil
	case of.Kind == ast.Enum:
		name, is := value.(word)
		if isText {
			name, is = word(text), true
		}
		return name, is && of.EnumValues.ForName(string(name)) != nil
	}
	return nil, false
}

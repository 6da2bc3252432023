package graphql

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/rewrite"
)

// Body writes the request for MLflow.
func (o *Operation) Body() ([]byte, error) {
	var b strings.Builder
	b.WriteString(map[bool]string{false: "query", true: "mutation"}[o.mutation])
	write(&b, o.fields)
	return json.Marshal(map[string]string{"query": b.String()})
}

func write(b *strings.Builder, fields []*field) {
	b.WriteString("{")
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(' ')
		}
		if f.key != f.name {
			b.WriteString(f.key + ":")
		}
		b.WriteString(f.name)
		if len(f.arguments) > 0 {
			b.WriteByte('(')
			writeMembers(b, f.arguments)
			b.WriteByte(')')
		}
		if len(f.fields) > 0 {
			write(b, f.fields)
		}
	}
	b.WriteString("}")
}

func writeMembers(b *strings.Builder, members map[string]any) {
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name + ":")
		writeValue(b, members[name])
	}
}

func writeValue(b *strings.Builder, value any) {
	switch v := value.(type) {
	case map[string]any:
		b.WriteByte('{')
		writeMembers(b, v)
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeValue(b, item)
		}
		b.WriteByte(']')
	case word:
		b.WriteString(string(v))
	default: // null, text, numbers and truth are written as in JSON
		raw, _ := json.Marshal(v)
		b.Write(raw)
	}
}

// addName makes sure that rows tell the name by which they are filtered.
func (f *field) addName() error {
	for _, inner := range f.fields {
		if inner.name == "name" {
			return nil
		}
		if inner.key == "name" {
			return errs.New(errs.Invalid, "the alias %q is taken", inner.key)
		}
	}
	f.fields = append(f.fields, &field{key: "name", name: "name", added: true})
	return nil
}

// Filtered tells whether the answer must be filtered.
func (o *Operation) Filtered() bool { return anyFiltered(o.fields) }

func anyFiltered(fields []*field) bool {
	return slices.ContainsFunc(fields, func(f *field) bool { return f.rule.way == filtered || f.rule.mentions != nil || anyFiltered(f.fields) })
}

// Filter takes the model versions out of an answer whose model the caller may not read, and the mentions that see does not
// let through.
func (o *Operation) Filter(raw []byte, readable func(model string) (bool, error), see rewrite.See) ([]byte, error) {
	var answer map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return nil, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	if err := filter(o.fields, answer["data"], readable, see); err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

func filter(fields []*field, value any, readable func(string) (bool, error), see rewrite.See) error {
	if value == nil {
		return nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return errs.New(errs.BadGateway, "MLflow's answer has another form than was asked for")
	}
	for _, f := range fields {
		if len(f.fields) == 0 || object[f.key] == nil {
			continue
		}
		items := []any{object[f.key]}
		if f.list {
			if items, ok = object[f.key].([]any); !ok {
				return errs.New(errs.BadGateway, "MLflow's answer has another form than was asked for")
			}
		}
		for _, item := range items {
			for i := range f.rule.mentions {
				hiding{&f.rule.mentions[i], see}.from(f.fields, item, 0)
			}
			if err := filter(f.fields, item, readable, see); err != nil {
				return err
			}
		}
		if f.rule.way == filtered {
			kept, err := f.kept(items, readable)
			if err != nil {
				return err
			}
			object[f.key] = kept
		}
	}
	return nil
}

// kept gives the rows of models that are readable. A row that does not tell its model is left out.
func (f *field) kept(rows []any, readable func(string) (bool, error)) ([]any, error) {
	at := slices.IndexFunc(f.fields, func(inner *field) bool { return inner.name == "name" })
	kept := []any{}
	for _, item := range rows {
		row, _ := item.(map[string]any)
		name, _ := row[f.fields[at].key].(string)
		if name == "" {
			continue
		}
		ok, err := readable(name)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if f.fields[at].added {
			delete(row, f.fields[at].key)
		}
		kept = append(kept, row)
	}
	return kept, nil
}

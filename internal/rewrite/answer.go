package rewrite

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

type values = map[string]any

// Answer is an answer of MLflow's, taken apart no further than its mentions ask for.
type Answer struct {
	members map[string]json.RawMessage
	lists   map[string][]*piece
	whole   *piece // the members that are no lists
}

// piece is what is decided on its own: a row of a list, or the members beside the lists.
type piece struct {
	raw      json.RawMessage
	value    any
	mentions []*policy.Mention
	from     int // the step that begins at the value
	changed  bool
	gone     bool
}

// See says of a mention and the text there whether it may be shown.
type See func(m *policy.Mention, text string) bool

// ReadAnswer takes an answer apart; nil when it mentions nothing, whatever its rows are.
func ReadAnswer(raw []byte, mentions []policy.Mention) (*Answer, error) {
	var held []*policy.Mention
	for i := range mentions {
		if mentions[i].Named || holds(raw, &mentions[i]) {
			held = append(held, &mentions[i])
		}
	}
	if len(held) == 0 {
		return nil, nil
	}
	a := &Answer{lists: map[string][]*piece{}}
	if err := json.Unmarshal(raw, &a.members); err != nil {
		return nil, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	whole := values{}
	var inWhole []*policy.Mention
	for _, m := range held {
		name := m.Steps[0].Name
		member := a.members[name]
		switch {
		case member == nil && m.Gone >= 0:
		case len(m.Steps) > 1 && m.Steps[1].Kind == policy.Item:
			if err := a.addRows(name, m); err != nil {
				return nil, err
			}
		default:
			if err := decode(member, whole, name); err != nil {
				return nil, err
			}
			inWhole = append(inWhole, m)
		}
	}
	a.whole = &piece{value: whole, mentions: inWhole}
	return a, nil
}

// holds tells whether the member of a mention can be in the JSON. MLflow writes names as they are.
func holds(raw []byte, m *policy.Mention) bool {
	for _, mark := range m.Marks {
		if !bytes.Contains(raw, mark) {
			return false
		}
	}
	return true
}

func decode(raw json.RawMessage, into values, name string) error {
	if raw == nil || into[name] != nil {
		return nil
	}
	value, err := parse(raw)
	into[name] = value
	return err
}

func parse(raw []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err = decoder.Decode(&value); err == nil && decoder.More() {
		err = errs.New(errs.BadGateway, "something follows the JSON")
	}
	if err != nil {
		err = errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	return value, err
}

// addRows decodes the rows of a list that can hold the mention.
func (a *Answer) addRows(name string, m *policy.Mention) error {
	rows, known := a.lists[name]
	if !known {
		var raws []json.RawMessage
		if err := json.Unmarshal(a.members[name], &raws); err != nil {
			return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
		}
		for _, raw := range raws {
			rows = append(rows, &piece{raw: raw, from: 2})
		}
		a.lists[name] = rows
	}
	for _, row := range rows {
		if !m.Named && !holdsBelow(row.raw, m) {
			continue
		}
		if row.value == nil {
			value, err := parse(row.raw)
			if err != nil {
				return err
			}
			row.value = value
		}
		row.mentions = append(row.mentions, m)
	}
	return nil
}

// holdsBelow is holds for a row: the name of the list is not in it.
func holdsBelow(raw []byte, m *policy.Mention) bool {
	for _, mark := range m.Marks[:len(m.Marks)-1] {
		if !bytes.Contains(raw, mark) {
			return false
		}
	}
	return true
}

// Hide shows every mention to see, and takes out what it does not let through. It tells whether anything of the answer
// may be shown at all.
func (a *Answer) Hide(see See) bool {
	for _, rows := range a.lists {
		for _, row := range rows {
			if !row.hide(see) {
				return false
			}
		}
	}
	return a.whole.hide(see)
}

func (p *piece) hide(see See) bool {
	for _, m := range p.mentions {
		if p.gone {
			return true
		}
		w := walk{m, see, &p.changed}
		value, up := w.from(p.value, p.from)
		p.value = value
		if up && m.Gone < 0 {
			return false
		}
		p.gone = up
	}
	return true
}

// Encode writes the answer as it is now; the answer that came when nothing was taken out.
func (a *Answer) Encode(raw []byte) ([]byte, error) {
	changed := false
	for name, rows := range a.lists {
		kept := []json.RawMessage{}
		touched := false
		for _, row := range rows {
			touched = touched || row.gone || row.changed
			if row.gone {
				continue
			}
			if row.changed {
				encoded, err := encode(row.value)
				if err != nil {
					return nil, err
				}
				row.raw = encoded
			}
			kept = append(kept, row.raw)
		}
		if touched {
			list, err := encode(kept)
			if err != nil {
				return nil, err
			}
			a.members[name], changed = list, true
		}
	}
	if a.whole.changed {
		changed = true
		members, _ := a.whole.value.(values)
		for _, m := range a.whole.mentions {
			name := m.Steps[0].Name
			value, left := members[name]
			if !left {
				delete(a.members, name)
				continue
			}
			encoded, err := encode(value)
			if err != nil {
				return nil, err
			}
			a.members[name] = encoded
		}
	}
	if !changed {
		return raw, nil
	}
	return encode(a.members)
}

func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, errs.Wrap(errs.Internal, err, "the answer could not be written")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// walk follows the path of one mention.
type walk struct {
	*policy.Mention
	see     See
	changed *bool
}

// Follow follows a mention from a step on. It gives the value as it is to be shown, and whether what holds it goes instead.
func Follow(m *policy.Mention, value any, at int, see See) (any, bool) {
	changed := false
	return walk{m, see, &changed}.from(value, at)
}

// from follows the path from a step on. It gives the value as it is to be shown, and whether instead something around it
// goes: what has another form than is known goes with the nearest thing around it that can.
func (w walk) from(value any, at int) (any, bool) {
	if at == len(w.Steps) {
		return value, w.leaf(value)
	}
	if value == nil {
		return nil, w.nameless(at)
	}
	switch step := w.Steps[at]; step.Kind {
	case policy.Member:
		return w.member(value, at)
	case policy.Item, policy.Pair:
		return w.items(value, at)
	case policy.Part:
		return w.parts(value, at)
	default:
		return w.text(value, at)
	}
}

// nameless tells whether a thing goes for want of a name.
func (w walk) nameless(at int) bool { return w.Named && at > w.Gone }

func (w walk) leaf(value any) bool {
	text, ok := value.(string)
	switch {
	case value == nil || ok && text == "":
		return w.Named
	case !ok: // of a type that nobody expects
		return true
	}
	return !w.see(w.Mention, text)
}

func (w walk) member(value any, at int) (any, bool) {
	members, ok := value.(values)
	if !ok {
		return value, true
	}
	name := w.Steps[at].Name
	inner, given := members[name]
	if !given {
		return value, w.nameless(at)
	}
	inner, up := w.from(inner, at+1)
	if up && at <= w.Gone {
		delete(members, name)
		for _, beside := range w.With {
			delete(members, beside)
		}
		*w.changed = true
		return value, false
	}
	members[name] = inner
	return value, up
}

// items follows each item of a list, or those pairs alone that have the key.
func (w walk) items(value any, at int) (any, bool) {
	list, ok := value.([]any)
	if !ok {
		return value, true
	}
	kept := make([]any, 0, len(list))
	for _, item := range list {
		pair, _ := item.(values)
		var up bool
		switch {
		case w.Steps[at].Kind == policy.Item:
			item, up = w.from(item, at+1)
		case pair["key"] == w.Steps[at].Name:
			pair["value"], up = w.from(pair["value"], at+1)
		}
		if up && at > w.Gone {
			return value, true
		}
		if !up {
			kept = append(kept, item)
		}
	}
	*w.changed = *w.changed || len(kept) < len(list)
	return kept, false
}

func (w walk) parts(value any, at int) (any, bool) {
	text, ok := value.(string)
	if !ok {
		return value, true
	}
	parts := strings.Split(text, ",")
	kept := make([]string, 0, len(parts))
	for _, part := range parts {
		trimmed := strings.TrimSpace(part)
		if trimmed == "" || w.see(w.Mention, trimmed) {
			kept = append(kept, part)
		}
	}
	if len(kept) == len(parts) {
		return value, false
	}
	*w.changed = true
	return strings.Join(kept, ","), false
}

// text follows the path into JSON that is written in a text. What cannot be read cannot be decided, and goes; what does not
// even begin as a list or an object is no JSON, and stays.
func (w walk) text(value any, at int) (any, bool) {
	text, ok := value.(string)
	if !ok {
		return value, true
	}
	if begin := strings.TrimSpace(text); begin == "" || !strings.Contains("[{", begin[:1]) {
		return value, false
	}
	inner, err := parse(quoteNumbers(text))
	if err != nil {
		return value, true
	}
	inside := w
	changed := false
	inside.changed = &changed
	inner, up := inside.from(inner, at+1)
	if up || !changed {
		return value, up
	}
	encoded, err := encode(inner)
	if err != nil {
		return value, true
	}
	*w.changed = true
	return unquoteNumbers.Replace(string(encoded)), false
}

// Python writes numbers that JSON does not have. They are taken for texts with a mark that no text has, and written again.
var (
	quotedNumbers  = map[string]string{"NaN": `"\u0000NaN"`, "Infinity": `"\u0000Infinity"`, "-Infinity": `"\u0000-Infinity"`}
	unquoteNumbers = strings.NewReplacer(`"\u0000NaN"`, "NaN", `"\u0000Infinity"`, "Infinity", `"\u0000-Infinity"`, "-Infinity")
)

func quoteNumbers(text string) []byte {
	var b bytes.Buffer
	inString := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if inString && c == '\\' && i+1 < len(text) {
			b.WriteString(text[i : i+2])
			i++
			continue
		}
		if c == '"' {
			inString = !inString
		}
		number := ""
		if !inString && (c == 'N' || c == 'I' || c == '-') {
			for name := range quotedNumbers {
				if strings.HasPrefix(text[i:], name) {
					number = name
				}
			}
		}
		if number == "" {
			b.WriteByte(c)
			continue
		}
		b.WriteString(quotedNumbers[number])
		i += len(number) - 1
	}
	return b.Bytes()
}

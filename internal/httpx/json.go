package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// maxDepth bounds the nesting of a JSON body; MLflow's deepest request has fewer than ten levels.
const maxDepth = 64

// maxValues bounds how many values a JSON body has: each costs memory of its own, many times its bytes (measured: 15 MB of
// empty lists took 800 MB). The largest request of MLflow's clients, the parts of an upload, has about 30,000.
const maxValues = 100_000

// Object is a JSON object that has one meaning: no key twice, and no field in both spellings of protobuf JSON.
type Object struct {
	members []member
	index   map[string]int // by the field's snake_case name
}

type member struct {
	key   string
	value any // nil, bool, string, json.Number, *Object, []any
	asked bool
}

// Get gives a field by its snake_case name, in whichever spelling (run_id, runId) it came. What has been asked for is
// written in front of the rest by Encode.
func (o *Object) Get(field string) (any, bool) {
	i, ok := o.index[field]
	if !ok {
		return nil, false
	}
	o.members[i].asked = true
	return o.members[i].value, true
}

// Keys gives the keys as they came. In a map, which is an object too in protobuf's JSON, they are the map's.
func (o *Object) Keys() []string {
	keys := make([]string, len(o.members))
	for i, m := range o.members {
		keys[i] = m.key
	}
	return keys
}

// Set gives a field a value, in place where it was there, in the spelling in which it came.
func (o *Object) Set(field string, value any) {
	if i, ok := o.index[field]; ok {
		o.members[i].value, o.members[i].asked = value, true
		return
	}
	o.index[field] = len(o.members)
	o.members = append(o.members, member{field, value, true})
}

// Text gives a field as text. A missing field, and null, give "" and false. Any other type is an error.
func (o *Object) Text(field string) (string, bool, error) {
	value, ok := o.Get(field)
	if !ok || value == nil {
		return "", false, nil
	}
	text, ok := value.(string)
	if !ok {
		return "", false, errs.New(errs.Invalid, "field %q must be a string", field)
	}
	return text, true, nil
}

// Encode writes the object as JSON, with the numbers in the form in which they came. In each object, what has been asked
// for comes first: where a member has a type that is not its field's, MLflow goes on with what its parser has read before
// (mlflow/server/handlers.py, _get_request_message), and must have read all that was decided on. Without the order,
// {"order_by": [5], "experiment_ids": ["1"]} searched the datasets of all experiments (MLflow 3.17.2, measured).
func (o *Object) Encode() []byte {
	var b bytes.Buffer
	encode(&b, o)
	return b.Bytes()
}

// place is when a member is written. Behind what is plain comes what could itself hold a wrong type.
func (m member) place() int {
	switch {
	case !m.asked:
		return 2
	case holdsObject(m.value):
		return 1
	}
	return 0
}

func holdsObject(value any) bool {
	switch v := value.(type) {
	case *Object:
		return true
	case []any:
		return slices.ContainsFunc(v, holdsObject)
	}
	return false
}

// ordered gives the members in the order in which they are written.
func (o *Object) ordered() []member {
	if !slices.ContainsFunc(o.members, func(m member) bool { return m.asked }) {
		return o.members
	}
	return slices.SortedStableFunc(slices.Values(o.members), func(a, b member) int { return a.place() - b.place() })
}

func encode(b *bytes.Buffer, value any) {
	switch v := value.(type) {
	case *Object:
		b.WriteByte('{')
		for i, m := range v.ordered() {
			if i > 0 {
				b.WriteByte(',')
			}
			encodeText(b, m.key)
			b.WriteByte(':')
			encode(b, m.value)
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			encode(b, item)
		}
		b.WriteByte(']')
	case string:
		encodeText(b, v)
	case json.Number:
		b.WriteString(v.String())
	case bool:
		if v {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	default:
		b.WriteString("null")
	}
}

func encodeText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string cannot fail, and a buffer neither
	b.Truncate(b.Len() - 1)
}

// ReadObject reads a request's JSON body. MLflow takes application/json only (mlflow/server/handlers.py,
// _validate_content_type); everything that its parser and ours could read differently is refused.
func ReadObject(r *http.Request, limit int64) (*Object, error) {
	mediaType, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, errs.New(errs.Invalid, "the request needs the header Content-Type: application/json")
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, errs.New(errs.Invalid, "the request's charset %q is not supported; JSON is UTF-8", charset)
	}
	if len(r.Header.Values("Content-Type")) > 1 {
		return nil, errs.New(errs.Invalid, "the request has several Content-Type headers")
	}
	for _, encoding := range r.Header.Values("Content-Encoding") {
		if encoding != "" && encoding != "identity" {
			return nil, errs.New(errs.Invalid, "the request's Content-Encoding %q is not supported here", encoding)
		}
	}
	body, err := ReadLimited(r.Body, limit)
	if err != nil {
		return nil, err
	}
	return ParseObject(body)
}

// ReadLimited reads a body whole, up to the limit in bytes; more is errs.TooLarge.
func ReadLimited(body io.Reader, limit int64) ([]byte, error) {
	read, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, errs.Wrap(errs.Invalid, err, "the body could not be read")
	}
	if int64(len(read)) > limit {
		return nil, errs.New(errs.TooLarge, "the body is larger than the limit of %d bytes", limit)
	}
	return read, nil
}

// ParseObject reads one JSON object strictly: UTF-8, no duplicate key, no field in two spellings, nothing behind it.
func ParseObject(body []byte) (*Object, error) {
	if !utf8.Valid(body) {
		return nil, errs.New(errs.Invalid, "the body is not UTF-8")
	}
	if loneSurrogate(body) {
		return nil, errs.New(errs.Invalid, "the body has half of a surrogate pair, which is no character")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	p := parser{Decoder: d, left: maxValues}
	value, err := p.value(0)
	if err != nil {
		return nil, jsonError(err)
	}
	object, ok := value.(*Object)
	if !ok {
		return nil, errs.New(errs.Invalid, "the body must be a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errs.New(errs.Invalid, "the body has something behind its JSON object")
	}
	return object, nil
}

// loneSurrogate finds an escape such as \ud800 without its other half. Go reads it as U+FFFD and Python as itself, so that
// two keys or ids could be one thing here and two there. A backslash occurs in JSON's strings alone.
func loneSurrogate(body []byte) bool {
	for i := bytes.IndexByte(body, '\\'); i >= 0 && i+1 < len(body); {
		switch first := unit(body[i:]); {
		case 0xdc00 <= first && first <= 0xdfff:
			return true
		case 0xd800 <= first && first <= 0xdbff:
			if second := unit(body[i+6:]); second < 0xdc00 || second > 0xdfff {
				return true
			}
			i += 12
		default:
			i += 2 // the escaped character, which may be a backslash
		}
		next := bytes.IndexByte(body[i:], '\\')
		if next < 0 {
			return false
		}
		i += next
	}
	return false
}

// unit gives the UTF-16 unit of an escape that the text starts with, or -1.
func unit(text []byte) int {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

func jsonError(err error) error {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errs.New(errs.Invalid, "the body is not valid JSON: it ends too early")
	}
	return errs.New(errs.Invalid, "the body is not valid JSON: %v", err)
}

// parser reads values until there are too many.
type parser struct {
	*json.Decoder
	left int
}

func (p *parser) value(depth int) (any, error) {
	if p.left--; p.left < 0 {
		return nil, errs.New(errs.TooLarge, "the body has more than %d values", maxValues)
	}
	token, err := p.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth >= maxDepth {
		return nil, errs.New(errs.Invalid, "the body is nested more than %d levels deep", maxDepth)
	}
	if delim == '[' {
		return p.array(depth)
	}
	return p.object(depth)
}

func (p *parser) array(depth int) (any, error) {
	items := []any{}
	for p.More() {
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := p.Token()
	return items, err
}

func (p *parser) object(depth int) (any, error) {
	o := &Object{index: map[string]int{}}
	for p.More() {
		token, err := p.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		// protobuf's look-up of a field ends at NUL: "run_id\u0000" is run_id to MLflow (measured: protobuf 7.36.2, upb).
		if strings.ContainsRune(key, 0) {
			return nil, errs.New(errs.Invalid, "the body has the key %q with a NUL character", key)
		}
		field := Snake(key)
		if i, dup := o.index[field]; dup {
			if o.members[i].key == key {
				return nil, errs.New(errs.Invalid, "the body has the key %q twice", key)
			}
			return nil, errs.New(errs.Invalid, "the body has the field %q in two spellings, %q and %q", field, o.members[i].key, key)
		}
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o.index[field] = len(o.members)
		o.members = append(o.members, member{key, value, false})
	}
	_, err := p.Token()
	return o, err
}

// Snake gives the protobuf field name of a JSON name: experimentId and experiment_id are both experiment_id
// (protobuf JSON mapping: parsers accept both).
func Snake(key string) string {
	if strings.IndexFunc(key, func(r rune) bool { return 'A' <= r && r <= 'Z' }) < 0 {
		return key
	}
	var b strings.Builder
	for _, r := range key {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

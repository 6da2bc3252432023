package extract_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
)

// field writes a protobuf field with a length.
func field(number uint64, value ...byte) []byte {
	b := binary.AppendUvarint(nil, number<<3|2)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// protobufExport is an export of one span, whose own fields are given.
func protobufExport(span ...byte) []byte { return field(1, field(2, field(2, span...)...)...) }

func readSpans(contentType string, body []byte) (*extract.Spans, error) {
	r := httptest.NewRequest(http.MethodPost, "/v1/traces", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return extract.ReadSpans(r, 1<<20)
}

var sampleTrace = []byte("0123456789abcdef")

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestSpansOfProtobuf(t *testing.T) {
	id := field(1, sampleTrace...)
	attribute := field(9, field(1, []byte("mlflow.traceTag.team")...)...)
	plain := field(9, field(1, []byte("team")...)...)
	resource := field(1, field(1, field(1, []byte("service.name")...)...)...)
	body := field(1, join(resource, field(2, join(field(2, join(id, attribute, plain)...), field(2, id...))...))...)
	got, err := readSpans("application/x-protobuf", body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tr-" + hex.EncodeToString(sampleTrace)}, got.Traces); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"service.name", "team"}, got.Tags); diff != "" {
		t.Error(diff)
	}
}

// Each of these could hide a trace id from the decision and show it to another parser.
func TestSpansOfProtobufRefuseASecondMeaning(t *testing.T) {
	id := field(1, sampleTrace...)
	good := protobufExport(id...)
	for name, body := range map[string][]byte{
		"nothing":                    {},
		"no trace id":                protobufExport(field(5, 'n')...),
		"two trace ids":              protobufExport(join(id, id)...),
		"an empty one first":         protobufExport(join(field(1), id)...),
		"a short one":                protobufExport(field(1, sampleTrace[1:]...)...),
		"a long one":                 protobufExport(field(1, append([]byte{0}, sampleTrace...)...)...),
		"one as a number":            protobufExport(join(id, []byte{1 << 3, 5})...),
		"cut off":                    good[:len(good)-1],
		"a group":                    append([]byte{1<<3 | 3}, good...),
		"a number beyond 32 bits":    join(binary.AppendUvarint(nil, 1<<35|1<<3|2), []byte{0}, good),
		"field zero":                 join([]byte{2, 0}, good),
		"a length beyond the body":   {1<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"a number that never ends":   bytes.Repeat([]byte{0xff}, 20),
		"attributes as a number":     protobufExport(join(id, []byte{9 << 3, 5})...),
		"a span that is no protobuf": protobufExport(0xff),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := readSpans("application/x-protobuf", body); !errs.Is(err, errs.Invalid) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if _, err := readSpans("application/x-protobuf", good); err != nil {
		t.Error(err)
	}
}

// An export names so many traces and no more: each is looked up.
func TestSpansOfManyTraces(t *testing.T) {
	many := func(n int) []byte {
		var body []byte
		for i := range n {
			id := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i+1))
			body = append(body, protobufExport(field(1, id...)...)...)
		}
		return body
	}
	if _, err := readSpans("application/x-protobuf", many(1024)); err != nil {
		t.Error(err)
	}
	if _, err := readSpans("application/x-protobuf", many(1025)); !errs.Is(err, errs.TooLarge) {
		t.Errorf("got %v", err)
	}
}

// Whatever a span is, what is accepted names each trace in MLflow's one form, and a trace id that stands in the place of
// one is among them.
func FuzzSpans(f *testing.F) {
	f.Add(protobufExport(field(1, sampleTrace...)...), []byte{})
	f.Add([]byte{1<<3 | 3}, []byte{9<<3 | 2, 0})
	f.Add([]byte{0xff}, []byte{0})
	f.Fuzz(func(t *testing.T, before, inSpan []byte) {
		body := join(field(15, before...), protobufExport(join(field(1, sampleTrace...), inSpan)...))
		got, err := readSpans("application/x-protobuf", body)
		if err != nil {
			if !errs.Is(err, errs.Invalid) && !errs.Is(err, errs.TooLarge) {
				t.Errorf("%x: %v", body, err)
			}
			return
		}
		found := false
		for _, trace := range got.Traces {
			found = found || trace == "tr-"+hex.EncodeToString(sampleTrace)
			if len(trace) != 35 || strings.ToLower(trace) != trace {
				t.Errorf("%x names the trace %q", body, trace)
			}
		}
		if !found {
			t.Errorf("%x: the span's trace is not among %v", body, got.Traces)
		}
	})
}

func TestSpansOfJSON(t *testing.T) {
	id := hex.EncodeToString(sampleTrace)
	span := map[string]any{"traceId": strings.ToUpper(id), "attributes": []any{map[string]any{"key": "mlflow.traceTag.team"}, map[string]any{"key": "x"}}}
	resource := map[string]any{"attributes": []any{map[string]any{"key": "service.name"}}}
	body, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{"resource": resource, "scopeSpans": []any{map[string]any{"spans": []any{span}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readSpans("application/json; charset=utf-8", body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tr-" + id}, got.Traces); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"service.name", "team"}, got.Tags); diff != "" {
		t.Error(diff)
	}
}

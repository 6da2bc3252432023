package extract_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

// spanTypes are headers that MLflow, or we, may take for one of the two forms.
var spanTypes = []string{"application/json", "application/x-protobuf", "application/json; charset=utf-8", "Application/JSON", "application/x-protobuf;a=b",
	`application/json;a="application/x-protobuf"`, " application/json ", "application/json;", "application/x-protobuf, application/json", "text/plain"}

// checkSpans holds the traces and tags that were decided on against those of the spans that MLflow would store.
func checkSpans(t *testing.T, contentType string, body []byte) (stored bool) {
	t.Helper()
	read, err := readSpans(contentType, body)
	if err != nil {
		return false
	}
	head := fmt.Sprintf("POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nx-mlflow-experiment-id: 1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", contentType, len(read.Body))
	said := mlflowtest.Read(t, append([]byte(head), read.Body...))
	if len(said.Calls) != 1 {
		t.Fatalf("%q of %q reaches %d handlers: %s", body, contentType, len(said.Calls), said.Said)
	}
	if len(said.Calls[0].Spans) == 0 {
		return false
	}
	theirs := map[string]bool{}
	for _, span := range said.Calls[0].Spans {
		theirs[span.Trace] = true
		for _, key := range span.Keys {
			if tag, ok := strings.CutPrefix(key, "mlflow.traceTag."); ok && !slices.Contains(read.Tags, tag) {
				t.Errorf("%q of %q sets the tag %q, and seen are %q", body, contentType, tag, read.Tags)
			}
		}
		for _, key := range span.Resource {
			if !slices.Contains(read.Tags, key) {
				t.Errorf("%q of %q has a resource with %q, and seen are %q", body, contentType, key, read.Tags)
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(read.Traces)), sorted(theirs)); diff != "" {
		t.Errorf("%q of %q: decided on %q, and MLflow stores %q: %s", body, contentType, read.Traces, sorted(theirs), diff)
	}
	return true
}

func TestSpansAreStoredAsDecided(t *testing.T) {
	id := hex.EncodeToString(sampleTrace)
	span := join(field(1, sampleTrace...), field(2, []byte("12345678")...), field(5, 'n'), field(9, field(1, []byte("mlflow.traceTag.x")...)...))
	for contentType, body := range map[string][]byte{
		"application/x-protobuf": field(1, join(field(1, field(1, field(1, []byte("service.name")...)...)...), field(2, field(2, span...)...))...),
		"application/json": []byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"spans":[{"traceId":"` +
			strings.ToUpper(id) + `","spanId":"00f067aa0ba902b7","name":"n","attributes":[{"key":"mlflow.traceTag.x","value":{"stringValue":"v"}}]}]}]}]}`),
	} {
		if !checkSpans(t, contentType, body) {
			t.Errorf("%s is not stored", contentType)
		}
	}
}

// FuzzSpansAsMLflowReadsThem gives exports, as they are or grown from OpenTelemetry's messages. The traces that MLflow would
// write to are those that were decided on, and every tag has been seen.
func FuzzSpansAsMLflowReadsThem(f *testing.F) {
	mlflowtest.Messages(f) // starts the process, which in the fuzz function would count as a hang
	for i := range spanTypes {
		for seed := range byte(12) {
			f.Add(uint8(i), []byte(strings.Repeat(string([]byte{seed * 37, seed, 3 * seed, 9 + seed}), 16)), []byte{})
		}
	}
	f.Add(uint8(1), []byte{}, protobufExport(join(field(1, sampleTrace...), field(2, []byte("12345678")...))...))
	f.Fuzz(func(t *testing.T, kind uint8, shape, body []byte) {
		contentType := spanTypes[int(kind)%len(spanTypes)]
		if len(shape) > 0 {
			g := &grower{choices: shape, texts: []string{`"000102030405060708090a0b0c0d0e0f"`, `"0F0e0d0c0b0a09080706050403020100"`, `"00f067aa0ba902b7"`, `"mlflow.traceTag.x"`, `"k"`,
				`"00010203 0405060708090a0b0c0d0e0f"`, `"AAECAwQFBgcICQoLDA0ODw=="`, `""`}}
			if strings.Contains(strings.SplitN(contentType, ";", 2)[0], "protobuf") {
				body = join(g.protobuf(0), body)
			} else {
				g.object(exportFields, 0)
				body = join(g.out, body)
			}
		}
		checkSpans(t, contentType, body)
	})
}

func otlp(name string, many bool, fields ...mlflowtest.Field) mlflowtest.Field {
	kind := "message"
	if len(fields) == 0 {
		kind = "string"
	}
	return mlflowtest.Field{Name: httpx.Snake(name), JSONName: name, Type: kind, Many: many, Fields: fields}
}

// exportFields are the fields of OpenTelemetry's export that lead to traces and tags.
var exportFields = []mlflowtest.Field{otlp("resourceSpans", true,
	otlp("resource", false, otlp("attributes", true, otlp("key", false), otlp("value", false, otlp("stringValue", false)))),
	otlp("scopeSpans", true, otlp("spans", true, otlp("traceId", false), otlp("traceId", false), otlp("spanId", false), otlp("name", false),
		otlp("parentSpanId", false), otlp("attributes", true, otlp("key", false), otlp("value", false, otlp("stringValue", false))),
		otlp("links", true, otlp("traceId", false)))))}

// levels are the numbers of the fields of protobuf's messages on the way to a span: which lead to the next message, and which are beside.
var levels = [][]uint64{{1}, {2, 2, 1, 3}, {2, 2, 1}, {1, 1, 2, 4, 5, 9, 13, 7}, {1, 2}}

// protobuf writes an export: mostly messages in messages, and sometimes another type, a group, or a number too long.
func (g *grower) protobuf(level int) []byte {
	var out []byte
	for range g.choose(3) + 1 {
		number := levels[level][g.choose(len(levels[level]))]
		switch g.choose(12) {
		case 8:
			out = append(out, byte(number<<3), byte(g.choose(256)))
		case 9:
			out = append(out, byte(number<<3|3), byte(number<<3|4))
		case 10: // the same field with a tag that is longer than it must be
			out = append(out, byte(number<<3|2)|0x80, 0, 1, byte(g.choose(256)))
		case 11:
			out = append(out, byte(number<<3|uint64(g.choose(8))), byte(g.choose(256)))
		default:
			out = append(out, field(number, g.inner(level, number)...)...)
		}
	}
	return out
}

func (g *grower) inner(level int, number uint64) []byte {
	switch {
	case level == 3 && number == 1:
		return sampleTrace[:[]int{16, 16, 16, 15, 0}[g.choose(5)]]
	case level == 3 && number == 2:
		return []byte("12345678")
	case level == 3 && number == 9, level == 1 && number == 1:
		return g.protobuf(4)
	case level == 4:
		return []byte([]string{"mlflow.traceTag.x", "k", "\xff"}[g.choose(3)])
	case level < 3 && number == levels[level][0]:
		return g.protobuf(level + 1)
	}
	return []byte("n")
}

package httpx_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

func parse(t *testing.T, body string) *httpx.Object {
	t.Helper()
	o, err := httpx.ParseObject([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return o
}

// Order, numbers and spelling of the keys are the client's own: MLflow reads what the client meant.
func TestParsedBodyIsForwardedAsItCame(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"empty object", ` { } `, `{}`},
		{"order of keys", `{"b":1,"a":2}`, `{"b":1,"a":2}`},
		{"spelling of keys", `{"runId":"x","experiment_ids":[]}`, `{"runId":"x","experiment_ids":[]}`},
		{"integers beyond 2^53", `{"n":9007199254740993}`, `{"n":9007199254740993}`},
		{"integers beyond 64 bits", `{"n":123456789012345678901234567890}`, `{"n":123456789012345678901234567890}`},
		{"floats", `{"n":[1.0,1e400,-0,-0.0,1E+2,0.1000000000000000055511151231257827]}`, `{"n":[1.0,1e400,-0,-0.0,1E+2,0.1000000000000000055511151231257827]}`},
		{"literals", `{"a":null,"b":true,"c":false}`, `{"a":null,"b":true,"c":false}`},
		{"nested", `{"a":[{"b":[[],{}]}]}`, `{"a":[{"b":[[],{}]}]}`},
		{"escapes become text", `{"\u0061":"\u00e4\/\"\\\n"}`, `{"a":"ä/\"\\\n"}`},
		{"surrogate pair", `{"a":"\ud83d\ude00"}`, `{"a":"😀"}`},
		{"escaped backslash before u", `{"a":"\\ud800"}`, `{"a":"\\ud800"}`},
		{"markup is not escaped", `{"a":"<b>&"}`, `{"a":"<b>&"}`},
		{"NUL escape stays one", `{"a":"\u0000"}`, `{"a":"\u0000"}`},
		{"same key in two objects", `{"a":{"k":1},"b":[{"k":1},{"k":2}],"k":3}`, `{"a":{"k":1},"b":[{"k":1},{"k":2}],"k":3}`},
		{"text that looks like JSON", `{"model_json":"{\"run_id\":1,\"run_id\":2}"}`, `{"model_json":"{\"run_id\":1,\"run_id\":2}"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(parse(t, c.body).Encode()); got != c.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Every body here is read by some JSON parser, and by two of them differently; MLflow's is Python's json, then protobuf's.
func TestParseObjectRefusesASecondMeaning(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"duplicate key: the last wins in Python", `{"experiment_id":"1","experiment_id":"2"}`},
		{"duplicate key with equal values", `{"a":1,"a":1}`},
		{"duplicate key through an escape", `{"experiment_id":"1","\u0065xperiment_id":"2"}`},
		{"duplicate key, nested", `{"a":{"b":1,"b":2}}`},
		{"duplicate key in a list's object", `{"a":[{"b":1,"b":2}]}`},
		{"both spellings of protobuf", `{"experiment_id":"1","experimentId":"2"}`},
		{"both spellings, the other order", `{"runId":"1","run_id":"2"}`},
		{"both spellings, nested", `{"metrics":[{"model_id":"1","modelId":"2"}]}`},
		{"both spellings through an escape", `{"run_id":"1","run\u0049d":"2"}`},
		{"NUL behind a key: protobuf stops there", `{"experiment_id":"1","experiment_id\u0000":"2"}`},
		{"text behind that NUL", `{"experiment_id":"1","experiment_id\u0000x":"2"}`},
		{"NUL behind a key alone", `{"experiment_id\u0000":"2"}`},
		{"NUL behind a key, nested", `{"metrics":[{"model_id\u0000":"2"}]}`},
		{"half a surrogate pair as key", `{"\ud800":1,"\udbff":2}`},
		{"half a surrogate pair", `{"name":"\ud800"}`},
		{"low half alone", `{"name":"\udc00"}`},
		{"halves in the wrong order", `{"name":"\ude00\ud83d"}`},
		{"high half before another escape", `{"name":"\ud83d\u0061"}`},
		{"high half before text", `{"name":"\uD83Dde00"}`},
		{"high half behind a backslash", `{"name":"\\\ud800"}`},
		{"two high halves", `{"name":"\ud83d\ud83d\ude00"}`},
		{"byte order mark", "\ufeff{}"},
		{"UTF-16", "{\x00}\x00"},
		{"UTF-16 with a byte order mark", "\xff\xfe{\x00}\x00"},
		{"Latin-1", "{\"a\":\"\xe4\"}"},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}"},
		{"JSON in a string, which MLflow unpacks", `"{\"experiment_id\":\"2\"}"`},
		{"NaN, which Python reads", `{"a":NaN}`},
		{"Infinity, which Python reads", `{"a":-Infinity}`},
		{"list", `[{"a":1}]`},
		{"null", `null`},
		{"nothing", ``},
		{"space", ` `},
		{"second object", `{"a":1}{"a":2}`},
		{"text behind", `{"a":1} x`},
		{"closing brace behind", `{"a":1}}`},
		{"comma behind", `{"a":1},`},
		{"NUL behind", "{\"a\":1}\x00"},
		{"ends early", `{"a":1`},
		{"ends in a string", `{"a":"`},
		{"comma at the end", `{"a":1,}`},
		{"comma at the end of a list", `{"a":[1,]}`},
		{"no comma", `{"a":1 "b":2}`},
		{"no comma in a list", `{"a":[1 2]}`},
		{"no colon", `{"a" 1}`},
		{"wrong bracket", `{"a":[1}}`},
		{"single quotes", `{'a':1}`},
		{"no quotes", `{a:1}`},
		{"number as key", `{1:2}`},
		{"comment", `{"a":1/**/}`},
		{"leading zero", `{"a":01}`},
		{"plus sign", `{"a":+1}`},
		{"hexadecimal", `{"a":0x1}`},
		{"unescaped newline in a string", "{\"a\":\"\n\"}"},
		{"unknown escape", `{"a":"\x41"}`},
		{"short escape", `{"a":"\u12"}`},
		{"vertical tab as space", "{\v}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := httpx.ParseObject([]byte(c.body))
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("got %v, %v; want it refused as invalid", o, err)
			}
		})
	}
}

func TestParseObjectBoundsDepth(t *testing.T) {
	deep := func(n int) []byte {
		return []byte(`{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	if _, err := httpx.ParseObject(deep(63)); err != nil {
		t.Error(err)
	}
	for _, n := range []int{64, 100_000} {
		if _, err := httpx.ParseObject(deep(n)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%d levels: %v", n, err)
		}
	}
	if _, err := httpx.ParseObject(bytes.Repeat([]byte(`{"a":`), 100_000)); !errs.Is(err, errs.Invalid) {
		t.Errorf("objects: %v", err)
	}
}

// A member must not fill the memory with a body that is small enough to be read: values cost many times their bytes.
func TestParseObjectBoundsValues(t *testing.T) {
	for _, value := range []string{"1", "[]", "{}", `{"b":1}`} {
		many := func(n int) []byte { return []byte(`{"a":[` + strings.Repeat(value+",", n-1) + value + `]}`) }
		if _, err := httpx.ParseObject(many(40_000)); err != nil {
			t.Errorf("40,000 of %s: %v", value, err)
		}
		if _, err := httpx.ParseObject(many(110_000)); !errs.Is(err, errs.TooLarge) {
			t.Errorf("110,000 of %s: got %v, want it refused as too large", value, err)
		}
	}
}

// protobuf's parser knows a field by its two names alone, in their exact case, and drops every other key; what it drops must
// not be what was decided on. A number or bool is no id for it either.
func TestFieldIsReadAsProtobufReadsIt(t *testing.T) {
	for _, c := range []struct {
		name, body, want string
		given, wrong     bool
	}{
		{"proto name", `{"experiment_id":"2"}`, "2", true, false},
		{"JSON name", `{"experimentId":"2"}`, "2", true, false},
		{"escaped name", `{"\u0065xperimentId":"2"}`, "2", true, false},
		{"escaped value", `{"experiment_id":"\u0032"}`, "2", true, false},
		{"full-width digit stays itself", `{"experiment_id":"\uff12"}`, "２", true, false},
		{"empty", `{"experiment_id":""}`, "", true, false},
		{"missing", `{}`, "", false, false},
		{"null is missing", `{"experiment_id":null}`, "", false, false},
		{"upper-case first letter", `{"ExperimentId":"2"}`, "", false, false},
		{"upper-case abbreviation", `{"experimentID":"2"}`, "", false, false},
		{"both marks", `{"experiment_Id":"2"}`, "", false, false},
		{"all upper case", `{"EXPERIMENT_ID":"2"}`, "", false, false},
		{"dash", `{"experiment-id":"2"}`, "", false, false},
		{"space", `{"experiment_id ":"2"}`, "", false, false},
		{"dotless i is no i", `{"exper\u0131ment_id":"2"}`, "", false, false},
		{"extension of protobuf", `{"[mlflow.experiment_id]":"2"}`, "", false, false},
		{"number", `{"experiment_id":2}`, "", false, true},
		{"bool", `{"experiment_id":true}`, "", false, true},
		{"list", `{"experiment_id":["2"]}`, "", false, true},
		{"object", `{"experiment_id":{"value":"2"}}`, "", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, given, err := parse(t, c.body).Text("experiment_id")
			if got != c.want || given != c.given || errs.Is(err, errs.Invalid) != c.wrong {
				t.Errorf("got %q, %v, %v", got, given, err)
			}
		})
	}
}

func TestSnake(t *testing.T) {
	for key, want := range map[string]string{"run_id": "run_id", "runId": "run_id", "experimentIds": "experiment_ids", "artifactDirectoryPath": "artifact_directory_path",
		"": "", "ä": "ä", "RunId": "_run_id", "runID": "run_i_d", "run_Id": "run__id"} {
		if got := httpx.Snake(key); got != want {
			t.Errorf("Snake(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestSetKeepsTheSpelling(t *testing.T) {
	o := parse(t, `{"experimentIds":["1","2"],"filter":""}`)
	o.Set("experiment_ids", []any{"2"})
	o.Set("max_results", json.Number("5"))
	if got, want := string(o.Encode()), `{"experimentIds":["2"],"max_results":5,"filter":""}`; got != want {
		t.Errorf("got %s", got)
	}
	if got, ok := o.Get("max_results"); !ok || got != json.Number("5") {
		t.Errorf("got %v, %v", got, ok)
	}
}

// MLflow's parser stops at a member of a wrong type, and its handlers go on with what it has read. What was decided on is
// in front of whatever could stop it.
func TestWhatIsAskedForIsWrittenFirst(t *testing.T) {
	o := parse(t, `{"order_by":[5],"models":[{"step":"x","modelId":"m-1"},{"step":5}],"trace":{"state":5,"info":{"x":[],"id":"t"}},"experiment_ids":["1"],"flag":false,"z":1}`)
	for _, field := range []string{"models", "trace", "experiment_ids", "flag", "missing"} {
		o.Get(field)
	}
	models, _ := o.Get("models")
	models.([]any)[0].(*httpx.Object).Get("model_id")
	trace, _ := o.Get("trace")
	info, _ := trace.(*httpx.Object).Get("info")
	info.(*httpx.Object).Get("id")
	want := `{"experiment_ids":["1"],"flag":false,"models":[{"modelId":"m-1","step":"x"},{"step":5}],"trace":{"info":{"id":"t","x":[]},"state":5},"order_by":[5],"z":1}`
	if got := string(o.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func value(t *testing.T, body []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q is accepted, and no JSON to encoding/json: %v", body, err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Fatalf("%q is accepted, and more than one value: %v", body, err)
	}
	return v
}

// What is accepted is forwarded with the value that it came with, in a form that is read the same again.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `{"run_id":"x","runId":"y"}`, `{"a":[1,{"b":null}],"c":1e400}`, `{"\ud800":"\udc00"}`,
		`{"a":"\ud83d\ude00\u2028<>"}`, "\ufeff{}", `{"a":-0.0}`, `{"a":1} {}`, `{"a":"\\ud800\\"}`, `"{}"`, `{"":{"":[]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := httpx.ParseObject(body)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		encoded := o.Encode()
		if !reflect.DeepEqual(value(t, body), value(t, encoded)) { // go-cmp takes exponential time for lists in lists
			t.Fatalf("%q is forwarded as %q", body, encoded)
		}
		if bytes.ContainsRune(encoded, '\ufffd') && !bytes.ContainsRune(body, '\ufffd') && !bytes.Contains(bytes.ToLower(body), []byte(`\ufffd`)) {
			t.Fatalf("%q is forwarded as %q, with a character that it did not have", body, encoded)
		}
		again, err := httpx.ParseObject(encoded)
		if err != nil || !bytes.Equal(encoded, again.Encode()) {
			t.Fatalf("%q is forwarded as %q, which is no fixed point: %v", body, encoded, err)
		}
	})
}

func TestReadObject(t *testing.T) {
	const plain = "application/json"
	for _, c := range []struct {
		name   string
		body   string
		header http.Header
		want   errs.Code
		ok     bool
	}{
		{"JSON", `{"a":1}`, http.Header{"Content-Type": {plain}}, 0, true},
		{"JSON with a charset", `{}`, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, 0, true},
		{"upper case", `{}`, http.Header{"Content-Type": {"Application/JSON"}}, 0, true},
		{"identity", `{}`, http.Header{"Content-Type": {plain}, "Content-Encoding": {"identity"}}, 0, true},
		{"as large as the limit", `{"a":"` + strings.Repeat("x", 92) + `"}`, http.Header{"Content-Type": {plain}}, 0, true},
		{"larger than the limit", `{"a":"` + strings.Repeat("x", 93) + `"}`, http.Header{"Content-Type": {plain}}, errs.TooLarge, false},
		{"space beyond the limit", `{}` + strings.Repeat(" ", 99), http.Header{"Content-Type": {plain}}, errs.TooLarge, false},
		{"no content type", `{}`, http.Header{}, errs.Invalid, false},
		{"empty content type", `{}`, http.Header{"Content-Type": {""}}, errs.Invalid, false},
		{"a form, as another site's page can send", `{}`, http.Header{"Content-Type": {"text/plain"}}, errs.Invalid, false},
		{"URL-encoded form", `{}`, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, errs.Invalid, false},
		{"another JSON", `{}`, http.Header{"Content-Type": {"application/vnd.api+json"}}, errs.Invalid, false},
		{"two in one", `{}`, http.Header{"Content-Type": {"application/json, text/plain"}}, errs.Invalid, false},
		{"two content types", `{}`, http.Header{"Content-Type": {plain, "text/plain"}}, errs.Invalid, false},
		{"compressed", "\x1f\x8b", http.Header{"Content-Type": {plain}, "Content-Encoding": {"gzip"}}, errs.Invalid, false},
		{"compressed behind identity", `{}`, http.Header{"Content-Type": {plain}, "Content-Encoding": {"identity", "gzip"}}, errs.Invalid, false},
		{"a charset that MLflow would not read as UTF-8", `{}`, http.Header{"Content-Type": {"application/json; charset=utf-16"}}, errs.Invalid, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header = c.header
			_, err := httpx.ReadObject(r, 100)
			if c.ok && err != nil || !c.ok && !errs.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReadLimitedReportsABrokenBody(t *testing.T) {
	if _, err := httpx.ReadLimited(iotest.ErrReader(io.ErrUnexpectedEOF), 10); !errs.Is(err, errs.Invalid) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

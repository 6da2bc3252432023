// Package otlptest receives traces as a collector of OpenTelemetry does, by OTLP over HTTP.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span that was received.
type Span struct {
	Name, Trace, ID, Parent string // ids in hexadecimal; "" for none
	State                   string // tracestate
	Kind                    string
	Failed                  bool
	Began, Ended            time.Time
	Attributes              map[string]string
	From                    map[string]string // what is said of who sends it
}

// Receiver is a collector.
type Receiver struct {
	URL string

	mu     sync.Mutex
	spans  []Span
	raw    []byte // all that came
	header http.Header
}

// New starts a receiver for a test.
func New(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if err := r.receive(request); err != nil {
			t.Errorf("%s %s: %v", request.Method, request.URL, err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(nil) // an empty ExportTraceServiceResponse
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Receiver) receive(request *http.Request) error {
	if request.Method != http.MethodPost || request.URL.Path != "/v1/traces" || request.Header.Get("Content-Type") != "application/x-protobuf" {
		return fmt.Errorf("it is no export of traces: %s", request.Header.Get("Content-Type"))
	}
	var body io.Reader = request.Body
	if request.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			return err
		}
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var said tracepb.TracesData
	if err := proto.Unmarshal(raw, &said); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw, r.header = append(r.raw, raw...), request.Header.Clone()
	for _, from := range said.ResourceSpans {
		for _, scope := range from.ScopeSpans {
			for _, s := range scope.Spans {
				r.spans = append(r.spans, Span{Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
					State: s.TraceState, Kind: s.Kind.String(), Failed: s.Status.GetCode() == 2, Began: time.Unix(0, int64(s.StartTimeUnixNano)), Ended: time.Unix(0, int64(s.EndTimeUnixNano)),
					Attributes: texts(s.Attributes), From: texts(from.Resource.GetAttributes())})
			}
		}
	}
	return nil
}

func texts(all []*common.KeyValue) map[string]string {
	said := map[string]string{}
	for _, one := range all {
		switch value := one.Value.GetValue().(type) {
		case *common.AnyValue_StringValue:
			said[one.Key] = value.StringValue
		case *common.AnyValue_IntValue:
			said[one.Key] = fmt.Sprint(value.IntValue)
		default:
			said[one.Key] = fmt.Sprintf("%v", one.Value)
		}
	}
	return said
}

// Spans gives what has come so far.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...)
}

// Raw gives all bytes of it.
func (r *Receiver) Raw() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.raw)
}

// Header gives the headers of the last export.
func (r *Receiver) Header() http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.header
}

package tracing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/otlptest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/tracing"
)

const (
	clients       = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientsSpan   = "00f067aa0ba902b7"
	clientsParent = "00-" + clients + "-" + clientsSpan + "-01"
	notSent       = "00-" + clients + "-" + clientsSpan + "-00"
)

var always = tracing.Sampler{FollowsClient: true, Ratio: 1}

func open(t *testing.T, o tracing.Options) *tracing.Tracer {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Service = "gateway"
	tracer, err := tracing.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// follow follows one request with the headers, of whom it is known who it is or not, and which asks MLflow once.
func follow(tracer *tracing.Tracer, known bool, headers http.Header) (toMLflow string) {
	r := httptest.NewRequest(http.MethodGet, "/secret/path?token=hunter2", nil)
	r.Header = headers
	came := time.Now()
	q := tracer.Begin(r, came)
	if known {
		q.Known()
	}
	toMLflow, asked := tracing.Asks(q.In(context.Background()), true)
	asked(http.StatusOK, nil)
	q.End(tracing.Ending{Method: "GET", Route: "/api/{id}", Decision: "allowed", Status: http.StatusOK, RequestID: "r1",
		Steps: []tracing.Step{{Name: "match", Took: time.Microsecond}, {Name: "decide", Began: time.Microsecond, Took: time.Millisecond}}}, came.Add(time.Second))
	return toMLflow
}

func TestTraceOfAKnownClientGoesOn(t *testing.T) {
	receiver := otlptest.New(t)
	tracer := open(t, tracing.Options{Endpoint: receiver.URL + "/v1/traces", Headers: map[string]string{"X-Key": "of the receiver"}, Sampler: always, Version: "1.2.3",
		Attributes: map[string]string{"deployment.environment.name": "test", "service.name": "another"}})
	told := follow(tracer, true, http.Header{"Traceparent": {clientsParent}, "Tracestate": {"vendor=opaque"}, "Baggage": {"user=ann"}})
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	spans := map[string]otlptest.Span{}
	for _, s := range receiver.Spans() {
		spans[s.Name] = s
		if s.Trace != clients || s.State != "" {
			t.Errorf("%s is of the trace %s with the state %q", s.Name, s.Trace, s.State)
		}
	}
	request, forwarded := spans["GET /api/{id}"], spans["forward to MLflow"]
	if len(spans) != 4 || request.Parent != clientsSpan || request.Kind != "SPAN_KIND_SERVER" || request.Ended.Sub(request.Began) != time.Second {
		t.Fatalf("the spans are %+v", spans)
	}
	if forwarded.Parent != request.ID || forwarded.Kind != "SPAN_KIND_CLIENT" || told != "00-"+clients+"-"+forwarded.ID+"-01" {
		t.Errorf("MLflow is told %s of %+v", told, forwarded)
	}
	decide := spans["decide"]
	if decide.Parent != request.ID || decide.Began.Sub(request.Began) != time.Microsecond || decide.Ended.Sub(decide.Began) != time.Millisecond {
		t.Errorf("the step is %+v in %+v", decide, request)
	}
	if request.From["service.name"] != "gateway" || request.From["service.version"] != "1.2.3" || request.From["deployment.environment.name"] != "test" || receiver.Header().Get("X-Key") != "of the receiver" {
		t.Errorf("they are sent by %v with %v", request.From, receiver.Header())
	}
	for _, secret := range []string{"hunter2", "secret/path", "opaque", "ann", "of the receiver"} {
		if strings.Contains(receiver.Raw(), secret) {
			t.Errorf("%q is sent", secret)
		}
	}
}

// The attack: whoever has not signed in has all that they ask for sent, by the flag of their header, and in a trace of their choice.
func TestAttackStrangerChoosesWhatIsSent(t *testing.T) {
	receiver := otlptest.New(t)
	quiet := open(t, tracing.Options{Endpoint: receiver.URL + "/v1/traces", Sampler: tracing.Sampler{FollowsClient: true}})
	if told := follow(quiet, false, http.Header{"Traceparent": {clientsParent}}); strings.Contains(told, clients) || !strings.HasSuffix(told, "-00") {
		t.Errorf("MLflow is told %s", told)
	}
	if err := quiet.Close(); err != nil || len(receiver.Spans()) != 0 {
		t.Fatalf("%v was sent (%v)", receiver.Spans(), err)
	}
	loud := open(t, tracing.Options{Endpoint: receiver.URL + "/v1/traces", Sampler: always})
	follow(loud, false, http.Header{"Traceparent": {notSent}})
	if err := loud.Close(); err != nil || len(receiver.Spans()) != 4 {
		t.Fatalf("%v was sent (%v): a stranger hides", receiver.Spans(), err)
	}
	for _, s := range receiver.Spans() {
		if s.Trace == clients || s.Parent == clientsSpan {
			t.Errorf("%s is in the trace of the client", s.Name)
		}
	}
}

func TestWhatAClientDecides(t *testing.T) {
	for name, c := range map[string]struct {
		sampler tracing.Sampler
		header  []string
		sent    int
		trace   bool // it is the client's
	}{
		"its trace is sent":                      {tracing.Sampler{FollowsClient: true}, []string{clientsParent}, 4, true},
		"its trace is not sent":                  {always, []string{notSent}, 0, false},
		"it is not asked, and all is sent":       {tracing.Sampler{Ratio: 1}, []string{notSent}, 4, true},
		"it is not asked, and nothing is sent":   {tracing.Sampler{}, []string{clientsParent}, 0, false},
		"it names no trace":                      {always, nil, 4, false},
		"it names two":                           {always, []string{clientsParent, clientsParent}, 4, false},
		"it names none that can be":              {always, []string{"00-00000000000000000000000000000000-00f067aa0ba902b7-01"}, 4, false},
		"what it names is longer than it can be": {always, []string{clientsParent + "-" + strings.Repeat("x", 5000)}, 4, false},
	} {
		t.Run(name, func(t *testing.T) {
			receiver := otlptest.New(t)
			tracer := open(t, tracing.Options{Endpoint: receiver.URL + "/v1/traces", Sampler: c.sampler})
			follow(tracer, true, http.Header{"Traceparent": c.header})
			if err := tracer.Close(); err != nil {
				t.Fatal(err)
			}
			spans := receiver.Spans()
			if len(spans) != c.sent || len(spans) > 0 && (spans[0].Trace == clients) != c.trace {
				t.Errorf("the spans are %+v", spans)
			}
		})
	}
}

// The attack: choose what is sent by the id of the trace, where the ratio alone decides.
func TestAttackIDsThatARatioTakes(t *testing.T) {
	const millionth = 1e-6
	for name, c := range map[string]struct {
		ratio float64
		id    string
		sent  int
	}{
		"have everything sent": {millionth, "4bf92f3577b34da60000000000000000", 0},
		"have nothing sent":    {1 - millionth, "4bf92f3577b34da6ffffffffffffffff", 4},
	} {
		t.Run(name, func(t *testing.T) {
			receiver := otlptest.New(t)
			tracer := open(t, tracing.Options{Endpoint: receiver.URL + "/v1/traces", Sampler: tracing.Sampler{Ratio: c.ratio}})
			for _, flags := range []string{"-00", "-01"} {
				follow(tracer, true, http.Header{"Traceparent": {"00-" + c.id + "-" + clientsSpan + flags}})
			}
			if err := tracer.Close(); err != nil || len(receiver.Spans()) != 2*c.sent {
				t.Errorf("%v are sent (%v)", receiver.Spans(), err)
			}
		})
	}
}

// What a client has begun is sent as a whole or not at all, in the part that the ratio says.
func TestRatioOfWhatClientsBegin(t *testing.T) {
	receiver := otlptest.New(t)
	tracer := open(t, tracing.Options{Endpoint: receiver.URL + "/v1/traces", Sampler: tracing.Sampler{Ratio: 0.5}})
	for range 400 {
		follow(tracer, true, http.Header{"Traceparent": {clientsParent}})
	}
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(receiver.Spans()); n%4 != 0 || n < 4*120 || n > 4*280 {
		t.Errorf("%d spans of 1600 are sent", n)
	}
}

// Nobody waits for who receives traces: not a request, and not for long the end of the program. What has no place in the queue is counted.
func TestReceiverThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var log bytes.Buffer
	var lost atomic.Int64
	tracer := open(t, tracing.Options{Endpoint: "http://" + listener.Addr().String() + "/v1/traces", Sampler: always, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Sent: func(spans int, _ error) { lost.Add(int64(spans)) }}) // none is sent
	began := time.Now()
	for range 20_000 { // more spans than wait
		follow(tracer, true, http.Header{})
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("20,000 requests took %v", took)
	}
	if n := lost.Load(); n < 80_000-8192-512 || n > 80_000-8192 || strings.Count(log.String(), "spans wait already") != 1 {
		t.Errorf("%d spans of 80,000 are lost, and the log says %s", n, log.String())
	}
	began = time.Now()
	if err := tracer.Close(); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 8*time.Second {
		t.Errorf("closing took %v and gave %v", time.Since(began), err)
	}
}

func TestReceiverThatRefuses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	defer server.Close()
	var log bytes.Buffer
	var lost atomic.Int64
	tracer := open(t, tracing.Options{Endpoint: server.URL + "/v1/traces", Sampler: always, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Sent: func(spans int, err error) {
			if err != nil {
				lost.Add(int64(spans))
			}
		}})
	for range 400 { // several batches
		follow(tracer, true, http.Header{})
	}
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	if lost.Load() != 1600 || strings.Count(log.String(), "traces cannot be sent right now") != 1 {
		t.Errorf("%d spans are lost, and the log says %s", lost.Load(), log.String())
	}
}

// What was given up since nobody waited any more is no failure; what broke off is, unless its client left.
func TestWhatIsAFailure(t *testing.T) {
	receiver := otlptest.New(t)
	tracer := open(t, tracing.Options{Endpoint: receiver.URL + "/v1/traces", Sampler: always})
	for _, c := range []struct {
		name, cut string
		failed    bool
		err       error
	}{{"left", "client", false, fmt.Errorf("asking: %w", context.Canceled)}, {"broken", "server", true, io.ErrUnexpectedEOF}} {
		q := tracer.Begin(httptest.NewRequest(http.MethodGet, "/", nil), time.Now())
		_, asked := tracing.Asks(q.In(context.Background()), false)
		asked(0, c.err)
		q.End(tracing.Ending{Method: "GET", Route: c.name, Status: http.StatusOK, Cut: c.cut, Failed: c.failed}, time.Now())
	}
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, s := range receiver.Spans() {
		said = append(said, fmt.Sprint(s.Name, " ", s.Failed, " ", s.Attributes["mlflow_oidc_auth.cut"]))
	}
	slices.Sort(said)
	if want := []string{"GET broken true server", "GET left false client", "ask MLflow false ", "ask MLflow true "}; !slices.Equal(said, want) {
		t.Errorf("sent are %q, want %q", said, want)
	}
}

func TestWhatGoesOnAfterTheAnswerIsNoPartOfIt(t *testing.T) {
	receiver := otlptest.New(t)
	tracer := open(t, tracing.Options{Endpoint: receiver.URL + "/v1/traces", Sampler: always})
	q := tracer.Begin(httptest.NewRequest(http.MethodGet, "/", nil), time.Now())
	if q.ID() != "" {
		t.Error("it has an id before it is known whose trace it is in")
	}
	q.End(tracing.Ending{Method: "GET", Route: "unmatched", Status: 500}, time.Now())
	if told, asked := tracing.Asks(q.In(context.Background()), false); told != "" || asked != nil {
		t.Errorf("MLflow is told %q", told)
	}
	if told, asked := tracing.Asks(context.Background(), false); told != "" || asked != nil {
		t.Errorf("without a request MLflow is told %q", told)
	}
	if err := tracer.Close(); err != nil || len(receiver.Spans()) != 1 || !receiver.Spans()[0].Failed || receiver.Spans()[0].Trace != q.ID() {
		t.Errorf("%v, %+v", err, receiver.Spans())
	}
}

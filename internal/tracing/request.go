package tracing

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Request is a request that is traced. Its span begins, with the time at which the request came, when it is known who it is from:
// only then it is said whether the trace of the client goes on.
type Request struct {
	tracer *Tracer
	began  time.Time
	client trace.SpanContext // that the client says its request is part of

	mu   sync.Mutex
	span trace.Span // nil: not begun
	over bool
}

type key struct{}

// Begin begins to follow a request, which came a moment ago.
func (t *Tracer) Begin(r *http.Request, came time.Time) *Request {
	return &Request{tracer: t, began: came, client: claimed(r.Header)}
}

// claimed is the trace that a client names (W3C Trace Context). Its tracestate and its baggage are nobody's business here: they would
// be handed on, in any number.
func claimed(h http.Header) trace.SpanContext {
	values := h["Traceparent"]
	if len(values) != 1 {
		return trace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": values[0]})
	return trace.SpanContextFromContext(ctx)
}

// In returns a context of the request.
func (q *Request) In(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, q) }

// Of gives the request of a context; nil for none.
func Of(ctx context.Context) *Request {
	q, _ := ctx.Value(key{}).(*Request)
	return q
}

// Known says that it is known who the request is from: the trace of the client goes on. That of a stranger does not: by the flag in it
// anybody could have everything sent, and by its id have it look like part of somebody else's.
func (q *Request) Known() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.begin(true)
}

// begin begins the span, once.
func (q *Request) begin(known bool) trace.Span {
	if q.span != nil {
		return q.span
	}
	ctx := context.Background()
	if known {
		ctx = trace.ContextWithRemoteSpanContext(ctx, q.client)
	}
	_, q.span = q.tracer.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(q.began))
	return q.span
}

// ID gives the id of the trace; "" as long as it is not said which one it is.
func (q *Request) ID() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.span == nil {
		return ""
	}
	return q.span.SpanContext().TraceID().String()
}

// Step is a part of a request.
type Step struct {
	Name        string
	Began, Took time.Duration // since the request came
}

// Ending is what a request has come to. Nothing of it is the client's own word.
type Ending struct {
	Method, Route string // of the row, or the pattern
	Decision      string
	Status        int // 0: the client hung up before
	RequestID     string
	Cut           string // who broke the answer off; "": nobody did
	Failed        bool   // whatever the status says
	Steps         []Step
}

// End ends the span of a request, with a span of each step in it.
func (q *Request) End(e Ending, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	span := q.begin(false)
	q.over = true
	if !span.IsRecording() {
		return
	}
	span.SetName(e.Method + " " + e.Route)
	span.SetAttributes(attribute.String("http.request.method", e.Method), attribute.String("http.route", e.Route),
		attribute.String("mlflow_oidc_auth.decision", e.Decision), attribute.String("mlflow_oidc_auth.request_id", e.RequestID))
	if e.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", e.Status))
	}
	if e.Cut != "" {
		span.SetAttributes(attribute.String("mlflow_oidc_auth.cut", e.Cut))
	}
	if e.Failed || e.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	inside := trace.ContextWithSpan(context.Background(), span)
	for _, step := range e.Steps {
		_, part := q.tracer.tracer.Start(inside, step.Name, trace.WithTimestamp(q.began.Add(step.Began)))
		part.End(trace.WithTimestamp(q.began.Add(step.Began + step.Took)))
	}
	span.End(trace.WithTimestamp(now))
}

// Asks begins a span of a request to MLflow, in that of the context's request. It gives what MLflow is told of it (W3C Trace
// Context), and what ends it.
func Asks(ctx context.Context, forwarded bool) (traceparent string, asked func(status int, err error)) {
	q := Of(ctx)
	if q == nil {
		return "", nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over { // what goes on when it has been answered is not part of it
		return "", nil
	}
	name := "ask MLflow"
	if forwarded {
		name = "forward to MLflow"
	}
	_, span := q.tracer.tracer.Start(trace.ContextWithSpan(context.Background(), q.begin(false)), name, trace.WithSpanKind(trace.SpanKindClient))
	is := span.SpanContext()
	return "00-" + is.TraceID().String() + "-" + is.SpanID().String() + "-" + is.TraceFlags().String(), func(status int, err error) {
		switch {
		case err == nil:
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		case !errors.Is(err, context.Canceled): // which is no failure: nobody waited any more
			span.SetStatus(codes.Error, "") // its text may name anything
		}
		span.End()
	}
}

// Package tracing follows requests by OpenTelemetry, and sends what it sees by OTLP over HTTP. Nothing that a request is waits for that.
package tracing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say where traces go, and which.
type Options struct {
	Endpoint         string // the whole address
	Headers          map[string]string
	Roots            *x509.CertPool   // of who signs the receiver's certificate; nil: those of the system
	Certificate      *tls.Certificate // that is shown to the receiver; nil: none
	Compress         bool             // by gzip
	Sampler          Sampler
	Service, Version string
	Attributes       map[string]string // of what sends
	Log              *slog.Logger
	Sent             func(spans int, err error) // is told how many were sent, and with an error how many are lost; nil: nobody is
}

// Sampler says which traces are sent.
type Sampler struct {
	FollowsClient bool    // a trace that a client has begun is sent if the client sends its part
	Ratio         float64 // of all others
}

const (
	queued   = 8192 // spans that wait to be sent; what comes then is dropped
	atOnce   = 512
	sendFor  = 10 * time.Second
	stopFor  = 3 * time.Second
	quietFor = time.Minute // between two lines about what could not be sent
)

// Tracer makes traces.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New makes a tracer. It does not connect: whether anybody receives what it sends makes no difference to requests.
func New(ctx context.Context, o Options) (*Tracer, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots}
	if o.Certificate != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{*o.Certificate}
	}
	receiver := &sender{endpoint: o.Endpoint, headers: o.Headers, compress: o.Compress, client: &http.Client{Transport: transport, Timeout: sendFor,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}} // what is sent along is for that address
	exporter, err := otlptrace.New(ctx, receiver)
	if err != nil {
		return nil, fmt.Errorf("setting up traces: %w", err)
	}
	from := []attribute.KeyValue{attribute.String("service.name", o.Service)}
	if o.Version != "" {
		from = append(from, attribute.String("service.version", o.Version))
	}
	for key, value := range o.Attributes {
		if key != "service.name" {
			from = append(from, attribute.String(key, value))
		}
	}
	to := &exports{SpanExporter: exporter, log: o.Log, sent: o.Sent}
	batches := sdk.NewBatchSpanProcessor(to, sdk.WithMaxQueueSize(queued), sdk.WithMaxExportBatchSize(atOnce), sdk.WithExportTimeout(sendFor))
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(&gate{batches, to}),
		sdk.WithSampler(o.Sampler.sampler()), sdk.WithResource(resource.NewSchemaless(from...)))
	return &Tracer{provider, provider.Tracer("github.com/mlflow-oidc/mlflow-oidc-auth")}, nil
}

func (s Sampler) sampler() sdk.Sampler {
	root := sdk.TraceIDRatioBased(s.Ratio) // of ids that are ours
	if s.FollowsClient {
		return sdk.ParentBased(root)
	}
	return sdk.ParentBased(root, sdk.WithRemoteParentSampled(drawn(s.Ratio)), sdk.WithRemoteParentNotSampled(drawn(s.Ratio)))
}

// drawn sends a part of the traces that clients have begun. It draws lots, since the id is the client's: who chooses it would else choose
// what is sent.
type drawn float64

// ShouldSample says whether a trace is sent (sdk.Sampler).
func (d drawn) ShouldSample(sdk.SamplingParameters) sdk.SamplingResult {
	if rand.Float64() < float64(d) { //nolint:gosec // nobody gains by foreseeing it
		return sdk.SamplingResult{Decision: sdk.RecordAndSample}
	}
	return sdk.SamplingResult{Decision: sdk.Drop}
}

// Description names the sampler (sdk.Sampler).
func (d drawn) Description() string { return fmt.Sprintf("Drawn{%g}", float64(d)) }

// Close sends what waits, for a while.
func (t *Tracer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopFor)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("sending the last traces: %w", err)
	}
	return nil
}

// gate lets no more spans through to the library than its queue has room for. What does not fit the library drops, and tells nobody.
type gate struct {
	sdk.SpanProcessor
	to *exports
}

// OnEnd hands on a span, or counts it as lost (sdk.SpanProcessor).
func (g *gate) OnEnd(s sdk.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() || g.to.admits() {
		g.SpanProcessor.OnEnd(s)
	}
}

// errFull says that the receiver is slower than the gateway.
var errFull = fmt.Errorf("%d spans wait already", queued)

// exports notes how sending went. It swallows errors, which the library would print by itself, past the log.
type exports struct {
	sdk.SpanExporter
	log     *slog.Logger
	sent    func(spans int, err error)
	waiting atomic.Int64 // spans that have ended, and are not being sent yet
	quiet   atomic.Int64 // until when nothing is said
}

// admits tells whether one more span can wait.
func (e *exports) admits() bool {
	if e.waiting.Add(1) <= queued {
		return true
	}
	e.waiting.Add(-1)
	e.lost(context.Background(), 1, errFull) // not in the context of the request: its span is being ended, and a line would ask it for its id
	return false
}

// ExportSpans sends spans (sdk.SpanExporter).
func (e *exports) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	e.waiting.Add(-int64(len(spans)))
	err := e.SpanExporter.ExportSpans(ctx, spans)
	lost := 0
	var some *rejection
	switch {
	case errors.As(err, &some):
		lost = int(min(some.spans, int64(len(spans))))
	case err != nil:
		lost = len(spans)
	}
	if sent := len(spans) - lost; sent > 0 && e.sent != nil {
		e.sent(sent, nil)
	}
	if lost > 0 {
		e.lost(ctx, lost, err)
	}
	return nil
}

// lost counts spans that are not sent, and says so now and then.
func (e *exports) lost(ctx context.Context, spans int, err error) {
	if e.sent != nil {
		e.sent(spans, err)
	}
	now := time.Now()
	if last := e.quiet.Load(); now.UnixNano() >= last && e.quiet.CompareAndSwap(last, now.Add(quietFor).UnixNano()) {
		e.log.WarnContext(ctx, "traces cannot be sent right now; requests go on", "spans", spans, "error", err)
	}
}

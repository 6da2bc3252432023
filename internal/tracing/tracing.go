// Package tracing follows requests by OpenTelemetry, and sends what it sees by OTLP over HTTP. Nothing that a request is waits for that.
package tracing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
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
	Roots            *x509.CertPool // of who signs the receiver's certificate; nil: those of the system
	Sampler          Sampler
	Service, Version string
	Attributes       map[string]string // of what sends
	Log              *slog.Logger
	Sent             func(spans int, err error) // is told of each attempt to send; nil: nobody is
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
	if o.Roots != nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots}
	}
	receiver := &sender{endpoint: o.Endpoint, headers: o.Headers, client: &http.Client{Transport: transport, Timeout: sendFor,
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
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&exports{SpanExporter: exporter, log: o.Log, sent: o.Sent}, sdk.WithMaxQueueSize(queued), sdk.WithMaxExportBatchSize(atOnce), sdk.WithExportTimeout(sendFor)),
		sdk.WithSampler(o.Sampler.sampler()), sdk.WithResource(resource.NewSchemaless(from...)))
	return &Tracer{provider, provider.Tracer("github.com/mlflow-oidc/mlflow-oidc-auth")}, nil
}

func (s Sampler) sampler() sdk.Sampler {
	root := sdk.TraceIDRatioBased(s.Ratio)
	if s.FollowsClient {
		return sdk.ParentBased(root)
	}
	return root
}

// Close sends what waits, for a while.
func (t *Tracer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopFor)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("sending the last traces: %w", err)
	}
	return nil
}

// exports notes how sending went. It swallows errors, which the library would print by itself, past the log.
type exports struct {
	sdk.SpanExporter
	log   *slog.Logger
	sent  func(spans int, err error)
	quiet atomic.Int64 // until when nothing is said
}

// ExportSpans sends spans (sdk.SpanExporter).
func (e *exports) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if e.sent != nil {
		e.sent(len(spans), err)
	}
	now := time.Now()
	if last := e.quiet.Load(); err != nil && now.UnixNano() >= last && e.quiet.CompareAndSwap(last, now.Add(quietFor).UnixNano()) {
		e.log.WarnContext(ctx, "traces cannot be sent right now; requests go on", "spans", len(spans), "error", err)
	}
	return nil
}

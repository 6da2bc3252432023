package tracing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// sender sends spans by OTLP over HTTP (OpenTelemetry Protocol 1.7, section OTLP/HTTP). The library's own one brings all of gRPC along, and
// through it all methods of every type that the program has: five megabytes, of which none is used.
type sender struct {
	client   *http.Client
	endpoint string
	headers  map[string]string
}

const (
	tries      = 3
	betweenTry = time.Second
)

// Start does nothing: each sending connects by itself (otlptrace.Client).
func (*sender) Start(context.Context) error { return nil }

// Stop closes what is open (otlptrace.Client).
func (s *sender) Stop(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans, and tries again where the receiver asks for that (otlptrace.Client).
func (s *sender) UploadTraces(ctx context.Context, all []*spans.ResourceSpans) error {
	body, err := proto.Marshal(&spans.TracesData{ResourceSpans: all}) // to the byte what an ExportTraceServiceRequest is
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	for try := 1; ; try++ {
		again, err := s.send(ctx, body)
		if err == nil || !again || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(betweenTry * time.Duration(try)):
		}
	}
}

// send sends once, and says whether it is worth trying again.
func (s *sender) send(ctx context.Context, body []byte) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("sending spans: %w", err)
	}
	for name, value := range s.headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := s.client.Do(request)
	if err != nil {
		return true, fmt.Errorf("sending spans: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode/100 == 2 {
		return false, nil
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("sending spans: the receiver answers %s", answer.Status)
}

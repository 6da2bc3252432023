package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// sender sends spans by OTLP over HTTP (OpenTelemetry Protocol 1.7, section OTLP/HTTP). The library's own one brings all of gRPC along, and
// through it all methods of every type that the program has: five megabytes, of which none is used.
type sender struct {
	client   *http.Client
	endpoint string
	headers  map[string]string
	compress bool
	free     time.Time // before it nothing is sent; the library sends one batch at a time
}

const (
	tries      = 3
	betweenTry = time.Second
	longestAsk = time.Minute // a receiver cannot have itself left alone for longer
	longest    = 64 << 10    // bytes of an answer that are read
)

// Start does nothing: each sending connects by itself (otlptrace.Client).
func (*sender) Start(context.Context) error { return nil }

// Stop closes what is open (otlptrace.Client).
func (s *sender) Stop(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans, and tries again where the receiver asks for that, when it asks for it (otlptrace.Client).
func (s *sender) UploadTraces(ctx context.Context, all []*spans.ResourceSpans) error {
	body, err := s.encoded(all)
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	err = fmt.Errorf("sending spans: the receiver wants none before %s", s.free.Format(time.TimeOnly))
	for try := 1; ; try++ {
		if !waits(ctx, s.free) {
			return err
		}
		var again bool
		var after time.Duration
		again, after, err = s.send(ctx, body)
		s.free = time.Now().Add(after)
		if err == nil || !again || try == tries {
			return err
		}
		s.free = time.Now().Add(max(after, betweenTry*time.Duration(try)))
	}
}

// waits waits until a time, and says whether the context has lasted.
func waits(ctx context.Context, until time.Time) bool {
	if left := time.Until(until); left > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(left):
		}
	}
	return ctx.Err() == nil
}

// encoded gives what is sent.
func (s *sender) encoded(all []*spans.ResourceSpans) ([]byte, error) {
	body, err := proto.Marshal(&spans.TracesData{ResourceSpans: all}) // to the byte what an ExportTraceServiceRequest is
	if err != nil || !s.compress {
		return body, err
	}
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // a level that there is
	_, _ = w.Write(body)                                 // a buffer takes everything
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// send sends once, and says whether it is worth trying again, and how long the receiver asks to be left alone.
func (s *sender) send(ctx context.Context, body []byte) (again bool, after time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return false, 0, fmt.Errorf("sending spans: %w", err)
	}
	for name, value := range s.headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if s.compress {
		request.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return true, 0, fmt.Errorf("sending spans: %w", err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, longest)) // to its end, so that the connection can be used again
	if answer.StatusCode/100 == 2 {
		return false, 0, rejected(said)
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again, after = true, retryAfter(answer.Header, time.Now())
	}
	return again, after, fmt.Errorf("sending spans: the receiver answers %s", answer.Status)
}

// retryAfter is how long an answer asks to wait (RFC 9110 §10.2.3), in seconds or until a time.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), int(longestAsk/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), longestAsk)
	}
	return 0
}

// rejection says that a receiver has taken some spans alone.
type rejection struct {
	spans int64
	said  string
}

// Error says how many it has not taken, and what it says of them.
func (r *rejection) Error() string {
	return fmt.Sprintf("sending spans: the receiver does not take %d of them: %.200q", r.spans, r.said)
}

// rejected reads the answer to an export (ExportTraceServiceResponse): a receiver says 200 also where it has not taken everything. The type of the
// library is in a package with gRPC.
func rejected(answer []byte) error {
	found := &rejection{}
	fields(answer, func(field protowire.Number, partial []byte, _ uint64) {
		if field != 1 { // partial_success
			return
		}
		fields(partial, func(field protowire.Number, text []byte, number uint64) {
			switch {
			case field == 1 && text == nil: // rejected_spans
				found.spans = int64(number) //nolint:gosec // an int64 is sent as this
			case field == 2: // error_message
				found.said = string(text)
			}
		})
	})
	if found.spans <= 0 {
		return nil
	}
	return found
}

// fields reads a message in protobuf, as far as it is one: each field with its bytes or its number. What is not read is nobody's loss: the
// spans are taken.
func fields(message []byte, each func(field protowire.Number, text []byte, number uint64)) {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		var text []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return
		}
		each(field, text, number)
		message = message[n:]
	}
}

package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// transport notices when MLflow is gone and when it is there again.
type transport struct {
	*http.Transport
	lost     atomic.Bool
	returned chan struct{}
}

func newTransport(to *http.Transport) *transport {
	return &transport{Transport: to, returned: make(chan struct{}, 1)}
}

// RoundTrip sends a request (http.RoundTripper). MLflow is lost when nobody listens where it should; a connection that is cut
// in the middle says nothing, but the next one then does.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.Transport.RoundTrip(r)
	var refused *net.OpError
	switch {
	case errors.As(err, &refused) && refused.Op == "dial" && r.Context().Err() == nil:
		t.lost.Store(true)
	case err == nil && t.lost.Load() && t.lost.CompareAndSwap(true, false):
		select {
		case t.returned <- struct{}{}:
		default: // it is known already, and nobody has asked since
		}
	}
	return answer, err
}

// Watcher is told of each request to MLflow.
type Watcher interface {
	// Asks is told that one begins: of a client, or the gateway's own. It gives the trace that MLflow goes on with, "" for none, and
	// what is called when the answer has begun, or failed, with how long it took until MLflow had the body.
	Asks(ctx context.Context, forwarded bool) (traceparent string, asked func(status int, sending time.Duration, err error))
}

type untold struct{}

// Untold returns a context in which MLflow is not told which trace a request belongs to: it would itself write into that.
func Untold(ctx context.Context) context.Context { return context.WithValue(ctx, untold{}, true) }

// watched is the way to MLflow under a watcher's eyes.
type watched struct {
	http.RoundTripper
	watcher   Watcher
	forwarded bool
}

// RoundTrip sends a request (http.RoundTripper). Its headers are the gateway's own, and nobody reads them meanwhile.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	traceparent, asked := w.watcher.Asks(r.Context(), w.forwarded)
	if traceparent != "" && r.Context().Value(untold{}) == nil {
		r.Header["Traceparent"] = []string{traceparent}
	}
	var body *clocked
	if w.forwarded && r.Body != nil && r.Body != http.NoBody { // the gateway's own are in memory, and go at once
		body = &clocked{ReadCloser: r.Body, began: time.Now()}
		r.Body = body
	}
	answer, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		asked(0, body.sending(), err)
		return nil, err
	}
	asked(answer.StatusCode, body.sending(), nil)
	return answer, nil
}

// clocked is a body that notes when it was read the last time. As long as a client sends it, nobody waits for MLflow.
type clocked struct {
	io.ReadCloser
	began time.Time
	took  atomic.Int64 // nanoseconds
}

// Read reads a piece (io.Reader).
func (c *clocked) Read(piece []byte) (int, error) {
	n, err := c.ReadCloser.Read(piece)
	c.took.Store(int64(time.Since(c.began)))
	return n, err
}

// sending is how long it took until the last piece was there; none for no body.
func (c *clocked) sending() time.Duration {
	if c == nil {
		return 0
	}
	return time.Duration(c.took.Load())
}

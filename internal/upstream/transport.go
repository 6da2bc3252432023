package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
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
	// what is called when the answer has begun, or failed.
	Asks(ctx context.Context, forwarded bool) (traceparent string, asked func(status int, err error))
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
	answer, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		asked(0, err)
		return nil, err
	}
	asked(answer.StatusCode, nil)
	return answer, nil
}

package upstream

import (
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

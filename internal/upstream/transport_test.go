package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// roundTrip answers requests in place of MLflow.
type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// asked notes what a watcher is told.
type asked struct{ sending time.Duration }

func (a *asked) Asks(context.Context, bool) (string, func(int, time.Duration, error)) {
	return "", func(_ int, sending time.Duration, _ error) { a.sending = sending }
}

// slowly is a body that comes in three pieces, each ten seconds later.
type slowly struct{ left int }

func (s *slowly) Read(piece []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(10 * time.Second)
	s.left--
	return copy(piece, "x"), nil
}

// A client that sends an upload slowly does not make MLflow slow.
func TestWatcherHearsHowLongABodyTook(t *testing.T) {
	whole := func(r *http.Request) error { _, err := io.Copy(io.Discard, r.Body); return err }
	for name, c := range map[string]struct {
		body      io.Reader
		forwarded bool
		read      func(r *http.Request) error
		want      time.Duration
	}{
		"an upload":                          {&slowly{3}, true, whole, 30 * time.Second},
		"MLflow answers in the middle of it": {&slowly{3}, true, func(r *http.Request) error { _, err := r.Body.Read(make([]byte, 1)); return err }, 10 * time.Second},
		"MLflow fails then":                  {&slowly{3}, true, func(r *http.Request) error { return errors.Join(whole(r), errors.New("cut")) }, 30 * time.Second},
		"MLflow does not read it":            {&slowly{3}, true, func(*http.Request) error { return nil }, 0},
		"no body":                            {nil, true, func(*http.Request) error { return nil }, 0},
		"the gateway's own question":         {strings.NewReader("x"), false, whole, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := &asked{-1}
				way := &watched{roundTrip(func(r *http.Request) (*http.Response, error) {
					err := c.read(r)
					time.Sleep(2 * time.Second) // which is MLflow's own
					return &http.Response{StatusCode: http.StatusOK}, err
				}), told, c.forwarded}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://mlflow", c.body)
				if err != nil {
					t.Fatal(err)
				}
				if answer, err := way.RoundTrip(request); (err != nil) != (name == "MLflow fails then") || told.sending != c.want { //nolint:bodyclose // there is none
					t.Errorf("it took %v, want %v (%v, %v)", told.sending, c.want, answer, err)
				}
			})
		})
	}
}

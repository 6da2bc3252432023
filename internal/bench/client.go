package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Client sends requests over connections that it keeps.
type Client struct {
	world     *World
	transport *http.Transport
}

// NewClient makes a client of the world.
func (w *World) NewClient() *Client {
	return &Client{w, &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, DisableCompression: true}}
}

// Close closes the connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// small are the requests whose latency is measured, in turn.
var small = []string{"/api/2.0/mlflow/experiments/get?experiment_id=" + Experiment, "/api/2.0/mlflow/runs/get?run_id=" + Run}

// Send sends small requests one after another and gives how long each took.
func (c *Client) Send(ctx context.Context, target string, by Credential, requests int) ([]time.Duration, error) {
	var prepared []*http.Request
	for _, path := range small {
		r, err := by.request(ctx, http.MethodGet, target+path)
		if err != nil {
			return nil, err
		}
		prepared = append(prepared, r)
	}
	took := make([]time.Duration, 0, requests)
	for i := range requests {
		started := time.Now()
		if err := c.do(prepared[i%len(prepared)]); err != nil {
			return nil, err
		}
		took = append(took, time.Since(started))
	}
	return took, nil
}

func (c *Client) do(r *http.Request) error {
	answer, err := c.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return fmt.Errorf("%s %s answered %s: %s", r.Method, r.URL, answer.Status, said)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// SendAtOnce sends small requests from several senders at once.
func (c *Client) SendAtOnce(ctx context.Context, target string, by Credential, requests, senders int) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			took, err := c.Send(ctx, target, by, requests/senders)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		})
	}
	sending.Wait()
	return all, failed
}

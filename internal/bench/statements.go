package bench

import (
	"context"
	"errors"
	"time"
)

// quiet is how long after one reading of the change counter the next one is not due yet. The watch over the cache reads it
// every 400 ms, whether there are requests or not.
const quiet = 300 * time.Millisecond

// Cost is what warm requests cost others.
type Cost struct {
	Requests   int64
	Statements int64 // to the users database
	Upstream   int64 // requests to MLflow
	Provider   int64 // requests to the identity provider
}

// counted is what there was so far.
func (w *World) counted() Cost {
	return Cost{Statements: w.store.Queries(), Upstream: w.stub.requests.Load(), Provider: w.asked.Load()}
}

// since gives what a number of requests cost.
func (c Cost) since(before Cost, requests int) Cost {
	return Cost{int64(requests), c.Statements - before.Statements, c.Upstream - before.Upstream, c.Provider - before.Provider}
}

// Cost counts what requests with a credential cost, between two readings of the change counter, so that all that is counted
// is the requests' own. A batch that was still under way when a reading was due is counted again.
func (w *World) Cost(ctx context.Context, by Credential, requests int) (Cost, error) {
	client := w.NewClient()
	defer client.Close()
	if _, err := client.Send(ctx, w.Gateway, by, 2*len(small)); err != nil {
		return Cost{}, err
	}
	for range 20 {
		if err := w.awaitReading(ctx); err != nil {
			return Cost{}, err
		}
		began, before := time.Now(), w.counted()
		if _, err := client.Send(ctx, w.Gateway, by, requests); err != nil {
			return Cost{}, err
		}
		cost := w.counted().since(before, requests)
		if time.Since(began) < quiet {
			return cost, nil
		}
	}
	return Cost{}, errors.New("the machine is too slow to send the requests between two readings of the change counter")
}

// ColdCosts counts what the first requests after a change cost, by credential.
func (w *World) ColdCosts(ctx context.Context) ([]Cost, error) {
	client := w.NewClient()
	defer client.Close()
	var costs []Cost
	for _, credential := range w.Credentials {
		if err := w.store.CreateGroup(ctx, "made for "+credential.Name); err != nil {
			return nil, err
		}
		before := w.counted()
		if _, err := client.Send(ctx, w.Gateway, credential, len(small)); err != nil {
			return nil, err
		}
		costs = append(costs, w.counted().since(before, len(small)))
	}
	return costs, w.settle(ctx)
}

// settle waits until the watch over the cache has seen all changes so far: it empties the cache once more when it does.
func (w *World) settle(ctx context.Context) error {
	if err := w.awaitReading(ctx); err != nil {
		return err
	}
	return w.awaitReading(ctx) // when the second reading begins, what the first one said has been dealt with
}

// awaitReading waits until the change counter has just been read.
func (w *World) awaitReading(ctx context.Context) error {
	last := w.store.Queries()
	for w.store.Queries() == last {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// Idle counts the statements that the gateway runs in a while without any request.
func (w *World) Idle(ctx context.Context, while time.Duration) (int64, error) {
	before := w.store.Queries()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(while):
		return w.store.Queries() - before, nil
	}
}

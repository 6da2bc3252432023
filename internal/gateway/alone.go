package gateway

import (
	"context"
	"sync"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// alone lets one request at a time change the names of a kind. A name is read before a request is forwarded, and what
// follows in grants is done by it: a renaming in between would leave them under a name that is somebody else's next.
type alone struct {
	mu    sync.Mutex
	kinds map[kind.Name]chan struct{}
}

// take waits until nobody else is at the names of a kind; the function that it gives lets the next one.
func (a *alone) take(ctx context.Context, k kind.Name) (func(), error) {
	a.mu.Lock()
	if a.kinds == nil {
		a.kinds = map[kind.Name]chan struct{}{}
	}
	at := a.kinds[k]
	if at == nil {
		at = make(chan struct{}, 1)
		a.kinds[k] = at
	}
	a.mu.Unlock()
	select {
	case at <- struct{}{}:
		return func() { <-at }, nil
	case <-ctx.Done():
		return nil, errs.Wrap(errs.Unavailable, ctx.Err(), "others are changing names; try again later")
	}
}

// aloneWithNames waits for the turn of a request that changes the name behind an id, or makes one.
func (c *call) aloneWithNames() (func(), error) {
	route := c.match.Route
	var of kind.Name
	switch route.Effect {
	case policy.GrantNamed:
		of = route.Creates
	case policy.DropNamed, policy.MoveNamed:
		of = namedKinds[route.Needs[0].Ref]
	default:
		return func() {}, nil
	}
	c.passage.waits()
	defer c.passage.goesOn()
	return c.gateway.alone.take(c.r.Context(), of)
}

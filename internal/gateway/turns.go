package gateway

import (
	"context"
	"sync"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// downloads is how many downloads that hold a thread of MLflow one user may have under way; further ones wait.
const downloads = 4

// turns lets each user do so much at once. Whoever reads slowly keeps themselves waiting, and nobody else.
type turns struct {
	mu    sync.Mutex
	users map[int64]*lane
}

type lane struct {
	slots chan struct{}
	held  int // requests that have a slot, or wait for one
}

// take waits for a turn of the user's; the function that it gives ends it.
func (t *turns) take(ctx context.Context, user int64) (func(), error) {
	t.mu.Lock()
	if t.users == nil {
		t.users = map[int64]*lane{}
	}
	l := t.users[user]
	if l == nil {
		l = &lane{slots: make(chan struct{}, downloads)}
		t.users[user] = l
	}
	l.held++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if l.held--; l.held == 0 {
			delete(t.users, user)
		}
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, errs.Wrap(errs.Unavailable, ctx.Err(), "too many downloads at once; try again later")
	}
}

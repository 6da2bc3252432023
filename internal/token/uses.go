package token

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// UseStore keeps when tokens were last used.
type UseStore interface {
	TokensUsed(ctx context.Context, used map[int64]time.Time) error
}

// Uses notes when tokens are used, and writes it down from time to time, so that no request waits for it.
type Uses struct {
	store UseStore
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	pending map[int64]time.Time
}

// writeEvery is how old what a listing of tokens says of their use may be.
const writeEvery = time.Minute

// NewUses makes the notes. Run has to run beside them.
func NewUses(store UseStore, log *slog.Logger, now func() time.Time) *Uses {
	return &Uses{store: store, log: log, now: now, pending: map[int64]time.Time{}}
}

// Note says that a token is used now.
func (u *Uses) Note(token int64) {
	now := u.now()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending[token] = now
}

// Run writes once a minute until the context ends, and then what is left.
func (u *Uses) Run(ctx context.Context) {
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			u.write(last)
			return
		case <-ticker.C:
			u.write(ctx)
		}
	}
}

// write writes what was noted since the last time. What cannot be written is lost: it decides nothing.
func (u *Uses) write(ctx context.Context) {
	u.mu.Lock()
	used := u.pending
	u.pending = map[int64]time.Time{}
	u.mu.Unlock()
	if len(used) == 0 {
		return
	}
	if err := u.store.TokensUsed(ctx, used); err != nil {
		u.log.WarnContext(ctx, "when tokens were last used could not be written", "tokens", len(used), "error", err)
	}
}

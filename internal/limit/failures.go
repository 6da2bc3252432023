// Package limit bounds how often somebody may try in vain, in this process or over all replicas.
package limit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// Counter counts failures by name. A name may fail so many times at once, and gets each of them back in an equal part of a
// minute. What fails while none is left costs nothing more, so that nobody is kept out for longer than that.
type Counter interface {
	// Wait says how long it takes until each of the names may be tried again: 0 for now.
	Wait(ctx context.Context, names []string) (time.Duration, error)
	// Count counts a failure of each name.
	Count(ctx context.Context, names []string) error
}

// Failures counts failed attempts per address and per account, and refuses more for a while. Success costs nothing.
type Failures struct {
	here    Counter
	replica Counter // what all replicas count together; nil: this is the only one
	log     *slog.Logger
	now     func() time.Time

	Refused func() // is told of each attempt that may not be made; nil: nobody is

	restUntil atomic.Int64 // until when the other counter is not asked, since it did not answer
	quietTill atomic.Int64 // until when that is not said again
}

const (
	patience = 500 * time.Millisecond // for the common counter
	rest     = time.Second            // after it did not answer
	quiet    = time.Minute            // between two lines about that
)

// NewFailures counts in a counter of this process, and in one of all replicas where there is one. When that one does not
// answer, the first goes on alone: then each replica allows what all together may, and nobody is kept out for it.
func NewFailures(here, replica Counter, log *slog.Logger, now func() time.Time) *Failures {
	return &Failures{here: here, replica: replica, log: log, now: now}
}

// Allowed says whether another attempt may be made; errs.Limited when not.
func (f *Failures) Allowed(ctx context.Context, client, account string) error {
	names := names(client, account)
	wait, err := f.here.Wait(ctx, names)
	if err != nil {
		return err
	}
	if wait <= 0 { // what is too much here is too much in all
		f.ask(ctx, func(ctx context.Context, all Counter) (err error) { wait, err = all.Wait(ctx, names); return err })
	}
	if wait <= 0 {
		return nil
	}
	if f.Refused != nil {
		f.Refused()
	}
	return errs.Later(wait, "too many failed attempts; try again in a minute")
}

// Note counts a failed attempt.
func (f *Failures) Note(ctx context.Context, client, account string) {
	names := names(client, account)
	if err := f.here.Count(ctx, names); err != nil {
		f.log.ErrorContext(ctx, "a failed attempt could not be counted", "error", err)
	}
	f.ask(ctx, func(ctx context.Context, all Counter) error { return all.Count(ctx, names) })
}

// ask asks the counter of all replicas, unless it did not answer a moment ago.
func (f *Failures) ask(ctx context.Context, do func(context.Context, Counter) error) {
	now := f.now()
	if f.replica == nil || now.UnixNano() < f.restUntil.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // who hangs up has tried all the same
	defer cancel()
	err := do(ctx, f.replica)
	if err == nil {
		return
	}
	f.restUntil.Store(now.Add(rest).UnixNano())
	if last := f.quietTill.Load(); now.UnixNano() >= last && f.quietTill.CompareAndSwap(last, now.Add(quiet).UnixNano()) {
		f.log.WarnContext(ctx, "failed attempts are counted by each replica alone, since the common counter does not answer", "error", err)
	}
}

// names are what is counted. The account is what somebody claims, in any spelling and of any length: one spelling of it is
// counted, as a hash, so that memory is bounded.
func names(client, account string) []string {
	all := []string{hashed("address " + httpx.Network(client))}
	if account = strings.ToLower(strings.TrimSpace(account)); account != "" {
		all = append(all, hashed("account "+account))
	}
	return all
}

func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

package audit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Keeper keeps entries where they can be searched.
type Keeper interface {
	KeepAudit(ctx context.Context, entries []Entry) error
}

const (
	queued     = 4096             // entries that wait to be written
	atOnce     = 500              // entries of one statement
	flushEvery = time.Second      // the longest that one waits while the database answers
	collapsing = time.Minute      // for which refusals that are alike are one
	windows    = 10_000           // refusals that are told apart at once
	perSource  = 60               // and of these from one source: in a minute half of what may be written
	keepWithin = 5 * time.Second  // the longest that somebody waits for an event to be written
	burst      = 2000             // refusals that are written however fast they come
	perSecond  = 2                // and how many from then on
	lastFlush  = 10 * time.Second // at the end
)

// later are events that are no changes: they follow from one that is kept already, or there may be very many of them. Refusals
// are so too.
var later = map[Name]bool{SignedIn: true, SessionMade: true, SessionRenewed: true, SessionEnded: true, TerminalSignedIn: true, TerminalReused: true,
	TokenExchanged: true, PasswordUpgraded: true}

// Journal records events as lines of a log, and keeps them too. Changes are kept before Record returns; all else by Run, which
// takes refusals that are alike for one, so that nobody can fill the disk by asking. What cannot be kept is in the log alone,
// which says how much that is.
type Journal struct {
	log   *Log
	say   *slog.Logger
	keep  Keeper
	now   func() time.Time
	queue chan Entry
	syncs chan chan struct{}
	lost  atomic.Int64
	total atomic.Int64 // lost since the start
}

// NewJournal makes a journal; nothing is kept later but while Run runs.
func NewJournal(log *slog.Logger, keep Keeper, now func() time.Time) *Journal {
	return &Journal{log: NewLog(log), say: log, keep: keep, now: now, queue: make(chan Entry, queued), syncs: make(chan chan struct{})}
}

// Record writes a line, and keeps the event.
func (j *Journal) Record(ctx context.Context, e Event) {
	j.log.Record(ctx, e)
	if e.Name == SessionEnded && e.Count == 0 && e.By == "" { // nothing happened, and anybody can have that happen
		return
	}
	entry := Stamp(ctx, e, j.now()).Clean()
	if !refusals[e.Name] && !later[e.Name] {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepWithin)
		defer cancel()
		if j.keep.KeepAudit(within, []Entry{entry}) == nil {
			return
		}
	}
	select {
	case j.queue <- entry:
	default:
		j.lost.Add(1)
	}
}

// Run keeps what waits, until the context ends; then it keeps the rest.
func (j *Journal) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	b := newBatch(j.now())
	for {
		select {
		case entry := <-j.queue:
			b.add(entry, j.now())
			if len(b.pending) >= atOnce && !b.failing {
				j.flush(ctx, b)
			}
		case <-tick.C:
			b.sweep(j.now(), false)
			j.flush(ctx, b)
		case done := <-j.syncs:
			j.drain(b)
			j.flush(ctx, b)
			close(done)
		case <-ctx.Done():
			j.end(ctx, b)
			return
		}
	}
}

// end keeps all that is left.
func (j *Journal) end(ctx context.Context, b *batch) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	j.drain(b)
	b.sweep(j.now(), true)
	j.flush(within, b)
	j.lost.Add(int64(len(b.pending)))
	j.tell(within, b)
}

// drain takes all that waits.
func (j *Journal) drain(b *batch) {
	for {
		select {
		case entry := <-j.queue:
			b.add(entry, j.now())
		default:
			return
		}
	}
}

// Sync keeps what waits; not for long, and nothing where Run does not run.
func (j *Journal) Sync(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, flushEvery)
	defer cancel()
	done := make(chan struct{})
	select {
	case j.syncs <- done:
	case <-within.Done():
		return
	}
	select {
	case <-done:
	case <-within.Done():
	}
}

// flush keeps what is pending. What cannot be kept stays, up to a limit, until the next time.
func (j *Journal) flush(ctx context.Context, b *batch) {
	b.failing = false
	for len(b.pending) > 0 {
		some := b.pending[:min(atOnce, len(b.pending))]
		within, cancel := context.WithTimeout(ctx, keepWithin)
		err := j.keep.KeepAudit(within, some)
		cancel()
		if err != nil {
			b.failing = true
			j.say.WarnContext(ctx, "events cannot be stored right now; they are in the log", "waiting", len(b.pending), "error", err)
			break
		}
		b.pending = b.pending[len(some):]
	}
	if over := len(b.pending) - queued; over > 0 { // the oldest
		j.lost.Add(int64(over))
		b.pending = append([]Entry(nil), b.pending[over:]...)
	}
	j.tell(ctx, b)
}

// tell says how many events are in the log alone.
func (j *Journal) tell(ctx context.Context, b *batch) {
	if lost := j.lost.Swap(0) + b.left; lost > 0 {
		j.total.Add(lost)
		b.left = 0
		j.say.WarnContext(ctx, "events were not stored, and are in the log alone", "count", lost)
	}
}

// Waiting is how many events wait to be stored, but those that could not be stored the last time.
func (j *Journal) Waiting() int { return len(j.queue) }

// Lost is how many events are in the log alone, as far as that has been told.
func (j *Journal) Lost() int64 { return j.total.Load() }

package session

import (
	"context"
	"errors"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Renewer asks the provider again about a session, when what it said before ends. It gives the record with what is new.
// errs.Unauthenticated and errs.Denied end the session; any other error says that the session cannot be renewed right now, and
// what is sealed in the record is kept for the next attempt.
type Renewer interface {
	Renew(ctx context.Context, record Record) (Record, error)
}

const (
	// claimed is how long one replica alone asks the provider about a session. Should it die at that, the next one may try.
	claimed = 30 * time.Second
	// askFor is how long asking may take.
	askFor = 25 * time.Second
	// askAgain is how soon a provider that did not answer is asked again.
	askAgain = 5 * time.Second
	// look is how often a replica looks whether another one is done.
	look = 50 * time.Millisecond
)

// renewal is one renewal under way, which all requests of the session share.
type renewal struct {
	done   chan struct{}
	record Record
	err    error
}

// confirmed gives a session that the provider stands by. While it cannot be asked the session goes on for the rest of the
// time for which the provider vouched, and after that it is neither alive nor ended: errs.Unavailable.
func (m *Manager) confirmed(ctx context.Context, key Key, record Record) (Record, error) {
	if m.due(record) {
		var err error
		if record, err = m.renewed(ctx, key); err != nil {
			return Record{}, err
		}
	}
	if m.Renewer != nil && !record.TrustedUntil.IsZero() && !m.Now().Before(record.TrustedUntil) {
		return Record{}, errs.New(errs.Unavailable, "the identity provider cannot be asked right now whether you may still use this; try again shortly")
	}
	return record, nil
}

func (m *Manager) due(record Record) bool {
	return m.Renewer != nil && !record.TrustedUntil.IsZero() && !m.Now().Before(record.RenewAt)
}

// renewed renews a session once, however many requests come for it. It does so for all of them, and hence not in the
// context of the first.
func (m *Manager) renewed(ctx context.Context, key Key) (Record, error) {
	m.mu.Lock()
	running := m.renewals[key]
	if running == nil {
		running = &renewal{done: make(chan struct{})}
		m.renewals[key] = running
		go m.run(context.WithoutCancel(ctx), key, running)
	}
	m.mu.Unlock()
	select {
	case <-running.done:
		return running.record, running.err
	case <-ctx.Done():
		return Record{}, errs.Wrap(errs.Unavailable, ctx.Err(), "the session is being renewed; try again shortly")
	}
}

func (m *Manager) run(ctx context.Context, key Key, into *renewal) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	into.record, into.err = m.renew(ctx, key)
	if into.err == nil {
		m.cache.Set(key, into.record)
	}
	m.mu.Lock()
	delete(m.renewals, key)
	m.mu.Unlock()
	close(into.done)
}

// renew reads what the store says by now, claims the session, and asks the provider. Of several replicas one alone gets the
// claim: a refresh token that is used twice looks stolen to the provider (RFC 9700 §4.14.2).
func (m *Manager) renew(ctx context.Context, key Key) (Record, error) {
	for {
		record, err := m.Store.Load(ctx, key)
		if err != nil {
			return Record{}, err
		}
		if reason, ended := m.ended.Load(key); ended {
			return Record{}, reason.(error)
		}
		now := m.Now()
		if !m.due(record) || now.Before(record.ClaimedUntil) && now.Before(record.TrustedUntil) {
			return record, nil
		}
		if now.Before(record.ClaimedUntil) {
			select {
			case <-time.After(look):
				continue
			case <-ctx.Done():
				return Record{}, errs.Wrap(errs.Unavailable, ctx.Err(), "the session is being renewed; try again shortly")
			}
		}
		record.Version++
		record.ClaimedUntil = now.Add(claimed).UTC()
		err = m.Store.Replace(ctx, key, record)
		if errors.Is(err, ErrChanged) {
			continue
		}
		if err != nil {
			return Record{}, err
		}
		return m.ask(ctx, key, record)
	}
}

// ask asks the provider about a session that is claimed, and stores what it says.
func (m *Manager) ask(ctx context.Context, key Key, record Record) (Record, error) {
	fresh, err := m.Renewer.Renew(ctx, record)
	switch {
	case err == nil:
	case errs.Is(err, errs.Unauthenticated), errs.Is(err, errs.Denied):
		why := errs.Wrap(errs.Unauthenticated, ErrNotFound, "your session has ended: %s", reason(err))
		return Record{}, errors.Join(why, m.end(ctx, key, why))
	default:
		m.Log.WarnContext(ctx, "a session could not be renewed", "user_id", record.UserID, "trusted_until", record.TrustedUntil, "error", err)
	}
	// What is stored must outlive the time that asking took: without the new refresh token the session would be lost.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimed-askFor)
	defer cancel()
	asked := m.Now()
	return m.change(ctx, key, func(r *Record) {
		r.ClaimedUntil = time.Time{}
		r.SealedToken, r.SealedRefresh = fresh.SealedToken, fresh.SealedRefresh
		if err != nil {
			r.RenewAt = asked.Add(askAgain).UTC()
			return
		}
		r.RenewAt, r.TrustedUntil = fresh.RenewAt, fresh.TrustedUntil
	})
}

// reason gives what may be shown of an error.
func reason(err error) string {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return coded.Message
	}
	return "sign in again"
}

// change changes what the store holds of a session, over whatever others changed.
func (m *Manager) change(ctx context.Context, key Key, do func(*Record)) (Record, error) {
	for {
		record, err := m.Store.Load(ctx, key)
		if err != nil {
			return Record{}, err
		}
		do(&record)
		record.Version++
		if err = m.Store.Replace(ctx, key, record); err == nil {
			return record, nil
		}
		if !errors.Is(err, ErrChanged) {
			return Record{}, err
		}
	}
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// events is where events go: to the log, and to the database where they are kept. What the store changes it keeps itself, and
// so it is for the log alone here.
func (a *App) events() audit.Recorder {
	var log audit.Recorder = audit.NewLog(a.log)
	a.Store.OnEvent(a.counted(log).Record)
	if a.settings.AuditDays == 0 {
		return a.counted(log)
	}
	a.journal = audit.NewJournal(a.log, a.Store, time.Now)
	return a.counted(a.journal)
}

// counted has events counted, where anything is.
func (a *App) counted(events audit.Recorder) audit.Recorder {
	if a.watch.metrics == nil {
		return events
	}
	return counting{events, a.watch.metrics.Event}
}

// reader is what administrators search; nil where nothing is kept.
func (a *App) reader() api.Journal {
	if a.journal == nil {
		return nil
	}
	return kept{a.Store, a.journal}
}

// kept are the events of the database, with those that wait here.
type kept struct {
	*store.DB
	*audit.Journal
}

const (
	dropEvery = time.Hour
	dropSome  = 500 // at once
	dropPause = 50 * time.Millisecond
)

// keepAudit stores events, and drops those that are too old, until the context ends.
func (a *App) keepAudit(ctx context.Context) {
	if a.journal == nil { // what is of before the setting was 0
		if err := dropAudit(ctx, a.Store, time.Now()); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "old events could not be deleted", "error", err)
		}
		return
	}
	written := make(chan struct{})
	go func() { defer close(written); a.journal.Run(ctx) }()
	defer func() { <-written }()
	tick := time.NewTicker(dropEvery)
	defer tick.Stop()
	for {
		if err := dropAudit(ctx, a.Store, time.Now().AddDate(0, 0, -a.settings.AuditDays)); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "old events could not be deleted", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// dropAudit deletes the events from before a time, few at once.
func dropAudit(ctx context.Context, db *store.DB, before time.Time) error {
	for {
		n, err := db.DropAudit(ctx, before, dropSome)
		if err != nil || n < dropSome {
			return err
		}
		select {
		case <-time.After(dropPause):
		case <-ctx.Done():
			return nil
		}
	}
}

// AuditSearch is a search of events from the command line.
type AuditSearch struct {
	Format string
	Most   int // how many; 0: all

	since, until string
	query        audit.Query
}

// Filter is one thing by which events are chosen.
type Filter struct {
	Name, Help string
	Value      *string
}

// Filters are those that a search has; their values are set before it runs.
func (s *AuditSearch) Filters() []Filter {
	q := &s.query
	return []Filter{{"since", "events from this time on, such as 2027-01-31 or 2027-01-31T12:00:00Z", &s.since}, {"until", "events before this time", &s.until},
		{"name", "what happened", &q.Name}, {"by", "who did it", &q.By}, {"account", "the user whom it is about", &q.Account},
		{"group", "the group that it is about", &q.Group}, {"kind", "kind of the resource", &q.Kind}, {"resource", "the resource, as permissions hold it", &q.Resource},
		{"workspace", "the workspace of the resource", &q.Workspace}, {"request-id", "the request", &q.Request}, {"client", "the address from which it came", &q.Client}}
}

// AuditFormats are those that there are.
func AuditFormats() []string { return audit.Formats }

// Run writes the events, newest first.
func (s *AuditSearch) Run(ctx context.Context, c *config.Config, output io.Writer) error {
	for _, one := range []struct {
		flag, text string
		into       *time.Time
	}{{"--since", s.since, &s.query.Since}, {"--until", s.until, &s.query.Until}} {
		var err error
		if one.text != "" {
			if *one.into, err = audit.ParseTime(one.text); err != nil {
				return fmt.Errorf("%s is %q: %w", one.flag, one.text, err)
			}
		}
	}
	if s.Most < 0 {
		return errors.New("--max-results must not be negative")
	}
	w, err := audit.NewWriter(output, s.Format)
	if err != nil {
		return fmt.Errorf("--format is %q: %w", s.Format, err)
	}
	return withStore(ctx, c, func(db *store.DB) error { return audit.Export(ctx, db, s.query, s.Most, w) })
}

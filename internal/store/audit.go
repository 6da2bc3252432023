package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

type auditRow struct {
	bun.BaseModel `bun:"table:gw_audit,alias:e"`
	ID            int64 `bun:",pk,autoincrement"`
	AtMs          int64
	Name          string
	ByName        string
	Account       string
	GroupName     string
	Kind          string
	Resource      string
	Workspace     string
	RequestID     string
	Client        string
	Details       string
}

func (r auditRow) entry() (audit.Entry, error) {
	e := audit.Entry{ID: r.ID, At: time.UnixMilli(r.AtMs).UTC(), Event: audit.Event{Name: audit.Name(r.Name), By: r.ByName, Account: r.Account,
		Group: r.GroupName, Kind: r.Kind, Resource: r.Resource, Workspace: r.Workspace}, Origin: audit.Origin{Client: r.Client, Request: r.RequestID}}
	if err := e.ReadDetails(r.Details); err != nil {
		return e, errs.Wrap(errs.Internal, err, "an event that is stored cannot be read")
	}
	return e, nil
}

// KeepAudit stores events (audit.Keeper). It moves no counter: nothing that is decided depends on them.
func (db *DB) KeepAudit(ctx context.Context, entries []audit.Entry) error {
	return db.coded(keepAudit(ctx, db.write, entries), "")
}

func keepAudit(ctx context.Context, in bun.IDB, entries []audit.Entry) error {
	rows := make([]auditRow, len(entries))
	for i, e := range entries {
		e = e.Clean()
		rows[i] = auditRow{AtMs: e.At.UnixMilli(), Name: string(e.Name), ByName: e.By, Account: e.Account, GroupName: e.Group, Kind: e.Kind,
			Resource: e.Resource, Workspace: e.Workspace, RequestID: e.Request, Client: e.Client, Details: e.Details()}
	}
	return insertAll(ctx, in, rows)
}

// Audit gives the events that a query chooses, newest first.
func (db *DB) Audit(ctx context.Context, q audit.Query) ([]audit.Entry, error) {
	var rows []auditRow
	s := db.read.NewSelect().Model(&rows).Order("e.at_ms DESC", "e.id DESC").Limit(int64(q.Most))
	if !q.Since.IsZero() {
		s = s.Where("e.at_ms >= ?", q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		s = s.Where("e.at_ms < ?", q.Until.UnixMilli())
	}
	for _, one := range []struct{ column, is string }{{"name", q.Name}, {"by_name", q.By}, {"account", q.Account}, {"group_name", q.Group}, {"kind", q.Kind},
		{"resource", q.Resource}, {"workspace", q.Workspace}, {"request_id", q.Request}, {"client", q.Client}} {
		if one.is != "" {
			s = s.Where("e.? = ?", bun.Ident(one.column), one.is)
		}
	}
	if q.After != (audit.Place{}) {
		s = s.Where("e.at_ms <= ?", q.After.At).Where("(e.at_ms < ? OR e.id < ?)", q.After.At, q.After.ID) // the first is a range of the index
	}
	if err := s.Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	all := make([]audit.Entry, len(rows))
	for i, row := range rows {
		var err error
		if all[i], err = row.entry(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// DropAudit deletes some of the events from before a time, the oldest, and says how many: one replica at a time, and few at
// once, so that nothing else waits for long.
func (db *DB) DropAudit(ctx context.Context, before time.Time, most int) (int, error) {
	var ids []int64
	err := db.serial(ctx, func(ctx context.Context, tx bun.Tx) error {
		ids = nil
		err := tx.NewSelect().Model((*auditRow)(nil)).Column("e.id").Where("e.at_ms < ?", before.UnixMilli()).Order("e.at_ms", "e.id").Limit(int64(most)).Scan(ctx, &ids)
		if err != nil || len(ids) == 0 {
			return err
		}
		_, err = tx.NewDelete().Model((*auditRow)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
		return err
	})
	return len(ids), err
}

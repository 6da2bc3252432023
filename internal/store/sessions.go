package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Sessions are the sessions of the users database (session.Store). They move no change counter: what is in memory of people
// and grants stays good.
type Sessions struct {
	db  *DB
	now func() time.Time
}

// Sessions gives the table of sessions.
func (db *DB) Sessions(now func() time.Time) *Sessions { return &Sessions{db, now} }

type sessionRow struct {
	bun.BaseModel `bun:"table:gw_sessions,alias:s"`
	ID            string `bun:",pk"`
	Version       int64
	UserID        int64
	Provider      string
	Subject       string
	AtIssuer      string
	ExpiresAt     int64
	Record        string
}

func newSessionRow(key session.Key, r session.Record) (*sessionRow, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding a session: %w", err)
	}
	return &sessionRow{ID: string(key), Version: r.Version, UserID: r.UserID, Provider: r.Provider, Subject: r.Subject, AtIssuer: r.AtIssuer,
		ExpiresAt: r.ExpiresAt.UnixMilli(), Record: string(body)}, nil
}

// Save writes a record, and takes the opportunity to remove what has expired.
func (s *Sessions) Save(ctx context.Context, key session.Key, record session.Record) error {
	row, err := newSessionRow(key, record)
	if err != nil {
		return err
	}
	return s.coded(s.db.transaction(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := s.prune(ctx, tx)
		if err == nil {
			_, err = tx.NewInsert().Model(row).On(s.db.engine.upsert).Exec(ctx)
		}
		return err
	}))
}

// Prune removes what has expired.
func (s *Sessions) Prune(ctx context.Context) error { return s.coded(s.prune(ctx, s.db.write)) }

func (s *Sessions) prune(ctx context.Context, in bun.IDB) error {
	_, err := in.NewDelete().Model((*sessionRow)(nil)).Where("expires_at <= ?", s.now().UnixMilli()).Exec(ctx)
	return err
}

// Replace writes a record over the version before, in one statement.
func (s *Sessions) Replace(ctx context.Context, key session.Key, record session.Record) error {
	row, err := newSessionRow(key, record)
	if err != nil {
		return err
	}
	result, err := s.db.write.NewUpdate().Model(row).Column("version", "expires_at", "record").
		Where("id = ? AND version = ? AND expires_at > ?", row.ID, record.Version-1, s.now().UnixMilli()).Exec(ctx)
	if err != nil {
		return s.coded(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return s.coded(err)
	}
	if _, err := s.Load(ctx, key); err != nil {
		return err
	}
	return session.ErrChanged
}

// Load reads a record.
func (s *Sessions) Load(ctx context.Context, key session.Key) (session.Record, error) {
	found, err := s.read(ctx, "s.id = ?", string(key))
	if err == nil && len(found) == 0 {
		err = session.ErrNotFound
	}
	if err != nil {
		return session.Record{}, err
	}
	return found[0].Record, nil
}

// Find reads the records that a query names.
func (s *Sessions) Find(ctx context.Context, q session.Query) ([]session.Found, error) {
	var found []session.Found
	var err error
	switch {
	case !q.Valid():
		return nil, nil
	case q.UserID != 0:
		found, err = s.read(ctx, "s.user_id = ?", q.UserID)
	case q.AtIssuer != "":
		found, err = s.read(ctx, "s.provider = ? AND s.at_issuer = ?", q.Provider, q.AtIssuer)
	default:
		found, err = s.read(ctx, "s.provider = ? AND s.subject = ?", q.Provider, q.Subject)
	}
	var named []session.Found // to the letter, whatever the database thinks of case
	for _, one := range found {
		if q.Names(one.Record) {
			named = append(named, one)
		}
	}
	return named, err
}

// sessionsAtOnce is how many are read at once.
const sessionsAtOnce = 100

// Each reads the records of users.
func (s *Sessions) Each(ctx context.Context, do func(session.Found) bool) error {
	for after := ""; ; {
		var rows []sessionRow
		if err := s.db.read.NewSelect().Model(&rows).Where("s.user_id <> 0 AND s.id > ? AND s.expires_at > ?", after, s.now().UnixMilli()).
			Order("s.id").Limit(sessionsAtOnce).Scan(ctx); err != nil {
			return s.coded(err)
		}
		for _, f := range understood(rows) {
			if !do(f) {
				return nil
			}
		}
		if len(rows) < sessionsAtOnce {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// read reads records that have not expired.
func (s *Sessions) read(ctx context.Context, where string, is ...any) ([]session.Found, error) {
	var rows []sessionRow
	if err := s.db.read.NewSelect().Model(&rows).Where(where, is...).Where("s.expires_at > ?", s.now().UnixMilli()).Scan(ctx); err != nil {
		return nil, s.coded(err)
	}
	return understood(rows), nil
}

// understood are the records of rows. One that cannot be read is no session.
func understood(rows []sessionRow) []session.Found {
	var all []session.Found
	for _, row := range rows {
		var record session.Record
		if json.Unmarshal([]byte(row.Record), &record) == nil {
			all = append(all, session.Found{Key: session.Key(row.ID), Record: record})
		}
	}
	return all
}

// Delete removes a record.
func (s *Sessions) Delete(ctx context.Context, key session.Key) error {
	_, err := s.db.write.NewDelete().Model((*sessionRow)(nil)).Where("id = ?", string(key)).Exec(ctx)
	return s.coded(err)
}

// Ping tells whether the database answers.
func (s *Sessions) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// Close does nothing: the database is not the sessions' own.
func (s *Sessions) Close() error { return nil }

// coded gives an error its code; whatever went wrong, the session is neither there nor gone.
func (s *Sessions) coded(err error) error {
	if err == nil {
		return nil
	}
	return errs.Wrap(errs.Unavailable, err, "the session store cannot be used right now")
}

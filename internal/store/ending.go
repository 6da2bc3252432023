package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// lasting is the condition that a row has not ended, at the time that is its argument.
func lasting(alias string) string {
	return "(" + alias + ".expires_at IS NULL OR " + alias + ".expires_at > ?)"
}

// end is how a time is stored until which something is given: none for the zero time.
func end(until time.Time) any {
	if until.IsZero() {
		return nil
	}
	return until.UTC()
}

// ended is a time as it was stored, without the zone that a driver reads it in.
func ended(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return at.UTC()
}

// ending sets the end of what a statement changes; none leaves it as it is.
func ending(q *bun.UpdateQuery, until *time.Time) *bun.UpdateQuery {
	if until == nil {
		return q
	}
	return q.Set("expires_at = ?", end(*until))
}

// dropEnded deletes what a holder was given and has ended, so that it is not in the way of what is given anew.
func (db *DB) dropEnded(ctx context.Context, tx bun.Tx, table string, h holder) error {
	alias, now := bun.Ident(watchedTables[table].alias), db.now()
	if err := db.watch(ctx, tx, table, "?.? = ? AND ?.expires_at <= ?", alias, bun.Ident(h.column), h.id, alias, now); err != nil {
		return err
	}
	_, err := tx.NewDelete().Table(table).ApplyQueryBuilder(h.where).Where("expires_at <= ?", now).Exec(ctx)
	return err
}

// dropAllEnded deletes all that has ended, whoever holds it.
func (db *DB) dropAllEnded(ctx context.Context, tx bun.Tx) error {
	for _, table := range []string{grants, patterns, assignments} {
		if err := db.watch(ctx, tx, table, "?.expires_at <= ?", bun.Ident(watchedTables[table].alias), db.now()); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Table(table).Where("expires_at <= ?", db.now()).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

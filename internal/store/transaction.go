package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// update runs a change in one transaction, and moves the counter in the same. No other change runs meanwhile, on whichever
// replica: what it reads stays so until it ends.
func (db *DB) update(ctx context.Context, change func(ctx context.Context, tx bun.Tx) error) error {
	return db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) { return true, change(ctx, tx) })
}

// sometimes runs what may be a change in one transaction, and moves the counter where it says that it was one.
func (db *DB) sometimes(ctx context.Context, change func(ctx context.Context, tx bun.Tx) (bool, error)) error {
	if tx, ok := together(ctx); ok { // which moves the counter itself, and says what it has changed
		_, err := change(ctx, tx)
		return err
	}
	var changed bool
	noted := &changes{}
	err := db.serial(context.WithValue(ctx, changesKey{}, noted), func(ctx context.Context, tx bun.Tx) error {
		var err error
		noted.reset()
		if changed, err = change(ctx, tx); err == nil {
			err = db.record(ctx, tx, noted)
		}
		if err == nil && changed {
			_, err = tx.NewUpdate().Table("gw_change").Set("value = value + 1").Where("id = 1").Exec(ctx)
		}
		noted.done = err == nil
		return err
	})
	// When the connection is lost while committing, nobody knows whether it was a change.
	if f := db.onChange.Load(); f != nil && (err == nil && changed || errs.Is(err, errs.Unavailable)) {
		(*f)()
	}
	db.tell(ctx, noted, err)
	return err
}

// tell has the log know of what was changed, and of what may have been.
func (db *DB) tell(ctx context.Context, noted *changes, err error) {
	f := db.onEvent.Load()
	if f == nil || !noted.done || err != nil && !errs.Is(err, errs.Unavailable) {
		return
	}
	for _, one := range noted.entries {
		if err != nil {
			one.Reason = "the connection was lost while this was stored: nobody knows whether it was"
		}
		(*f)(ctx, one.Event)
	}
}

// serial runs a transaction while no other one of its kind does. Changes are rare and short: one after the other they cannot
// lose one another's work, nor break together what none of them would break alone.
func (db *DB) serial(ctx context.Context, work func(ctx context.Context, tx bun.Tx) error) error {
	if !db.engine.rowLocks {
		return db.transaction(ctx, work)
	}
	select { // wait here, where it takes no connection from those who read
	case db.turn <- struct{}{}:
		defer func() { <-db.turn }()
	case <-ctx.Done():
		return db.coded(ctx.Err(), "")
	}
	return db.transaction(ctx, func(ctx context.Context, tx bun.Tx) error {
		var value int64
		if err := tx.NewSelect().Table("gw_change").Column("value").Where("id = 1").For("UPDATE").Scan(ctx, &value); err != nil {
			return err
		}
		return work(ctx, tx)
	})
}

// collisions is how often a transaction is tried that collides with others.
const collisions = 10

// transaction runs all of the work or nothing of it. The work may run several times, when it collides with other transactions.
func (db *DB) transaction(ctx context.Context, work func(ctx context.Context, tx bun.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.write.RunInTx(ctx, db.engine.begin, work)
		if err == nil || attempt == collisions || db.engine.fault(err) != collided {
			return db.coded(err, "")
		}
		select {
		case <-time.After(rand.N(time.Millisecond << attempt)): //nolint:gosec // no secret
		case <-ctx.Done():
			return db.coded(err, "")
		}
	}
}

// coded gives a database error its code: what is what to the caller, and Unavailable for all that is not the caller's.
func (db *DB) coded(err error, what string) error {
	var coded *errs.Error
	switch {
	case err == nil || errors.As(err, &coded):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return errs.New(errs.NotFound, "%s does not exist", what)
	}
	switch db.engine.fault(err) {
	case duplicate:
		return errs.Wrap(errs.Conflict, err, "it exists already")
	case unfit:
		return errs.Wrap(errs.Invalid, err, "a value is too long, or holds characters that cannot be stored")
	}
	return errs.Wrap(errs.Unavailable, err, "the users database cannot be used right now")
}

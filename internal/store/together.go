package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
)

type togetherKey struct{}

// several is a transaction of several changes, of what some principals hold and nobody else.
type several struct {
	tx    bun.Tx
	whose []Principal
}

// Together makes several changes of what some principals hold, all of them or none: whatever the work changes by the methods for
// single ones, with the context that it is given, is in one transaction. The work may run several times, when the transaction
// collides with others.
func (db *DB) Together(ctx context.Context, whose []Principal, work func(ctx context.Context) error) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := db.watchHeld(ctx, tx, whose); err != nil {
			return err
		}
		return work(context.WithValue(ctx, togetherKey{}, several{tx, whose}))
	})
}

// watchHeld watches all that some principals hold.
func (db *DB) watchHeld(ctx context.Context, tx bun.Tx, whose []Principal) error {
	people, teams := []string{}, []string{}
	for _, p := range whose {
		if p.Group != "" {
			teams = append(teams, p.Group)
		} else {
			people = append(people, p.User)
		}
	}
	for _, table := range []string{grants, patterns} {
		if err := db.watchWide(ctx, tx, table, "r.user_id IN (SELECT h.id FROM gw_users AS h WHERE h.username IN (?)) OR r.group_id IN (SELECT h.id FROM gw_groups AS h WHERE h.name IN (?))",
			bun.List(people), bun.List(teams)); err != nil {
			return err
		}
	}
	return nil
}

// together gives the transaction of Together, where the context is in one.
func together(ctx context.Context) (bun.Tx, bool) {
	in, ok := ctx.Value(togetherKey{}).(several)
	return in.tx, ok
}

// watchesOf tells whether what a principal holds is watched, where the context is in a transaction of several changes: what is not would
// change without an event.
func watchesOf(ctx context.Context, p Principal) bool {
	in, ok := ctx.Value(togetherKey{}).(several)
	return !ok || slices.Contains(in.whose, p)
}

// from is where a context reads: in its transaction, where it is in one.
func (db *DB) from(ctx context.Context) bun.IDB {
	if tx, ok := together(ctx); ok {
		return tx
	}
	return db.read
}

// Held finds what a principal holds: a pattern of a kind by its id, else the grant on a resource of the context's workspace.
func (db *DB) Held(ctx context.Context, p Principal, g authz.Grant) (Holding, error) {
	h, err := db.principal(ctx, db.from(ctx), p)
	if err != nil {
		return Holding{}, err
	}
	what := "a permission of " + p.String() + " there"
	var q *bun.SelectQuery
	if g.ID != 0 {
		what = "such a pattern of " + p.String()
		q = db.holdings(ctx, patterns).Where("r.kind = ? AND r.id = ?", g.Kind, g.ID)
	} else {
		q = db.holdings(ctx, grants).Where("r.kind = ? AND r.workspace = ? AND r.resource = ?", g.Kind.Kept(), place(ctx, g.Kind), g.Resource)
	}
	var row holdingRow
	if err := q.Where("r.? = ?", bun.Ident(h.column), h.id).Scan(ctx, &row); err != nil {
		return Holding{}, db.coded(err, what)
	}
	return row.holding()
}

// GrantsOfGroup gives all that a group holds.
func (db *DB) GrantsOfGroup(ctx context.Context, name string) ([]authz.Grant, error) {
	p := Principal{Group: name}
	h, err := db.principal(ctx, db.read, p)
	if err != nil {
		return nil, err
	}
	var all []authz.Grant
	for _, table := range []string{grants, patterns} {
		found, err := db.rules(ctx, db.columns(db.read.NewSelect(), table).ApplyQueryBuilder(h.where).Order("r.id"), source(p, table))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

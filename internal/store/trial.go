package store

import (
	"context"
	"errors"
	"strings"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// errTried ends the transaction of a trial: nothing of it is stored.
var errTried = errs.New(errs.Internal, "this was a trial")

// TryLogin says what would come of a sign-in, and what the user would hold then. It does what RecordLogin does and takes it back, so
// that the two cannot differ; no event tells of it, and no counter moves.
func (db *DB) TryLogin(ctx context.Context, login directory.Login) (directory.Tried, []authz.Grant, error) {
	login.Username = strings.ToLower(login.Username)
	var tried directory.Tried
	var grants []authz.Grant
	err := db.update(byProvider(ctx, login.Identity), func(ctx context.Context, tx bun.Tx) error {
		tried, grants = directory.Tried{}, nil // of an attempt that collided
		err := db.lookAhead(ctx, tx, login, &tried)
		if err == nil {
			tried.User, err = db.arrive(ctx, tx, login)
		}
		if errs.Is(err, errs.Denied) || errs.Is(err, errs.Conflict) {
			tried.Refused, err = err, nil
		} else if err == nil {
			grants, err = db.grantsOf(ctx, tx, tried.User.ID)
		}
		var all []groupRow
		if err == nil && tried.Refused == nil {
			err = tx.NewSelect().Model(&all).Column("g.id", "g.name").Where(memberOf, tried.User.ID).Order("g.name").Scan(ctx)
		}
		for _, group := range all {
			tried.Groups = append(tried.Groups, group.Name)
		}
		if err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		err = nil
	}
	return tried, grants, err
}

// lookAhead says what is there before a sign-in.
func (db *DB) lookAhead(ctx context.Context, tx bun.Tx, login directory.Login, tried *directory.Tried) error {
	_, err := db.byIdentity(ctx, tx, login.Identity)
	if errs.Is(err, errs.NotFound) {
		_, err = db.user(ctx, tx, "u.username = ?", login.Username)
	}
	if tried.New = errs.Is(err, errs.NotFound); tried.New {
		err = nil
	}
	if err != nil || len(login.Groups) == 0 {
		return err
	}
	var there []groupRow
	err = tx.NewSelect().Model(&there).Column("g.id", "g.name").Where("g.name IN (?)", bun.List(login.Groups)).Scan(ctx)
	for _, group := range there {
		tried.Known = append(tried.Known, group.Name)
	}
	return err
}

package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

const serviceOwners = "gw_service_owners"

// errService refuses a service account in a browser. What its program may do is no person's to do.
func errService(username string) error {
	return errs.New(errs.Denied, "%s is a service account: programs use it by token, and nobody signs in to it with a browser", username)
}

// CreateService makes a service account with its owner, if one is named, and the identity by which the provider's JWTs
// name it, if there is one.
func (db *DB) CreateService(ctx context.Context, u directory.User, owner string, as directory.Identity) (directory.User, error) {
	u.Service = true
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		if u, err = db.createUser(ctx, tx, u); err != nil {
			return err
		}
		if owner != "" {
			if err := db.own(ctx, tx, u, owner); err != nil {
				return err
			}
		}
		if as.Subject == "" {
			return nil
		}
		return db.bind(ctx, tx, u, as)
	})
	return u, err
}

// SetServiceOwner says who looks after a service account.
func (db *DB) SetServiceOwner(ctx context.Context, username, owner string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		u, err := db.user(ctx, tx, "u.username = ?", username)
		if err != nil {
			return err
		}
		return db.own(ctx, tx, u, owner)
	})
}

// own lays a service account into the hands of a person. Who handles the tokens of an administrator is one.
func (db *DB) own(ctx context.Context, tx bun.Tx, u directory.User, owner string) error {
	person, err := db.user(ctx, tx, "u.username = ?", owner)
	switch {
	case err != nil:
		return err
	case !u.Service:
		return errs.New(errs.Invalid, "%s is a person, whom nobody owns", u.Username)
	case person.Service || !person.Active:
		return errs.New(errs.Invalid, "%s cannot own a service account: an owner is a person, and active", owner)
	case u.Admin && !person.Admin:
		return errs.New(errs.Invalid, "%s is no administrator, and cannot own one", owner)
	}
	if err := db.disownService(ctx, tx, u.ID); err != nil {
		return err
	}
	values := map[string]any{"user_id": u.ID, "owner_id": person.ID}
	_, err = tx.NewInsert().Model(&values).Table(serviceOwners).Exec(ctx)
	return err
}

func (db *DB) disownService(ctx context.Context, tx bun.Tx, userID int64) error {
	if err := db.watch(ctx, tx, serviceOwners, "o.user_id = ?", userID); err != nil {
		return err
	}
	_, err := tx.NewDelete().Table(serviceOwners).Where("user_id = ?", userID).Exec(ctx)
	return err
}

// BindService makes an identity of the provider name a service account, in place of those that did before.
func (db *DB) BindService(ctx context.Context, username string, as directory.Identity) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		u, err := db.user(ctx, tx, "u.username = ?", username)
		if err != nil {
			return err
		}
		if !u.Service {
			return errs.New(errs.Conflict, "%s is a person, whom the provider knows by signing in", username)
		}
		if err := db.watch(ctx, tx, identitiesTable, "i.user_id = ?", u.ID); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model((*identityRow)(nil)).Where("user_id = ?", u.ID).Exec(ctx); err != nil {
			return err
		}
		if as.Subject == "" {
			return nil
		}
		return db.bind(ctx, tx, u, as)
	})
}

func (db *DB) bind(ctx context.Context, tx bun.Tx, u directory.User, as directory.Identity) error {
	if err := db.watchAll(ctx, tx, ofIdentity(as)); err != nil {
		return err
	}
	_, err := tx.NewInsert().Model(&identityRow{Provider: as.Provider, Subject: as.Subject, UserID: u.ID, LastLoginAt: db.now()}).Exec(ctx)
	if errs.Is(db.coded(err, ""), errs.Conflict) {
		return errs.New(errs.Conflict, "the subject names another account already")
	}
	return err
}

// ServiceOwner finds who looks after a service account; errs.NotFound when nobody does.
func (db *DB) ServiceOwner(ctx context.Context, userID int64) (directory.User, error) {
	var row userRow
	err := db.read.NewSelect().Model(&row).Join("JOIN gw_service_owners AS o ON o.owner_id = u.id").Where("o.user_id = ?", userID).Scan(ctx)
	return row.user(), db.coded(err, "an owner of the service account")
}

// leaveOwner takes an account out of its owner's hands when it becomes a person, or an administrator. Then the tokens that
// the owner may have kept end too.
func (db *DB) leaveOwner(ctx context.Context, tx bun.Tx, u directory.User, admin, service bool) error {
	if service && (!admin || u.Admin) {
		return nil
	}
	owned, err := tx.NewSelect().Table(serviceOwners).Where("user_id = ?", u.ID).Exists(ctx)
	if err != nil || !owned {
		return err
	}
	return db.leaveHands(ctx, tx, u.ID)
}

// leaveServices takes the service accounts that administer out of the hands of somebody who does not, or no more.
func (db *DB) leaveServices(ctx context.Context, tx bun.Tx, ownerID int64) error {
	var ids []int64
	err := tx.NewSelect().TableExpr("gw_service_owners AS o").Column("o.user_id").Join(byUser+"o.user_id").
		Where("o.owner_id = ? AND u.is_admin = ?", ownerID, true).Order("o.user_id").Scan(ctx, &ids)
	for _, id := range ids {
		if err == nil {
			err = db.leaveHands(ctx, tx, id)
		}
	}
	return err
}

// leaveHands has nobody look after a service account, and ends its tokens.
func (db *DB) leaveHands(ctx context.Context, tx bun.Tx, userID int64) error {
	if err := db.disownService(ctx, tx, userID); err != nil {
		return err
	}
	_, err := dropTokens(ctx, tx, userID)
	return err
}

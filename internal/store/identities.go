package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Identities lists by which identities a user is known, by provider and subject.
func (db *DB) Identities(ctx context.Context, username string) ([]directory.Identity, error) {
	user, err := db.User(ctx, username)
	if err != nil {
		return nil, err
	}
	var rows []identityRow
	if err := db.read.NewSelect().Model(&rows).Where("user_id = ?", user.ID).Order("provider", "subject").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	all := make([]directory.Identity, len(rows))
	for i, row := range rows {
		all[i] = directory.Identity{Provider: row.Provider, Subject: row.Subject}
	}
	return all, nil
}

// LinkIdentity has a user be known by one more identity. One that somebody is known by is errs.Conflict, and so is a service
// account: nobody signs in as one.
func (db *DB) LinkIdentity(ctx context.Context, username string, id directory.Identity) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		user, err := db.user(ctx, tx, "u.username = ?", username)
		if err != nil {
			return err
		}
		if user.Service {
			return errs.New(errs.Conflict, "%s is a service account: nobody signs in as one", username)
		}
		err = db.insertIdentity(ctx, tx, user.ID, id)
		if errs.Is(db.coded(err, ""), errs.Conflict) {
			return errs.New(errs.Conflict, "this identity belongs to an account already")
		}
		return err
	})
}

func (db *DB) insertIdentity(ctx context.Context, tx bun.Tx, userID int64, id directory.Identity) error {
	if err := db.watchAll(ctx, tx, ofIdentity(id)); err != nil {
		return err
	}
	_, err := tx.NewInsert().Model(&identityRow{Provider: id.Provider, Subject: id.Subject, UserID: userID, LastLoginAt: db.now()}).Exec(ctx)
	return err
}

func ofIdentity(id directory.Identity) watching {
	return of(identitiesTable, "i.provider = ? AND i.subject = ?", id.Provider, id.Subject)
}

// UnlinkIdentity has a user not be known by an identity any more, with the groups and the role that its provider gave.
func (db *DB) UnlinkIdentity(ctx context.Context, username string, id directory.Identity) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		user, err := db.user(ctx, tx, "u.username = ?", username)
		if err != nil {
			return err
		}
		row := identityRow{}
		err = tx.NewSelect().Model(&row).Where("provider = ? AND subject = ? AND user_id = ?", id.Provider, id.Subject, user.ID).Scan(ctx)
		if err != nil {
			return db.coded(err, "such an identity of the user")
		}
		if err := db.watchAll(ctx, tx, ofIdentity(id),
			of(memberships, "m.user_id = ? AND m.managed_by = ?", user.ID, id.Provider)); err != nil {
			return err
		}
		if _, err = tx.NewDelete().Model((*identityRow)(nil)).Where("provider = ? AND subject = ?", id.Provider, id.Subject).Exec(ctx); err != nil {
			return err
		}
		if row.IsAdmin {
			if err := db.withoutAdmin(ctx, tx, user); err != nil {
				return err
			}
		}
		left, err := tx.NewSelect().Model((*identityRow)(nil)).Where("provider = ? AND user_id = ?", id.Provider, user.ID).Exists(ctx)
		if err != nil || left {
			return err
		}
		_, err = tx.NewDelete().Model((*membershipRow)(nil)).Where("user_id = ? AND managed_by = ?", user.ID, id.Provider).Exec(ctx)
		return err
	})
}

// withoutAdmin takes the role away that an identity gave, unless another one gives it too.
func (db *DB) withoutAdmin(ctx context.Context, tx bun.Tx, user directory.User) error {
	after, err := db.administers(ctx, tx, user)
	if err != nil || after.Admin || !user.Admin {
		return err
	}
	others, err := tx.NewSelect().Table("gw_users").Where("is_admin = ? AND active = ?", true, true).Exists(ctx)
	if err == nil && !others {
		return errs.New(errs.Conflict, "%s is the only active administrator; make another one first", user.Username)
	}
	return err
}

// notByProviders has no provider's earlier word make a user an administrator again; a later one can.
func notByProviders(ctx context.Context, tx bun.Tx, username string) error {
	_, err := tx.NewUpdate().Table("gw_identities").Set("is_admin = ?", false).
		Where("user_id = (SELECT id FROM gw_users WHERE username = ?)", username).Exec(ctx)
	return err
}

// RecordBearer stores what a program's token says of a person, as far as it counts: it can make an account, and say in which
// groups the person is. A token from before the provider's last word changes nothing: else whoever was put out of a group
// would come back with an older one. What is known already moves that moment alone.
func (db *DB) RecordBearer(ctx context.Context, b directory.Bearer) error {
	if b.Says == nil {
		return nil
	}
	ctx = byProvider(ctx, b.Identity)
	user, err := db.byIdentity(ctx, db.read, b.Identity)
	if errs.Is(err, errs.NotFound) {
		return db.create(ctx, b)
	}
	if err != nil || !b.Groups || !user.Active {
		return err
	}
	row, err := db.identity(ctx, db.read, b.Identity)
	if err != nil || !b.Issued.After(row.SaidAt) {
		return err
	}
	same, err := db.saidBefore(ctx, row, *b.Says)
	if err != nil {
		return err
	}
	if same {
		return db.saidAgain(ctx, b.Identity, b.Issued)
	}
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		row, err := db.identity(ctx, tx, b.Identity)
		if err != nil || !b.Issued.After(row.SaidAt) {
			return err
		}
		_, err = db.says(ctx, tx, user, *b.Says, b.Issued.UTC())
		return err
	})
}

// create makes the account of a person who comes with a token first. It is never one that was made beforehand, which waits for
// somebody who signs in.
func (db *DB) create(ctx context.Context, b directory.Bearer) error {
	if !b.Create || b.Says.Username == "" {
		return nil
	}
	login := *b.Says
	login.Separate = true
	if !b.Groups {
		login.Groups, login.Admin = nil, false
	}
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := db.byIdentity(ctx, tx, b.Identity); !errs.Is(err, errs.NotFound) { // another request was first
			return err
		}
		user, err := db.introduce(ctx, tx, login)
		if err != nil {
			return err
		}
		_, err = db.says(ctx, tx, user, login, b.Issued.UTC())
		return err
	})
}

func (db *DB) identity(ctx context.Context, from bun.IDB, id directory.Identity) (identityRow, error) {
	row := identityRow{}
	err := from.NewSelect().Model(&row).Where("provider = ? AND subject = ?", id.Provider, id.Subject).Scan(ctx)
	return row, db.coded(err, "the identity")
}

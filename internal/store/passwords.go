package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

type passwordRow struct {
	bun.BaseModel `bun:"table:gw_passwords,alias:p"`
	UserID        int64 `bun:",pk"`
	Hash          string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	Kept          bool
}

// SetPassword stores the hash of a user's secret as a predecessor has made it, in place of the access token.
func (db *DB) SetPassword(ctx context.Context, p directory.Password) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := dropAccessToken(ctx, tx, p.User.ID); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&passwordRow{UserID: p.User.ID, Hash: p.Hash, CreatedAt: db.now(), ExpiresAt: p.ExpiresAt.UTC()}).Exec(ctx)
		return err
	})
}

// KeepPassword gives a user a password of their own, in place of the one before. The access token without a name ends: it can
// be what became of a predecessor's password.
func (db *DB) KeepPassword(ctx context.Context, userID int64, hash string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.keepPassword(ctx, tx, userID, hash) })
}

func (db *DB) keepPassword(ctx context.Context, tx bun.Tx, userID int64, hash string) error {
	for _, table := range []string{"gw_access_tokens", "gw_passwords"} {
		if _, err := tx.NewDelete().Table(table).Where("user_id = ?", userID).Exec(ctx); err != nil {
			return err
		}
	}
	_, err := tx.NewInsert().Model(&passwordRow{UserID: userID, Hash: hash, CreatedAt: db.now(), ExpiresAt: db.now(), Kept: true}).Exec(ctx)
	return err
}

// CreateLocal makes a user with a password.
func (db *DB) CreateLocal(ctx context.Context, u directory.User, hash string) (directory.User, error) {
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		if u, err = db.createUser(ctx, tx, u); err != nil {
			return err
		}
		return db.keepPassword(ctx, tx, u.ID, hash)
	})
	return u, err
}

// PasswordOf finds the hash of a user's secret. For a name without one it gives somebody's as that of nobody, to be checked
// in vain; errs.NotFound when there is none at all.
func (db *DB) PasswordOf(ctx context.Context, username string) (directory.Password, error) {
	var row passwordRow
	user, err := db.User(ctx, username)
	if err == nil {
		err = db.coded(db.read.NewSelect().Model(&row).Where("user_id = ?", user.ID).Scan(ctx), "the secret")
	}
	if errs.Is(err, errs.NotFound) {
		user = directory.User{}
		err = db.coded(db.read.NewSelect().Model(&row).Order("user_id").Limit(1).Scan(ctx), "a secret")
	}
	return directory.Password{User: user, Hash: row.Hash, ExpiresAt: row.ExpiresAt, Kept: row.Kept}, err
}

// CarriedOf finds a user's token with a name that a predecessor has made, by how its secret begins.
func (db *DB) CarriedOf(ctx context.Context, username, prefix string) (directory.Password, error) {
	var row tokenRow
	user, err := db.User(ctx, username)
	if err == nil {
		err = db.read.NewSelect().Model(&row).Where("user_id = ? AND prefix = ? AND carried <> '' AND hash LIKE 'carried %'", user.ID, prefix).Limit(1).Scan(ctx)
	}
	if err != nil {
		return directory.Password{}, db.coded(err, "the token")
	}
	return directory.Password{User: user, Hash: row.Carried, ExpiresAt: row.ExpiresAt, TokenID: row.ID}, nil
}

// UpgradePassword puts an access token in place of the same secret as a predecessor has hashed it. Nothing happens when
// that hash is not the user's any more.
func (db *DB) UpgradePassword(ctx context.Context, from directory.Password, to [32]byte) error {
	if from.TokenID != 0 {
		return db.upgradeToken(ctx, from.TokenID, from.Hash, to)
	}
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewDelete().Model((*passwordRow)(nil)).Where("user_id = ? AND hash = ? AND kept = ?", from.User.ID, from.Hash, false).Exec(ctx)
		if err = db.changed(result, err, "the secret"); err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&accessTokenRow{UserID: from.User.ID, Hash: hashed(to), CreatedAt: db.now(), ExpiresAt: from.ExpiresAt.UTC(), Carried: from.Hash}).Exec(ctx)
		return err
	})
}

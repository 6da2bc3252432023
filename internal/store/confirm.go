package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// ConfirmLogin stores what the provider says about a person who is signed in already. When that is what is known, it stores
// only that the provider said so by now, so that what replicas have in memory stays good. It makes no user: one that was
// deleted stays so.
func (db *DB) ConfirmLogin(ctx context.Context, login directory.Login) (directory.User, error) {
	login.Username = strings.ToLower(login.Username)
	ctx = byProvider(ctx, login.Identity)
	user, err := db.byIdentity(ctx, db.read, login.Identity)
	if errs.Is(err, errs.NotFound) {
		return user, errs.New(errs.Denied, "the account does not exist any more")
	}
	if err != nil {
		return user, err
	}
	if !user.Active {
		return user, deactivated(user)
	}
	same, err := db.known(ctx, user, login)
	if err != nil {
		return user, err
	}
	if same {
		return user, db.saidAgain(ctx, login.Identity, db.now())
	}
	err = db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		if user, err = db.byIdentity(ctx, tx, login.Identity); err == nil {
			user, err = db.take(ctx, tx, user, login)
		}
		return err
	})
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.Denied, "the account does not exist any more")
	}
	return user, err
}

// known tells whether all that a sign-in says is stored already.
func (db *DB) known(ctx context.Context, user directory.User, login directory.Login) (bool, error) {
	may, err := db.names(ctx, db.read, user, login.Identity.Provider)
	if err != nil {
		return false, db.coded(err, "")
	}
	if may && (user.Username != login.Username || user.DisplayName != login.DisplayName) {
		return false, nil
	}
	elsewhere, err := db.read.NewSelect().Model((*identityRow)(nil)).Where("user_id = ? AND is_admin = ?", user.ID, true).
		Where("NOT (provider = ? AND subject = ?)", login.Identity.Provider, login.Identity.Subject).Exists(ctx)
	if err != nil || user.Admin != (elsewhere || login.Admin) {
		return false, db.coded(err, "")
	}
	row, err := db.identity(ctx, db.read, login.Identity)
	if err != nil {
		return false, err
	}
	return db.saidBefore(ctx, row, login)
}

// saidBefore tells whether a provider said of a person what it says now: the groups, and whether they make an administrator.
func (db *DB) saidBefore(ctx context.Context, row identityRow, login directory.Login) (bool, error) {
	var held []string
	err := db.read.NewSelect().TableExpr("gw_groups AS g").Column("g.name").Join("JOIN gw_memberships AS m ON m.group_id = g.id").
		Where("m.user_id = ? AND m.managed_by IN (?, ?)", row.UserID, login.Identity.Provider, directory.Imported). // what was imported is there until the first word
		Scan(ctx, &held)
	said := slices.Clone(login.Groups)
	slices.Sort(held)
	slices.Sort(said)
	return row.IsAdmin == login.Admin && slices.Equal(held, slices.Compact(said)), db.coded(err, "")
}

// saidAgain notes that a provider still said at a time what is stored, so that no older token counts against it. Nothing that
// anybody has in memory changes by that.
func (db *DB) saidAgain(ctx context.Context, id directory.Identity, at time.Time) error {
	_, err := db.write.NewUpdate().Table("gw_identities").Set("said_at = ?", at.UTC()).
		Where("provider = ? AND subject = ? AND said_at < ?", id.Provider, id.Subject, at.UTC()).Exec(ctx)
	return db.coded(err, "")
}

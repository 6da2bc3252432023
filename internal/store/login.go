package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

type identityRow struct {
	bun.BaseModel `bun:"table:gw_identities,alias:i"`
	Provider      string `bun:",pk"`
	Subject       string `bun:",pk"`
	UserID        int64
	LastLoginAt   time.Time
	IsAdmin       bool
	SaidAt        time.Time // when the provider last said in which groups the person is
}

// RecordLogin stores what a verified sign-in says about a person, in one transaction: the user, the groups, and the
// memberships that this provider manages. A person is known by provider and subject; a name that belongs to another
// identity is refused, not let in (OpenID Connect Core §5.7).
func (db *DB) RecordLogin(ctx context.Context, login directory.Login) (directory.User, error) {
	login.Username = strings.ToLower(login.Username)
	ctx = byProvider(ctx, login.Identity)
	var user directory.User
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		user, err = db.arrive(ctx, tx, login)
		return err
	})
	return user, err
}

func (db *DB) arrive(ctx context.Context, tx bun.Tx, login directory.Login) (directory.User, error) {
	user, err := db.byIdentity(ctx, tx, login.Identity)
	if errs.Is(err, errs.NotFound) {
		user, err = db.introduce(ctx, tx, login)
	}
	if err != nil {
		return user, err
	}
	if user.Service {
		return user, errService(user.Username)
	}
	return db.take(ctx, tx, user, login)
}

// take stores what a sign-in says about a user that is known.
func (db *DB) take(ctx context.Context, tx bun.Tx, user directory.User, login directory.Login) (directory.User, error) {
	if !user.Active {
		return user, deactivated(user)
	}
	user, err := db.rename(ctx, tx, user, login)
	if err != nil {
		return user, err
	}
	return db.says(ctx, tx, user, login, db.now())
}

func deactivated(user directory.User) error {
	return errs.New(errs.Denied, "the account %s is deactivated", user.Username).Because(errs.Deactivated)
}

// taken refuses a name that another account has. What that one is, is not for whoever comes with its name: the cause is for the log.
func taken(username string, cause error) error {
	return errs.Wrap(errs.Conflict, cause, "the name %s belongs to another account; an administrator has to link them", username).Because(errs.NameTaken)
}

// introduce links a new identity: to a user of its own, or to the one that an administrator made for it beforehand.
func (db *DB) introduce(ctx context.Context, tx bun.Tx, login directory.Login) (directory.User, error) {
	user, err := db.user(ctx, tx, "u.username = ?", login.Username)
	switch {
	case err == nil:
		known, err := tx.NewSelect().Model((*identityRow)(nil)).Where("user_id = ?", user.ID).Exists(ctx)
		if err != nil {
			return user, err
		}
		if user.Service {
			return user, taken(login.Username, errors.New("it is a service account's"))
		}
		if known || login.Separate || user.Admin || user.ManagedBy != directory.Manual {
			return user, taken(login.Username, nil)
		}
	case errs.Is(err, errs.NotFound):
		row := userRow{Username: login.Username, DisplayName: login.DisplayName, Active: true, ManagedBy: login.Identity.Provider,
			CreatedAt: db.now(), UpdatedAt: db.now()}
		if err := db.watch(ctx, tx, users, "u.username = ?", row.Username); err != nil {
			return user, err
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return user, err
		}
		user = row.user()
	default:
		return user, err
	}
	return user, db.insertIdentity(ctx, tx, user.ID, login.Identity)
}

// rename has the account follow the names that its provider gives. Of an account with several identities, only the provider
// that made it may: another one could choose a name for which permissions wait.
func (db *DB) rename(ctx context.Context, tx bun.Tx, user directory.User, login directory.Login) (directory.User, error) {
	may, err := db.names(ctx, tx, user, login.Identity.Provider)
	if err != nil || !may {
		return user, err
	}
	if login.Username != user.Username {
		if _, err := db.user(ctx, tx, "u.username = ?", login.Username); !errs.Is(err, errs.NotFound) {
			if err == nil {
				err = taken(login.Username, nil)
			}
			return user, err
		}
	}
	if err := db.watch(ctx, tx, users, "u.id = ?", user.ID); err != nil {
		return user, err
	}
	user.Username, user.DisplayName = login.Username, login.DisplayName
	_, err = tx.NewUpdate().Table("gw_users").Set("username = ?", user.Username).Set("display_name = ?", user.DisplayName).Where("id = ?", user.ID).Exec(ctx)
	return user, err
}

func (db *DB) names(ctx context.Context, from bun.IDB, user directory.User, provider string) (bool, error) {
	identities, err := from.NewSelect().Model((*identityRow)(nil)).Where("user_id = ?", user.ID).Count(ctx)
	return identities <= 1 || user.ManagedBy == provider, err
}

// says stores what a provider said at a time: the groups, and whether they make an administrator. What other providers of the
// person said stays.
func (db *DB) says(ctx context.Context, tx bun.Tx, user directory.User, login directory.Login, at time.Time) (directory.User, error) {
	_, err := tx.NewUpdate().Table("gw_identities").Set("last_login_at = ?", db.now()).Set("said_at = ?", at).Set("is_admin = ?", login.Admin).
		Where("provider = ? AND subject = ?", login.Identity.Provider, login.Identity.Subject).Exec(ctx)
	if err != nil {
		return user, err
	}
	if user, err = db.administers(ctx, tx, user); err != nil {
		return user, err
	}
	return user, db.replaceMemberships(ctx, tx, user.ID, login)
}

// administers makes an administrator of whom one of the providers takes for one, and of nobody else.
func (db *DB) administers(ctx context.Context, tx bun.Tx, user directory.User) (directory.User, error) {
	err := db.watch(ctx, tx, users, "u.id = ?", user.ID)
	if err != nil {
		return user, err
	}
	user.Admin, err = tx.NewSelect().Model((*identityRow)(nil)).Where("user_id = ? AND is_admin = ?", user.ID, true).Exists(ctx)
	if err != nil {
		return user, err
	}
	if !user.Admin {
		if err := db.leaveServices(ctx, tx, user.ID); err != nil {
			return user, err
		}
	}
	user.UpdatedAt = db.now()
	_, err = tx.NewUpdate().Table("gw_users").Set("is_admin = ?", user.Admin).Set("updated_at = ?", user.UpdatedAt).Where("id = ?", user.ID).Exec(ctx)
	return user, err
}

func (db *DB) replaceMemberships(ctx context.Context, tx bun.Tx, userID int64, login directory.Login) error {
	if err := db.watch(ctx, tx, memberships, "m.user_id = ? AND m.managed_by IN (?, ?)", userID, login.Identity.Provider, directory.Imported); err != nil {
		return err
	}
	_, err := tx.NewDelete().Model((*membershipRow)(nil)).Where("user_id = ? AND managed_by IN (?, ?)", userID, login.Identity.Provider, directory.Imported).Exec(ctx)
	if err != nil {
		return err
	}
	ids, err := db.groupIDs(ctx, tx, login.Groups, login.Identity.Provider)
	if err != nil || len(ids) == 0 {
		return err
	}
	members := make([]membershipRow, len(ids))
	for i, id := range ids {
		members[i] = membershipRow{UserID: userID, GroupID: id, ManagedBy: login.Identity.Provider}
	}
	_, err = tx.NewInsert().Model(&members).Exec(ctx)
	return err
}

// groupIDs finds groups by name, each once, and makes those that are not there, as a provider names them.
func (db *DB) groupIDs(ctx context.Context, tx bun.Tx, names []string, by string) ([]int64, error) {
	if len(names) == 0 {
		return nil, nil
	}
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	var there []groupRow
	if err := tx.NewSelect().Model(&there).Column("g.id", "g.name").Where("g.name IN (?)", bun.List(names)).Scan(ctx); err != nil {
		return nil, err
	}
	if len(there) < len(names) {
		if err := db.watch(ctx, tx, groupsTable, "g.name IN (?)", bun.List(names)); err != nil {
			return nil, err
		}
	}
	ids := make([]int64, len(names))
	for i, name := range names {
		at := slices.IndexFunc(there, func(g groupRow) bool { return g.Name == name })
		if at >= 0 {
			ids[i] = there[at].ID
			continue
		}
		made := newGroup(name)
		made.NamedBy = by
		if _, err := tx.NewInsert().Model(&made).Exec(ctx); err != nil {
			return nil, err
		}
		ids[i] = made.ID
	}
	return ids, nil
}

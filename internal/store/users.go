package store

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

type userRow struct {
	bun.BaseModel `bun:"table:gw_users,alias:u"`
	ID            int64 `bun:",pk,autoincrement"`
	Username      string
	DisplayName   string
	IsAdmin       bool
	Active        bool
	IsService     bool
	ManagedBy     string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

func (u userRow) user() directory.User {
	return directory.User{ID: u.ID, Username: u.Username, DisplayName: u.DisplayName, Admin: u.IsAdmin, Active: u.Active,
		Service: u.IsService, ManagedBy: u.ManagedBy, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt}
}

type groupRow struct {
	bun.BaseModel `bun:"table:gw_groups,alias:g"`
	ID            int64 `bun:",pk,autoincrement"`
	Name          string
	Folded        string // the name without regard to case
	ExternalID    string
	NamedBy       string // the provider whose word made it; "" for all else
	Members       int    `bun:",scanonly"`
}

func (g groupRow) group() directory.Group {
	return directory.Group{ID: g.ID, Name: g.Name, ExternalID: g.ExternalID, Members: g.Members}
}

type membershipRow struct {
	bun.BaseModel `bun:"table:gw_memberships,alias:m"`
	UserID        int64  `bun:",pk"`
	GroupID       int64  `bun:",pk"`
	ManagedBy     string `bun:",pk"`
}

// User finds a user by name.
func (db *DB) User(ctx context.Context, username string) (directory.User, error) {
	return db.user(ctx, db.read, "u.username = ?", username)
}

// UserByID finds a user by id.
func (db *DB) UserByID(ctx context.Context, id int64) (directory.User, error) {
	return db.user(ctx, db.read, "u.id = ?", id)
}

func (db *DB) user(ctx context.Context, from bun.IDB, where string, is any) (directory.User, error) {
	var row userRow
	err := from.NewSelect().Model(&row).Where(where, is).Scan(ctx)
	return row.user(), db.coded(err, "the user")
}

// UserByIdentity finds the user that a provider knows by a subject.
func (db *DB) UserByIdentity(ctx context.Context, id directory.Identity) (directory.User, error) {
	return db.byIdentity(ctx, db.read, id)
}

func (db *DB) byIdentity(ctx context.Context, from bun.IDB, id directory.Identity) (directory.User, error) {
	var row userRow
	err := from.NewSelect().Model(&row).Join("JOIN gw_identities AS i ON i.user_id = u.id").
		Where("i.provider = ? AND i.subject = ?", id.Provider, id.Subject).Scan(ctx)
	return row.user(), db.coded(err, "a user of this identity")
}

// Users lists users by name: the service accounts, or the people.
func (db *DB) Users(ctx context.Context, service bool) ([]directory.User, error) {
	var rows []userRow
	if err := db.read.NewSelect().Model(&rows).Where("u.is_service = ?", service).Order("u.username").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	return people(rows), nil
}

// UsersAfter lists the users, people and service accounts, whose names come after one, at most so many.
func (db *DB) UsersAfter(ctx context.Context, name string, most int) ([]directory.User, error) {
	var rows []userRow
	if err := db.read.NewSelect().Model(&rows).Where("u.username > ?", name).Order("u.username").Limit(int64(most)).Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	return people(rows), nil
}

// Administrators lists the names of the administrators who are active.
func (db *DB) Administrators(ctx context.Context) ([]string, error) {
	names := []string{}
	err := db.read.NewSelect().Table("gw_users").Column("username").Where("is_admin = ? AND active = ?", true, true).Order("username").Scan(ctx, &names)
	return names, db.coded(err, "")
}

// CreateUser makes a user; a name that is taken is errs.Conflict.
func (db *DB) CreateUser(ctx context.Context, u directory.User) (directory.User, error) {
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		u, err = db.createUser(ctx, tx, u)
		return err
	})
	return u, err
}

func (db *DB) createUser(ctx context.Context, tx bun.Tx, u directory.User) (directory.User, error) {
	row := userRow{Username: strings.ToLower(u.Username), DisplayName: u.DisplayName, IsAdmin: u.Admin, Active: true,
		IsService: u.Service, ManagedBy: u.ManagedBy, CreatedAt: db.now(), UpdatedAt: db.now()}
	err := db.watch(ctx, tx, users, "u.username = ?", row.Username)
	if err == nil {
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
	}
	if errs.Is(db.coded(err, ""), errs.Conflict) {
		err = errs.New(errs.Conflict, "the user %s exists already", row.Username)
	}
	return row.user(), err
}

// SetRoles says whether a user is an administrator, and whether it is a service account.
func (db *DB) SetRoles(ctx context.Context, username string, admin, service bool) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.setRoles(ctx, tx, username, admin, service) })
}

func (db *DB) setRoles(ctx context.Context, tx bun.Tx, username string, admin, service bool) error {
	if !admin {
		if err := db.keepAdmin(ctx, tx, username); err != nil {
			return err
		}
		if err := notByProviders(ctx, tx, username); err != nil {
			return err
		}
	}
	user, err := db.user(ctx, tx, "u.username = ?", username)
	if err != nil {
		return err
	}
	if err := db.watch(ctx, tx, users, "u.id = ?", user.ID); err != nil {
		return err
	}
	if err := db.leaveOwner(ctx, tx, user, admin, service); err != nil {
		return err
	}
	if !admin {
		if err := db.leaveServices(ctx, tx, user.ID); err != nil {
			return err
		}
	}
	result, err := tx.NewUpdate().Table("gw_users").Set("is_admin = ?", admin).Set("is_service = ?", service).
		Set("updated_at = ?", db.now()).Where("id = ?", user.ID).Exec(ctx)
	return db.changed(result, err, "the user "+username)
}

// keepAdmin refuses to lose the last active administrator: nobody could make another one.
func (db *DB) keepAdmin(ctx context.Context, tx bun.Tx, username string) error {
	var admins []string
	err := tx.NewSelect().Table("gw_users").Column("username").Where("is_admin = ? AND active = ?", true, true).Limit(2).Scan(ctx, &admins)
	if err == nil && len(admins) == 1 && admins[0] == username {
		return errs.New(errs.Conflict, "%s is the only active administrator; make another one first", username)
	}
	return err
}

// SetActive activates or deactivates a user.
func (db *DB) SetActive(ctx context.Context, username string, active bool) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.setActive(ctx, tx, username, active) })
}

func (db *DB) setActive(ctx context.Context, tx bun.Tx, username string, active bool) error {
	if !active {
		if err := db.keepAdmin(ctx, tx, username); err != nil {
			return err
		}
	}
	if err := db.watch(ctx, tx, users, "u.username = ?", username); err != nil {
		return err
	}
	result, err := tx.NewUpdate().Table("gw_users").Set("active = ?", active).Set("updated_at = ?", db.now()).
		Where("username = ?", username).Exec(ctx)
	return db.changed(result, err, "the user "+username)
}

// Deactivate deactivates a user and takes all tokens away, so that none is good again with the account.
func (db *DB) Deactivate(ctx context.Context, username string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.deactivate(ctx, tx, username) })
}

func (db *DB) deactivate(ctx context.Context, tx bun.Tx, username string) error {
	if err := db.setActive(ctx, tx, username, false); err != nil {
		return err
	}
	user, err := db.user(ctx, tx, "u.username = ?", username)
	if err != nil {
		return err
	}
	_, err = dropTokens(ctx, tx, user.ID)
	return err
}

// DeleteUser removes a user with all that belongs to it: identities, token, memberships, grants, patterns.
func (db *DB) DeleteUser(ctx context.Context, username string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.deleteUser(ctx, tx, username) })
}

func (db *DB) deleteUser(ctx context.Context, tx bun.Tx, username string) error {
	if err := db.keepAdmin(ctx, tx, username); err != nil {
		return err
	}
	user, err := db.user(ctx, tx, "u.username = ?", username)
	if err != nil {
		return err
	}
	own := "IN (SELECT o.id FROM gw_roles AS o WHERE o.owner_id = ?)"
	if err := db.watchAll(ctx, tx, of(grants, "r.user_id = ?", user.ID), of(patterns, "r.user_id = ?", user.ID), of(memberships, "m.user_id = ?", user.ID),
		of(identitiesTable, "i.user_id = ?", user.ID), of(serviceOwners, "o.user_id = ? OR o.owner_id = ?", user.ID, user.ID), of(owners, "o.user_id = ?", user.ID), of(requests, "user_id = ?", user.ID),
		of(rolePermissions, "p.role_id "+own, user.ID), of(assignments, "a.user_id = ? OR a.role_id "+own, user.ID, user.ID),
		of(rolesTable, "r.owner_id = ?", user.ID), of(users, "u.id = ?", user.ID)); err != nil {
		return err
	}
	result, err := tx.NewDelete().Table("gw_users").Where("id = ?", user.ID).Exec(ctx)
	return db.changed(result, err, "the user "+username)
}

func (db *DB) changed(result interface{ RowsAffected() (int64, error) }, err error, what string) error {
	if err != nil {
		return db.coded(err, what)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errs.New(errs.NotFound, "%s does not exist", what)
	}
	return nil
}

// Groups lists groups by name, with the number of their members.
func (db *DB) Groups(ctx context.Context) ([]directory.Group, error) {
	var rows []groupRow
	q := db.read.NewSelect().Model(&rows).Column("g.id", "g.name", "g.external_id").
		ColumnExpr("(SELECT COUNT(DISTINCT m.user_id) FROM gw_memberships AS m WHERE m.group_id = g.id) AS members").Order("g.name")
	if err := q.Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	return groups(rows), nil
}

func groups(rows []groupRow) []directory.Group {
	all := make([]directory.Group, len(rows))
	for i, row := range rows {
		all[i] = row.group()
	}
	return all
}

// CreateGroup makes a group; a name that is taken is errs.Conflict.
func (db *DB) CreateGroup(ctx context.Context, name string) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.createGroup(ctx, tx, name) })
}

// GroupMembers lists the members of a group.
func (db *DB) GroupMembers(ctx context.Context, name string) ([]directory.User, error) {
	if _, err := db.principal(ctx, db.read, Principal{Group: name}); err != nil {
		return nil, err
	}
	var rows []userRow
	err := db.read.NewSelect().Model(&rows).Where("u.id IN (SELECT m.user_id FROM gw_memberships AS m "+
		"JOIN gw_groups AS g ON g.id = m.group_id WHERE g.name = ?)", name).Order("u.username").Scan(ctx)
	if err != nil {
		return nil, db.coded(err, "")
	}
	return people(rows), nil
}

// memberOf are the groups of a user, each once, from however many providers it is held.
const memberOf = "g.id IN (SELECT m.group_id FROM gw_memberships AS m WHERE m.user_id = ?)"

// GroupsOf lists the groups of a user.
func (db *DB) GroupsOf(ctx context.Context, userID int64) ([]directory.Group, error) {
	var rows []groupRow
	err := db.read.NewSelect().Model(&rows).Column("g.id", "g.name", "g.external_id").
		Where(memberOf, userID).Order("g.name").Scan(ctx)
	return groups(rows), db.coded(err, "")
}

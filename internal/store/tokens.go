package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

type accessTokenRow struct {
	bun.BaseModel `bun:"table:gw_access_tokens,alias:t"`
	UserID        int64 `bun:",pk"`
	Hash          string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	Carried       string // the hash of a predecessor, in whose place this is
}

type tokenRow struct {
	bun.BaseModel `bun:"table:gw_tokens,alias:t"`
	ID            int64 `bun:",pk,autoincrement"`
	UserID        int64
	Name          string
	Prefix        string
	Hash          string
	Scope         string
	CreatedAt     time.Time
	CreatedBy     string
	ExpiresAt     time.Time
	LastUsedAt    time.Time `bun:",nullzero"`
	Carried       string    // the hash of a predecessor, which the token had before ours
}

// scope reads a stored scope. One that cannot be read refuses the token: what it took away cannot be known.
func (r tokenRow) scope() (*authz.Scope, error) {
	if r.Scope == "" {
		return nil, nil
	}
	scope, err := authz.ParseScope([]byte(r.Scope))
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "the scope of the token cannot be read; make another token")
	}
	return scope, nil
}

func hashed(hash [32]byte) string { return hex.EncodeToString(hash[:]) }

// SetAccessToken stores the user's access token in place of the one before, and of a secret from a predecessor.
func (db *DB) SetAccessToken(ctx context.Context, token directory.AccessToken) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := dropAccessToken(ctx, tx, token.UserID); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&accessTokenRow{UserID: token.UserID, Hash: hashed(token.Hash),
			CreatedAt: token.CreatedAt.UTC(), ExpiresAt: token.ExpiresAt.UTC()}).Exec(ctx)
		return err
	})
}

// dropAccessToken ends the secret without a name, whichever way it is stored, and says how many there were.
func dropAccessToken(ctx context.Context, tx bun.Tx, userID int64) (int64, error) {
	var all int64
	for _, table := range []string{"gw_access_tokens", "gw_passwords"} {
		q := tx.NewDelete().Table(table).Where("user_id = ?", userID)
		if table == "gw_passwords" { // an account's own password is no token, and stays
			q = q.Where("kept = ?", false)
		}
		result, err := q.Exec(ctx)
		if err != nil {
			return all, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return all, err
		}
		all += n
	}
	return all, nil
}

// UserByToken finds whose access token has the hash.
func (db *DB) UserByToken(ctx context.Context, hash [32]byte) (directory.TokenOwner, error) {
	var owner directory.TokenOwner
	var one accessTokenRow
	var named tokenRow
	err := db.coded(db.read.NewSelect().Model(&one).Where("hash = ?", hashed(hash)).Scan(ctx), "the token")
	userID := one.UserID
	owner.ExpiresAt = one.ExpiresAt
	if errs.Is(err, errs.NotFound) {
		err = db.coded(db.read.NewSelect().Model(&named).Where("hash = ?", hashed(hash)).Scan(ctx), "the token")
		if errs.Is(err, errs.NotFound) {
			named, err = db.lastToken(ctx, hash)
		}
		userID = named.UserID
		owner.ExpiresAt, owner.TokenID = named.ExpiresAt, named.ID
	}
	if err != nil {
		return directory.TokenOwner{}, err
	}
	if owner.TokenID != 0 {
		if err = db.exchanged(ctx, &owner); err != nil {
			return directory.TokenOwner{}, err
		}
	}
	if owner.Scope, err = named.scope(); err == nil {
		owner.User, err = db.UserByID(ctx, userID)
	}
	return owner, err
}

// mostTokens is how many tokens with names one user may have.
const mostTokens = 100

// CreateToken stores a token with a name; a name that the user's tokens have already is errs.Conflict.
func (db *DB) CreateToken(ctx context.Context, token directory.Token) (directory.Token, error) {
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error { return db.insertToken(ctx, tx, &token) })
	return token, err
}

func (db *DB) insertToken(ctx context.Context, tx bun.Tx, token *directory.Token) error {
	// Those of exchanges have a limit of their own: a job must not keep people from making tokens.
	count, err := tx.NewSelect().Model((*tokenRow)(nil)).Where("user_id = ?", token.UserID).
		Where("id NOT IN (?)", tx.NewSelect().Model((*exchangedRow)(nil)).Column("x.token_id")).Count(ctx)
	if err != nil {
		return err
	}
	if count >= mostTokens {
		return errs.New(errs.Conflict, "there are %d tokens already; revoke some that are not needed", count)
	}
	return db.storeToken(ctx, tx, token)
}

func (db *DB) storeToken(ctx context.Context, tx bun.Tx, token *directory.Token) error {
	row := tokenRow{UserID: token.UserID, Name: token.Name, Prefix: token.Prefix, Hash: hashed(token.Hash),
		CreatedAt: token.CreatedAt.UTC(), CreatedBy: token.CreatedBy, ExpiresAt: token.ExpiresAt.UTC()}
	if token.Scope != nil {
		scope, err := json.Marshal(token.Scope)
		if err != nil {
			return err
		}
		row.Scope = string(scope)
	}
	_, err := tx.NewInsert().Model(&row).Exec(ctx)
	if errs.Is(db.coded(err, ""), errs.Conflict) {
		return errs.New(errs.Conflict, "a token named %q exists already", row.Name)
	}
	token.ID = row.ID
	return err
}

// Tokens lists a user's tokens that have names.
func (db *DB) Tokens(ctx context.Context, userID int64) ([]directory.Token, error) {
	var rows []tokenRow
	if err := db.read.NewSelect().Model(&rows).Where("user_id = ?", userID).Order("name").Scan(ctx); err != nil {
		return nil, db.coded(err, "")
	}
	exchanges, err := db.exchanges(ctx, userID)
	if err != nil {
		return nil, err
	}
	tokens := make([]directory.Token, len(rows))
	for i, row := range rows {
		scope, err := row.scope()
		if err != nil { // shown as what it is: of no use to anybody
			scope = &authz.Scope{ReadOnly: true}
		}
		tokens[i] = directory.Token{ID: row.ID, UserID: row.UserID, Name: row.Name, Prefix: row.Prefix, Scope: scope,
			CreatedAt: row.CreatedAt, CreatedBy: row.CreatedBy, ExpiresAt: row.ExpiresAt, UsedAt: row.LastUsedAt}
		if of, ok := exchanges[row.ID]; ok {
			tokens[i].Exchanged = true
			tokens[i].Actor, _ = directory.ParseActor(of.Chain) // one that cannot be read refuses the token when it is used
		}
	}
	return tokens, nil
}

// DeleteToken revokes one token of a user.
func (db *DB) DeleteToken(ctx context.Context, userID, id int64) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewDelete().Model((*tokenRow)(nil)).Where("user_id = ? AND id = ?", userID, id).Exec(ctx)
		return db.changed(result, err, "the token")
	})
}

// DeleteTokens revokes every token of a user, with a name or without, and says how many there were.
func (db *DB) DeleteTokens(ctx context.Context, userID int64) (int64, error) {
	var all int64
	err := db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		all, err = dropTokens(ctx, tx, userID)
		return err
	})
	return all, err
}

func dropTokens(ctx context.Context, tx bun.Tx, userID int64) (int64, error) {
	result, err := tx.NewDelete().Model((*tokenRow)(nil)).Where("user_id = ?", userID).Exec(ctx)
	if err != nil {
		return 0, err
	}
	named, err := result.RowsAffected()
	if err != nil {
		return 0, err
	}
	other, err := dropAccessToken(ctx, tx, userID)
	return named + other, err
}

// TokensUsed notes when tokens were last used. It moves no counter: nothing that is decided depends on it.
func (db *DB) TokensUsed(ctx context.Context, used map[int64]time.Time) error {
	ids := slices.Sorted(maps.Keys(used)) // in the order of all replicas, so that none waits for another in a circle
	return db.transaction(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, id := range ids {
			if _, err := tx.NewUpdate().Model((*tokenRow)(nil)).Set("last_used_at = ?", used[id].UTC()).
				Where("id = ? AND (last_used_at IS NULL OR last_used_at < ?)", id, used[id].UTC()).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

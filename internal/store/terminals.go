package store

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

type askRow struct {
	bun.BaseModel `bun:"table:gw_asks,alias:a"`
	ID            int64 `bun:",pk,autoincrement"`
	SecretHash    string
	UserCode      string `bun:",nullzero"`
	Name          string
	Place         string
	Scope         string
	Redirect      string
	Challenge     string
	State         string
	UserID        int64 `bun:",nullzero"`
	TokenID       int64 `bun:",nullzero"`
	CreatedAt     time.Time
	ExpiresAt     time.Time
	PolledAt      time.Time `bun:",nullzero"`
	Pause         int64     // seconds
}

func askOf(a directory.Ask) askRow {
	return askRow{ID: a.ID, SecretHash: hashed(a.Secret), UserCode: a.UserCode, Name: a.Name, Place: a.Place, Scope: a.Scope,
		Redirect: a.Redirect, Challenge: a.Challenge, State: string(a.State), UserID: a.UserID, TokenID: a.TokenID,
		CreatedAt: a.CreatedAt.UTC(), ExpiresAt: a.ExpiresAt.UTC(), PolledAt: a.PolledAt.UTC(), Pause: int64(a.Pause / time.Second)}
}

func (r askRow) ask() directory.Ask {
	return directory.Ask{ID: r.ID, Secret: unhashed(r.SecretHash), UserCode: r.UserCode, Name: r.Name, Place: r.Place, Scope: r.Scope,
		Redirect: r.Redirect, Challenge: r.Challenge, State: directory.AskState(r.State), UserID: r.UserID, TokenID: r.TokenID,
		CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt, PolledAt: r.PolledAt, Pause: time.Duration(r.Pause) * time.Second}
}

// unhashed reads a hash as it is stored. What is none is the hash of nothing that anybody has.
func unhashed(stored string) (hash [32]byte) {
	_, _ = hex.Decode(hash[:], []byte(stored))
	return hash
}

type terminalRow struct {
	bun.BaseModel `bun:"table:gw_terminals,alias:f"`
	TokenID       int64 `bun:",pk"`
	KeyHash       string
	RefreshHash   string
	LastHash      string
	LastUntil     time.Time `bun:",nullzero"`
	ExpiresAt     time.Time
}

func terminalOf(t directory.Terminal) terminalRow {
	row := terminalRow{TokenID: t.Token.ID, KeyHash: hashed(t.Key), RefreshHash: hashed(t.Refresh), ExpiresAt: t.ExpiresAt.UTC()}
	if !t.LastUntil.IsZero() {
		row.LastHash, row.LastUntil = hashed(t.Last), t.LastUntil.UTC()
	}
	return row
}

// How many requests may wait for an answer at once: in all, from one address, and how many one user may have approved. What
// has expired is kept a little longer, so that its program is told so.
const (
	mostAsks        = 2000
	mostAsksOfPlace = 50
	mostAsksOfUser  = 50
	askKept         = 10 * time.Minute
)

// CreateAsk stores a program's request; errs.Limited when there are too many.
func (db *DB) CreateAsk(ctx context.Context, ask directory.Ask) error {
	return db.serial(ctx, func(ctx context.Context, tx bun.Tx) error { // so that they are counted right
		if _, err := tx.NewDelete().Model((*askRow)(nil)).Where("expires_at < ?", ask.CreatedAt.Add(-askKept).UTC()).Exec(ctx); err != nil {
			return err
		}
		limits := []struct {
			most  int64
			where string
			is    any
		}{{mostAsks, "state = ?", directory.AskPending}, {mostAsksOfPlace, "state = 'pending' AND place = ?", ask.Place}}
		if ask.UserID != 0 {
			limits = append(limits[:0:0], limits[0])
			limits[0].most, limits[0].where, limits[0].is = mostAsksOfUser, "user_id = ?", ask.UserID
		}
		for _, limit := range limits {
			count, err := tx.NewSelect().Model((*askRow)(nil)).Where(limit.where, limit.is).Count(ctx)
			if err != nil {
				return err
			}
			if int64(count) >= limit.most {
				return errs.New(errs.Limited, "too many programs wait to be signed in; try again in a few minutes")
			}
		}
		row := askOf(ask)
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
}

// AskByUserCode finds a request that waits for an answer.
func (db *DB) AskByUserCode(ctx context.Context, code string, now time.Time) (directory.Ask, error) {
	var row askRow
	err := db.read.NewSelect().Model(&row).Where("user_code = ? AND state = ? AND expires_at > ?", code, directory.AskPending, now.UTC()).Scan(ctx)
	return row.ask(), db.coded(err, "a request with this code")
}

// AnswerAsk approves or denies a request that waits for it, once.
func (db *DB) AnswerAsk(ctx context.Context, id, userID int64, state directory.AskState, now time.Time) error {
	result, err := db.write.NewUpdate().Model((*askRow)(nil)).Set("state = ?", state).Set("user_id = ?", userID).
		Where("id = ? AND state = ? AND expires_at > ?", id, directory.AskPending, now.UTC()).Exec(ctx)
	return db.changed(result, err, "a request with this code")
}

// Redeem finds a request by its program's code, and does in the same transaction what comes of it, so that whatever comes of
// it comes once.
func (db *DB) Redeem(ctx context.Context, secret [32]byte, decide func(directory.Ask) directory.Redemption) error {
	var answer error
	err := db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		var row askRow
		if err := tx.NewSelect().Model(&row).Where("secret_hash = ?", hashed(secret)).Scan(ctx); err != nil {
			return false, db.coded(err, "the code")
		}
		done := decide(row.ask())
		answer = done.Answer
		if done.Make != nil {
			if err := db.makeTerminal(ctx, tx, done.Make); err != nil {
				return false, err
			}
			done.Ask.TokenID = done.Make.Token.ID
		}
		if done.End && row.TokenID != 0 {
			_, err := tx.NewDelete().Model((*tokenRow)(nil)).Where("id = ?", row.TokenID).Exec(ctx) // the request goes with it
			return true, err
		}
		changed := askOf(done.Ask)
		_, err := tx.NewUpdate().Model(&changed).WherePK().Exec(ctx)
		return done.Make != nil, err
	})
	if err == nil {
		err = answer
	}
	return err
}

// makeTerminal stores a sign-in with its token. Sign-ins that have ended make room.
func (db *DB) makeTerminal(ctx context.Context, tx bun.Tx, t *directory.Terminal) error {
	ended := tx.NewSelect().Model((*terminalRow)(nil)).Column("token_id").Where("expires_at < ?", t.Token.CreatedAt.UTC())
	if _, err := tx.NewDelete().Model((*tokenRow)(nil)).Where("id IN (?)", ended).Exec(ctx); err != nil {
		return err
	}
	owner, err := db.user(ctx, tx, "u.id = ?", t.Token.UserID)
	if err != nil {
		return err
	}
	if !owner.Active || owner.Service {
		return errs.New(errs.Denied, "the account is deactivated, or nobody signs in to it")
	}
	t.Token.CreatedBy = owner.Username
	if err := db.insertToken(ctx, tx, &t.Token); err != nil {
		return err
	}
	row := terminalOf(*t)
	_, err = tx.NewInsert().Model(&row).Exec(ctx)
	return err
}

// Renew finds a sign-in by the key of a refresh token, and does in the same transaction what comes of it.
func (db *DB) Renew(ctx context.Context, key [32]byte, decide func(directory.Terminal, directory.User) directory.Renewal) error {
	var answer error
	err := db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		var row terminalRow
		if err := tx.NewSelect().Model(&row).Where("key_hash = ?", hashed(key)).Scan(ctx); err != nil {
			return false, db.coded(err, "the sign-in")
		}
		var of tokenRow
		if err := tx.NewSelect().Model(&of).Where("id = ?", row.TokenID).Scan(ctx); err != nil {
			return false, err
		}
		owner, err := db.user(ctx, tx, "u.id = ?", of.UserID)
		if err != nil {
			return false, err
		}
		done := decide(directory.Terminal{Token: directory.Token{ID: of.ID, UserID: of.UserID, Name: of.Name, Prefix: of.Prefix,
			Hash: unhashed(of.Hash), CreatedAt: of.CreatedAt, CreatedBy: of.CreatedBy, ExpiresAt: of.ExpiresAt},
			Key: unhashed(row.KeyHash), Refresh: unhashed(row.RefreshHash), Last: unhashed(row.LastHash), LastUntil: row.LastUntil,
			ExpiresAt: row.ExpiresAt}, owner)
		answer = done.Answer
		switch {
		case done.End:
			_, err := tx.NewDelete().Model((*tokenRow)(nil)).Where("id = ?", row.TokenID).Exec(ctx)
			return true, err
		case answer != nil:
			return false, nil
		}
		token := done.Terminal.Token
		if _, err := tx.NewUpdate().Model((*tokenRow)(nil)).Set("hash = ?", hashed(token.Hash)).Set("prefix = ?", token.Prefix).
			Set("expires_at = ?", token.ExpiresAt.UTC()).Where("id = ?", row.TokenID).Exec(ctx); err != nil {
			return false, err
		}
		row = terminalOf(done.Terminal)
		_, err = tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
		return true, err
	})
	if err == nil {
		err = answer
	}
	return err
}

// EndTerminal ends the sign-in to which a refresh token's key, or a token, belongs. There may be none.
func (db *DB) EndTerminal(ctx context.Context, key, token [32]byte) error {
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		var own []int64
		err := tx.NewSelect().Model((*terminalRow)(nil)).Column("f.token_id").Join("JOIN gw_tokens AS t ON t.id = f.token_id").
			Where("f.key_hash = ? OR t.hash = ? OR f.last_hash = ?", hashed(key), hashed(token), hashed(token)).Scan(ctx, &own)
		if err != nil || len(own) == 0 {
			return err
		}
		_, err = tx.NewDelete().Model((*tokenRow)(nil)).Where("id IN (?)", bun.List(own)).Exec(ctx)
		return err
	})
}

// lastToken finds the token of a sign-in by the hash that it had before it was renewed, a moment ago.
func (db *DB) lastToken(ctx context.Context, hash [32]byte) (tokenRow, error) {
	var terminal terminalRow
	err := db.read.NewSelect().Model(&terminal).Where("last_hash = ?", hashed(hash)).Scan(ctx)
	if err != nil {
		return tokenRow{}, db.coded(err, "the token")
	}
	var named tokenRow
	err = db.read.NewSelect().Model(&named).Where("id = ?", terminal.TokenID).Scan(ctx)
	named.ExpiresAt = terminal.LastUntil
	return named, db.coded(err, "the token")
}

package store

import (
	"context"
	"encoding/json"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

type exchangedRow struct {
	bun.BaseModel `bun:"table:gw_exchanged,alias:x"`
	TokenID       int64 `bun:",pk"`
	ParentID      int64 // 0: an issuer's token was exchanged
	Chain         string
}

const (
	// mostExchanged is how many tokens that are good one user may have of exchanges.
	mostExchanged = 1000
	// mostGenerations is how often a token may be exchanged in a row.
	mostGenerations = 8
)

// Exchange stores a token that came of an exchange. Those that have ended make room.
func (db *DB) Exchange(ctx context.Context, e *directory.Exchanged) error {
	row := exchangedRow{ParentID: e.Parent}
	if e.Actor != nil {
		chain, err := json.Marshal(e.Actor)
		if err != nil {
			return err
		}
		row.Chain = string(chain)
	}
	return db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		ended := tx.NewSelect().Model((*exchangedRow)(nil)).Column("x.token_id").Join("JOIN gw_tokens AS t ON t.id = x.token_id").
			Where("t.user_id = ? AND t.expires_at <= ?", e.Token.UserID, e.Token.CreatedAt.UTC())
		if _, err := tx.NewDelete().Model((*tokenRow)(nil)).Where("id IN (?)", ended).Exec(ctx); err != nil {
			return err
		}
		if e.Parent != 0 {
			if generations, err := db.generations(ctx, tx, e.Parent); err != nil || generations >= mostGenerations {
				return either(err, errs.New(errs.Unauthenticated, "the token was exchanged too often in a row"))
			}
		}
		owner, err := db.user(ctx, tx, "u.id = ?", e.Token.UserID)
		if err != nil || !owner.Active {
			return either(err, errs.New(errs.Unauthenticated, "the account is deactivated"))
		}
		count, err := tx.NewSelect().Model((*exchangedRow)(nil)).Join("JOIN gw_tokens AS t ON t.id = x.token_id").Where("t.user_id = ?", owner.ID).Count(ctx)
		if err != nil || count >= mostExchanged {
			return either(err, errs.New(errs.Limited, "the account has too many tokens of exchanges; they end within the hour"))
		}
		if err := db.storeToken(ctx, tx, &e.Token); err != nil {
			return err
		}
		row.TokenID = e.Token.ID
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
}

func either(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// generations counts from which exchanges a token came that came of one. When one of them is gone it is errs.NotFound.
func (db *DB) generations(ctx context.Context, from bun.IDB, id int64) (n int, err error) {
	for ; id != 0 && n <= mostGenerations; n++ {
		var row exchangedRow
		if err := from.NewSelect().Model(&row).Where("token_id = ?", id).Scan(ctx); err != nil {
			return n, db.coded(err, "the token")
		}
		id = row.ParentID
	}
	return n, nil
}

// exchanged says of a token what is known of its exchange, if it came of one.
func (db *DB) exchanged(ctx context.Context, owner *directory.TokenOwner) error {
	var row exchangedRow
	err := db.coded(db.read.NewSelect().Model(&row).Where("token_id = ?", owner.TokenID).Scan(ctx), "the token")
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := db.generations(ctx, db.read, row.ParentID); err != nil {
		return err
	}
	owner.Exchanged = true
	if owner.Actor, err = directory.ParseActor(row.Chain); err != nil {
		return errs.Wrap(errs.Internal, err, "who acts with the token cannot be read")
	}
	return nil
}

// exchanges gives what is known of the exchanges of a user's tokens, by the tokens' ids.
func (db *DB) exchanges(ctx context.Context, userID int64) (map[int64]exchangedRow, error) {
	var rows []exchangedRow
	err := db.read.NewSelect().Model(&rows).Join("JOIN gw_tokens AS t ON t.id = x.token_id").Where("t.user_id = ?", userID).Scan(ctx)
	all := make(map[int64]exchangedRow, len(rows))
	for _, row := range rows {
		all[row.TokenID] = row
	}
	return all, db.coded(err, "")
}

package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

const requests = "gw_requests"

// MostRequests is how many open requests somebody may have.
const MostRequests = 50

// Status says what has become of a request.
type Status string

// What becomes of requests.
const (
	RequestOpen     Status = "open"
	RequestApproved Status = "approved"
	RequestRefused  Status = "refused"
)

// Request is somebody's request for a level on a resource. Asking again makes another one: what an id names never changes but for
// what is decided on it, and for the name of the resource.
type Request struct {
	ID                    int64
	UserID                int64
	Username, DisplayName string
	Admin, Active         bool // of who asked
	Kind                  kind.Name
	Workspace             string
	Resource              string // as it is called now
	Asked                 string // as it was called by who asked
	Level                 kind.Level
	Reason                string
	Until                 time.Time // zero: without end
	AskedAt               time.Time
	Status                Status
	Lapsed                bool // what it is about is no more
	DecidedBy, Answer     string
	DecidedAt, GivenUntil time.Time
	Given                 kind.Level
}

// requestRow is a request as it is stored.
type requestRow struct {
	ID          int64 `bun:",pk,autoincrement"`
	UserID      int64
	Kind        kind.Name
	Workspace   string
	Resource    string
	Asked       string
	Level       string
	Reason      string
	WantedUntil time.Time `bun:",nullzero"`
	AskedAt     time.Time
	Status      Status
	Lapsed      bool
	DecidedBy   string
	DecidedAt   time.Time `bun:",nullzero"`
	Answer      string
	GivenLevel  string
	GivenUntil  time.Time `bun:",nullzero"`
}

type newRequest struct {
	bun.BaseModel `bun:"table:gw_requests,alias:q"`
	requestRow
}

type askedRow struct {
	requestRow
	Username, DisplayName string
	IsAdmin, Active       bool
}

func (r askedRow) request() (Request, error) {
	level, err := storedLevel(r.Level)
	given := kind.NoPermissions
	if err == nil && r.GivenLevel != "" {
		given, err = storedLevel(r.GivenLevel)
	}
	return Request{ID: r.ID, UserID: r.UserID, Username: r.Username, DisplayName: r.DisplayName, Admin: r.IsAdmin, Active: r.Active, Kind: r.Kind, Workspace: r.Workspace,
		Resource: r.Resource, Asked: r.Asked, Level: level, Reason: r.Reason, Until: ended(r.WantedUntil), AskedAt: r.AskedAt.UTC(), Status: r.Status, Lapsed: r.Lapsed,
		DecidedBy: r.DecidedBy, Answer: r.Answer, DecidedAt: ended(r.DecidedAt), Given: given, GivenUntil: ended(r.GivenUntil)}, err
}

// requested selects requests with who asks.
func requested(from bun.IDB) *bun.SelectQuery {
	return from.NewSelect().TableExpr("gw_requests AS q").ColumnExpr("q.*, u.username, u.display_name, u.is_admin, u.active").Join(byUser + "q.user_id")
}

func (db *DB) requestsOf(ctx context.Context, q *bun.SelectQuery) ([]Request, error) {
	var rows []askedRow
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, db.coded(err, "the request")
	}
	all := make([]Request, len(rows))
	for i, row := range rows {
		var err error
		if all[i], err = row.request(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// AskAccess stores a request in the context's workspace, in place of the one before for the same resource. Nobody's rights change,
// and so the counter is not moved: whoever asks often empties no memory.
func (db *DB) AskAccess(ctx context.Context, r Request) (Request, error) {
	row := newRequest{requestRow: requestRow{UserID: r.UserID, Kind: r.Kind.Kept(), Workspace: place(ctx, r.Kind), Resource: r.Asked, Asked: r.Asked, Level: r.Level.String(),
		Reason: r.Reason, WantedUntil: r.Until, AskedAt: db.now(), Status: RequestOpen}}
	err := db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		const same = "user_id = ? AND kind = ? AND workspace = ? AND asked = ?"
		which := []any{row.UserID, row.Kind, row.Workspace, row.Asked}
		if err := db.watch(ctx, tx, requests, same, which...); err != nil {
			return false, err
		}
		if _, err := tx.NewDelete().Table(requests).Where(same, which...).Exec(ctx); err != nil {
			return false, err
		}
		open, err := tx.NewSelect().Table(requests).Where("user_id = ? AND status = ?", row.UserID, RequestOpen).Count(ctx)
		if err == nil && open >= MostRequests {
			err = errs.New(errs.Invalid, "you have %d open requests; withdraw one, or wait for an answer", open)
		}
		if err != nil {
			return false, err
		}
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
		return false, err
	})
	if err != nil {
		return Request{}, err
	}
	return db.Request(ctx, row.ID)
}

// Request gives a request.
func (db *DB) Request(ctx context.Context, id int64) (Request, error) {
	return db.request(ctx, db.read, id)
}

func (db *DB) request(ctx context.Context, from bun.IDB, id int64) (Request, error) {
	all, err := db.requestsOf(ctx, requested(from).Where("q.id = ?", id))
	if err == nil && len(all) == 0 {
		err = errs.New(errs.NotFound, "the request does not exist")
	}
	if err != nil {
		return Request{}, err
	}
	return all[0], nil
}

// RequestsQuery chooses what somebody has asked for in the context's workspace.
type RequestsQuery struct {
	UserID        int64
	Kind          kind.Name // empty: of every kind
	Asked         string    // empty: for every resource
	Limit, Offset int
}

// MyRequests lists a page of what somebody has asked for, the newest first, and how much there is in all.
func (db *DB) MyRequests(ctx context.Context, q RequestsQuery) ([]Request, int, error) {
	of := here(ctx, requested(db.read)).Where("q.user_id = ?", q.UserID)
	if q.Kind != "" {
		of = of.Where("q.kind = ?", q.Kind.Kept())
	}
	if q.Asked != "" {
		of = of.Where("q.asked = ?", q.Asked)
	}
	total, err := of.Clone().Count(ctx)
	if err != nil {
		return nil, 0, db.coded(err, "")
	}
	found, err := db.requestsOf(ctx, of.Order("q.id DESC").Limit(int64(q.Limit)).Offset(int64(q.Offset)))
	return found, int(total), err
}

// here keeps what is in the context's workspace, and what is of a kind that is one in all.
func here(ctx context.Context, q *bun.SelectQuery) *bun.SelectQuery {
	var everywhere []kind.Name
	for k := range kind.All() {
		if k.Everywhere {
			everywhere = append(everywhere, k.Name)
		}
	}
	return q.Where("(q.kind IN (?) OR q.workspace = ?)", bun.List(everywhere), place(ctx, kind.RegisteredModel))
}

// OpenRequest is what a request that nobody has decided on is about.
type OpenRequest struct {
	ID       int64
	Kind     kind.Name
	Resource string
}

// OpenRequests lists what is open in the context's workspace behind an id, the oldest first, of accounts that are active: all, or
// what is about one resource.
func (db *DB) OpenRequests(ctx context.Context, after int64, k kind.Name, resource string, most int) ([]OpenRequest, error) {
	q := here(ctx, db.read.NewSelect().TableExpr("gw_requests AS q").Column("q.id", "q.kind", "q.resource").Join(byUser+"q.user_id")).
		Where("q.status = ? AND q.id > ? AND NOT q.lapsed AND u.active", RequestOpen, after)
	if k != "" {
		q = q.Where("q.kind = ? AND q.resource = ?", k.Kept(), resource)
	}
	var found []OpenRequest
	err := q.Order("q.id").Limit(int64(most)).Scan(ctx, &found)
	return found, db.coded(err, "")
}

// Requests gives requests by their ids, the oldest first.
func (db *DB) Requests(ctx context.Context, ids []int64) ([]Request, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return db.requestsOf(ctx, requested(db.read).Where("q.id IN (?)", bun.List(ids)).Order("q.id"))
}

// WithdrawRequest takes back what somebody has asked for themselves. What is of others is not there.
func (db *DB) WithdrawRequest(ctx context.Context, userID, id int64) error {
	return db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := db.watch(ctx, tx, requests, "q.id = ? AND q.user_id = ?", id, userID); err != nil {
			return false, err
		}
		result, err := tx.NewDelete().Table(requests).Where("id = ? AND user_id = ?", id, userID).Exec(ctx)
		return false, db.changed(result, err, "the request")
	})
}

// still finds the request on which something was decided: unchanged, and about what it was about then. It is watched.
func (db *DB) still(ctx context.Context, tx bun.Tx, seen Request, status ...Status) error {
	if err := db.watch(ctx, tx, requests, "q.id = ?", seen.ID); err != nil {
		return err
	}
	now, err := db.request(ctx, tx, seen.ID)
	switch {
	case err != nil:
		return err
	case now.Lapsed || !now.Active || now.Resource != seen.Resource || now.Workspace != place(ctx, now.Kind):
		return errs.New(errs.NotFound, "the request does not exist any more")
	}
	if slices.Contains(status, now.Status) {
		return nil
	}
	return errs.New(errs.Conflict, "the request is %s already, by %s", now.Status, now.DecidedBy)
}

// ApproveRequest gives who asked a level on the resource until a time, the zero time for no end, and notes that. What they held there
// themselves before is replaced, and answered; where they would lose by that it is errs.Conflict.
func (db *DB) ApproveRequest(ctx context.Context, seen Request, level kind.Level, until time.Time) (before *authz.Grant, err error) {
	err = db.update(ctx, func(ctx context.Context, tx bun.Tx) error {
		before = nil
		if err := db.still(ctx, tx, seen, RequestOpen); err != nil {
			return err
		}
		p := Principal{User: seen.Username}
		h, err := db.principal(ctx, tx, p)
		if err != nil {
			return err
		}
		held, err := db.rules(ctx, db.columns(tx.NewSelect(), grants).ApplyQueryBuilder(h.where).
			Where("r.kind = ? AND r.workspace = ? AND r.resource = ?", seen.Kind, seen.Workspace, seen.Resource), authz.User)
		if err != nil {
			return err
		}
		if len(held) == 0 {
			err = db.createGrant(ctx, tx, p, seen.Kind, seen.Resource, level, &until)
		} else if before = &held[0]; more(*before, level, until) {
			err = errs.New(errs.Conflict, "%s holds %s there already; change that permission instead", p, before.Level)
		} else {
			err = db.updateGrant(ctx, tx, p, seen.Kind, seen.Resource, level, &until)
		}
		if err != nil {
			return err
		}
		q := tx.NewUpdate().Table(requests).Set("given_level = ?", level.String()).Set("given_until = ?", end(until)).Set("answer = ''")
		return db.decide(ctx, q, seen.ID, RequestApproved)
	})
	return before, err
}

// more tells whether what is held goes beyond a level until a time.
func more(held authz.Grant, level kind.Level, until time.Time) bool {
	if held.Level != level {
		return held.Level > level
	}
	return held.Expires.IsZero() || !until.IsZero() && !until.After(held.Expires)
}

// decide notes who has decided, and what.
func (db *DB) decide(ctx context.Context, q *bun.UpdateQuery, id int64, status Status) error {
	_, err := q.Set("status = ?", status).Set("decided_by = ?", audit.Authored(ctx, audit.Event{}).By).Set("decided_at = ?", db.now()).Where("id = ?", id).Exec(ctx)
	return err
}

// RefuseRequest notes that a request is refused, and why.
func (db *DB) RefuseRequest(ctx context.Context, seen Request, why string) error {
	return db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := db.still(ctx, tx, seen, RequestOpen); err != nil {
			return false, err
		}
		return false, db.decide(ctx, tx.NewUpdate().Table(requests).Set("answer = ?", why), seen.ID, RequestRefused)
	})
}

// ReopenRequest has a request be decided on anew. What it has given stays as it is.
func (db *DB) ReopenRequest(ctx context.Context, seen Request) error {
	return db.sometimes(ctx, func(ctx context.Context, tx bun.Tx) (bool, error) {
		if err := db.still(ctx, tx, seen, RequestApproved, RequestRefused); err != nil {
			return false, err
		}
		q := tx.NewUpdate().Table(requests).Set("status = ?", RequestOpen).Set("decided_by = ''").Set("decided_at = NULL").Set("answer = ''").
			Set("given_level = ''").Set("given_until = NULL")
		_, err := q.Where("id = ?", seen.ID).Exec(ctx)
		return false, err
	})
}

const oneResource = "kind = ? AND workspace = ? AND resource = ?"

// lapse has the requests be about nothing that a condition chooses: what comes under the name next is another resource. That somebody
// asked is kept, so that nobody learns from the loss of it that there was something.
func (db *DB) lapse(ctx context.Context, tx bun.Tx, where string, args ...any) error {
	if err := db.watch(ctx, tx, requests, where, args...); err != nil {
		return err
	}
	_, err := tx.NewUpdate().Table(requests).Set("lapsed = ?", true).Where(where, args...).Exec(ctx)
	return err
}

// moveRequests has requests follow the resource that they are about.
func (db *DB) moveRequests(ctx context.Context, tx bun.Tx, k kind.Name, from, to string) error {
	which := []any{k.Kept(), place(ctx, k), from}
	if err := db.watch(ctx, tx, requests, oneResource, which...); err != nil {
		return err
	}
	_, err := tx.NewUpdate().Table(requests).Set("resource = ?", to).Where(oneResource, which...).Where("NOT lapsed").Exec(ctx)
	return err
}

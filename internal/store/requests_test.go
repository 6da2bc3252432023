package store

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// requestOf gives the newest request of a user.
func requestOf(ctx context.Context, db *DB, username string) Request {
	all, _ := db.requestsOf(ctx, requested(db.read).Where("u.username = ?", username).Order("q.id DESC").Limit(1))
	if len(all) == 0 {
		return Request{}
	}
	return all[0]
}

func ask(t *testing.T, ctx context.Context, db *DB, user int64, k kind.Name, id string) Request {
	t.Helper()
	r, err := db.AskAccess(ctx, Request{UserID: user, Kind: k, Asked: id, Level: kind.Edit, Reason: "why"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// openOn tells how many requests about a resource are to be decided on.
func openOn(t *testing.T, ctx context.Context, db *DB, k kind.Name, id string) int {
	t.Helper()
	open, err := db.OpenRequests(ctx, 0, k, id, 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func TestRequestsAreOneAResource(t *testing.T) {
	ctx, db := t.Context(), openTest(t)
	ann := login(t, db, "s1", "ann")
	before, err := db.Change(ctx)
	must(t, err)
	first := ask(t, ctx, db, ann.ID, kind.Prompt, "m")
	second := ask(t, ctx, db, ann.ID, kind.RegisteredModel, "m") // which is the same thing
	if first.ID == second.ID || openOn(t, ctx, db, kind.RegisteredModel, "m") != 1 {
		t.Errorf("%+v and %+v", first, second)
	}
	// The attack: a request is approved, and what it asks for is changed after it was looked at.
	_, err = db.ApproveRequest(ctx, first, kind.Edit, time.Time{})
	wantCode(t, err, errs.NotFound)
	// The attack: asking all the time empties the memory of everybody's rights.
	if after, err := db.Change(ctx); err != nil || after != before {
		t.Errorf("the counter moved from %d to %d, %v", before, after, err)
	}
	_, err = db.ApproveRequest(ctx, second, kind.Read, time.Time{})
	must(t, err)
	mine, total, err := db.MyRequests(ctx, RequestsQuery{UserID: ann.ID, Limit: 10})
	if err != nil || total != 1 || mine[0].Status != RequestApproved || mine[0].Given != kind.Read || mine[0].Level != kind.Edit {
		t.Errorf("%+v %d %v", mine, total, err)
	}
}

func TestRequestsHaveABound(t *testing.T) {
	ctx, db := t.Context(), openTest(t)
	ann, bob := login(t, db, "s1", "ann"), login(t, db, "s2", "bob")
	for i := range MostRequests {
		ask(t, ctx, db, ann.ID, kind.Experiment, strconv.Itoa(i))
	}
	_, err := db.AskAccess(ctx, Request{UserID: ann.ID, Kind: kind.Experiment, Asked: "999", Level: kind.Read})
	wantCode(t, err, errs.Invalid)
	ask(t, ctx, db, ann.ID, kind.Experiment, "1") // which was there
	ask(t, ctx, db, bob.ID, kind.Experiment, "999")
	// The attack: withdrawing what another asked for.
	r := requestOf(ctx, db, "bob")
	wantCode(t, db.WithdrawRequest(ctx, ann.ID, r.ID), errs.NotFound)
	must(t, db.WithdrawRequest(ctx, bob.ID, r.ID))
	if n := openOn(t, ctx, db, kind.Experiment, "999"); n != 0 {
		t.Errorf("%d are open", n)
	}
}

// The attack: one request gives twice, or is refused and gives all the same.
func TestRequestsAreDecidedOnce(t *testing.T) {
	ctx, db := t.Context(), openTest(t)
	ann := login(t, db, "s1", "ann")
	r := ask(t, ctx, db, ann.ID, kind.Experiment, "1")
	var all sync.WaitGroup
	done := make(chan error, 6)
	for i := range cap(done) {
		all.Go(func() {
			if i%2 == 0 {
				done <- db.RefuseRequest(ctx, r, "no")
				return
			}
			_, err := db.ApproveRequest(ctx, r, kind.Edit, time.Time{})
			done <- err
		})
	}
	all.Wait()
	close(done)
	won := 0
	for err := range done {
		if err == nil {
			won++
		} else {
			wantCode(t, err, errs.Conflict)
		}
	}
	held, err := db.Grants(ctx, Principal{User: "ann"}, kind.Experiment)
	must(t, err)
	now, err := db.Request(ctx, r.ID)
	must(t, err)
	if won != 1 || (now.Status == RequestApproved) != (len(held) == 1) {
		t.Errorf("%d won; it is %s, and ann holds %+v", won, now.Status, held)
	}
}

// The attack: a request for what is no more gives rights on what comes under its name next.
func TestRequestsDoNotSurviveTheirResource(t *testing.T) {
	lab := func(ctx context.Context) context.Context { return workspace.In(ctx, workspace.Scope{Name: "lab"}) }
	same := func(ctx context.Context) context.Context { return ctx }
	for _, c := range []struct {
		name string
		kind kind.Name
		id   string
		in   func(context.Context) context.Context
		gone func(ctx context.Context, db *DB, by int64) error
	}{
		{"a model is deleted", kind.RegisteredModel, "m", same, func(ctx context.Context, db *DB, _ int64) error { return db.Deleted(ctx, kind.RegisteredModel, "m") }},
		{"a prompt is deleted", kind.Prompt, "m", same, func(ctx context.Context, db *DB, _ int64) error { return db.Deleted(ctx, kind.RegisteredModel, "m") }},
		{"asked for before it was made", kind.RegisteredModel, "m", same, func(ctx context.Context, db *DB, by int64) error {
			return db.Created(ctx, kind.RegisteredModel, "m", by)
		}},
		{"another is renamed to it", kind.RegisteredModel, "m", same, func(ctx context.Context, db *DB, _ int64) error {
			return db.Renamed(ctx, kind.RegisteredModel, "n", "m")
		}},
		{"an experiment is deleted for good", kind.Experiment, "1", same, func(ctx context.Context, db *DB, _ int64) error { return db.ExperimentGone(ctx, "1") }},
		{"the experiment of a scorer is deleted for good", kind.Scorer, "1/s", same, func(ctx context.Context, db *DB, _ int64) error { return db.ExperimentGone(ctx, "1") }},
		{"its workspace is deleted", kind.RegisteredModel, "m", lab, func(ctx context.Context, db *DB, _ int64) error { return db.WorkspaceDeleted(ctx, "lab") }},
		{"the workspace is deleted", kind.Workspace, "lab", same, func(ctx context.Context, db *DB, _ int64) error { return db.WorkspaceDeleted(ctx, "lab") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := openTest(t)
			ctx := c.in(t.Context())
			ann, bob := login(t, db, "s1", "ann"), login(t, db, "s2", "bob")
			r := ask(t, ctx, db, ann.ID, c.kind, c.id)
			must(t, c.gone(ctx, db, bob.ID))
			if n := openOn(t, ctx, db, c.kind, c.id); n != 0 {
				t.Errorf("%d are open", n)
			}
			_, err := db.ApproveRequest(ctx, r, kind.Edit, time.Time{})
			wantCode(t, err, errs.NotFound)
			// The attack: learning from the loss of one's request that there was something, or is now.
			mine, _, err := db.MyRequests(ctx, RequestsQuery{UserID: ann.ID, Limit: 10})
			if err != nil || len(mine) != 1 || mine[0].Status != RequestOpen || mine[0].Asked != c.id {
				t.Errorf("ann sees %+v, %v", mine, err)
			}
			again := ask(t, ctx, db, ann.ID, c.kind, c.id)
			_, err = db.ApproveRequest(ctx, again, kind.Edit, time.Time{})
			must(t, err)
		})
	}
}

func TestRequestsFollowWhatIsRenamed(t *testing.T) {
	ctx, db := t.Context(), openTest(t)
	ann := login(t, db, "s1", "ann")
	r := ask(t, ctx, db, ann.ID, kind.RegisteredModel, "old")
	must(t, db.Renamed(ctx, kind.RegisteredModel, "old", "new"))
	_, err := db.ApproveRequest(ctx, r, kind.Edit, time.Time{}) // which was looked at under the old name
	wantCode(t, err, errs.NotFound)
	now, err := db.Request(ctx, r.ID)
	must(t, err)
	if now.Resource != "new" || now.Asked != "old" {
		t.Errorf("%+v", now)
	}
	_, err = db.ApproveRequest(ctx, now, kind.Edit, time.Time{})
	must(t, err)
	held, err := db.Grants(ctx, Principal{User: "ann"}, kind.RegisteredModel)
	if err != nil || len(held) != 1 || held[0].Resource != "new" {
		t.Errorf("%+v %v", held, err)
	}
}

func TestRequestsOfWhoIsGone(t *testing.T) {
	ctx, db := t.Context(), openTest(t)
	ann := login(t, db, "s1", "ann")
	r := ask(t, ctx, db, ann.ID, kind.Experiment, "1")
	must(t, db.Deactivate(ctx, "ann"))
	if n := openOn(t, ctx, db, kind.Experiment, "1"); n != 0 {
		t.Errorf("%d of a deactivated account are open", n)
	}
	_, err := db.ApproveRequest(ctx, r, kind.Edit, time.Time{})
	wantCode(t, err, errs.NotFound)
	must(t, db.SetActive(ctx, "ann", true))
	if n := openOn(t, ctx, db, kind.Experiment, "1"); n != 1 {
		t.Errorf("%d are open when it is active again", n)
	}
	must(t, db.DeleteUser(ctx, "ann"))
	_, err = db.Request(ctx, r.ID)
	wantCode(t, err, errs.NotFound)
}

// The attack: what is asked for in one workspace is approved by whoever manages what has the name in another.
func TestRequestsStayInTheirWorkspace(t *testing.T) {
	db := openTest(t)
	lab, other := workspace.In(t.Context(), workspace.Scope{Name: "lab"}), workspace.In(t.Context(), workspace.Scope{Name: "other"})
	ann := login(t, db, "s1", "ann")
	r := ask(t, lab, db, ann.ID, kind.RegisteredModel, "m")
	ask(t, lab, db, ann.ID, kind.Experiment, "1") // an id means one thing in all
	for _, c := range []struct {
		in   context.Context
		want int
	}{{lab, 2}, {other, 1}, {t.Context(), 1}} {
		open, err := db.OpenRequests(c.in, 0, "", "", 10)
		if err != nil || len(open) != c.want {
			t.Errorf("%+v, want %d, %v", open, c.want, err)
		}
	}
	_, err := db.ApproveRequest(other, r, kind.Edit, time.Time{})
	wantCode(t, err, errs.NotFound)
	wantCode(t, db.RefuseRequest(other, r, ""), errs.NotFound)
	_, err = db.ApproveRequest(lab, r, kind.Edit, time.Time{})
	must(t, err)
}

func TestApprovingTakesNothing(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	soon, later, never := now.Add(time.Hour), now.Add(2*time.Hour), time.Time{}
	for _, c := range []struct {
		name       string
		held       kind.Level
		heldUntil  time.Time
		given      kind.Level
		givenUntil time.Time
		code       errs.Code
	}{
		{"less than what is held", kind.Manage, never, kind.Read, never, errs.Conflict},
		{"less than what is held for a while", kind.Edit, soon, kind.Read, never, errs.Conflict},
		{"for a while what is held for good", kind.Read, never, kind.Read, soon, errs.Conflict},
		{"for less long", kind.Read, later, kind.Read, soon, errs.Conflict},
		{"for longer", kind.Read, soon, kind.Read, later, 0},
		{"for good", kind.Read, soon, kind.Read, never, 0},
		{"more", kind.Read, never, kind.Edit, soon, 0},
		{"what has been denied", kind.NoPermissions, never, kind.Read, never, 0},
		{"what has ended", kind.Manage, now.Add(-time.Hour), kind.Read, never, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, db := t.Context(), openTest(t)
			ann := login(t, db, "s1", "ann")
			must(t, db.CreateGrant(ctx, Principal{User: "ann"}, kind.Experiment, "1", c.held, &c.heldUntil))
			r := ask(t, ctx, db, ann.ID, kind.Experiment, "1")
			before, err := db.ApproveRequest(ctx, r, c.given, c.givenUntil)
			if c.code != 0 {
				wantCode(t, err, c.code)
				return
			}
			must(t, err)
			held, err := db.Grants(ctx, Principal{User: "ann"}, kind.Experiment)
			must(t, err)
			if len(held) != 1 || held[0].Level != c.given || !held[0].Expires.Equal(c.givenUntil) {
				t.Errorf("held %+v", held)
			}
			if c.name == "what has ended" {
				if before != nil {
					t.Errorf("before was %+v", before)
				}
			} else if diff := cmp.Diff(c.held, before.Level); diff != "" || !before.Expires.Equal(c.heldUntil) {
				t.Errorf("before was %+v", before)
			}
		})
	}
}

func TestManagersOf(t *testing.T) {
	ctx, db := t.Context(), openTest(t)
	for _, name := range []string{"ann", "bob", "carl", "dora"} {
		login(t, db, name, name, "red")
	}
	_, err := db.CreateService(ctx, directory.User{Username: "robot", ManagedBy: directory.Manual}, "ann", directory.Identity{})
	must(t, err)
	give := func(p Principal, level kind.Level, until *time.Time) {
		t.Helper()
		must(t, db.CreateGrant(ctx, p, kind.RegisteredModel, "m", level, until))
	}
	past := time.Now().Add(-time.Hour)
	give(Principal{User: "ann"}, kind.Manage, nil)
	give(Principal{User: "bob"}, kind.Manage, nil)
	give(Principal{User: "carl"}, kind.Edit, nil)
	give(Principal{User: "dora"}, kind.Manage, &past)
	give(Principal{User: "robot"}, kind.Manage, nil)
	give(Principal{Group: "red"}, kind.Manage, nil)
	for most, want := range map[int][2][]string{5: {{"ann", "bob"}, {"red"}}, 1: {{"ann"}, {"red"}}} {
		users, groups, total, err := db.ManagersOf(ctx, kind.Prompt, "m", most)
		if diff := cmp.Diff(want, [2][]string{users, groups}); diff != "" || total != 3 || err != nil {
			t.Errorf("%d, %v: %s", total, err, diff)
		}
	}
	must(t, db.Deactivate(ctx, "bob"))
	if users, _, _, err := db.ManagersOf(ctx, kind.RegisteredModel, "m", 5); len(users) != 1 || err != nil {
		t.Errorf("%v, %v", users, err)
	}
	if users, groups, total, err := db.ManagersOf(workspace.In(ctx, workspace.Scope{Name: "lab"}), kind.RegisteredModel, "m", 5); len(users)+len(groups)+total != 0 || err != nil {
		t.Errorf("in another workspace: %v %v %v", users, groups, err)
	}
}

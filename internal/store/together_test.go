package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// holds lists what somebody holds, from the connection that reads.
func holds(t *testing.T, db *DB, p Principal) []string {
	t.Helper()
	all, _, err := db.Holdings(t.Context(), HoldingsQuery{Holder: p, Limit: 500})
	must(t, err)
	var lines []string
	for _, h := range all {
		lines = append(lines, fmt.Sprint(h.Grant.Kind, " ", h.Grant.Resource, h.Grant.Pattern, " ", h.Grant.Level))
	}
	return lines
}

func TestTogetherIsAllOrNothing(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann", "red")
	ann, red := Principal{User: "ann"}, Principal{Group: "red"}
	must(t, db.CreateGrant(t.Context(), ann, kind.Experiment, "1", kind.Read, nil))
	must(t, db.CreatePattern(t.Context(), red, authz.Grant{Kind: kind.Prompt, Pattern: "p", Level: kind.Read}))
	before, err := db.Change(t.Context())
	must(t, err)
	told := 0
	db.OnChange(func() { told++ })
	work := func(last func(ctx context.Context) error) error {
		return db.Together(t.Context(), []Principal{ann, red, {User: "eve"}}, func(ctx context.Context) error {
			for _, do := range []func() error{
				func() error { return db.UpdateGrant(ctx, ann, kind.Experiment, "1", kind.Edit, nil) },
				func() error { return db.CreateGrant(ctx, red, kind.Experiment, "2", kind.Use, nil) },
				func() error {
					return db.CreatePattern(ctx, ann, authz.Grant{Kind: kind.Experiment, Pattern: "x", Level: kind.Use})
				},
				func() error { return last(ctx) },
			} {
				if err := do(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for name, c := range map[string]struct {
		last func(ctx context.Context) error
		want errs.Code
	}{
		"one that is there": {func(ctx context.Context) error { return db.CreateGrant(ctx, ann, kind.Experiment, "1", kind.Read, nil) }, errs.Conflict},
		"one that is not":   {func(ctx context.Context) error { return db.DeleteGrant(ctx, ann, kind.Experiment, "3") }, errs.NotFound},
		"nobody's": {func(ctx context.Context) error {
			return db.CreateGrant(ctx, Principal{User: "eve"}, kind.Experiment, "3", kind.Read, nil)
		}, errs.NotFound},
		"what cannot be asked": {func(ctx context.Context) error {
			return db.UpdatePattern(ctx, ann, authz.Grant{Kind: kind.Experiment, ID: 1, Pattern: "("}, nil)
		}, errs.Invalid},
		"what is not held": {func(ctx context.Context) error {
			_, err := db.Held(ctx, ann, authz.Grant{Kind: kind.Experiment, Resource: "9"})
			return err
		}, errs.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if err := work(c.last); !errs.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if diff := cmp.Diff([]string{"experiment 1 READ"}, holds(t, db, ann)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if after, err := db.Change(t.Context()); err != nil || after != before || told != 0 {
		t.Errorf("the counter has moved from %d to %d, and it is told %d times: %v", before, after, told, err)
	}
	must(t, work(func(ctx context.Context) error { // what is changed before is seen
		held, err := db.Held(ctx, ann, authz.Grant{Kind: kind.Experiment, Resource: "1"})
		if err == nil && held.Grant.Level != kind.Edit {
			t.Errorf("within, %v is held", held)
		}
		return err
	}))
	if diff := cmp.Diff([]string{"experiment x USE", "experiment 1 EDIT"}, holds(t, db, ann)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"experiment 2 USE", "prompt p READ"}, holds(t, db, red)); diff != "" {
		t.Error(diff)
	}
	if after, err := db.Change(t.Context()); err != nil || after != before+1 || told != 1 {
		t.Errorf("the counter has moved from %d to %d, and it is told %d times: %v", before, after, told, err)
	}
}

func TestTogetherOfVeryMany(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann")
	ann := Principal{User: "ann"}
	must(t, db.Together(t.Context(), []Principal{ann}, func(ctx context.Context) error {
		for i := range 500 {
			if err := db.CreateGrant(ctx, ann, kind.RegisteredModel, fmt.Sprint("m", i), kind.Read, nil); err != nil {
				return err
			}
		}
		return nil
	}))
	if n := recorded(t, db, audit.GrantGiven); n != 500 {
		t.Errorf("%d events of 500 changes", n)
	}
}

// The attack: by way of a change of what one holds, another's is changed, and nobody hears of it.
func TestAttackTogetherIsHeldToWhoseItIs(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann")
	login(t, db, "s2", "bob")
	err := db.Together(t.Context(), []Principal{{User: "ann"}}, func(ctx context.Context) error {
		return db.CreateGrant(ctx, Principal{User: "bob"}, kind.Experiment, "1", kind.Read, nil)
	})
	if got := holds(t, db, Principal{User: "bob"}); !errs.Is(err, errs.Internal) || len(got) > 0 {
		t.Errorf("%v is held: %v", got, err)
	}
}

func TestHoldingsOfRules(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann", "red")
	red := Principal{Group: "red"}
	_, err := db.Attach(t.Context(), func(attach.State) ([]attach.Change, error) {
		return []attach.Change{{Pair: attach.Pair{Group: "red", Workspace: "lab"}, Action: attach.Grant, Level: kind.Read, Rule: 7}}, nil
	})
	must(t, err)
	rule := func() string {
		held, err := db.Held(t.Context(), red, authz.Grant{Kind: kind.Workspace, Resource: "lab"})
		must(t, err)
		all, _, err := db.Holdings(t.Context(), HoldingsQuery{Holder: red, Limit: 5})
		must(t, err)
		if all[0] != held {
			t.Errorf("%v is listed, and %v held", all[0], held)
		}
		return held.Rule
	}
	if got := rule(); got != "that is gone" { // there is no rule 7
		t.Errorf("the rule is %q", got)
	}
	must(t, db.UpdateGrant(t.Context(), red, kind.Workspace, "lab", kind.Edit, nil))
	if got := rule(); got != "" {
		t.Errorf("what is changed by hand is still the rule's %q", got)
	}
	over := time.Now().Add(-time.Hour)
	must(t, db.UpdateGrant(t.Context(), red, kind.Workspace, "lab", kind.Edit, &over))
	if _, err := db.Held(t.Context(), red, authz.Grant{Kind: kind.Workspace, Resource: "lab"}); !errs.Is(err, errs.NotFound) {
		t.Errorf("what has ended is held: %v", err)
	}
	all, err := db.GrantsOfGroup(t.Context(), "red")
	if err != nil || len(all) != 0 {
		t.Errorf("what has ended is the group's: %v %v", all, err)
	}
}

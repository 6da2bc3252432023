package store

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// recorded counts the events of a name that are stored.
func recorded(t *testing.T, db *DB, name audit.Name) int {
	t.Helper()
	all, err := db.Audit(t.Context(), audit.Query{Name: string(name), Most: 5000})
	must(t, err)
	return len(all)
}

// A rule may give very many groups a level, and take it away again.
func TestRuleOfVeryManyGroups(t *testing.T) {
	db := openTest(t)
	const many = 600
	groups := make([]string, many)
	for i := range groups {
		groups[i] = fmt.Sprintf("team-%d", i)
	}
	login(t, db, "s", "ann", groups...)
	for _, action := range []string{attach.Grant, attach.Remove} {
		_, err := db.Attach(t.Context(), func(attach.State) (all []attach.Change, err error) {
			for _, group := range groups {
				all = append(all, attach.Change{Pair: attach.Pair{Group: group, Workspace: "lab"}, Action: action, Level: kind.Read, Rule: 7})
			}
			return all, nil
		})
		must(t, err)
	}
	if given, taken := recorded(t, db, audit.GrantGiven), recorded(t, db, audit.GrantTaken); given != many || taken != many {
		t.Errorf("%d were given and %d taken", given, taken)
	}
}

// However often a change says what it is about, all that it does is recorded.
func TestChangeOfVeryManyParts(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann")
	const many = 1200
	must(t, db.update(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		for i := range many {
			resource := strconv.Itoa(i)
			if err := db.watch(ctx, tx, grants, "r.resource = ?", resource); err != nil {
				return err
			}
			if i%100 != 0 {
				continue
			}
			values := map[string]any{"user_id": ann.ID, "kind": kind.Experiment, "workspace": "", "resource": resource, "level": "READ"}
			if _, err := tx.NewInsert().Model(&values).Table(grants).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	if given := recorded(t, db, audit.GrantGiven); given != many/100 {
		t.Errorf("%d of %d are recorded", given, many/100)
	}
}

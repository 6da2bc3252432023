package directory_test

import (
	"context"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// lasting is a database with a clock of its own, and one grant in it.
type lasting struct {
	directory.Source
	now   time.Time
	grant authz.Grant
	asked int
}

func (l *lasting) Change(context.Context) (int64, error) { return 1, nil }

func (l *lasting) GrantsOf(context.Context, int64) ([]authz.Grant, error) {
	if l.asked++; !l.now.Before(l.grant.Expires) {
		return nil, nil
	}
	return []authz.Grant{l.grant}, nil
}

// The attack: keep asking, so that what was given for a while stays in memory.
func TestAttackWarmGrantAfterItsEnd(t *testing.T) {
	db := &lasting{now: time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC)}
	db.grant = authz.Grant{Kind: kind.Experiment, Resource: "1", Level: kind.Edit, Expires: db.now.Add(time.Hour)}
	cache := newCache(t, db)
	cache.SetClock(func() time.Time { return db.now })
	may := func() bool {
		t.Helper()
		cache.Look(t.Context())
		g, err := cache.Of(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		return authz.Rules{}.Decide(authz.Subject{Active: true}, g, authz.Resource{Kind: kind.Experiment, ID: "1"}, kind.Edit).Allowed
	}
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {30 * time.Minute, true}, {30*time.Minute - 1, true}, {1, false}, {time.Hour, false}} {
		db.now = db.now.Add(step.after)
		if may() != step.want {
			t.Errorf("step %d, at %v: %v", i, db.now, !step.want)
		}
	}
	if db.asked > 5 { // once at first and once at the end; more only on a machine too slow for memory to be trusted
		t.Errorf("the database was asked %d times", db.asked)
	}
}

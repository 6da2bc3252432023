package directory_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m, nil)) }

// connected is a replica that watches the counter, as a gateway does.
func connected(t *testing.T, a database.Address) replica {
	t.Helper()
	db, err := store.Connect(t.Context(), store.Options{Address: a})
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, db)
	db.OnChange(c.Invalidate)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Watch(ctx) }()
	t.Cleanup(func() { stop(); <-done; _ = db.Close() })
	return replica{db, c}
}

func (r replica) allows(t *testing.T, userID int64) bool {
	t.Helper()
	g, err := r.cache.Of(t.Context(), userID)
	if err != nil { // which refuses everything
		t.Log(err)
		return false
	}
	return authz.Rules{}.Decide(authz.Subject{Active: true}, g, authz.Resource{Kind: kind.Experiment, ID: "1"}, kind.Read).Allowed
}

// The attack: use a right that was taken away at one replica at the other one, while it cannot hear of it. The times are
// real ones, since the servers' are; what is asked a second after the change may not depend on how fast the machine is.
func TestAttackRevokedGrantAtTheOtherReplica(t *testing.T) {
	for _, engine := range dbtest.Engines {
		t.Run(engine.String(), func(t *testing.T) {
			a := dbtest.New(t, engine)
			one, two := connected(t, a), connected(t, a)
			ann, err := one.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: "ann"}, Username: "ann"})
			if err != nil {
				t.Fatal(err)
			}
			p := store.Principal{User: "ann"}
			for round, cut := range []bool{false, true, true} {
				if err := one.CreateGrant(t.Context(), p, kind.Experiment, "1", kind.Read, nil); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the grant is effective", func() bool { return two.allows(t, ann.ID) })
				if cut && engine != database.SQLite && dbtest.Cut(t, a) == 0 {
					t.Error("there was no connection to cut: this proves nothing")
				}
				eventually(t, "the grant is taken, by whichever connection is left", func() bool {
					return one.DeleteGrant(t.Context(), p, kind.Experiment, "1") == nil
				})
				revoked := time.Now()
				if cut {
					dbtest.Cut(t, a)
				}
				time.Sleep(time.Until(revoked.Add(time.Second)))
				if two.allows(t, ann.ID) {
					t.Errorf("round %d: allowed a second after it was revoked", round)
				}
				if one.allows(t, ann.ID) {
					t.Errorf("round %d: allowed where it was revoked", round)
				}
			}
		})
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(fmt.Sprint("waited in vain until ", what))
		}
	}
}

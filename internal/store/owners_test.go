package store

import (
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Whoever gets a deleted user's name, or id, must not get their jobs.
func TestOwnersGoWithTheirUser(t *testing.T) {
	db := openTest(t)
	ann, bob := login(t, db, "s1", "ann"), login(t, db, "s2", "bob")
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step(db.Own(t.Context(), "job", "j1", ann.ID))
	step(db.Own(t.Context(), "job", "j2", bob.ID))
	step(db.Own(t.Context(), "review queue", "j1", bob.ID)) // another kind's id is another thing
	if id, err := db.Owner(t.Context(), "job", "j1"); err != nil || id != ann.ID {
		t.Errorf("j1 is %d's, %v", id, err)
	}
	if owned, err := db.Owned(t.Context(), "job", ann.ID); err != nil || len(owned) != 1 || !owned["j1"] {
		t.Errorf("ann has %v, %v", owned, err)
	}
	step(db.DeleteUser(t.Context(), "ann"))
	if _, err := db.Owner(t.Context(), "job", "j1"); !errs.Is(err, errs.NotFound) {
		t.Errorf("the owner of j1 after ann is gone: %v", err)
	}
	step(db.Disown(t.Context(), "job", "j2"))
	if _, err := db.Owner(t.Context(), "job", "j2"); !errs.Is(err, errs.NotFound) {
		t.Errorf("the owner of j2 after it was disowned: %v", err)
	}
	if id, err := db.Owner(t.Context(), "review queue", "j1"); err != nil || id != bob.ID {
		t.Errorf("the queue is %d's, %v", id, err)
	}
}

package token

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

func newFailures(t *testing.T, now func() time.Time) *Failures {
	t.Helper()
	f, err := NewFailures(3, now)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFailuresAreCountedForAddressAndAccount(t *testing.T) {
	at := time.Now()
	f := newFailures(t, func() time.Time { return at })
	for range 3 {
		f.Note("1.1.1.1", "ann")
	}
	for _, c := range []struct {
		client, account string
		limited         bool
	}{{"1.1.1.1", "", true}, {"1.1.1.1", "bob", true}, {"2.2.2.2", "ann", true}, {"2.2.2.2", "", false}, {"2.2.2.2", "bob", false}, {"ann", "1.1.1.1", false}} {
		if err := f.Allowed(c.client, c.account); errs.Is(err, errs.Limited) != c.limited {
			t.Errorf("%s, %s: %v, want limited %v", c.client, c.account, err, c.limited)
		}
	}
	at = at.Add(19 * time.Second) // a third of the minute allows one more
	if err := f.Allowed("1.1.1.1", "ann"); err == nil {
		t.Error("allowed too early")
	}
	at = at.Add(2 * time.Second)
	if err := f.Allowed("1.1.1.1", "ann"); err != nil {
		t.Errorf("not allowed again: %v", err)
	}
	f.Note("1.1.1.1", "ann")
	if err := f.Allowed("1.1.1.1", "ann"); err == nil {
		t.Error("one failure more, and still allowed")
	}
}

// The attack: fill the memory with claimed names, many or long.
func TestAttackMemoryOfFailures(t *testing.T) {
	f := newFailures(t, time.Now)
	for _, key := range keys("255.255.255.255", strings.Repeat("x", maxToken)) {
		if len(key) > 64 {
			t.Errorf("a key has %d bytes", len(key))
		}
	}
	for i := range 120_000 {
		f.Note("1.1.1.1", fmt.Sprint(i))
	}
	f.limits.CleanUp()
	if n := f.limits.EstimatedSize(); n > 100_000 {
		t.Errorf("%d limits are kept", n)
	}
}

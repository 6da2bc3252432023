package token_test

import (
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// The attack: guess on, by writing the name of the account in another way each time. All spellings that sign in to one account
// share its counter.
func TestAttackThrottlePerSpelling(t *testing.T) {
	h := newHouse(t)
	h.person("ann@example.com")
	spellings := []string{"ann@example.com", "ANN@example.com", "Ann@Example.Com", " ann@example.com", "ann@example.com\t", "\nANN@EXAMPLE.COM "}
	for i := range perMinute {
		h.refused(from(address(i), basic(spellings[i], "guess")), errs.Unauthenticated)
	}
	for i, name := range spellings {
		h.refused(from(address(50+i), basic(name, "another guess")), errs.Limited)
	}
	h.refused(from(address(99), basic("bob@example.com", "guess")), errs.Unauthenticated)
}

// The attack (of parsers): a megabyte of dots, and other credentials that are no token at all, as each scheme.
func TestAttackHugeCredentials(t *testing.T) {
	h := newHouse(t)
	h.person("ann")
	for i, secret := range []string{strings.Repeat(".", 1<<20), strings.Repeat("A", 1<<20), "mlo_" + strings.Repeat("A", 1<<20), strings.Repeat("a.", 8<<10), "a.b.c.d.e"} {
		h.refused(from(address(2*i), "Bearer "+secret), errs.Unauthenticated)
		h.refused(from(address(2*i+1), basic("ann", secret)), errs.Unauthenticated)
	}
}

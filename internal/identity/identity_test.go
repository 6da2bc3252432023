package identity_test

import (
	"context"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

type contextKey struct{}

// A value that another package keeps in the context, under a key of the same name, must not become a subject.
func TestSubjectOfContext(t *testing.T) {
	s := &identity.Subject{UserID: 7, Username: "ada"}
	if got := identity.From(context.WithValue(t.Context(), contextKey{}, s)); got != nil {
		t.Errorf("a foreign key gave %v", got)
	}
	ctx := identity.With(t.Context(), s)
	if got := identity.From(ctx); got != s {
		t.Errorf("got %v", got)
	}
	if got := identity.From(identity.With(ctx, nil)); got != nil {
		t.Errorf("an inner anonymous request is %v", got)
	}
}

func TestZeroSubjectIsNobody(t *testing.T) {
	var s identity.Subject
	if s.Admin || s.Active || s.Credential != identity.None {
		t.Errorf("got %+v", s)
	}
}

func TestCredentialNames(t *testing.T) {
	for c, want := range map[identity.Credential]string{identity.None: "none", identity.Session: "session",
		identity.AccessToken: "access_token", identity.Bearer: "bearer"} {
		if got := c.String(); got != want {
			t.Errorf("%d is %s, want %s", c, got, want)
		}
	}
}

// Whoever comes with a narrowed credential is no administrator, and twice narrowed still holds what the scope says.
func TestNarrow(t *testing.T) {
	for name, one := range map[string]struct{ admin, holds bool }{"an administrator": {true, true}, "a person": {false, false}} {
		s := identity.Subject{Admin: one.admin, Active: true}
		s.Narrow(nil)
		if s.Admin != one.admin || s.Decider().Scope != nil {
			t.Errorf("%s without a scope is %+v", name, s)
		}
		scope := &authz.Scope{ReadOnly: true}
		for range 2 {
			s.Narrow(scope)
			if d := s.Decider(); s.Admin || s.Scope != scope || d.Scope != scope || d.Admin != one.holds || !d.Active {
				t.Errorf("%s with a scope is %+v, and decides as %+v", name, s, d)
			}
		}
	}
}

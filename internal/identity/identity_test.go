package identity_test

import (
	"context"
	"testing"

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

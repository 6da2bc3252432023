package errs_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

func TestCodeOf(t *testing.T) {
	cause := errors.New("disk full")
	for _, c := range []struct {
		name string
		err  error
		want errs.Code
	}{
		{"without a code it is our fault", cause, errs.Internal},
		{"coded", errs.New(errs.Denied, "no"), errs.Denied},
		{"coded and wrapped", fmt.Errorf("reading: %w", errs.New(errs.NotFound, "no")), errs.NotFound},
		{"the outermost code counts", errs.Wrap(errs.Unavailable, errs.New(errs.NotFound, "no"), "later"), errs.Unavailable},
		{"joined", errors.Join(cause, errs.New(errs.Conflict, "no")), errs.Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := errs.CodeOf(c.err); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			if !errs.Is(c.err, c.want) || errs.Is(c.err, errs.Limited) {
				t.Error("Is disagrees")
			}
		})
	}
	if errs.Is(nil, errs.Internal) {
		t.Error("no error has a code")
	}
}

func TestWrapKeepsTheCause(t *testing.T) {
	cause := errors.New("disk full")
	err := errs.Wrap(errs.Unavailable, cause, "saving %q", "x")
	if !errors.Is(err, cause) || err.Error() != `saving "x": disk full` || err.Message != `saving "x"` {
		t.Errorf("got %v", err)
	}
	if err := errs.New(errs.Invalid, "%d%%", 5); err.Error() != "5%" || errors.Unwrap(err) != nil {
		t.Errorf("got %v", err)
	}
}

func TestReasonOf(t *testing.T) {
	plain := errs.New(errs.Denied, "no")
	said := plain.Because(errs.Deactivated)
	for _, c := range []struct {
		name string
		err  error
		want errs.Reason
	}{
		{"no error", nil, ""},
		{"without a code", errors.New("no"), ""},
		{"without a reason, also when a copy has one", plain, ""},
		{"with one", said, errs.Deactivated},
		{"wrapped", fmt.Errorf("signing in: %w", said), errs.Deactivated},
		{"coded anew", errs.Wrap(errs.Conflict, said, "no"), errs.Deactivated},
		{"the outermost counts", errs.Wrap(errs.Conflict, said, "no").Because(errs.NameTaken), errs.NameTaken},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := errs.ReasonOf(c.err); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

// Doctor looks at all that the gateway needs.
type Doctor interface {
	Look(ctx context.Context) (Health, error)
}

// Health is what the doctor found.
type Health struct {
	LookedAt time.Time `json:"looked_at" doc:"a look is kept for ten seconds"`
	Findings []Finding `json:"findings" doc:"the worst first"`
}

// Finding is about one thing that the gateway needs.
type Finding struct {
	What     string `json:"what"`
	Provider string `json:"provider,omitempty" doc:"the id of the provider that it is about"`
	State    string `json:"state" enum:"ok,look,fail" doc:"look is what works and may not be what is wanted"`
	Says     string `json:"says"`
	Mend     string `json:"mend,omitempty" doc:"what to do about it"`
}

func (a *API) doctor(r *registrar) {
	add(r, http.MethodGet, "/permissions/doctor", 200, "Look at all that the gateway needs, and say how to mend what is wrong", func(ctx context.Context, s *identity.Subject, _ *none) (Health, error) {
		if err := administrator(s); err != nil {
			return Health{}, err
		}
		found, err := a.Doctor.Look(ctx)
		if err != nil {
			return Health{}, errs.Wrap(errs.Unavailable, err, "the look did not end in time; try again")
		}
		return found, nil
	})
}

package gateway

import (
	"context"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Nobody decides anything any more when the client has hung up.
func TestHangingUpDecidesNothing(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	down := errs.New(errs.Unavailable, "no")
	for name, c := range map[string]struct {
		ctx  context.Context
		end  func(ctx context.Context, p *Passage)
		want Decision
	}{
		"before it is known who it is":    {gone, func(ctx context.Context, p *Passage) { p.unknown(ctx, down) }, Undecided},
		"before it is decided":            {gone, func(ctx context.Context, p *Passage) { p.failed(ctx, down) }, Undecided},
		"when it was allowed":             {gone, func(ctx context.Context, p *Passage) { p.granted(); p.failed(ctx, down) }, Allowed},
		"when it was denied":              {gone, func(ctx context.Context, p *Passage) { p.failed(ctx, errs.New(errs.Denied, "no")) }, Denied},
		"and who waits is told of nobody": {t.Context(), func(ctx context.Context, p *Passage) { p.unknown(ctx, nil) }, Unauthenticated},
		"and who waits is told":           {t.Context(), func(ctx context.Context, p *Passage) { p.failed(ctx, down) }, Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Passage{}
			p.Begin(time.Now())
			if c.end(c.ctx, p); p.Decision != c.want {
				t.Errorf("it is %v, want %v", p.Decision, c.want)
			}
		})
	}
}

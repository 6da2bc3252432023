package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// Waiting for others is no part of deciding: else whoever downloads a lot would have it seem slow.
func TestWaitingIsNoDeciding(t *testing.T) {
	for name, route := range map[string]*policy.Route{
		"for who changes names":             {Effect: policy.GrantNamed, Creates: kind.GatewayEndpoint},
		"for who changes the name of an id": {Effect: policy.DropNamed, Needs: []policy.Need{{Ref: policy.GatewayEndpoint}}},
		"for the user's own downloads":      {Threads: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &Gateway{}
				ctx, hangUp := context.WithCancel(t.Context())
				c := &call{gateway: g, r: httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), passage: &Passage{}, match: policy.Match{Route: route}, subject: &identity.Subject{UserID: 1}}
				hold := func() (func(), error) { return g.alone.take(ctx, kind.GatewayEndpoint) }
				wait := func() error { _, err := c.aloneWithNames(); return err }
				if route.Threads {
					hold = func() (func(), error) { return g.turns.take(ctx, 1) }
					wait = c.forward
				}
				for range map[bool]int{true: downloads, false: 1}[route.Threads] {
					if _, err := hold(); err != nil {
						t.Fatal(err)
					}
				}
				p := c.passage
				p.Begin(time.Now())
				time.Sleep(time.Second)
				p.lap(Reading)
				time.Sleep(2 * time.Second)
				go func() { time.Sleep(10 * time.Second); hangUp() }()
				err := wait()
				time.Sleep(3 * time.Second)
				p.failed(ctx, err)
				if want := (Lap{3 * time.Second, 10 * time.Second}); p.Laps[Waiting] != want {
					t.Errorf("it waited %v, want %v", p.Laps[Waiting], want)
				}
				if want := (Lap{time.Second, 5 * time.Second}); p.Laps[Deciding] != want {
					t.Errorf("it was decided in %v, want %v", p.Laps[Deciding], want)
				}
				if p.Decision != Undecided || !errors.Is(err, context.Canceled) {
					t.Errorf("who hung up is %v by %v", p.Decision, err)
				}
			})
		})
	}
}

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

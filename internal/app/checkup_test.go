package app

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
)

// The attack: ask for a look a thousand times at once, so that the gateway asks the providers and MLflow as often.
func TestAttackFloodOfLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0 // that no two write it at once is part of the test
		c := newCheckup(func(context.Context) []finding {
			looks++
			time.Sleep(time.Second)
			return []finding{well("a", "%d", looks), but("b", "mend it", "so so"), broken("c", "mend it", "no")}
		}, time.Now)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if got, err := c.Look(t.Context()); err != nil || len(got.Findings) != 3 {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if looks != 1 {
			t.Errorf("%d looks", looks)
		}
		time.Sleep(lookAgain)
		got, err := c.Look(t.Context())
		want := api.Health{LookedAt: time.Now().UTC(), Findings: []api.Finding{{What: "c", State: "fail", Says: "no", Mend: "mend it"},
			{What: "b", State: "look", Says: "so so", Mend: "mend it"}, {What: "a", State: "ok", Says: "2"}}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}

// A look that hangs ends by itself, and neither who waits for it nor who has left it lying keeps others from the next.
func TestLooksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCheckup(func(ctx context.Context) []finding {
			<-ctx.Done()
			return []finding{broken("mlflow", "start it", "%v", ctx.Err())}
		}, time.Now)
		left, leave := context.WithCancel(t.Context())
		leave()
		began := time.Now()
		first := make(chan struct{})
		go func() {
			defer close(first)
			if got, err := c.Look(t.Context()); err != nil || got.Findings[0].State != "fail" {
				t.Errorf("%+v, %v", got, err)
			}
		}()
		synctest.Wait()
		if _, err := c.Look(left); !errors.Is(err, context.Canceled) {
			t.Errorf("who has left waited, and got %v", err)
		}
		<-first
		if took := time.Since(began); took != lookFor {
			t.Errorf("it took %v", took)
		}
	})
}

// The attack: a provider answers with what steers a terminal, or with more than anybody reads.
func TestAttackFindingSteersTheTerminal(t *testing.T) {
	f := broken("provider", "", "it says %s", "\x1b[2J\x1b]0;owned\a\r\nok    all\u202e")
	if f.says != "it says  [2J ]0;owned   ok    all " {
		t.Errorf("%q", f.says)
	}
	if f := broken("provider", "", "%s", make([]byte, 1<<20)); len(f.says) > mostSaid+10 {
		t.Errorf("%d bytes", len(f.says))
	}
}

package upstream_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// clock is a time that goes on when it is told to.
type clock struct {
	sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.at = c.at.Add(d)
}

func listing(t *testing.T, address string) (*upstream.MLflow, *clock) {
	t.Helper()
	m, err := upstream.New(upstream.Options{Address: address, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	m.SetClock(c.now)
	return m, c
}

func listed(t *testing.T, m *upstream.MLflow) []string {
	t.Helper()
	all, err := m.Listed(t.Context(), kind.Experiment)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, one := range all {
		lines = append(lines, one.ID+" "+one.Name)
	}
	return lines
}

func TestListedFollowsWhatChanges(t *testing.T) {
	mlflow := mlflowtest.NewMany(t, 3, func(i int) string { return []string{"", "b", "A", "a"}[i] })
	m, c := listing(t, mlflow.Address)
	is := func(what string, most int, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, listed(t, m)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if _, rows := mlflow.Asked(); rows > most {
			t.Errorf("%s: %d rows were read", what, rows)
		}
	}
	is("in the order of names without regard to case", 3, "2 A", "3 a", "1 b")
	mlflow.Set("1", "0")
	is("for a second it is not asked for again", 0, "2 A", "3 a", "1 b")
	c.pass(time.Second)
	is("renamed", 2, "1 0", "2 A", "3 a")
	mlflow.Delete("2")
	m.Changed(t.Context())
	is("deleted through this gateway", 2, "1 0", "3 a")
	mlflow.Set("4", "Z")
	m.Changed(t.Context())
	is("made through this gateway", 2, "1 0", "3 a", "4 Z")
	mlflow.Set("2", "A")
	c.pass(time.Second)
	is("taken out of the trash", 2, "1 0", "2 A", "3 a", "4 Z")
	c.pass(time.Hour)
	is("after an hour, when all is read again beside", 9, "1 0", "2 A", "3 a", "4 Z")
	m.ForgetListed("")
	is("forgotten, and read as a whole", 9, "1 0", "2 A", "3 a", "4 Z")
}

// Whoever asks at once waits for one reading, and one who gives up ends it for nobody.
func TestListedIsReadOnceForAll(t *testing.T) {
	mlflow := mlflowtest.NewMany(t, 12_000, func(i int) string { return fmt.Sprint("e", i) })
	m, _ := listing(t, mlflow.Address)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Listed(gone, kind.Experiment); err == nil {
		t.Error("who had given up got an answer")
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if rows, err := m.Listed(t.Context(), kind.Experiment); err != nil || len(rows) != 12_000 {
				t.Errorf("%d, %v", len(rows), err)
			}
		})
	}
	all.Wait()
	if calls, rows := mlflow.Asked(); calls != 3 || rows != 12_000 {
		t.Errorf("%d questions for %d rows", calls, rows)
	}
}

// What MLflow does not tell now is no empty list: pages would show that nothing is there.
func TestListedOfSilentMLflow(t *testing.T) {
	m, _ := listing(t, "http://127.0.0.1:1")
	if rows, err := m.Listed(t.Context(), kind.Experiment); !errs.Is(err, errs.BadGateway) {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestSeveralExperiments(t *testing.T) {
	mlflow := mlflowtest.NewMany(t, 300, func(i int) string { return fmt.Sprint("e", i) })
	mlflow.Delete("7")
	// The attack: an id that ends the filter's text, and asks for all.
	ids := []string{"7", "9", "4711", "1') OR experiment_id IN ('2", "", "8'", strings.Repeat("1", 300)}
	for i := 100; i < 250; i++ {
		ids = append(ids, fmt.Sprint(i))
	}
	for _, old := range []bool{false, true} {
		mlflow.Old = old
		m, _ := listing(t, mlflow.Address)
		names, err := m.ExperimentNames(t.Context(), ids)
		if err != nil || len(names) != 152 || names["7"] != "e7" || names["249"] != "e249" {
			t.Errorf("%d names, %v", len(names), err)
		}
		if calls, _ := mlflow.Asked(); !old && calls != 2 {
			t.Errorf("%d questions", calls)
		}
		if names, err = m.ExperimentNames(t.Context(), []string{"9", "249"}); err != nil || len(names) != 2 {
			t.Errorf("%v, %v", names, err)
		}
		if calls, _ := mlflow.Asked(); calls != 0 {
			t.Errorf("%d questions for what was told a moment ago", calls)
		}
	}
	m, _ := listing(t, mlflow.Address)
	if all, err := m.Experiments(t.Context(), []string{"7"}); err != nil || all["7"].Stage != upstream.Deleted || all["7"].Item().Tags["team"] != "7" {
		t.Errorf("%+v, %v", all, err)
	}
}

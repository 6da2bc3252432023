package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shelf is a keeper in memory.
type shelf struct {
	mutex sync.Mutex
	kept  []Entry
	down  bool
	stuck chan struct{} // nil: nothing is
}

// KeepAudit keeps entries (Keeper).
func (s *shelf) KeepAudit(ctx context.Context, entries []Entry) error {
	if s.stuck != nil {
		<-s.stuck
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.down {
		return errors.New("the database is down")
	}
	s.kept = append(s.kept, entries...)
	return nil
}

func (s *shelf) fail(down bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.down = down
}

// names are those of the entries, with how many more each is.
func (s *shelf) names() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var all []string
	for _, e := range s.kept {
		all = append(all, fmt.Sprintf("%s %s %d", e.Name, e.Route, e.Count))
	}
	return all
}

// writing runs a journal with the clock of the test, until the end, which it gives.
func writing(t *testing.T, s *shelf) (j *Journal, log *bytes.Buffer, end func()) {
	t.Helper()
	log = &bytes.Buffer{}
	j = NewJournal(slog.New(slog.NewTextHandler(log, nil)), s, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); j.Run(ctx) }()
	return j, log, func() { cancel(); <-done }
}

func refusal(route string) Event {
	return Event{Name: RequestRefused, By: "ann", Route: route, Reason: "no"}
}

func TestChangesAreKeptAtOnce(t *testing.T) {
	s := &shelf{}
	j := NewJournal(slog.New(slog.DiscardHandler), s, time.Now) // nobody runs it
	ctx, cancel := context.WithCancel(With(t.Context(), func() Origin { return Origin{Client: "192.0.2.1", Agent: "a browser", Request: "7"} }))
	cancel() // whoever asked has gone
	j.Record(ctx, Event{Name: TokenMade, By: "ann", Account: "bob", After: State{"expires_at": "never"}})
	if len(s.kept) != 1 || s.kept[0].By != "ann" || s.kept[0].Client != "192.0.2.1" || s.kept[0].Request != "7" || s.kept[0].After["expires_at"] != "never" {
		t.Errorf("%+v", s.kept)
	}
}

func TestRefusalsThatAreAlikeAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		j, log, end := writing(t, s)
		for range 1000 {
			j.Record(t.Context(), refusal("a"))
			j.Record(t.Context(), refusal("b"))
		}
		j.Sync(t.Context())
		if diff := cmp.Diff([]string{"request_refused a 0", "request_refused b 0"}, s.names()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(collapsing + 2*flushEvery) // of the test's own clock
		synctest.Wait()
		if got := s.names(); len(got) != 4 || !strings.HasSuffix(got[2], " 999") || !strings.HasSuffix(got[3], " 999") {
			t.Errorf("%v", got)
		}
		j.Record(t.Context(), refusal("a"))
		end()
		if got := s.names(); len(got) != 5 || got[4] != "request_refused a 0" {
			t.Errorf("at the end: %v", got)
		}
		if n := strings.Count(log.String(), "msg=request_refused"); n != 2001 {
			t.Errorf("the log has %d of 2001 lines", n)
		}
	})
}

func TestEndKeepsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		j, _, end := writing(t, s)
		for range 3 {
			j.Record(t.Context(), refusal("a"))
		}
		j.Record(t.Context(), Event{Name: SessionEnded, Count: 2})
		end()
		if diff := cmp.Diff([]string{"request_refused a 0", "session_ended  2", "request_refused a 2"}, s.names()); diff != "" {
			t.Error(diff)
		}
	})
}

// The attack: keep what one is refused out of the stored events, by many requests of nobody's beforehand.
func TestAttackFloodHidesNobodysRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		j, _, end := writing(t, s)
		for minute := range 60 {
			for network := range 20 {
				for i := range 2 * perSource {
					from := Origin{Client: fmt.Sprintf("2001:db8:0:%x::%x", network, i)}
					j.Record(With(t.Context(), func() Origin { return from }), Event{Name: RequestRefused, Route: fmt.Sprintf("GET /%d/%d", minute, i), Reason: "no route"})
				}
				synctest.Wait()
			}
			if minute < 59 {
				time.Sleep(time.Minute)
			}
		}
		j.Record(t.Context(), refusal("GET /api/2.0/mlflow/runs/get"))
		end()
		var kept bool
		for _, e := range s.kept {
			kept = kept || e.By == "ann"
		}
		if !kept {
			t.Errorf("the refusal is not among %d events", len(s.kept))
		}
	})
}

// The attack: fill the disk with refusals, each of another path, or of another name.
func TestAttackFloodOfRefusals(t *testing.T) {
	for name, vary := range map[string]func(i int) (Event, Origin){
		"other paths": func(i int) (Event, Origin) { return refusal(fmt.Sprint(i)), Origin{Client: "192.0.2.1"} },
		"other names": func(i int) (Event, Origin) {
			return Event{Name: CredentialRefused, Account: fmt.Sprint(i)}, Origin{Client: "192.0.2.1"}
		},
		"other addresses": func(i int) (Event, Origin) { return refusal("a"), Origin{Client: fmt.Sprint(i)} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{}
				j, log, end := writing(t, s)
				const all = 20_000
				for i := range all {
					e, from := vary(i)
					j.Record(With(t.Context(), func() Origin { return from }), e)
					if i%1000 == 0 {
						synctest.Wait()
					}
				}
				end()
				kept, more := len(s.kept), 0
				for _, e := range s.kept {
					more += e.Count
				}
				if kept > burst+perSource+2 {
					t.Errorf("%d rows of %d refusals", kept, all)
				}
				said := 0
				for _, line := range strings.Split(log.String(), "\n") {
					if _, count, ok := strings.Cut(line, "are in the log alone\" count="); ok {
						n := 0
						if _, err := fmt.Sscan(count, &n); err != nil {
							t.Error(err)
						}
						said += n
					}
				}
				firsts := 0
				for _, e := range s.kept {
					if e.Count == 0 {
						firsts++
					}
				}
				if firsts+more+said != all {
					t.Errorf("%d refusals are %d rows, %d more that they count, and %d that are said to be lost", all, firsts, more, said)
				}
			})
		})
	}
}

// The attack: have the database hang, and do unseen what is not recorded any more.
func TestAttackEventsWhileTheDatabaseHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{stuck: make(chan struct{})}
		j, log, end := writing(t, s)
		for i := range 3 * queued {
			j.Record(t.Context(), Event{Name: SessionMade, Account: fmt.Sprint(i)}) // waits for nothing
		}
		if n := strings.Count(log.String(), "msg=session_made"); n != 3*queued {
			t.Errorf("the log has %d", n)
		}
		close(s.stuck)
		end()
		if len(s.kept) < queued || !strings.Contains(log.String(), "in the log alone") {
			t.Errorf("%d were kept; the log says %.300s", len(s.kept), log.String()[max(0, log.Len()-300):])
		}
	})
}

func TestEventsWaitForTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{down: true}
		j, log, end := writing(t, s)
		j.Record(t.Context(), Event{Name: TokenMade, Account: "ann"})
		j.Record(t.Context(), refusal("a"))
		time.Sleep(3 * flushEvery) // of the test's own clock
		synctest.Wait()
		if len(s.kept) != 0 || !strings.Contains(log.String(), "cannot be stored right now") {
			t.Errorf("%v; %s", s.names(), log)
		}
		s.fail(false)
		end()
		if diff := cmp.Diff([]string{"token_made  0", "request_refused a 0"}, s.names()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatIsLostIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{down: true}
		j, log, end := writing(t, s)
		for range 5 {
			j.Record(t.Context(), Event{Name: SessionMade})
		}
		end()
		if !strings.Contains(log.String(), "are in the log alone\" count=5") || j.Lost() != 5 || j.Waiting() != 0 {
			t.Errorf("%d are lost, %d wait: %s", j.Lost(), j.Waiting(), log)
		}
	})
}

package audit

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLineOfAChange(t *testing.T) {
	var out bytes.Buffer
	NewLog(slog.New(slog.NewTextHandler(&out, nil))).Record(t.Context(), Event{Name: GrantChanged, By: "ann", Account: "bob", Kind: "experiment", Resource: "1", Workspace: "lab",
		Before: State{"level": "READ"}, After: State{"level": "EDIT", "priority": 2}})
	if want := "msg=grant_changed audit=true by=ann account=bob kind=experiment resource=1 workspace=lab before.level=READ after.level=EDIT after.priority=2\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("%s, want %s", out.String(), want)
	}
}

func TestAuthorsOfEvents(t *testing.T) {
	ctx := By(t.Context(), Author{By: "ann", Actor: "bot", Cause: "rename"})
	if diff := cmp.Diff(Event{By: "ann", Actor: "bot", Cause: "rename"}, Authored(ctx, Event{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Event{By: "carl", Cause: "owner"}, Authored(ctx, Event{By: "carl", Cause: "owner"})); diff != "" {
		t.Errorf("what an event says itself counts: %s", diff)
	}
}

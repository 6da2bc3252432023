package httpx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

func TestWriteError(t *testing.T) {
	secret := errors.New("dial db.internal: password hunter2")
	const hidden = `{"error_code":"INTERNAL_ERROR","message":"internal error; the server's log says more","detail":"internal error; the server's log says more"}`
	said := func(code, text string) string {
		return fmt.Sprintf(`{"error_code":%q,"message":%q,"detail":%q}`, code, text, text)
	}
	for _, c := range []struct {
		name   string
		err    error
		status int
		body   string
		logged bool
	}{
		{"an error without a code shows nothing", secret, 500, hidden, true},
		{"internal shows nothing", errs.New(errs.Internal, "row 7 of users is broken"), 500, hidden, true},
		{"internal around a coded error shows nothing", errs.Wrap(errs.Internal, errs.New(errs.Denied, "inner"), "outer"), 500, hidden, true},
		{"the cause is not shown", errs.Wrap(errs.Unavailable, secret, "the database cannot be reached"), 503, said("TEMPORARILY_UNAVAILABLE", "the database cannot be reached"), true},
		{"what wraps a coded error is not shown", fmt.Errorf("hunter2: %w", errs.New(errs.Denied, "no")), 403, said("PERMISSION_DENIED", "no"), false},
		{"invalid", errs.New(errs.Invalid, "no"), 400, said("INVALID_PARAMETER_VALUE", "no"), false},
		{"unauthenticated", errs.New(errs.Unauthenticated, "no"), 401, said("UNAUTHENTICATED", "no"), false},
		{"not found", errs.New(errs.NotFound, "no"), 404, said("RESOURCE_DOES_NOT_EXIST", "no"), false},
		{"conflict", errs.New(errs.Conflict, "no"), 409, said("RESOURCE_ALREADY_EXISTS", "no"), false},
		{"too large", errs.New(errs.TooLarge, "no"), 413, said("INVALID_PARAMETER_VALUE", "no"), false},
		{"limited", errs.New(errs.Limited, "no"), 429, said("REQUEST_LIMIT_EXCEEDED", "no"), false},
		{"bad gateway", errs.New(errs.BadGateway, "no"), 502, said("TEMPORARILY_UNAVAILABLE", "no"), true},
		{"markup cannot start a tag", errs.New(errs.Denied, "<script>"), 403, `{"error_code":"PERMISSION_DENIED","message":"\u003cscript\u003e","detail":"\u003cscript\u003e"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			w := httptest.NewRecorder()
			httpx.WriteError(w, httptest.NewRequest("GET", "/p?token=hunter3", nil), slog.New(slog.NewTextHandler(&log, nil)), c.err)
			if w.Code != c.status || w.Body.String() != c.body {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if (log.Len() > 0) != c.logged || strings.Contains(log.String(), "hunter3") {
				t.Errorf("logged %q", log.String())
			}
			want := http.Header{"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(w.Body.Len())}, "Cache-Control": {"no-store"},
				"X-Content-Type-Options": {"nosniff"}}
			if diff := cmp.Diff(want, w.Header()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLimitedSaysWhenToTryAgain(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "", time.Millisecond: "1", 3 * time.Second: "3", 3*time.Second + 1: "4"} {
		w := httptest.NewRecorder()
		httpx.WriteError(w, httptest.NewRequest("GET", "/", nil), slog.New(slog.DiscardHandler), fmt.Errorf("around: %w", errs.Later(after, "no")))
		if got := w.Header().Get("Retry-After"); w.Code != http.StatusTooManyRequests || got != want {
			t.Errorf("after %v: %d, Retry-After %q", after, w.Code, got)
		}
	}
}

func TestWriteJSONThatCannotBeEncoded(t *testing.T) {
	w := httptest.NewRecorder()
	httpx.WriteJSON(w, http.StatusOK, make(chan int))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("got %d", w.Code)
	}
}

// A code that the mapper does not know would be answered with status 0, which net/http does not survive.
func TestEveryCodeHasAStatus(t *testing.T) {
	for code := errs.Internal; code <= errs.BadGateway; code++ {
		if status := httpx.Status(errs.New(code, "x")); status < 400 || status > 599 {
			t.Errorf("code %d has status %d", code, status)
		}
	}
}

// Who hangs up has nothing fail. What was decided, and faults of ours, are what they are all the same; and an answer is written, since the server
// would answer 200 else.
func TestHungUp(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want bool
	}{
		{"the database", gone, errs.Wrap(errs.Unavailable, errors.New("interrupted"), "no"), true},
		{"MLflow", gone, errs.Wrap(errs.BadGateway, context.Canceled, "no"), true},
		{"whatever was given up", gone, fmt.Errorf("reading: %w", context.Canceled), true},
		{"a refusal", gone, errs.New(errs.Denied, "no"), false},
		{"too many attempts", gone, errs.New(errs.Limited, "no"), false},
		{"a fault of ours", gone, errors.New("row 7 is broken"), false},
		{"a client that waits", t.Context(), errs.Wrap(errs.Unavailable, context.Canceled, "no"), false},
		{"a client whose time is over", late, errs.Wrap(errs.Unavailable, context.DeadlineExceeded, "no"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := httpx.HungUp(c.ctx, c.err); got != c.want {
				t.Errorf("got %v", got)
			}
			var log bytes.Buffer
			w := httptest.NewRecorder()
			httpx.WriteError(w, httptest.NewRequest("GET", "/p", nil).WithContext(c.ctx), slog.New(slog.NewTextHandler(&log, nil)), c.err)
			if said := log.String(); strings.Contains(said, "level=INFO msg=\"the client hung up\"") != c.want || c.want && strings.Contains(said, "ERROR") || w.Code != httpx.Status(c.err) {
				t.Errorf("answered %d, logged %s", w.Code, said)
			}
		})
	}
}

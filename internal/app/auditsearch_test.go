package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// search runs the command that searches events.
func search(t *testing.T, c *config.Config, format string, filters map[string]string) (string, error) {
	t.Helper()
	s := app.AuditSearch{Format: format}
	for _, one := range s.Filters() {
		*one.Value = filters[one.Name]
	}
	var out bytes.Buffer
	err := s.Run(t.Context(), c, &out)
	return out.String(), err
}

// What commands on the machine change is recorded as of who runs them, whom no account can be mistaken for.
func TestWhatCommandsDoIsRecordedAndFound(t *testing.T) {
	settings := map[string]string{"OIDC_USERS_DB_URI": "sqlite:///" + filepath.Join(t.TempDir(), "auth.db")}
	c, err := config.Load(func(name string) (string, bool) { value, ok := settings[name]; return value, ok }, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var said, log bytes.Buffer
	if err := app.BreakGlass(t.Context(), c, "=HYPERLINK(1)", time.Hour, &said, &log); err != nil {
		t.Fatal(err)
	}
	secret := printedToken.FindStringSubmatch(said.String())[2]
	lines, err := search(t, c, "jsonl", map[string]string{"account": "break-glass"})
	if err != nil || strings.Contains(lines, secret) || strings.Contains(log.String(), secret) {
		t.Fatalf("%s, %v", lines, err)
	}
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		var e struct{ Name, By string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || !strings.HasPrefix(e.By, "local:") {
			t.Errorf("%s: %v", line, err)
		}
		names = append(names, e.Name)
	}
	if want := []string{"break_glass", "administrator_gained", "service_account_made"}; !slices.Equal(names, want) {
		t.Errorf("found are %v, want %v", names, want)
	}
	for _, name := range names {
		if !strings.Contains(log.String(), "msg="+name+" audit=true by=local:") {
			t.Errorf("the log says no %s:\n%s", name, log.String())
		}
	}
	if table, err := search(t, c, "csv", map[string]string{"name": "break_glass"}); err != nil || !strings.Contains(table, ",'=HYPERLINK(1),") || strings.Count(table, "\n") != 2 {
		t.Errorf("%s, %v", table, err)
	}
	for flag, filters := range map[string]map[string]string{"--since": {"since": "x"}, "--until": {"until": "x"}} {
		if _, err := search(t, c, "csv", filters); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v", err)
		}
	}
	if _, err := search(t, c, "xml", nil); err == nil {
		t.Error("there is another format")
	}
	settings["AUDIT_RETENTION_DAYS"] = "0"
	if c, err = config.Load(func(name string) (string, bool) { value, ok := settings[name]; return value, ok }, "", nil); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	if err := app.BreakGlass(t.Context(), c, "again", time.Hour, &said, &log); err != nil || !strings.Contains(log.String(), "msg=break_glass") {
		t.Errorf("%v: %s", err, log.String())
	}
	if again, err := search(t, c, "jsonl", nil); err != nil || strings.Count(again, "\n") != len(names) {
		t.Errorf("something was stored nevertheless: %s, %v", again, err)
	}
}

// Where events are in the log alone, the search says so, and changes are made as ever.
func TestEventsInTheLogAlone(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"AUDIT_RETENTION_DAYS": "0"})
	root := w.Browser(t, "root", world.Members, world.Admins)
	if got := root.Do(t, http.MethodPost, "/api/2.0/mlflow/permissions/groups", map[string]any{"group_name": "red"}); got.Status != http.StatusCreated {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := root.Do(t, http.MethodGet, "/api/2.0/mlflow/audit", nil); got.Status != http.StatusNotFound || !strings.Contains(string(got.Body), "AUDIT_RETENTION_DAYS") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if !strings.Contains(w.Logged(), "msg=group_made audit=true by=root@example.com group=red") {
		t.Error("the log does not say it")
	}
}

// What is refused just before the gateway stops is stored nevertheless.
func TestEventsOutliveARestart(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", nil)
	ann := w.Browser(t, "ann", world.Members)
	ann.Do(t, http.MethodPost, "/api/2.0/mlflow/permissions/groups", map[string]any{"group_name": "red"})
	w.Restart(t)
	root := w.Browser(t, "root", world.Members, world.Admins)
	got := root.Do(t, http.MethodGet, "/api/2.0/mlflow/audit?name=request_refused&by=ann%40example.com", nil)
	if got.Status != http.StatusOK || !strings.Contains(string(got.Body), `"path":"POST /api/2.0/mlflow/permissions/groups"`) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

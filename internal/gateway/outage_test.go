package gateway_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// kill ends the processes of a MLflow server, which are known by the socket in their arguments.
func kill(t *testing.T, mlflow *mlflowtest.Server) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, path := range found {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(mlflow.Socket)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no process of MLflow was found")
	}
}

// TestMLflowStops kills MLflow: clients are told so in MLflow's own form, and it comes back by itself.
func TestMLflowStops(t *testing.T) {
	t.Parallel()
	mlflow := mlflowtest.New(t)
	w := world.New(t, mlflow.Address, nil)
	ann := w.Person(t, "ann", world.Members)
	work := ann.MakeWork(t)
	get := "/api/2.0/mlflow/experiments/get?experiment_id=" + work.Experiment
	ready := func() int { return w.Nobody(t).Do(t, http.MethodGet, "/health/ready", nil).Status }
	if status := ready(); status != http.StatusOK {
		t.Fatalf("ready answers %d before", status)
	}
	kill(t, mlflow)
	got := ann.Do(t, http.MethodGet, get, nil)
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(got.Body, &said); err != nil || got.Status != http.StatusBadGateway || said.Code != "TEMPORARILY_UNAVAILABLE" || said.Message == "" {
		t.Errorf("a request while MLflow is down: %d %s", got.Status, got.Body)
	}
	if strings.Contains(string(got.Body), mlflow.Socket) {
		t.Errorf("the answer tells where MLflow is: %s", got.Body)
	}
	if search := ann.Do(t, http.MethodPost, "/api/2.0/mlflow/experiments/search", map[string]any{"max_results": 1}); search.Status != http.StatusBadGateway {
		t.Errorf("a search while MLflow is down: %d %s", search.Status, search.Body)
	}
	if status := ready(); status != http.StatusServiceUnavailable {
		t.Errorf("ready answers %d while MLflow is down", status)
	}
	if live := w.Nobody(t).Do(t, http.MethodGet, "/health/live", nil); live.Status != http.StatusOK {
		t.Errorf("live answers %d while MLflow is down: restarting the gateway would not help", live.Status)
	}
	for deadline := time.Now().Add(2 * time.Minute); ready() != http.StatusOK; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("MLflow did not come back")
		}
	}
	ann.JSON(t, http.MethodGet, get, nil)
}

// TestProviderStops takes the identity provider away: who is signed in goes on, also after the gateway was restarted.
func TestProviderStops(t *testing.T) {
	w := world.New(t, mlflowtest.Shared(t).Address, nil)
	browser, program := w.Browser(t, "browser", world.Members), w.Person(t, "program", world.Members)
	jwt := w.Nobody(t)
	bearer := w.IDP.Token("subject of browser", nil)
	search := func(c *world.Client, token string) int {
		t.Helper()
		request := c.Request(t, http.MethodPost, "/api/2.0/mlflow/experiments/search", map[string]any{"max_results": 1})
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		return c.Send(t, request).Status
	}
	if status := search(jwt, bearer); status != http.StatusOK {
		t.Fatalf("a JWT before: %d", status)
	}
	w.Issuer.Close()
	for name, status := range map[string]int{"session": search(browser, ""), "token": search(program, ""), "JWT": search(jwt, bearer)} {
		if status != http.StatusOK {
			t.Errorf("%s without the provider: %d", name, status)
		}
	}
	w.Restart(t)
	for name, status := range map[string]int{"session": search(browser, ""), "token": search(program, "")} {
		if status != http.StatusOK {
			t.Errorf("%s without the provider, after a restart: %d", name, status)
		}
	}
	if status := search(jwt, bearer); status != http.StatusServiceUnavailable {
		t.Errorf("a JWT that cannot be checked: %d, want 503: it is neither right nor wrong", status)
	}
	if page := w.Nobody(t).Do(t, http.MethodGet, "/login/start", nil); page.Status != http.StatusServiceUnavailable || !strings.Contains(string(page.Body), "try again") {
		t.Errorf("a new sign-in: %d %s", page.Status, page.Body)
	}
}

// TestGrantsThatCannotBeStored makes the users database refuse the creator's grant: nothing is left without an owner.
func TestGrantsThatCannotBeStored(t *testing.T) {
	w := world.New(t, mlflowtest.Shared(t).Address, nil)
	ann, admin := w.Person(t, "ann", world.Members), w.Person(t, "admin", world.Admins)
	name := world.Name("ownerless")
	db, err := sql.Open("sqlite", strings.TrimPrefix(w.Settings["OIDC_USERS_DB_URI"], "sqlite:///"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON gw_grants BEGIN SELECT RAISE(FAIL, 'the disk is full'); END`); err != nil {
		t.Fatal(err)
	}
	for path, target := range map[string]string{"experiments/create": "experiments/get-by-name?experiment_name=", "registered-models/create": "registered-models/get?name="} {
		if got := ann.Do(t, http.MethodPost, "/api/2.0/mlflow/"+path, map[string]any{"name": name}); got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: answered %d %s", path, got.Status, got.Body)
		}
		got := admin.Do(t, http.MethodGet, "/api/2.0/mlflow/"+target+name, nil)
		if got.Status == http.StatusOK && !strings.Contains(string(got.Body), `"lifecycle_stage": "deleted"`) {
			t.Errorf("%s left something behind: %s", path, got.Body)
		}
	}
}

package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// servers are those on which the plugin runs too: the ending of a dump of it, and how it names a database.
var servers = map[database.Engine]struct{ ending, address string }{
	database.PostgreSQL: {".postgres", "postgresql+psycopg2://gw@127.0.0.1:%d/%s?sslmode=disable"},
	database.MySQL:      {".mysql", "mysql+pymysql://root@127.0.0.1:%d/%s"},
}

// onServer makes the plugin's database on a server, and gives its address as the plugin has it.
func onServer(t *testing.T, engine database.Engine) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../importer/testdata", "plugin-11.0.2"+servers[engine].ending+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	at := dbtest.New(t, engine)
	dbtest.Load(t, at, string(text))
	return addressed(at)
}

func addressed(at database.Address) string {
	return fmt.Sprintf(servers[at.Engine].address, at.Port, at.Name)
}

// The command reads the plugin's database on a server as one in a file, and says the same of it.
func TestImportCommandFromServers(t *testing.T) {
	w := world.New(t, world.Stub(t, known).URL, nil)
	run := func(from, to string, check bool) string {
		t.Helper()
		var said bytes.Buffer
		o := app.ImportOptions{Name: "plugin", From: from, Check: check}
		if err := app.Import(t.Context(), settingsOf(t, w, map[string]string{"OIDC_USERS_DB_URI": to}), o, &said, io.Discard); err != nil && !check {
			t.Fatalf("from %s to %s: %v", from, to, err)
		}
		return said.String()
	}
	file := func() string { return "sqlite:///" + filepath.Join(t.TempDir(), "new.db") }
	from, to := "sqlite:///"+predecessor(t, "plugin-11.0.2"), file()
	check, done, again := run(from, to, true), run(from, to, false), run(from, to, false)
	if !strings.Contains(check, "decisions were compared") || !strings.Contains(done, "Done.") || !strings.Contains(again, "nothing was done") {
		t.Fatalf("%s\n%s\n%s", check, done, again)
	}
	for engine := range servers {
		from := onServer(t, engine)
		for _, to := range []string{file(), addressed(dbtest.New(t, engine))} {
			if diff := cmp.Diff([]string{check, done, again}, []string{run(from, to, true), run(from, to, false), run(from, to, false)}); diff != "" {
				t.Errorf("from %s to %s it says something else than from a file:\n%s", from, to, diff)
			}
		}
	}
}

// Two gateways that start at once on the plugin's own database on a server take it over once, and old tokens sign in at both.
func TestTwoServeThePluginsDatabaseOnServers(t *testing.T) {
	w := world.New(t, world.Stub(t, known).URL, nil)
	for engine := range servers {
		c := settingsOf(t, w, map[string]string{"OIDC_USERS_DB_URI": onServer(t, engine)})
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, nil)) // which writes one line at a time
		var both [2]*app.App
		var wg sync.WaitGroup
		for n := range both {
			wg.Go(func() {
				var err error
				if both[n], err = app.New(t.Context(), c, log); err != nil {
					t.Errorf("%s: %v", engine, err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		if n := strings.Count(said.String(), "msg=imported"); n != 1 {
			t.Errorf("%s: it was taken over %d times: %s", engine, n, said.String())
		}
		for _, one := range both {
			for name, want := range map[string]int{"job": http.StatusOK, "ann": http.StatusUnauthorized} { // ann has another one
				r := httptest.NewRequest(http.MethodGet, "/api/2.0/mlflow/users/current", nil)
				r.SetBasicAuth(name, secretOf(t, "job"))
				answer := httptest.NewRecorder()
				if one.Handler().ServeHTTP(answer, r); answer.Code != want {
					t.Errorf("%s: the old token of job signs %s in with %d: %s", engine, name, answer.Code, answer.Body)
				}
			}
			if err := one.Close(); err != nil {
				t.Error(err)
			}
		}
		var status bytes.Buffer
		if err := app.DatabaseStatus(t.Context(), c, &status); err != nil || !strings.Contains(status.String(), "taken over at") {
			t.Errorf("%s: %v: %s", engine, err, status.String())
		}
	}
}

// A check looks into every workspace, and at every kind of which the predecessor says anything: a pattern without a counterpart that
// counts in one workspace alone is found there, on each kind.
func TestImportChecksEveryWorkspace(t *testing.T) {
	mlflow := mlflowtest.WithWorkspaces(t)
	w := world.New(t, mlflow.Address, map[string]string{"MLFLOW_ENABLE_WORKSPACES": "true"})
	admin, name := w.Person(t, "admin", world.Admins), world.Name("team-x")
	admin.JSON(t, http.MethodPost, "/api/3.0/mlflow/workspaces", map[string]any{"name": name})
	work := admin.Inside(name).MakeWork(t)
	changes := []string{"DELETE FROM experiment_permissions", // of others, whose ids are ours too
		"INSERT INTO workspace_regex_permissions (regex, priority, user_id, permission) VALUES ('^(?!y)t', 5, 1, 'READ')"}
	for _, table := range []string{"experiment", "registered_model", "scorer", "gateway_endpoint", "gateway_secret", "gateway_model_definition"} {
		into := "INSERT INTO " + table + "_regex_permissions (regex, priority, user_id, permission, workspace"
		if rows := "('^(?!y)', 1, 1, 'READ', '" + name + "'"; table == "registered_model" {
			changes = append(changes, into+", prompt) VALUES "+rows+", 0)", into+", prompt) VALUES "+rows+", 1)")
		} else {
			changes = append(changes, into+") VALUES "+rows+")")
		}
	}
	c := settingsOf(t, w, map[string]string{"OIDC_USERS_DB_URI": "sqlite:///" + filepath.Join(t.TempDir(), "fresh.db")})
	var said bytes.Buffer
	err := app.Import(t.Context(), c, app.ImportOptions{Name: "plugin", From: "sqlite:///" + predecessor(t, "plugin-11.0.2", changes...), Check: true}, &said, io.Discard)
	if !errors.Is(err, app.ErrDiffers) {
		t.Fatalf("%v: %s", err, said.String())
	}
	lines := map[string]bool{}
	for line := range strings.Lines(said.String()) {
		lines[strings.TrimSpace(line)] = true
	}
	for _, on := range []string{"experiment " + work.Experiment + " (" + work.ExperimentName + ")", "registered_model " + work.Model, "prompt " + work.Prompt,
		"scorer " + work.Experiment + "/" + work.Scorer, "gateway_endpoint " + work.Endpoint, "gateway_secret " + work.Secret, "gateway_model_definition " + work.Definition} {
		if line := "ann on " + on + " in " + name + ": decided by a pattern that is set aside before, NO_PERMISSIONS after"; !lines[line] {
			t.Errorf("%q is not in\n%s", line, said.String())
		}
	}
	if line := "ann on workspace " + name + ": decided by a pattern that is set aside before, NO_PERMISSIONS after"; !lines[line] {
		t.Errorf("%q is not in\n%s", line, said.String())
	}
}

// MLflow without workspaces is not taken for one whose other workspaces are empty.
func TestImportChecksNoMLflowWithoutWorkspaces(t *testing.T) {
	stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/3.0/mlflow/server-info" {
			_ = json.NewEncoder(w).Encode(map[string]any{"workspaces_enabled": false})
			return
		}
		known(w, r)
	})
	w := world.New(t, stub.URL, nil)
	c := settingsOf(t, w, map[string]string{"MLFLOW_ENABLE_WORKSPACES": "true", "OIDC_USERS_DB_URI": "sqlite:///" + filepath.Join(t.TempDir(), "fresh.db")})
	err := app.Import(t.Context(), c, app.ImportOptions{Name: "plugin", From: "sqlite:///" + predecessor(t, "plugin-11.0.2"), Check: true}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--enable-workspaces") {
		t.Error(err)
	}
}

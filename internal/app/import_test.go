package app_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// predecessor makes the database of a predecessor, with changes.
func predecessor(t *testing.T, name string, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../importer/testdata", name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	at := dbtest.New(t, database.SQLite)
	dbtest.Load(t, at, string(text), changes...)
	return at.Path
}

// known stands for an MLflow that has a few experiments.
func known(w http.ResponseWriter, r *http.Request) {
	var says any = map[string]any{}
	switch r.URL.Path {
	case "/version":
		_, _ = io.WriteString(w, "3.17.2")
		return
	case "/api/2.0/mlflow/experiments/search":
		says = map[string]any{"experiments": []map[string]string{{"experiment_id": "1", "name": "one"}, {"experiment_id": "70", "name": "anything"}}}
	}
	_ = json.NewEncoder(w).Encode(says)
}

func settingsOf(t *testing.T, w *world.World, changes map[string]string) *config.Config {
	t.Helper()
	c, err := config.Load(func(name string) (string, bool) {
		if value, ok := changes[name]; ok {
			return value, true
		}
		value, ok := w.Settings[name]
		return value, ok
	}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A gateway that starts on the plugin's own database takes it over, once: old tokens sign in, and what was taken away since stays away.
func TestServeTakesOverThePluginsDatabase(t *testing.T) {
	path := predecessor(t, "plugin-11.0.2", "UPDATE user_identities SET subject = 'subject of ann' WHERE subject = 'subject-of-ann'")
	w := world.New(t, world.Stub(t, known).URL, map[string]string{"OIDC_USERS_DB_URI": "sqlite:///" + path})
	c := settingsOf(t, w, nil)
	for _, words := range []string{"the users database holds the tables of the Python plugin", "msg=imported audit=true", "it is set aside", "count=17"} {
		if !strings.Contains(w.Logged(), words) {
			t.Errorf("%q is not logged", words)
		}
	}
	job := &world.Client{World: w, HTTP: &http.Client{}, Username: "job", Token: secretOf(t, "job")}
	if got := job.Do(t, http.MethodGet, "/api/2.0/mlflow/users/current", nil); got.Status != http.StatusOK {
		t.Errorf("the old token of a service account: %d %s", got.Status, got.Body)
	}
	if got := (&world.Client{World: w, HTTP: &http.Client{}, Username: "job", Token: secretOf(t, "ann")}).Do(t, http.MethodGet, "/api/2.0/mlflow/users/current", nil); got.Status != http.StatusUnauthorized {
		t.Errorf("another's token: %d %s", got.Status, got.Body)
	}
	ann := w.Browser(t, "ann", world.Members) // the same person as before, by the subject
	if got := ann.Do(t, http.MethodGet, "/api/2.0/mlflow/users/current", nil); !strings.Contains(string(got.Body), "ann") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	var again bytes.Buffer
	if err := app.Import(t.Context(), c, app.ImportOptions{Name: "plugin", From: "sqlite:///" + path}, &again, io.Discard); err != nil || !strings.Contains(again.String(), "nothing was done") {
		t.Errorf("%v: %s", err, again.String())
	}
	w.Restart(t)
	if n := strings.Count(w.Logged(), "msg=imported"); n != 1 {
		t.Errorf("it was taken over %d times", n)
	}
	var status bytes.Buffer
	if err := app.DatabaseStatus(t.Context(), c, &status); err != nil || !strings.Contains(status.String(), "Python plugin 9.0 to 11.0") || !strings.Contains(status.String(), "taken over at") {
		t.Errorf("%v: %s", err, status.String())
	}
	var doctor bytes.Buffer
	_ = app.Doctor(t.Context(), c, &doctor)
	if !strings.Contains(doctor.String(), `"^(?!secret).*" of the user ann`) {
		t.Errorf("%s", doctor.String())
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM experiment_permissions").Scan(&n); err != nil || n != 4 {
		t.Errorf("the plugin's own table has %d rows, %v", n, err)
	}
}

// secretOf reads an old token out of what the predecessor's database was made with.
func secretOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../importer/testdata/plugin-11.0.2.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "-- token of "+name+": ")
	secret, _, _ := strings.Cut(rest, "\n")
	return secret
}

func TestImportCommand(t *testing.T) {
	w := world.New(t, world.Stub(t, known).URL, nil)
	path := predecessor(t, "plugin-11.0.2")
	fresh := "sqlite:///" + filepath.Join(t.TempDir(), "fresh.db")
	for _, tc := range []struct {
		name    string
		o       app.ImportOptions
		changes map[string]string
		err     string
		says    []string
	}{
		{"without an address", app.ImportOptions{Name: "plugin"}, nil, "--from is missing", nil},
		{"an address that is none", app.ImportOptions{Name: "plugin", From: path}, nil, "--from cannot be read", nil},
		{"nothing there", app.ImportOptions{Name: "plugin", From: "sqlite:////nowhere.db"}, nil, "no such file", nil},
		{"MLflow down", app.ImportOptions{Name: "plugin", From: "sqlite:///" + path}, map[string]string{"MLFLOW_UPSTREAM": "http://127.0.0.1:1"}, "does not answer", nil},
		{"a dry run", app.ImportOptions{Name: "plugin", From: "sqlite:///" + path, DryRun: true}, nil, "", []string{"grants                   17       17", "dry run", "set aside"}},
		{"a check", app.ImportOptions{Name: "plugin", From: "sqlite:///" + path, Check: true}, nil, app.ErrDiffers.Error(),
			[]string{"ann on experiment 70 (anything): decided by a pattern that is set aside before, NO_PERMISSIONS after", "bob@example.com: an administrator before", "decisions were compared"}},
		{"an import", app.ImportOptions{Name: "plugin", From: "sqlite:///" + path}, nil, "", []string{"Done."}},
		{"once more", app.ImportOptions{Name: "plugin", From: "sqlite:///" + path}, nil, "", []string{"nothing was done"}},
		{"of basic-auth", app.ImportOptions{Name: "basic-auth", From: "sqlite:///" + predecessor(t, "basic-auth-3.17.2"), Check: true},
			map[string]string{"MLFLOW_UPSTREAM": "", "OIDC_USERS_DB_URI": fresh + "2", "DEFAULT_MLFLOW_PERMISSION": "READ"}, app.ErrDiffers.Error(), []string{"ann on experiment 1", "names no MLflow"}},
	} {
		changes := map[string]string{"OIDC_USERS_DB_URI": fresh}
		for name, value := range tc.changes {
			changes[name] = value
		}
		var said, log bytes.Buffer
		err := app.Import(t.Context(), settingsOf(t, w, changes), tc.o, &said, &log)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.err)
		}
		if tc.o.Check && !errors.Is(err, app.ErrDiffers) {
			t.Errorf("%s: it would not end with 3", tc.name)
		}
		for _, words := range tc.says {
			if !strings.Contains(said.String(), words) {
				t.Errorf("%s: %q is not in\n%s", tc.name, words, said.String())
			}
		}
		if _, err := os.Stat(strings.TrimPrefix(changes["OIDC_USERS_DB_URI"], "sqlite:///")); (tc.o.DryRun || tc.o.Check) && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: looking made a database: %v", tc.name, err)
		}
		if made := strings.Contains(log.String(), "msg=imported"); made != (tc.name == "an import") {
			t.Errorf("%s: the log says %s", tc.name, log.String())
		}
	}
}

package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

func TestDoctor(t *testing.T) {
	w := world.New(t, world.Stub(t, known).URL, nil)
	late := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		answer.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.IDP.Handler().ServeHTTP(answer, r)
	}))
	t.Cleanup(late.Close)
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change map[string]string
		unwell bool
		says   []string
	}{
		"all is well":              {nil, false, []string{"ok    settings", "ok    database", "ok    mlflow      \"" + policy.Version + "\"", "ok    provider", "ok    keys        oidc has 1", "ok    clock", "ok    sessions"}},
		"no secret key":            {map[string]string{"SECRET_KEY": ""}, true, []string{"FAIL  settings", "SECRET_KEY is not set"}},
		"no database":              {map[string]string{"OIDC_USERS_DB_URI": "postgresql://u:hunter2@127.0.0.1:1/x"}, true, []string{"FAIL  database", "OIDC_USERS_DB_URI"}},
		"a new database":           {map[string]string{"OIDC_USERS_DB_URI": "sqlite:///" + filepath.Join(t.TempDir(), "new.db")}, false, []string{"look  database", "db upgrade"}},
		"no MLflow":                {map[string]string{"MLFLOW_UPSTREAM": "http://127.0.0.1:1"}, true, []string{"FAIL  mlflow", "MLFLOW_UPSTREAM"}},
		"an MLflow that fails":     {map[string]string{"MLFLOW_UPSTREAM": world.Stub(t, http.NotFound).URL}, true, []string{"ok    mlflow", "FAIL  mlflow      MLflow answered 404", "MLflow's own log"}},
		"no mlflow program":        {map[string]string{"MLFLOW_UPSTREAM": "", "MLFLOW_COMMAND": "no-such-mlflow"}, true, []string{"FAIL  mlflow", "pip install"}},
		"no workspaces":            {map[string]string{"MLFLOW_ENABLE_WORKSPACES": "true"}, true, []string{"FAIL  mlflow", "--enable-workspaces"}},
		"no provider":              {map[string]string{"OIDC_DISCOVERY_URL": "http://127.0.0.1:1/.well-known/openid-configuration"}, true, []string{"FAIL  provider", "connection refused"}},
		"another clock":            {map[string]string{"OIDC_DISCOVERY_URL": late.URL + "/.well-known/openid-configuration", "OIDC_ISSUER": w.Issuer.URL}, true, []string{"FAIL  clock", "NTP"}},
		"another host":             {map[string]string{"PUBLIC_URL": "https://mlflow.example.com", "OIDC_REDIRECT_URI": "https://other.example.com/callback"}, true, []string{"FAIL  redirect", "PUBLIC_URL"}},
		"nothing to register":      {nil, false, []string{"look  redirect"}},
		"what to register":         {map[string]string{"PUBLIC_URL": "https://mlflow.example.com"}, false, []string{"ok    redirect", "register https://mlflow.example.com/callback"}},
		"in clear":                 {map[string]string{"OIDC_REDIRECT_URI": "http://mlflow.example.com/callback"}, false, []string{"look  redirect", "TLS"}},
		"cookies in clear":         {map[string]string{"PUBLIC_URL": "http://mlflow.example.com"}, false, []string{"look  cookies", "TLS"}},
		"cookies that are dropped": {map[string]string{"PUBLIC_URL": "http://mlflow.example.com", "SESSION_COOKIE_SECURE": "true"}, true, []string{"FAIL  cookies", "nobody stays signed in"}},
		"cookies over TLS":         {map[string]string{"PUBLIC_URL": "https://mlflow.example.com"}, false, []string{"ok    cookies"}},
		"no Redis":                 {map[string]string{"SESSION_TYPE": "redis", "REDIS_PORT": "1"}, true, []string{"FAIL  sessions", "REDIS_HOST"}},
		"sessions that all read":   {map[string]string{"SESSION_FILE_DIR": open}, false, []string{"look  sessions", "chmod 700"}},
		"sessions in a file":       {map[string]string{"SESSION_FILE_DIR": file}, true, []string{"FAIL  sessions"}},
		"sessions in the database": {map[string]string{"SESSION_TYPE": "database"}, false, []string{"ok    sessions"}},
		"a setting of elsewhere":   {map[string]string{"CACHE_BACKEND": "redis"}, false, []string{"look  settings    CACHE_BACKEND"}},
	} {
		t.Run(name, func(t *testing.T) {
			settings := maps.Clone(w.Settings)
			maps.Copy(settings, tc.change)
			c, err := config.Load(func(name string) (string, bool) { value, ok := settings[name]; return value, ok }, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			if err := app.Doctor(t.Context(), c, &said); errors.Is(err, app.ErrUnwell) != tc.unwell {
				t.Errorf("it is said to be %v", err)
			}
			for _, words := range tc.says {
				if !strings.Contains(said.String(), words) {
					t.Errorf("%q is not said in\n%s", words, said.String())
				}
			}
			if !tc.unwell && strings.Contains(said.String(), "FAIL") || strings.Contains(said.String(), "hunter2") {
				t.Errorf("it says\n%s", said.String())
			}
		})
	}
}

// MLflow tells its version to whoever calls it by any name, and refuses all else where it does not take the name; at 127.0.0.1 it takes
// it, and at 127.0.0.2 it does not.
func TestDoctorSeesThatMLflowRefusesTheHost(t *testing.T) {
	mlflow := mlflowtest.Shared(t)
	w := world.New(t, mlflow.Address, nil)
	for _, at := range []string{"127.0.0.1:0", "127.0.0.2:0"} {
		listener, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		before := &httptest.Server{Listener: listener, Config: &http.Server{Handler: &httputil.ReverseProxy{Transport: mlflow.Client.Transport, Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "localhost" // and the header Host stays as it came
		}}}}
		before.Start()
		t.Cleanup(before.Close)
		for spaces, says := range map[string]string{"false": "ok    mlflow      \"" + policy.Version, "true": "start it with --enable-workspaces"} {
			if strings.HasPrefix(at, "127.0.0.2") {
				says = "start MLflow with --allowed-hosts " + listener.Addr().String() + ","
			}
			var said bytes.Buffer
			_ = app.Doctor(t.Context(), settingsOf(t, w, map[string]string{"MLFLOW_UPSTREAM": before.URL, "MLFLOW_ENABLE_WORKSPACES": spaces}), &said)
			if !strings.Contains(said.String(), says) || strings.Count(said.String(), "FAIL") != strings.Count(says, "start") {
				t.Errorf("at %s, workspaces %s, it says\n%s", at, spaces, said.String())
			}
		}
	}
}

// The attack: an administrator of the pages, or whoever sits at the browser of one, reads the secrets of the server out of its doctor,
// most of all where something fails.
func TestAttackDoctorTellsSecrets(t *testing.T) {
	w := world.New(t, world.Stub(t, known).URL, map[string]string{"PUBLIC_URL": "", "REDIS_PASSWORD": "hunter2-redis", "SECRET_KEY": "hunter2-key-of-the-server"})
	root := w.Person(t, "root", world.Admins)
	w.Issuer.Close() // of which nothing is remembered here
	got := root.Do(t, http.MethodGet, "/api/2.0/mlflow/permissions/doctor", nil)
	var said struct {
		Findings []struct{ What, State, Says, Mend string }
	}
	if err := json.Unmarshal(got.Body, &said); err != nil || got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	states := map[string]string{}
	for _, f := range said.Findings {
		states[f.What] = f.State
		if (f.State == "ok") != (f.Mend == "") {
			t.Errorf("%+v", f)
		}
	}
	if states["provider"] != "fail" || states["database"] != "ok" || states["mlflow"] != "ok" || states["sessions"] != "ok" || said.Findings[0].What != "provider" {
		t.Errorf("%s", got.Body)
	}
	for _, secret := range []string{w.Settings["SECRET_KEY"], w.Settings["OIDC_CLIENT_SECRET"], w.Settings["REDIS_PASSWORD"]} {
		if strings.Contains(string(got.Body), secret) {
			t.Errorf("%q is in %s", secret, got.Body)
		}
	}
}

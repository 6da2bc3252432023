package app_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/otlptest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// everywhere is the same person without the prefix that the world adds.
func everywhere(c *world.Client) *world.Client {
	return &world.Client{World: &world.World{URL: c.World.URL}, HTTP: c.HTTP, Username: c.Username, Token: c.Token}
}

// An MLflow that was started with --static-prefix has the gateway before it serve everything below the same prefix.
func TestEverythingIsBelowThePrefixOfMLflow(t *testing.T) {
	mlflow, _ := mlflowtest.Pinned(t).Serve(t, "--static-prefix", "/ml/flow")
	w := world.New(t, mlflow+"/ml/flow", nil)
	admin, ada, nobody := w.Person(t, "admin", world.Admins), w.Person(t, "ada", world.Members), w.Nobody(t)

	t.Run("the API and artifacts", func(t *testing.T) {
		experiment := ada.JSON(t, "POST", "/api/2.0/mlflow/experiments/create", map[string]any{"name": "below"})["experiment_id"].(string)
		run := ada.JSON(t, "POST", "/api/2.0/mlflow/runs/create", map[string]any{"experiment_id": experiment})["run"].(map[string]any)
		file := "/api/2.0/mlflow-artifacts/artifacts/" + experiment + "/" + run["info"].(map[string]any)["run_id"].(string) + "/artifacts/a.txt"
		if put := ada.Do(t, "PUT", file, "content"); put.Status != http.StatusOK {
			t.Fatalf("the upload was answered with %d: %s", put.Status, put.Body)
		}
		if got := ada.Do(t, "GET", file, nil); got.Status != http.StatusOK || string(got.Body) != "content" {
			t.Errorf("the download was answered with %d: %s", got.Status, got.Body)
		}
		// MLflow serves artifacts at the root as well: there the gateway must not lead.
		if got := everywhere(ada).Do(t, "GET", file, nil); got.Status != http.StatusNotFound || got.Code() == "" {
			t.Errorf("beside the prefix the download was answered with %d: %s", got.Status, got.Body)
		}
		if got := w.Person(t, "thief", world.Members).Do(t, "GET", file, nil); got.Status != http.StatusForbidden && got.Status != http.StatusNotFound {
			t.Errorf("a stranger's download was answered with %d: %s", got.Status, got.Body)
		}
	})
	t.Run("nothing is beside it", func(t *testing.T) {
		for target, want := range map[string]int{
			"GET /api/2.0/mlflow/experiments/search": 404, "GET /api/2.0/mlflow/users/current": 404, "GET /login": 404, "GET /callback": 404, "POST /": 404,
			"GET /ml": 404, "GET /ml/flowx/api/2.0/mlflow/experiments/search": 404, "GET /ML/flow/version": 404, "GET /ml/%66low/version": 404,
			"GET /ml/flow/ml/flow/version": 403, "GET /ml/flow//version": 400, "GET /x/../ml/flow/version": 404, "GET /ml/flow/../../api/2.0/mlflow/experiments/search": 400,
			"GET /": 303, "GET /ml/flow": 303, "GET /health": 200, "GET /health/ready": 200, "GET /ml/flow/health/ready": 200, "GET /ml/flow/version": 200,
		} {
			method, path, _ := strings.Cut(target, " ")
			got := everywhere(admin).Do(t, method, path, nil)
			if got.Status != want || want >= 400 && got.Code() == "" || want == 303 && got.Header.Get("Location") != "/ml/flow/" {
				t.Errorf("%s: answered %d %s %s, want %d", target, got.Status, got.Header, got.Body, want)
			}
		}
	})
	t.Run("the browser", func(t *testing.T) { browse(t, w, nobody) })
	t.Run("the OpenAPI document", func(t *testing.T) {
		if servers := nobody.JSON(t, "GET", "/openapi.json", nil)["servers"].([]any)[0].(map[string]any); servers["url"] != "/ml/flow" {
			t.Errorf("its server is %v", servers)
		}
	})
}

// browse signs in from MLflow's page, looks at what that page asks for, and signs out.
func browse(t *testing.T, w *world.World, nobody *world.Client) {
	page := nobody.Request(t, "GET", "/?a=b", nil)
	page.Header.Set("Accept", "text/html")
	if got := nobody.Send(t, page); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/ml/flow/login?next=%2Fml%2Fflow%2F%3Fa%3Db" {
		t.Errorf("a browser was answered with %d %s", got.Status, got.Header)
	}
	login := nobody.Do(t, "GET", "/login?next=%2Fevil", nil)
	if !strings.Contains(strings.ToLower(string(login.Body)), `href="/ml/flow/login/start?next=%2fml%2fflow%2f"`) {
		t.Errorf("the login page leads elsewhere: %s", login.Body)
	}
	ada := w.Browser(t, "ada", world.Members)
	below, _ := url.Parse(w.URL + "/ml/flow/")
	beside, _ := url.Parse(w.URL + "/other")
	if len(ada.HTTP.Jar.Cookies(below)) == 0 || len(ada.HTTP.Jar.Cookies(beside)) != 0 {
		t.Errorf("the session's cookie goes to %v below and %v beside the prefix", ada.HTTP.Jar.Cookies(below), ada.HTTP.Jar.Cookies(beside))
	}
	index := ada.Do(t, "GET", "/", nil)
	scripts := regexp.MustCompile(`src="(static-files/[^"]+\.js)"`).FindStringSubmatch(string(index.Body))
	if index.Status != http.StatusOK || scripts == nil {
		t.Fatalf("MLflow's page was answered with %d: %s", index.Status, index.Body)
	}
	if got := ada.Do(t, "GET", "/"+scripts[1], nil); got.Status != http.StatusOK || len(got.Body) < 10_000 {
		t.Errorf("its script was answered with %d, %d bytes", got.Status, len(got.Body))
	}
	out := ada.Do(t, "POST", "/logout", nil)
	if to := out.Header.Get("Location"); out.Status != http.StatusSeeOther || !strings.Contains(to, "/ml/flow/login") && !strings.Contains(to, "%2Fml%2Fflow%2Flogin") {
		t.Errorf("signing out was answered with %d to %s", out.Status, to)
	}
	for _, left := range ada.HTTP.Jar.Cookies(below) {
		if left.Name != "mlflow_oidc_signout" { // by which she is known again when she comes back from the provider
			t.Errorf("after signing out there is still %v", left)
		}
	}
}

// Health checks are in no log and no trace, also where MLflow has a prefix.
func TestHealthChecksBelowThePrefixAreNotWatched(t *testing.T) {
	receiver := otlptest.New(t)
	w := world.New(t, echo(t)+"/ml", map[string]string{"ACCESS_LOG": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL})
	nobody := w.Nobody(t)
	for _, by := range []*world.Client{nobody, everywhere(nobody)} {
		if got := by.Do(t, "GET", "/health/live", nil); got.Status != http.StatusOK {
			t.Fatalf("answered %d %s", got.Status, got.Body)
		}
	}
	nobody.Do(t, "GET", "/healthy", nil)
	w.Restart(t) // which sends what waits
	if said := w.Logged(); strings.Contains(said, "/health/live") || !strings.Contains(said, "path=/ml/healthy") {
		t.Error("the access log has health checks, or not the rest")
	}
	var sent []string
	for _, s := range receiver.Spans() {
		if s.Kind == "SPAN_KIND_SERVER" {
			sent = append(sent, s.Name)
		}
	}
	if !slices.Equal(sent, []string{"GET unmatched"}) {
		t.Errorf("sent are %q", sent)
	}
}

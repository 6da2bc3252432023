package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// navigates opens an address as a browser does.
func navigates(t *testing.T, who *world.Client, target string, headers ...string) world.Answer {
	t.Helper()
	r := who.Request(t, http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return who.Send(t, r)
}

var browsing = []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}

func TestPageOfARefusal(t *testing.T) {
	w := world.New(t, mlflowtest.Shared(t).Address, nil)
	owner, reader, stranger := w.Browser(t, "owner", world.Members), w.Browser(t, "reader", world.Members), w.Browser(t, "stranger", world.Members)
	name := "<b>secret</b> plans " + world.Name("x")
	id := owner.JSON(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": name})["experiment_id"].(string)
	if err := w.App.Store.CreateGrant(t.Context(), store.Principal{User: reader.Username}, kind.Experiment, id, kind.Read, nil); err != nil {
		t.Fatal(err)
	}
	artifact := func(of string) string {
		return "/api/2.0/mlflow-artifacts/artifacts/" + of + "/some/artifacts/model.pkl"
	}
	queue := "/api/3.0/mlflow/review-queues/get-by-name?name=q&experiment_id=" + id

	t.Run("who may read it is told what it is, and whom to ask", func(t *testing.T) {
		got := navigates(t, reader, queue, browsing...)
		text := string(got.Body)
		for _, want := range []string{"<strong>EDIT</strong>", "<strong>READ</strong>", "&lt;b&gt;secret&lt;/b&gt; plans", owner.Username, "/oidc/ui/ask?id=" + id + "&amp;kind=experiment&amp;level=EDIT"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in the page", want)
			}
		}
		if got.Status != 403 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") || got.Header.Get("Cache-Control") != "no-store" ||
			!strings.Contains(got.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%d %v %s", got.Status, got.Header, text)
		}
	})
	// The attack: learn from the page what one may not read: its name, who manages it, or that it exists.
	t.Run("attack: open what one may not read", func(t *testing.T) {
		there, none := navigates(t, stranger, artifact(id), browsing...), navigates(t, stranger, artifact("987654321"), browsing...)
		blank := func(a world.Answer, id string) string {
			said := strings.NewReplacer(" "+id+"/", " ?/", ">"+id+"<", ">?<", "id="+id+"&", "id=?&").Replace(string(a.Body))
			if request := a.Header.Get("X-Request-Id"); request != "" {
				said = strings.ReplaceAll(said, request, "")
			}
			return said
		}
		if there.Status != 403 || none.Status != 403 || blank(there, id) != blank(none, "987654321") {
			t.Errorf("%d %s\n%d %s", there.Status, there.Body, none.Status, none.Body)
		}
		for _, secret := range []string{"secret", owner.Username, reader.Username} {
			if strings.Contains(string(there.Body), secret) {
				t.Errorf("the page has %q", secret)
			}
		}
		if !strings.Contains(string(there.Body), "/oidc/ui/ask?id="+id+"&amp;kind=experiment&amp;level=READ") {
			t.Errorf("nothing to ask for: %s", there.Body)
		}
	})
	t.Run("attack: open what answers as what does not exist", func(t *testing.T) {
		got := navigates(t, stranger, "/api/2.0/mlflow/experiments/get?experiment_id="+id, browsing...)
		if got.Status != 404 || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("a script in the address", func(t *testing.T) {
		got := navigates(t, stranger, artifact(id)+"%3Cscript%3Ealert(1)%3C%2Fscript%3E", browsing...)
		if strings.Contains(string(got.Body), "<script") || got.Status == 200 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("an address that leads nowhere", func(t *testing.T) {
		got := navigates(t, stranger, "/api/2.0/mlflow/nothing", browsing...)
		if got.Status != 403 || !strings.Contains(string(got.Body), "<h1>") || strings.Contains(string(got.Body), "/ask?") {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	for name, headers := range map[string][]string{
		"a program":               {"Accept", "*/*"},
		"without Accept":          nil,
		"a script of MLflow's UI": {"Accept", "text/html", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
		"a navigation for JSON":   {"Accept", "application/json", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		"a frame":                 {"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		"any media":               {"Accept", "*/*", "Sec-Fetch-Mode", "navigate"},
	} {
		t.Run(name+" gets JSON as ever", func(t *testing.T) {
			for _, target := range []string{queue, artifact("987654321"), "/api/2.0/mlflow/nothing"} {
				got := navigates(t, reader, target, headers...)
				if got.Status != 403 || got.Header.Get("Content-Type") != "application/json" || got.Code() != "PERMISSION_DENIED" {
					t.Errorf("%s: %d %s", target, got.Status, got.Body)
				}
			}
		})
	}
}

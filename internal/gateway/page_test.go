package gateway_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// ours is the element that MLflow's page gets.
var ours = regexp.MustCompile(`<script type="module" src="(/oidc/ui/assets/mlflow-[\w-]+\.js\?[a-z&;]*)"></script>`)

// TestMLflowsPageGetsOneScript compares the page that comes through the gateway with MLflow's own.
func TestMLflowsPageGetsOneScript(t *testing.T) {
	mlflow := mlflowtest.Shared(t)
	w := world.New(t, mlflow.Address, nil)
	ann := w.Person(t, "ann", world.Members)
	answer, err := mlflow.Client.Get("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	bare, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	tag := answer.Header.Get("Etag")
	if tag == "" || answer.Header.Get("X-Frame-Options") == "" {
		t.Fatalf("MLflow's page has other headers than it had: %v", answer.Header)
	}

	get := ann.Do(t, http.MethodGet, "/", nil)
	found := ours.FindAllSubmatch(get.Body, -1)
	if len(found) != 1 || string(found[0][1][len(found[0][1])-len("?menu&amp;again&amp;administer"):]) != "?menu&amp;again&amp;administer" {
		t.Fatalf("the page has not the one script: %s", get.Body)
	}
	if without := ours.ReplaceAll(get.Body, nil); !bytes.Equal(without, bare) {
		t.Errorf("beside the script it is not MLflow's page: %s", get.Body)
	}
	if at, first := bytes.Index(get.Body, found[0][0]), bytes.Index(get.Body, []byte("<script")); at != first {
		t.Error("it does not come before MLflow's own scripts")
	}
	if got := get.Header; got.Get("Content-Length") != strconv.Itoa(len(get.Body)) || got.Get("Etag") != "" || got.Get("Last-Modified") != "" || got.Get("Accept-Ranges") != "" ||
		got.Get("Cache-Control") != "no-cache" || got.Get("X-Frame-Options") != answer.Header.Get("X-Frame-Options") || got.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers of the page: %v", got)
	}
	head := ann.Do(t, http.MethodHead, "/", nil)
	if head.Status != http.StatusOK || len(head.Body) != 0 || head.Header.Get("Content-Length") != get.Header.Get("Content-Length") {
		t.Errorf("HEAD: %d %v", head.Status, head.Header)
	}
	// What a browser kept of MLflow's own page, and parts of it, do not come back without the script.
	for name, value := range map[string]string{"If-None-Match": tag, "If-Modified-Since": answer.Header.Get("Last-Modified"), "Range": "bytes=0-9", "Accept-Encoding": "gzip, br"} {
		request := ann.Request(t, http.MethodGet, "/", nil)
		request.Header.Set(name, value)
		if got := ann.Send(t, request); got.Status != http.StatusOK || !bytes.Equal(got.Body, get.Body) || got.Header.Get("Content-Encoding") != "" {
			t.Errorf("with %s: %d %v %s", name, got.Status, got.Header, got.Body)
		}
	}
	// Nothing of a request is in the page.
	for _, target := range []string{"/?x=<script>alert(1)</script>", "/?</head><head>", "/?workspace=\"><script>", "/?menu"} {
		request := ann.Request(t, http.MethodGet, target, nil)
		request.Header.Set("X-Forwarded-Prefix", `/"><script>alert(1)</script>`)
		request.Header.Set("X-Forwarded-Host", "evil.example")
		if got := ann.Send(t, request); got.Status != http.StatusOK || !bytes.Equal(got.Body, get.Body) {
			t.Errorf("%s: %d %s", target, got.Status, got.Body)
		}
	}
	script := ann.Do(t, http.MethodGet, strings.ReplaceAll(string(found[0][1]), "&amp;", "&"), nil)
	if script.Status != http.StatusOK || script.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || !strings.Contains(script.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("the script: %d %v", script.Status, script.Header)
	}
}

// TestMLflowsPageStaysAsItIs turns off what extends it: also the answer's headers are MLflow's then.
func TestMLflowsPageStaysAsItIs(t *testing.T) {
	mlflow := mlflowtest.Shared(t)
	answer, err := mlflow.Client.Get("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	bare, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	// what leads away from MLflow's pages of accounts comes with the rest, as in the Python plugin
	w := world.New(t, mlflow.Address, map[string]string{"EXTEND_MLFLOW_MENU": "false", "EXTEND_MLFLOW_REAUTH": "no", "EXTEND_MLFLOW_REDIRECT_ADMIN": "true"})
	ann := w.Person(t, "ann", world.Members)
	got := ann.Do(t, http.MethodGet, "/", nil)
	if !bytes.Equal(got.Body, bare) {
		t.Errorf("the page is not MLflow's: %s", got.Body)
	}
	for _, name := range []string{"Etag", "Last-Modified", "Cache-Control", "Content-Length", "Content-Type", "Accept-Ranges"} {
		if got.Header.Get(name) != answer.Header.Get(name) {
			t.Errorf("%s is %q, and MLflow's %q", name, got.Header.Get(name), answer.Header.Get(name))
		}
	}
	request := ann.Request(t, http.MethodGet, "/", nil)
	request.Header.Set("If-None-Match", answer.Header.Get("Etag"))
	if got := ann.Send(t, request); got.Status != http.StatusNotModified {
		t.Errorf("what is the same is sent again: %d", got.Status)
	}
	for settings, does := range map[string]string{"EXTEND_MLFLOW_MENU": "?again&amp;administer", "EXTEND_MLFLOW_REAUTH": "?menu&amp;administer", "EXTEND_MLFLOW_REDIRECT_ADMIN": "?menu&amp;again"} {
		delete(w.Settings, "EXTEND_MLFLOW_MENU")
		delete(w.Settings, "EXTEND_MLFLOW_REAUTH")
		delete(w.Settings, "EXTEND_MLFLOW_REDIRECT_ADMIN")
		w.Settings[settings] = "off"
		w.Restart(t)
		if got := ann.Do(t, http.MethodGet, "/", nil); !strings.Contains(string(got.Body), does+`"></script>`) {
			t.Errorf("without %s: %s", settings, got.Body)
		}
	}
}

// TestAttackUploadedPageIsNotExtended uploads a page that is MLflow's to the byte, and more hostile ones. The script would act for
// whoever looks at them, and their author could have it act on a page of their own.
func TestAttackUploadedPageIsNotExtended(t *testing.T) {
	s := newScene(t)
	genuine, err := mlflowtest.Shared(t).Client.Get("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	copied, _ := io.ReadAll(genuine.Body)
	_ = genuine.Body.Close()
	for name, page := range map[string]string{
		"index.html": string(copied), "login/index.html": "<!doctype html><html><head><title>Sign in</title></head><body></body></html>", "head.html": "<head>", "static-files.html": "<HEAD><base href=//evil.example>"} {
		upload := s.victim.Request(t, http.MethodPut, "/api/2.0/mlflow-artifacts/artifacts/"+s.victims.Artifacts+"/"+name, page)
		upload.Header.Set("Content-Type", "text/html")
		if got := s.victim.Send(t, upload); got.Status != http.StatusOK {
			t.Fatalf("uploading: %d %s", got.Status, got.Body)
		}
		for _, target := range []string{
			"/get-artifact?run_id=" + s.victims.Run + "&path=" + name,
			"/api/2.0/mlflow-artifacts/artifacts/" + s.victims.Artifacts + "/" + name,
			"/ajax-api/2.0/mlflow-artifacts/artifacts/" + s.victims.Artifacts + "/" + name,
			"/model-versions/get-artifact?name=" + s.victims.Model + "&version=1&path=" + name,
		} {
			got := s.victim.Do(t, http.MethodGet, target, nil)
			if got.Status != http.StatusOK || string(got.Body) != page {
				t.Errorf("%s: %d %s, want %s", target, got.Status, got.Body, page)
			}
		}
	}
	// MLflow serves the file of its page under further addresses, at which it does not run.
	for _, target := range []string{"/static-files/index.html", "/build/index.html"} {
		if got := s.victim.Do(t, http.MethodGet, target, nil); got.Status == http.StatusOK && !bytes.Equal(got.Body, copied) {
			t.Errorf("%s: %s", target, got.Body)
		}
	}
}

// TestOtherAnswersForThePage has something else than MLflow answer, or MLflow with something else: what does not look like its page stays
// as it is.
func TestOtherAnswersForThePage(t *testing.T) {
	const page = "<!doctype html><html><head><title>MLflow</title></head></html>"
	type answer struct {
		status  int
		media   string
		headers http.Header
		body    string
		chunked bool
	}
	var now answer
	asked := make(chan http.Header, 1)
	w := world.New(t, world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" { // whether it is well
			return
		}
		asked <- r.Header
		for name, values := range now.headers {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Type", now.media)
		w.WriteHeader(now.status)
		if now.chunked {
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.WriteString(w, now.body)
	}).URL, nil)
	ann := w.Person(t, "ann", world.Members)
	html := "text/html; charset=utf-8"
	for name, test := range map[string]struct {
		answer
		extended bool
	}{
		"a page":                {answer{200, html, nil, page, false}, true},
		"of unknown length":     {answer{200, html, nil, page, true}, true},
		"in capital letters":    {answer{200, "Text/HTML", nil, strings.ToUpper(page), false}, true},
		"of another media type": {answer{200, "text/plain", nil, page, false}, false},
		"JSON":                  {answer{200, "application/json", nil, `{"a": "<head>"}`, false}, false},
		"an error":              {answer{500, html, nil, page, false}, false},
		"not found":             {answer{404, html, nil, page, false}, false},
		"without a head":        {answer{200, html, nil, "<html><header>x</header></html>", false}, false},
		"empty":                 {answer{200, html, nil, "", false}, false},
		"compressed":            {answer{200, html, http.Header{"Content-Encoding": {"br"}}, page, false}, false},
		"too long":              {answer{200, html, nil, page + strings.Repeat("x", 256<<10), false}, false},
		"too long, unannounced": {answer{200, html, nil, page + strings.Repeat("x", 1<<20), true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			now = test.answer
			request := ann.Request(t, http.MethodGet, "/", nil)
			request.Header.Set("If-None-Match", `"x"`)
			request.Header.Set("Accept-Encoding", "br")
			got := ann.Send(t, request)
			if sent := <-asked; sent.Get("If-None-Match") != "" || sent.Get("Accept-Encoding") != "identity" {
				t.Errorf("MLflow was asked with %v", sent)
			}
			without := string(ours.ReplaceAll(got.Body, nil))
			if got.Status != test.status || without != test.body || (without != string(got.Body)) != test.extended {
				t.Errorf("answered %d with %d bytes, extended: %v", got.Status, len(got.Body), without != string(got.Body))
			}
			if length := got.Header.Get("Content-Length"); length != "" && length != fmt.Sprint(len(got.Body)) {
				t.Errorf("the length is said to be %s, and is %d", length, len(got.Body))
			}
		})
	}
}

// BenchmarkBesideMLflowsPage shows that requests for anything else cost the same with the script and without it.
func BenchmarkBesideMLflowsPage(b *testing.B) {
	upstream := world.Stub(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }).URL
	for _, menu := range []string{"true", "false"} {
		w := world.New(b, upstream, map[string]string{"EXTEND_MLFLOW_MENU": menu, "EXTEND_MLFLOW_REAUTH": menu})
		ann := w.Person(b, "ann", world.Members)
		handler := w.App.Handler()
		b.Run("menu "+menu, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := ann.Request(b, http.MethodGet, "/version", nil)
				r.RequestURI, r.URL.Opaque = "/version", ""
				handler.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

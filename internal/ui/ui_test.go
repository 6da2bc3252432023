package ui_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/ui"
)

const base = "/mlflow/oidc/ui/"

func open(t *testing.T) *ui.UI {
	t.Helper()
	pages, err := ui.New(base)
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func page(t *testing.T) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	open(t).Page(w)
	return w.Result(), w.Body.String()
}

func asset(t *testing.T, name, accepts string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, base+name, nil)
	if accepts != "" {
		r.Header.Set("Accept-Encoding", accepts)
	}
	w := httptest.NewRecorder()
	open(t).Asset(w, r, name)
	return w.Result()
}

var (
	scripts = regexp.MustCompile(`<script[^>]*src="\./(assets/[^"]+-[\w-]{8}\.js)"`)
	nonces  = regexp.MustCompile(`nonce="([A-Z2-7]{26})"`)
)

// The page runs no script but this server's files, and each answer has a nonce of its own.
func TestAttackScriptInThePage(t *testing.T) {
	answer, body := page(t)
	_, second := page(t)
	policy := answer.Header.Get("Content-Security-Policy")
	nonce := nonces.FindStringSubmatch(body)
	if nonce == nil || !strings.Contains(policy, "'nonce-"+nonce[1]+"'") {
		t.Fatalf("the nonce of the page is not that of its policy: %s in %s", policy, body)
	}
	if strings.Contains(second, nonce[1]) {
		t.Error("two answers have one nonce")
	}
	for _, rule := range []string{"default-src 'none'", "script-src 'nonce-" + nonce[1] + "' 'strict-dynamic';", "frame-ancestors 'none'", "base-uri 'self'", "form-action 'none'"} {
		if !strings.Contains(policy+";", rule) {
			t.Errorf("the policy %q lacks %q", policy, rule)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Count(body, "<script") != strings.Count(body, "<script type=\"module\" crossorigin src=") {
		t.Errorf("something inline could run: %s %s", policy, body)
	}
	if got := answer.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("a nonce may be cached: %q", got)
	}
}

func TestPageFindsItsFiles(t *testing.T) {
	_, body := page(t)
	if !strings.Contains(body, `<base href="`+base+`"`) {
		t.Errorf("the page does not know where it is: %s", body)
	}
	script := scripts.FindStringSubmatch(body)
	if script == nil {
		t.Fatalf("the page names no script: %s", body)
	}
	plain := asset(t, script[1], "")
	whole, _ := io.ReadAll(plain.Body)
	if plain.StatusCode != 200 || plain.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || plain.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("%d %v", plain.StatusCode, plain.Header)
	}
	small := asset(t, script[1], "br, gzip")
	unzipped, err := gzip.NewReader(small.Body)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := io.ReadAll(unzipped); err != nil || string(same) != string(whole) || small.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("compressed it is another file: %v %v", err, small.Header)
	}
	if refused := asset(t, script[1], "gzip;q=0"); refused.Header.Get("Content-Encoding") != "" {
		t.Error("who refuses gzip gets it")
	}
}

func TestAttackFilesBeyondTheBuiltOnes(t *testing.T) {
	for _, name := range []string{"assets/../index.html", "assets/", "assets/..", "assets/none.js", "assets/../../ui.go", "index.html"} {
		if got := asset(t, name, ""); got.StatusCode != 404 || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", name, got.StatusCode, got.Header)
		}
	}
}

// mostScript is what the script of a first page may weigh, compressed.
const mostScript = 250_000

func TestFirstPageIsLight(t *testing.T) {
	_, body := page(t)
	total := 0
	for _, name := range regexp.MustCompile(`"\./(assets/[^"]+\.js)"`).FindAllStringSubmatch(body, -1) {
		content, _ := io.ReadAll(asset(t, name[1], "gzip").Body)
		total += len(content)
	}
	if total == 0 || total > mostScript {
		t.Errorf("the scripts of the first page weigh %d bytes compressed", total)
	}
}

// mostMLflow is what the script may weigh that comes before MLflow's own, as it is.
const mostMLflow = 15_000

// The script of MLflow's page is one file, which loads nothing and makes no markup of text.
func TestScriptOfMLflowsPage(t *testing.T) {
	name, below := strings.CutPrefix(open(t).Script(), base)
	if !below {
		t.Fatalf("the script is at %s", name)
	}
	answer := asset(t, name, "")
	script, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != 200 || len(script) == 0 || len(script) > mostMLflow {
		t.Errorf("the script: %d, %d bytes", answer.StatusCode, len(script))
	}
	for _, never := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "createContextualFragment"} {
		if strings.Contains(string(script), never) {
			t.Errorf("the script has %s", never)
		}
	}
	if loads := regexp.MustCompile(`\bimport\b[^.]|\bexport\b`).Find(script); loads != nil {
		t.Errorf("the script has %s", loads)
	}
}

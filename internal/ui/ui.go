// Package ui serves the pages of permissions, which are built from web/ and are part of the binary.
package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

// built is what scripts/web.sh makes of web/. It is in the repository, so that the program is built without Node; the tests build
// it again and fail where the two differ.
//
//go:embed dist
var built embed.FS

// policy is the Content-Security-Policy of the page. Scripts are the page's own, by the nonce, and what these load: artifacts are on
// this server too, and none of them may run here (CSP Level 3 §8.2). Mantine puts its colours into the page as style elements, which
// have the nonce; all else comes from this server as files.
const policy = "default-src 'none'; script-src 'nonce-%[1]s' 'strict-dynamic'; style-src 'self' 'nonce-%[1]s'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'none'; frame-ancestors 'none'; base-uri 'self'"

// forever is for files that have a sum of their content in their names.
const forever = "public, max-age=31536000, immutable"

// mlflowScript is how the name begins of the script that MLflow's page gets.
const mlflowScript = "assets/mlflow-"

// medias are the types of built files, by the ends of their names: what the system says of them is not asked.
var medias = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

// UI serves the pages under one path.
type UI struct {
	page   *template.Template
	base   string
	script string // of MLflow's page
	assets map[string]*asset
}

// asset is a built file, as it is sent.
type asset struct {
	content, media string
	compressed     func() string
}

// New reads the built files. The base is the path of the pages with a slash at the end, and with MLflow's prefix.
func New(base string) (*UI, error) {
	page, err := template.ParseFS(built, "dist/index.html")
	if err != nil {
		return nil, fmt.Errorf("reading the built pages: %w", err)
	}
	u := &UI{page: page, base: base, assets: map[string]*asset{}}
	err = fs.WalkDir(built, "dist/assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		media, ok := medias[path.Ext(name)]
		if !ok {
			return fmt.Errorf("what is %s?", name)
		}
		if name := strings.TrimPrefix(name, "dist/"); strings.HasPrefix(name, mlflowScript) {
			u.script = base + name
		}
		u.assets[strings.TrimPrefix(name, "dist/")] = &asset{string(content), media, sync.OnceValue(func() string { return compressed(content) })}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the built files: %w", err)
	}
	if u.script == "" {
		return nil, errors.New("the built files have no script for MLflow's page")
	}
	return u, nil
}

// Script is the address of the script that MLflow's page gets.
func (u *UI) Script() string { return u.script }

func compressed(content []byte) string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(content)
	_ = w.Close()
	return b.String()
}

// Asset serves a built file, or 404: a page that asks for a file of another build learns that it is out of date.
func (u *UI) Asset(w http.ResponseWriter, r *http.Request, name string) {
	file, ok := u.assets[name]
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if !ok {
		h.Set("Cache-Control", "no-store")
		http.Error(w, "there is no such file in this version: load the page again", http.StatusNotFound)
		return
	}
	h.Set("Content-Type", file.media)
	h.Set("Cache-Control", forever)
	h.Set("Vary", "Accept-Encoding")
	content := file.content
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		content = file.compressed()
	}
	h.Set("Content-Length", fmt.Sprint(len(content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(content))
	}
}

// acceptsGzip reads Accept-Encoding as all browsers write it. Whoever refuses gzip by a weight gets the plain file.
func acceptsGzip(r *http.Request) bool {
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		if name, weight, _ := strings.Cut(strings.TrimSpace(part), ";"); strings.EqualFold(name, "gzip") && !strings.HasPrefix(strings.ReplaceAll(weight, " ", ""), "q=0") {
			return true
		}
	}
	return false
}

// Page answers with the page, whichever of its addresses was asked for: what it shows is chosen by the script.
func (u *UI) Page(w http.ResponseWriter) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", fmt.Sprintf(policy, nonce))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	_ = u.page.Execute(w, struct{ Base, Nonce string }{u.base, nonce})
}

package login

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
)

type view struct {
	Title, Message string
	Choices        []link
	Post, Label    string // a form that does something
}

// link is a button that leads somewhere.
type link struct{ Address, Label string }

const style = `body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center;background:#f4f6f8;color:#11171c}` +
	`main{background:#fff;padding:2.5rem;border-radius:12px;max-width:26rem;box-shadow:0 1px 8px #0002;text-align:center}` +
	`a.button,button{display:inline-block;font:inherit;background:#0e538b;color:#fff;padding:.7rem 1.4rem;border:0;border-radius:6px;text-decoration:none;cursor:pointer}` +
	`@media(prefers-color-scheme:dark){body{background:#11171c;color:#e8ecf0}main{background:#1f272d}}`

// script carries the fragment of the address over the sign-in: MLflow's UI keeps its own paths there (/#/experiments/1),
// and a browser does not send it to any server.
const script = `for(const to of document.querySelectorAll('a[href*="?next="]'))if(location.hash){const u=new URL(to.href);` +
	`u.searchParams.set('next',u.searchParams.get('next')+location.hash);to.href=u}`

var page = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8">` +
	`<meta name="viewport" content="width=device-width,initial-scale=1"><title>{{.Title}}</title><style>` + style + `</style></head>` +
	`<body><main><h1>{{.Title}}</h1>{{with .Message}}<p role="alert">{{.}}</p>{{end}}` +
	`{{range .Choices}}<p><a class="button" href="{{.Address}}">{{.Label}}</a></p>{{end}}` +
	`{{if .Post}}<form method="post" action="{{.Post}}"><button>{{.Label}}</button></form>{{end}}</main><script>` + script + `</script></body></html>`))

var policy = "default-src 'none'; style-src " + source(style) + "; script-src " + source(script) + "; frame-ancestors 'none'; base-uri 'none'"

// source names an inline style or script in a Content-Security-Policy.
func source(inline string) string {
	sum := sha256.Sum256([]byte(inline))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func render(w http.ResponseWriter, status int, v view) { write(w, status, page, policy, v) }

// Style is how all pages of the gateway's own look.
const Style = style

// Write answers with a page of the gateway's own that has this style and no scripts, in no frame and no cache.
func Write(w http.ResponseWriter, status int, page *template.Template, data any) {
	write(w, status, page, "default-src 'none'; style-src "+source(style)+"; frame-ancestors 'none'; base-uri 'none'", data)
}

func write(w http.ResponseWriter, status int, page *template.Template, policy string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser would say of our own form that it has no origin
	w.WriteHeader(status)
	_ = page.Execute(w, data)
}

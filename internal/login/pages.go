package login

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

type view struct {
	Title, Message string
	Via, Who       string // the provider, and as whom one came from there
	Do, Hint       string // what can be done, and what to know when one does
	Choices        []link // buttons
	Post, Label    string // a form that does something
	Others         []link // ways on beside
	Admin          string // what is of use to administrators alone
	Request        string // its name, by which they find it
}

// link is a button that leads somewhere.
type link struct{ Address, Label string }

const style = `body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:minmax(0,1fr);min-height:100vh;place-items:center;background:#f4f6f8;color:#11171c}` +
	`main{box-sizing:border-box;background:#fff;margin:1rem;padding:min(2.5rem,7vw);border-radius:12px;max-width:min(32rem,calc(100% - 2rem));box-shadow:0 1px 8px #0002;text-align:center;overflow-wrap:anywhere}` +
	`h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}a{color:#0e538b}summary{cursor:pointer}.small{font-size:.875rem}:focus-visible{outline:3px solid #d97706;outline-offset:2px}` +
	`a.button,button{display:inline-block;font:inherit;background:#0e538b;color:#fff;padding:.7rem 1.4rem;border:0;border-radius:6px;text-decoration:none;cursor:pointer}` +
	`@media(prefers-color-scheme:dark){body{background:#11171c;color:#e8ecf0}main{background:#1f272d}a{color:#8ac8ff}a.button,button{background:#1b6fb3}}`

// script carries the fragment of the address over the sign-in: MLflow's UI keeps its own paths there (/#/experiments/1),
// and a browser does not send it to any server.
const script = `for(const to of document.querySelectorAll('a[href*="?next="]'))if(location.hash){const u=new URL(to.href);` +
	`u.searchParams.set('next',u.searchParams.get('next')+location.hash);to.href=u}`

var page = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8">` +
	`<meta name="viewport" content="width=device-width,initial-scale=1"><title>{{.Title}}</title><style>` + style + `</style></head>` +
	`<body><main><h1>{{.Title}}</h1>{{with .Message}}<p role="alert">{{.}}</p>{{end}}` +
	`{{with .Who}}<p>You came as <strong><bdi>{{.}}</bdi></strong>{{with $.Via}}, by way of “{{.}}”{{end}}.</p>{{else}}{{with .Via}}<p>You tried “{{.}}”.</p>{{end}}{{end}}` +
	`{{with .Do}}<p>{{.}}</p>{{end}}{{with .Hint}}<p class="small">{{.}}</p>{{end}}` +
	`{{range .Choices}}<p><a class="button" href="{{.Address}}">{{.Label}}</a></p>{{end}}` +
	`{{if .Post}}<form method="post" action="{{.Post}}"><button>{{.Label}}</button></form>{{end}}` +
	`{{range .Others}}<p><a href="{{.Address}}">{{.Label}}</a></p>{{end}}` +
	`{{with .Admin}}<details class="small"><summary>For administrators</summary><p>{{.}}</p></details>{{end}}` +
	`{{with .Request}}<p class="small">Request <code>{{.}}</code></p>{{end}}</main><script>` + script + `</script></body></html>`))

var policy = "default-src 'none'; style-src " + source(style) + "; script-src " + source(script) + "; frame-ancestors 'none'; base-uri 'none'"

// source names an inline style or script in a Content-Security-Policy.
func source(inline string) string {
	sum := sha256.Sum256([]byte(inline))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func render(w http.ResponseWriter, status int, v view) {
	if status >= http.StatusBadRequest {
		v.Request = w.Header().Get(httpx.RequestID)
	}
	write(w, status, page, policy, v)
}

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

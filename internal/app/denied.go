package app

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/gateway"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
)

// deniedPage tells a person why an address does not open, and where to ask for it. Names are set apart: their direction is their own.
var deniedPage = template.Must(template.New("denied").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8">` +
	`<meta name="viewport" content="width=device-width,initial-scale=1"><title>Not allowed</title><style>` + login.Style + `</style></head><body><main>` +
	`<h1>Not allowed</h1><p role="alert"><bdi>{{.Message}}</bdi></p>` +
	`{{if .ID}}<p>{{.Title}} <strong><bdi>{{.ID}}</bdi></strong>{{with .Name}}: <bdi>{{.}}</bdi>{{end}}</p>` +
	`<p>Needed: <strong>{{.Need}}</strong>{{with .Has}}. You have: <strong>{{.}}</strong>{{end}}</p>` +
	`<h2>Who can change that</h2><p>{{range $i, $n := .Managers}}{{if $i}}, {{end}}<bdi>{{$n}}</bdi>{{else}}{{.Nobody}}{{end}}{{with .Others}} and {{.}} others{{end}}</p>` +
	`<p><a class="button" href="{{.Ask}}">Ask for access</a></p>{{end}}` +
	`<p><a class="button" href="{{.Home}}">To MLflow</a></p>{{with .RequestID}}<p><small>Request <code>{{.}}</code></small></p>{{end}}</main></body></html>`))

// denied answers with the page of a refusal.
func denied(prefix string) func(http.ResponseWriter, *http.Request, gateway.Denial) {
	return func(w http.ResponseWriter, _ *http.Request, d gateway.Denial) {
		view := struct {
			gateway.Denial
			Managers                     []string
			Nobody, Ask, Home, RequestID string
		}{Denial: d, Nobody: "Whoever manages it, and administrators", Home: prefix + "/", RequestID: w.Header().Get("X-Request-Id")}
		if d.KnowsManage {
			view.Nobody = "Administrators"
			view.Managers = d.Users
			for _, group := range d.Groups {
				view.Managers = append(view.Managers, "members of "+group)
			}
		}
		if view.Title != "" {
			view.Title = strings.ToUpper(view.Title[:1]) + view.Title[1:]
		}
		ask := url.Values{"kind": {string(d.Kind)}, "id": {d.ID}, "level": {d.Need}}
		if d.Workspace != "" && !kind.Everywhere(d.Kind) {
			ask.Set("workspace", d.Workspace)
		}
		view.Ask = fmt.Sprintf("%s%s/ask?%s", prefix, uiPath, ask.Encode())
		login.Write(w, http.StatusForbidden, deniedPage, view)
	}
}

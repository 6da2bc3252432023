package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

// Journal gives the events that are kept. Sync stores what waits to be stored here.
type Journal interface {
	audit.Reader
	Sync(ctx context.Context)
}

// AuditSearch chooses events; every field that is given has to fit.
type AuditSearch struct {
	Since     string `query:"since" maxLength:"64" doc:"events from this time on, such as 2027-01-31 or 2027-01-31T12:00:00Z"`
	Until     string `query:"until" maxLength:"64" doc:"events before this time"`
	Name      string `query:"name" maxLength:"64" doc:"what happened; docs/audit.md has the names"`
	By        string `query:"by" maxLength:"255" doc:"who did it"`
	Account   string `query:"account" maxLength:"255" doc:"the user whom it is about"`
	Group     string `query:"group" maxLength:"255" doc:"the group that it is about"`
	Kind      string `query:"kind" maxLength:"64"`
	Resource  string `query:"resource" maxLength:"512" doc:"as permissions hold it"`
	Workspace string `query:"workspace" maxLength:"64"`
	Request   string `query:"request_id" maxLength:"64"`
	Client    string `query:"client" maxLength:"64" doc:"the address"`
	Format    string `query:"format" enum:"json,jsonl,csv" default:"json" doc:"json comes in pages; jsonl and csv have everything that is chosen, or max_results of it"`
	Most      int    `query:"max_results" minimum:"1" maximum:"1000000" doc:"of a page 100 where it is not given, and 1000 at most"`
	PageToken string `query:"page_token" maxLength:"256" doc:"next_page_token of the page before, of the same search"`
}

func (s *AuditSearch) query() (audit.Query, error) {
	q := audit.Query{Name: s.Name, By: s.By, Account: s.Account, Group: s.Group, Kind: s.Kind, Resource: s.Resource, Workspace: s.Workspace, Request: s.Request, Client: s.Client}
	for _, one := range []struct {
		name, text string
		into       *time.Time
	}{{"since", s.Since, &q.Since}, {"until", s.Until, &q.Until}} {
		if one.text == "" {
			continue
		}
		at, err := audit.ParseTime(one.text)
		if err != nil {
			return q, errs.New(errs.Invalid, "%s: %v", one.name, err)
		}
		*one.into = at
	}
	if s.PageToken == "" {
		return q, nil
	}
	if s.Format != "json" {
		return q, errs.New(errs.Invalid, "page_token is of format=json; others have everything at once")
	}
	q, err := q.From(s.PageToken)
	if err != nil {
		return q, errs.New(errs.Invalid, "%v", err)
	}
	return q, nil
}

// auditPage is a page of events.
type auditPage struct {
	Events []audit.Shown `json:"events"`
	Next   string        `json:"next_page_token,omitempty"`
}

const (
	auditPages    = 100
	mostAuditPage = 1000
)

// auditLog registers the search of events, for administrators.
func (a *API) auditLog(r *registrar) {
	const path = "/audit"
	operation := r.operation(http.MethodGet, path, http.StatusOK, "Search what happened, newest first")
	page := r.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[auditPage](), true, "AuditPage")
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	operation.Responses = map[string]*huma.Response{"200": {Description: "OK",
		Content: map[string]*huma.MediaType{"application/json": {Schema: page}, "application/jsonl": text, "text/csv": text}}}
	huma.Register(r.api, operation, func(ctx context.Context, in *AuditSearch) (*huma.StreamResponse, error) {
		write, err := a.searchAudit(ctx, identity.From(ctx), in)
		if err != nil {
			return nil, r.failed(ctx, http.MethodGet, path, err)
		}
		return &huma.StreamResponse{Body: func(out huma.Context) {
			_, w := humago.Unwrap(out)
			write(w)
		}}, nil
	})
}

// searchAudit gives what writes the answer.
func (a *API) searchAudit(ctx context.Context, s *identity.Subject, in *AuditSearch) (func(http.ResponseWriter), error) {
	if err := administrator(s); err != nil {
		return nil, err
	}
	if a.Journal == nil {
		return nil, errs.New(errs.NotFound, "events are in the log alone: AUDIT_RETENTION_DAYS is 0")
	}
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	a.Journal.Sync(ctx)
	if in.Format != "json" {
		return func(w http.ResponseWriter) { a.exportAudit(ctx, w, q, in) }, nil
	}
	most := auditPages
	if in.Most > 0 {
		most = min(in.Most, mostAuditPage)
	}
	q.Most = most + 1
	found, err := a.Journal.Audit(ctx, q)
	if err != nil {
		return nil, err
	}
	page := auditPage{Events: []audit.Shown{}}
	if len(found) > most {
		found = found[:most]
		page.Next = q.PageToken(found[most-1])
	}
	for _, e := range found {
		page.Events = append(page.Events, e.Shown())
	}
	return func(w http.ResponseWriter) { httpx.WriteJSON(w, http.StatusOK, page) }, nil
}

// exportAudit writes all that is chosen while it is read. What is cut in the middle must not look whole.
func (a *API) exportAudit(ctx context.Context, w http.ResponseWriter, q audit.Query, in *AuditSearch) {
	types := map[string]string{"jsonl": "application/jsonl; charset=utf-8", "csv": "text/csv; charset=utf-8; header=present"}
	w.Header().Set("Content-Type", types[in.Format])
	w.Header().Set("Content-Disposition", `attachment; filename="audit.`+in.Format+`"`)
	to, err := audit.NewWriter(w, in.Format)
	if err == nil {
		err = audit.Export(ctx, a.Journal, q, in.Most, to)
	}
	if err != nil {
		a.Log.WarnContext(ctx, "an export of events was cut", "error", err)
		panic(http.ErrAbortHandler)
	}
}

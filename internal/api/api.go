// Package api is the gateway's own REST API: users, groups, and the permissions of every kind of the table, with the
// paths, bodies and answers of the Python plugin 11.0.2.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// Store keeps people and their permissions.
type Store interface {
	User(ctx context.Context, username string) (directory.User, error)
	Users(ctx context.Context, service bool) ([]directory.User, error)
	UsersPage(ctx context.Context, q store.UsersQuery) ([]directory.User, int, error)
	CreateUser(ctx context.Context, u directory.User) (directory.User, error)
	SetRoles(ctx context.Context, username string, admin, service bool) error
	SetActive(ctx context.Context, username string, active bool) error
	Deactivate(ctx context.Context, username string) error
	HandOver(ctx context.Context, username, to string, memberships bool) (directory.Handover, error)
	ServiceSources(ctx context.Context, ids ...int64) (map[int64]string, error)
	DeleteUser(ctx context.Context, username string) error
	GroupNames(ctx context.Context, p store.Page) ([]string, int, error)
	GroupsPage(ctx context.Context, p store.Page) ([]directory.Group, int, error)
	CreateGroup(ctx context.Context, name string) error
	MembersPage(ctx context.Context, group string, p store.Page) ([]directory.User, int, error)
	GroupsOf(ctx context.Context, userID int64) ([]directory.Group, error)
	PrincipalID(ctx context.Context, p store.Principal) (int64, error)
	CreateService(ctx context.Context, u directory.User, owner string, as directory.Identity) (directory.User, error)
	SetServiceOwner(ctx context.Context, username, owner string) error
	BindService(ctx context.Context, username string, as directory.Identity) error
	ServiceOwner(ctx context.Context, userID int64) (directory.User, error)
	SetAccessToken(ctx context.Context, token directory.AccessToken) error
	CreateToken(ctx context.Context, token directory.Token) (directory.Token, error)
	Tokens(ctx context.Context, userID int64) ([]directory.Token, error)
	DeleteToken(ctx context.Context, userID, id int64) error
	DeleteTokens(ctx context.Context, userID int64) (int64, error)
	ExperimentGone(ctx context.Context, id string) error
	Grants(ctx context.Context, p store.Principal, k kind.Name) ([]authz.Grant, error)
	Patterns(ctx context.Context, p store.Principal, k kind.Name) ([]authz.Grant, error)
	PatternHolders(ctx context.Context, k kind.Name, ofGroups bool) ([]store.HeldPattern, error)
	GrantsOn(ctx context.Context, k kind.Name, resource string) (users, groups []store.Holder, err error)
	Holdings(ctx context.Context, q store.HoldingsQuery) ([]store.Holding, int, error)
	CreateGrant(ctx context.Context, p store.Principal, k kind.Name, resource string, level kind.Level, until *time.Time) error
	UpdateGrant(ctx context.Context, p store.Principal, k kind.Name, resource string, level kind.Level, until *time.Time) error
	DeleteGrant(ctx context.Context, p store.Principal, k kind.Name, resource string) error
	CreatePattern(ctx context.Context, p store.Principal, g authz.Grant) error
	UpdatePattern(ctx context.Context, p store.Principal, g authz.Grant, until *time.Time) error
	DeletePattern(ctx context.Context, p store.Principal, k kind.Name, id int64) error
	Together(ctx context.Context, whose []store.Principal, work func(ctx context.Context) error) error
	Held(ctx context.Context, p store.Principal, g authz.Grant) (store.Holding, error)
	GrantsOfGroup(ctx context.Context, name string) ([]authz.Grant, error)
	GeneralRoles(ctx context.Context) ([]authz.Grant, error)
	Assigned(ctx context.Context, permission int64) ([]directory.User, error)
	UsersAfter(ctx context.Context, name string, most int) ([]directory.User, error)
	Administrators(ctx context.Context) ([]string, error)
	TryLogin(ctx context.Context, login directory.Login) (directory.Tried, []authz.Grant, error)
}

// Names are what decisions about a resource need to know beside its id.
type Names interface {
	ExperimentName(ctx context.Context, id string) (string, error)
	Registered(ctx context.Context, name string) (kind.Name, error)
}

// Grants gives all that is granted to a user.
type Grants interface {
	Of(ctx context.Context, userID int64) (*authz.Grants, error)
	Compile(ctx context.Context, rows []authz.Grant) *authz.Grants
}

// Sessions are the browsers that are signed in.
type Sessions interface {
	Find(ctx context.Context, q session.Query) ([]session.Found, error)
	List(ctx context.Context, most int) (found []session.Found, all bool, err error)
	EndAll(ctx context.Context, q session.Query, picks func(session.Found) bool) (int, error)
}

// Options are what the API is made of.
type Options struct {
	Store         Store
	Identities    Identities
	Roles         Roles
	Passwords     Passwords
	Locals        Locals
	Requests      Requests
	Providers     Providers
	MLflow        *upstream.MLflow
	Names         Names // nil: MLflow says them
	Grants        Grants
	Sessions      Sessions
	Rules         authz.Rules
	Authenticate  func(*http.Request) (*identity.Subject, error)
	Origin        *httpx.Origin
	Cookie        string // the name of the session cookie, for the OpenAPI document
	TokenLifetime time.Duration
	FreshFor      time.Duration // after a sign-in, for critical operations by browser; 0: as long as the session
	Attacher      *Attacher     // with workspaces alone
	Cleaner       Cleaner       // nil: nothing can be deleted for good from here
	Doctor        Doctor
	Trials        Trials
	Journal       Journal // nil: events are in the log alone
	Audit         audit.Recorder
	Log           *slog.Logger
	Now           func() time.Time
}

// API serves the REST API.
type API struct{ Options }

// New makes the API.
func New(o Options) *API { return &API{o} }

// prefixes are where MLflow's own API is found; the first is the documented one.
var prefixes = []string{"/api/2.0/mlflow", "/ajax-api/2.0/mlflow"}

// setHuma sets what huma keeps for the whole process.
var setHuma = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, details ...error) huma.StatusError {
		return problem(status, message, details)
	}
	huma.ValidateStrictCasing = true // what the body has no field for is an unknown one
})

// Mount adds every operation to a mux, under both of MLflow's prefixes, and the OpenAPI document of the first. The document
// needs no sign-in: it tells nothing but what this program can do.
func (a *API) Mount(mux *http.ServeMux) *huma.OpenAPI {
	setHuma()
	settings := huma.DefaultConfig("mlflow-oidc-auth", "1")
	settings.DocsPath, settings.SchemasPath, settings.CreateHooks = "", "", nil
	settings.OpenAPIPath = ""
	settings.AllowAdditionalPropertiesByDefault = true
	settings.Formats = map[string]huma.Format{"application/json": format, "json": format}
	settings.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: a.Cookie, Description: "a browser that has signed in"},
		"basic":   {Type: "http", Scheme: "basic", Description: "username and access token"},
		"bearer":  {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "an access token made here, or an ID token or access token of the identity provider"},
	}
	if a.Origin.Prefix != "" {
		settings.Servers = []*huma.Server{{URL: a.Origin.Prefix}}
	}
	public := humago.New(mux, settings)
	for i, prefix := range prefixes {
		a.operations(&registrar{api: public, prefix: prefix, hidden: i > 0, use: a})
	}
	atRoot := &registrar{api: public, use: a}
	a.webhooks(atRoot.about("webhooks"))
	a.trash(atRoot.about("trash"))
	elsewhere(public.OpenAPI())
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		httpx.WriteJSON(w, http.StatusOK, public.OpenAPI())
	})
	return public.OpenAPI()
}

// operations registers all that there is under a prefix.
func (a *API) operations(r *registrar) {
	users := r.about("users")
	a.users(users)
	a.lifecycle(users)
	a.identities(users)
	a.sessions(r.about("sessions"))
	a.personalTokens(r.about("tokens"))
	a.serviceAccounts(users)
	a.groups(r.about("groups"))
	given := r.about("permissions")
	a.permissions(given)
	a.explanations(given)
	a.access(given)
	a.holdings(given)
	a.requests(r.about("requests for access"))
	a.roles(r.about("roles"))
	a.bulk(given)
	a.previews(given)
	theirs := r.about("MLflow's own forms")
	a.mlflowUsers(theirs)
	a.mlflowRoles(theirs)
	a.mlflowPermissions(theirs)
	a.perKind(theirs)
	a.auditLog(r.about("audit"))
	a.doctor(r.about("doctor and providers"))
	a.trials(r.about("doctor and providers"))
	if a.Rules.Workspaces {
		third := *r.about("workspaces")
		third.prefix = strings.Replace(r.prefix, "/2.0/", "/3.0/", 1)
		a.workspacePermissions(&third)
		a.rules(&third)
	}
}

// Problem is an error in the form of the rest of the gateway, but for its detail where the form of a request is wrong: that
// is a list of faults then, as clients of the plugin's API have it.
type Problem struct {
	httpx.ErrorBody
	Detail any `json:"detail"`
	status int
}

// fault is one thing that is wrong with the form of a request, as FastAPI says it.
type fault struct {
	Where []string `json:"loc"`
	What  string   `json:"msg"`
	Type  string   `json:"type"`
}

func newProblem(body httpx.ErrorBody, status int) *Problem {
	return &Problem{body, body.Detail, status}
}

// Error gives the message.
func (p *Problem) Error() string { return p.Message }

// GetStatus gives the HTTP status (huma.StatusError).
func (p *Problem) GetStatus() int { return p.status }

// ContentType is plain JSON, not problem+json (huma.ContentTypeFilter).
func (p *Problem) ContentType(string) string { return "application/json" }

// problem is what is wrong with the form of a request. The answer says where, and does not repeat what was sent.
func problem(status int, message string, details []error) *Problem {
	faults := []fault{}
	for _, detail := range details {
		one := fault{[]string{"body"}, detail.Error(), "value_error"}
		if at, ok := errors.AsType[*huma.ErrorDetail](detail); ok && at.Location != "" {
			one.Where, one.What = strings.Split(at.Location, "."), at.Message
			message += "; " + at.Location + ": " + at.Message
		} else {
			message += "; " + detail.Error()
		}
		faults = append(faults, one)
	}
	code := errs.Invalid
	switch {
	case status >= 500:
		code = errs.Internal
	case status == http.StatusRequestEntityTooLarge:
		code = errs.TooLarge
	case status == http.StatusBadRequest, status == http.StatusUnsupportedMediaType:
		status = http.StatusUnprocessableEntity // as the plugin answers whatever it cannot read
	}
	p := newProblem(httpx.BodyOf(errs.New(code, "%s", message)), status)
	if status == http.StatusUnprocessableEntity {
		if len(faults) == 0 {
			faults = []fault{{[]string{"body"}, message, "value_error"}}
		}
		p.Detail = faults
	}
	return p
}

// problem gives an error of ours its status.
func (a *API) problem(ctx context.Context, err error) error {
	var known huma.StatusError
	if err == nil || errors.As(err, &known) {
		return err
	}
	status := httpx.Status(err)
	if status >= http.StatusInternalServerError {
		level, what := httpx.Failure(ctx, err)
		a.Log.Log(ctx, level, what, "status", status, "error", err)
	}
	return newProblem(httpx.BodyOf(err), status)
}

// registrar registers operations under a prefix, each behind authentication.
type registrar struct {
	api    huma.API
	prefix string
	hidden bool
	tag    string // what the operations are about, in the OpenAPI document
	use    *API
}

// about gives a registrar of operations about something.
func (r *registrar) about(tag string) *registrar {
	one := *r
	one.tag = tag
	return &one
}

func (r *registrar) operation(method, path string, status int, summary string) huma.Operation {
	return huma.Operation{
		OperationID: strings.ToLower(method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(r.prefix+path),
		Method:      method, Path: r.prefix + path, DefaultStatus: status, Summary: summary, Hidden: r.hidden, Tags: []string{r.tag},
		MaxBodyBytes: 1 << 20, Middlewares: huma.Middlewares{r.authenticate},
		Security: []map[string][]string{{"session": {}}, {"basic": {}}, {"bearer": {}}},
	}
}

// add registers an operation. The handler gets the subject; without one it is not called.
func add[I any, O any](r *registrar, method, path string, status int, summary string, do func(ctx context.Context, s *identity.Subject, in *I) (O, error)) {
	type output struct {
		Status int
		Body   O
	}
	huma.Register(r.api, r.operation(method, path, status, summary), func(ctx context.Context, in *I) (*output, error) {
		result, err := do(ctx, identity.From(ctx), in)
		if err != nil {
			return nil, r.failed(ctx, method, path, err)
		}
		out := &output{status, result}
		if m, ok := any(result).(message); ok && m.status != 0 {
			out.Status = m.status
		}
		return out, nil
	})
}

// remove registers an operation whose answer is its status alone.
func remove[I any](r *registrar, path, summary string, do func(ctx context.Context, s *identity.Subject, in *I) error) {
	huma.Register(r.api, r.operation(http.MethodDelete, path, http.StatusNoContent, summary), func(ctx context.Context, in *I) (*none, error) {
		if err := do(ctx, identity.From(ctx), in); err != nil {
			return nil, r.failed(ctx, http.MethodDelete, path, err)
		}
		return nil, nil
	})
}

// failed gives an operation's error its form, and records a refusal.
func (r *registrar) failed(ctx context.Context, method, path string, err error) error {
	if errs.Is(err, errs.Denied) {
		r.use.refused(ctx, identity.From(ctx), method+" "+r.prefix+path, err)
	}
	return r.use.problem(ctx, err)
}

// authenticate is the one door of the API: who is it, does a browser's request come from a page of ours, and is it in the
// scope of the token.
func (reg *registrar) authenticate(ctx huma.Context, next func(huma.Context)) {
	a := reg.use
	r, w := humago.Unwrap(ctx)
	subject, err := a.Authenticate(r)
	if err == nil && subject == nil {
		err = errs.New(errs.Unauthenticated, "sign in first, or send your username and access token")
	}
	if err == nil && subject.Credential == identity.Session && r.Method != http.MethodGet && !a.Origin.SameOrigin(r) {
		err = errs.New(errs.Denied, "this request came from another site and was refused")
	}
	if err == nil {
		err = inScope(subject, ctx.Operation(), reg.prefix)
	}
	if err == nil {
		err = a.stepUp(subject, r.Method+" "+strings.TrimPrefix(ctx.Operation().Path, reg.prefix))
	}
	if err != nil {
		if errs.Is(err, errs.Denied) && subject != nil {
			a.refused(r.Context(), subject, ctx.Operation().Method+" "+ctx.Operation().Path, err)
		}
		if errs.Is(err, errs.Unauthenticated) {
			w.Header()["WWW-Authenticate"] = a.challenges(r, err)
		}
		httpx.WriteError(w, r, a.Log, err)
		return
	}
	in, err := a.place(r, subject)
	if err != nil {
		if errs.Is(err, errs.Denied) {
			a.refused(r.Context(), subject, ctx.Operation().Method+" "+ctx.Operation().Path, err)
		}
		httpx.WriteError(w, r, a.Log, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	in = audit.By(in, audit.Author{By: subject.Username, Actor: subject.Actor})
	next(huma.WithContext(ctx, identity.With(in, subject)))
}

func (a *API) refused(ctx context.Context, s *identity.Subject, route string, err error) {
	a.Audit.Record(ctx, audit.Event{Name: audit.RequestRefused, By: s.Username, UserID: s.UserID, Actor: s.Actor, Credential: s.Credential.String(), Route: route, Reason: err.Error()})
}

// done records what somebody did, if it was done. What the store changes of accounts, groups, permissions and roles it records itself.
func (a *API) done(ctx context.Context, err error, s *identity.Subject, e audit.Event) error {
	if err == nil {
		e.By, e.Actor = s.Username, s.Actor
		a.Audit.Record(ctx, e)
	}
	return err
}

// message is the plugin's answer to a change. Which of the two fields there is differs between operations.
type message struct {
	Status  string `json:"status,omitempty"`
	Message string `json:"message,omitempty"`

	status int // of the answer, where it is not the operation's
}

func administrator(s *identity.Subject) error {
	if !s.Admin {
		return errs.New(errs.Denied, "only administrators may do this")
	}
	return nil
}

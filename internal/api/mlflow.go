package api

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
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
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// What follows is the API of MLflow's own basic-auth app, 3.17.2, which AuthServiceClient and MLflow's pages call, with its paths,
// fields and error codes.

// Roles keeps roles, and what users are given directly.
type Roles interface {
	Role(ctx context.Context, id int64) (directory.Role, error)
	RoleOf(ctx context.Context, permission int64) (directory.Role, error)
	Roles(ctx context.Context, workspaces ...string) ([]directory.Role, error)
	RolesOf(ctx context.Context, userID int64) ([]directory.Role, error)
	OwnRoles(ctx context.Context, userID int64) ([]directory.Role, error)
	AssignmentsOf(ctx context.Context, role int64) ([]directory.Assignment, error)
	Assignments(ctx context.Context) (map[int64][]int64, error)
	RoleMembers(ctx context.Context, role int64, p store.Page) ([]directory.RoleMember, int, error)
	RolesUntil(ctx context.Context, userID int64) (map[int64]time.Time, error)
	RoleSizes(ctx context.Context) (map[int64]int, error)
	CreateRole(ctx context.Context, r directory.Role) (directory.Role, error)
	UpdateRole(ctx context.Context, id int64, name, description *string) error
	DeleteRole(ctx context.Context, id int64) error
	AddRolePermission(ctx context.Context, p directory.RolePermission) (directory.RolePermission, error)
	UpdateRolePermission(ctx context.Context, role, id int64, permission string) error
	RemoveRolePermission(ctx context.Context, role, id int64) error
	AssignRole(ctx context.Context, userID, role int64, until *time.Time) (directory.Assignment, error)
	UnassignRole(ctx context.Context, userID, role int64) error
	AllGrants(ctx context.Context, userID int64) ([]authz.Grant, error)
	GrantDirectly(ctx context.Context, userID int64, workspace string, p directory.RolePermission) error
	RevokeDirectly(ctx context.Context, userID int64, workspace string, p directory.RolePermission) error
}

// theirs is one operation of MLflow's API.
type theirs struct {
	method, path string // below the prefix of its version
	summary      string
	fields       []string // for the OpenAPI document; those with a ? may be left out
	do           func(ctx context.Context, s *identity.Subject, in params) (any, error)
	bare         bool // the answer has no body, and says so (204)
}

// params are the fields of a request to MLflow's API, from wherever MLflow reads them: the query of a GET, the JSON of a
// POST or PATCH, and of a DELETE either.
type params struct {
	r      *http.Request
	fields map[string]any
	many   map[string][]string // of a query
}

type paramsKey struct{}

// mlflow registers an operation. Errors have the statuses that MLflow gives them.
func (reg *registrar) mlflow(t theirs) {
	op := reg.operation(t.method, t.path, http.StatusOK, t.summary)
	op.Middlewares = append(op.Middlewares, reg.readParams)
	describe(&op, t)
	if t.bare {
		op.DefaultStatus = http.StatusNoContent
		huma.Register(reg.api, op, func(ctx context.Context, _ *none) (*struct{}, error) {
			_, err := reg.answer(ctx, t)
			return nil, err
		})
		return
	}
	type output struct{ Body any }
	huma.Register(reg.api, op, func(ctx context.Context, _ *none) (*output, error) {
		result, err := reg.answer(ctx, t)
		return &output{result}, err
	})
}

func (reg *registrar) answer(ctx context.Context, t theirs) (any, error) {
	s := identity.From(ctx)
	in, _ := ctx.Value(paramsKey{}).(params)
	result, err := t.do(ctx, s, in)
	if errs.Is(err, errs.Denied) {
		reg.use.refused(ctx, s, t.method+" "+reg.prefix+t.path, err)
	}
	if errs.Is(err, errs.Conflict) {
		err = newProblem(httpx.BodyOf(err), http.StatusBadRequest)
	}
	if err == nil && result == nil {
		result = row{}
	}
	return result, reg.use.problem(ctx, err)
}

// version gives the registrar for another version of the API.
func (reg *registrar) version(number string) *registrar {
	other := *reg
	other.prefix = strings.Replace(reg.prefix, "/2.0/", "/"+number+"/", 1)
	return &other
}

// describe tells the OpenAPI document the fields of an operation.
func describe(op *huma.Operation, t theirs) {
	body := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}}
	for _, field := range t.fields {
		name, optional := strings.CutSuffix(field, "?")
		if t.method == http.MethodGet {
			op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Required: !optional, Schema: &huma.Schema{Type: huma.TypeString}})
			continue
		}
		body.Properties[name] = &huma.Schema{}
		if !optional {
			body.Required = append(body.Required, name)
		}
	}
	if len(body.Properties) > 0 {
		op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: body}}}
	}
}

func (reg *registrar) readParams(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	in, err := read(r)
	if err != nil {
		httpx.WriteError(w, r, reg.use.Log, err)
		return
	}
	next(huma.WithValue(ctx, paramsKey{}, in))
}

func read(r *http.Request) (params, error) {
	in := params{r: r, fields: map[string]any{}}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what cannot be read is not JSON
	if r.Method == http.MethodGet || r.Method == http.MethodDelete && media != "application/json" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return in, errs.New(errs.Invalid, "the query cannot be read")
		}
		in.many = query
		for name, values := range query {
			if len(values) == 1 {
				in.fields[name] = values[0]
			}
		}
		return in, nil
	}
	if r.URL.RawQuery != "" {
		return in, errs.New(errs.Invalid, "the fields of a %s are in its body, and not in the query", r.Method)
	}
	body, err := httpx.ReadLimited(r.Body, 1<<20)
	if err != nil || len(body) == 0 {
		return in, err
	}
	if media != "application/json" {
		return in, errs.New(errs.Invalid, "the content type must be application/json")
	}
	object, err := httpx.ParseObject(body)
	if err != nil {
		return in, err
	}
	for _, name := range object.Keys() {
		in.fields[name], _ = object.Get(name)
	}
	return in, nil
}

func missing(name string) error {
	return errs.New(errs.Invalid, "Missing value for required parameter '%s'.", name)
}

// text gives a field that must be there, as a text that says something.
func (p params) text(name string) (string, error) {
	if len(p.many[name]) > 1 {
		return "", errs.New(errs.Invalid, "the query names %s more than once", name)
	}
	value, given := p.fields[name]
	text, ok := value.(string)
	switch {
	case !given:
		return "", missing(name)
	case !ok || strings.TrimSpace(text) == "":
		return "", errs.New(errs.Invalid, "Parameter '%s' must be a non-empty string.", name)
	}
	return text, nil
}

// texts gives several fields that must be there.
func (p params) texts(names ...string) ([]string, error) {
	all := make([]string, len(names))
	for i, name := range names {
		var err error
		if all[i], err = p.text(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// optional gives a text that may be left out, or null.
func (p params) optional(name string) (*string, error) {
	switch value := p.fields[name].(type) {
	case nil:
		return nil, nil
	case string:
		return &value, nil
	}
	return nil, errs.New(errs.Invalid, "Parameter '%s' must be a string or null.", name)
}

// id gives a number, which may be written as a text.
func (p params) id(name string) (int64, error) {
	value, given := p.fields[name]
	if !given {
		return 0, missing(name)
	}
	text, ok := value.(string)
	if number, isNumber := value.(interface{ String() string }); !ok && isNumber {
		text = number.String()
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errs.New(errs.Invalid, "Parameter '%s' must be an integer.", name)
	}
	return id, nil
}

// user finds the user that the field username names.
func (a *API) named(ctx context.Context, in params) (directory.User, error) {
	name, err := in.text("username")
	if err != nil {
		return directory.User{}, err
	}
	user, err := a.Store.User(ctx, canonical(name))
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.NotFound, "User with username=%s not found", canonical(name))
	}
	return user, err
}

// over is what a subject administers: workspaces, or everything.
type over struct {
	api     *API
	subject *identity.Subject
	grants  *authz.Grants
}

func (a *API) over(ctx context.Context, s *identity.Subject) (over, error) {
	grants, err := a.Grants.Of(ctx, s.UserID)
	return over{a, s, grants}, err
}

// workspace tells whether the subject administers the roles of a workspace.
func (o over) workspace(name string) bool {
	return o.api.Rules.Manages(o.subject.Decider(), o.grants, name)
}

// any tells whether the subject administers the roles of some workspace.
func (o over) any(ctx context.Context) (bool, error) {
	if o.workspace(kind.DefaultWorkspace) {
		return true, nil
	}
	found := false
	o.grants.Each(kind.Workspace, func(name string) { found = found || o.workspace(name) })
	if found || !o.api.Rules.Workspaces || !o.grants.NeedsName(kind.Workspace) {
		return found, nil
	}
	all, err := o.api.MLflow.All(ctx, kind.Workspace)
	for _, item := range all {
		found = found || o.workspace(item.Name)
	}
	return found, err
}

// some tells whether the subject administers a workspace in which one of the roles is.
func (o over) some(roles []directory.Role) bool {
	return slices.ContainsFunc(roles, func(r directory.Role) bool { return o.workspace(r.Workspace) })
}

var errPermission = errs.New(errs.Denied, "Permission denied")

// changedRoles records a change of roles or direct permissions.
func (a *API) changedRoles(ctx context.Context, err error, s *identity.Subject, account, what string) error {
	return a.done(ctx, err, s, audit.Event{Name: audit.RolesChanged, Account: account, Cause: what})
}

// notTheLast gives the refusal to lose the last administrator a code that says no other thing.
func notTheLast(err error) error {
	var coded *errs.Error
	if errs.Is(err, errs.Conflict) && errors.As(err, &coded) {
		return errs.New(errs.Invalid, "%s", coded.Message)
	}
	return err
}

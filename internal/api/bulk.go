package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// BulkChange is one of several changes that are made together: of the permission on a resource, or, with a regex or an id, of a
// pattern. A field that is not known could be the one that counts: it is refused.
type BulkChange struct {
	_         struct{} `additionalProperties:"false"`
	Do        string   `json:"do" enum:"give,set,change,take" doc:"give what is not held yet; set gives it or changes it, for permissions on resources alone"`
	User      string   `json:"user,omitempty" maxLength:"255"`
	Group     string   `json:"group,omitempty" maxLength:"255"`
	Kind      string   `json:"kind"`
	Workspace string   `json:"workspace,omitempty" doc:"where the resource is, or for which the pattern is, * for all of them; without it that of the request"`
	Resource  string   `json:"resource,omitempty" maxLength:"255" doc:"what permissions of the kind hold: an experiment's id, else a name"`
	ID        int64    `json:"id,omitempty" doc:"of the pattern that is changed or taken"`
	Regex     string   `json:"regex,omitempty"`
	Priority  int32    `json:"priority,omitempty"`
	Level     string   `json:"permission,omitempty" doc:"NO_PERMISSIONS, READ, USE, EDIT or MANAGE"`
	Ending
}

type bulkChanges struct {
	Body struct {
		_       struct{}     `additionalProperties:"false"`
		Changes []BulkChange `json:"changes" minItems:"1" maxItems:"500"`
	}
}

// BulkOutcome is what became of one change.
type BulkOutcome struct {
	Did    string   `json:"did" doc:"given, changed or taken"`
	Before *Holding `json:"before,omitempty" doc:"what was held before"`
}

// BulkOutcomes are in the order of the changes.
type BulkOutcomes struct {
	Outcomes []BulkOutcome `json:"outcomes"`
}

func (a *API) bulk(r *registrar) {
	add(r, http.MethodPost, "/permissions/bulk", 200, "Give, change and take permissions and patterns, all of them or none", a.Bulk)
}

// planned is a change that the caller may make.
type planned struct {
	holder store.Principal
	held   authz.Grant // how it is found
	about  string      // the same for no two changes of a list
	set    bool
	in     func(context.Context) context.Context
	give   func(context.Context) error
	change func(context.Context) error
	take   func(context.Context) error
}

// Bulk makes several changes together. What is asked of each is what the operation on it alone asks, and before any is made.
func (a *API) Bulk(ctx context.Context, s *identity.Subject, in *bulkChanges) (BulkOutcomes, error) {
	if len(in.Body.Changes) == 0 { // null is a list for the schema
		return BulkOutcomes{}, errs.New(errs.Invalid, "changes names nothing to change")
	}
	all := make([]planned, len(in.Body.Changes))
	whose, first := []store.Principal{}, map[string]int{}
	for i, c := range in.Body.Changes {
		var err error
		if all[i], err = a.plan(ctx, s, c); err != nil {
			return BulkOutcomes{}, ofChange(i, err)
		}
		if before, twice := first[all[i].about]; twice {
			return BulkOutcomes{}, ofChange(i, errs.New(errs.Invalid, "this is about the same as changes[%d]", before))
		}
		first[all[i].about], whose = i, append(whose, all[i].holder)
	}
	done := BulkOutcomes{Outcomes: make([]BulkOutcome, len(all))}
	err := a.Store.Together(ctx, whose, func(ctx context.Context) (err error) {
		for i, one := range all {
			if done.Outcomes[i], err = a.make(one.in(ctx), one); err != nil {
				return ofChange(i, err)
			}
		}
		return nil
	})
	return done, err
}

// ofChange says of which change an error is. What is not the caller's fault is of none.
func ofChange(i int, err error) error {
	var coded *errs.Error
	if !errors.As(err, &coded) || coded.Code == errs.Unavailable || coded.Code == errs.Internal || coded.Code == errs.BadGateway {
		return err
	}
	return errs.Wrap(coded.Code, err, "changes[%d]: %s", i, coded.Message)
}

// make makes a change, within a transaction of several.
func (a *API) make(ctx context.Context, one planned) (BulkOutcome, error) {
	if one.give != nil && !one.set {
		return BulkOutcome{Did: "given"}, one.give(ctx)
	}
	was, err := a.Store.Held(ctx, one.holder, one.held)
	if one.set && errs.Is(err, errs.NotFound) { // or the holder is not there, which giving says
		return BulkOutcome{Did: "given"}, one.give(ctx)
	}
	if err != nil {
		return BulkOutcome{}, err
	}
	before := a.unnamed(was)
	if one.take != nil {
		return BulkOutcome{"taken", &before}, one.take(ctx)
	}
	return BulkOutcome{"changed", &before}, one.change(ctx)
}

// plan checks one change as the operation on it alone would.
func (a *API) plan(ctx context.Context, s *identity.Subject, c BulkChange) (planned, error) {
	if (c.User == "") == (c.Group == "") {
		return planned{}, errs.New(errs.Invalid, "say whose it is: one of user and group")
	}
	side, name := sides[0], c.User
	if c.Group != "" {
		side, name = sides[1], c.Group
	}
	k, err := a.askedKind(c.Kind)
	if err != nil {
		return planned{}, err
	}
	if c.Do == "take" && (c.Level != "" || c.ExpiresAt.Given) {
		return planned{}, errs.New(errs.Invalid, "what is taken has no permission and no end")
	}
	in, err := a.placed(ctx, s, c)
	if err != nil {
		return planned{}, err
	}
	one := planned{holder: side.of(name), set: c.Do == "set", in: in}
	if c.Regex != "" || c.ID != 0 {
		return a.planPattern(in(ctx), s, k, c, one)
	}
	return a.planGrant(in(ctx), s, k, c, one)
}

// placed is how a context gets into the workspace of a change.
func (a *API) placed(ctx context.Context, s *identity.Subject, c BulkChange) (func(context.Context) context.Context, error) {
	scope := workspace.Of(ctx)
	switch {
	case c.Workspace == "":
	case c.Workspace == authz.Everywhere && c.Regex != "":
		scope.Named = false
	case !a.Rules.Workspaces:
		return nil, errs.New(errs.Invalid, "there are no workspaces here, and so no %q", c.Workspace)
	case !workspace.Valid(c.Workspace):
		return nil, errs.New(errs.Invalid, "%q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", c.Workspace)
	default:
		scope = workspace.Scope{Name: c.Workspace, Named: true}
		if _, err := a.within(ctx, s, scope); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) context.Context { return workspace.In(ctx, scope) }, nil
}

func (a *API) planGrant(ctx context.Context, s *identity.Subject, k kind.Kind, c BulkChange, one planned) (planned, error) {
	if c.Resource == "" || c.Priority != 0 {
		return one, errs.New(errs.Invalid, "say on what: a resource, or the regex or id of a pattern, which has a priority")
	}
	one.held = authz.Grant{Kind: k.Name, Resource: c.Resource}
	one.about = fmt.Sprintf("%q %q %q", one.holder, k.Name.Kept(), c.Resource)
	if !k.Everywhere {
		one.about += " in " + workspace.Stored(ctx)
	}
	if c.Do == "take" {
		one.take = func(ctx context.Context) error { return a.Store.DeleteGrant(ctx, one.holder, k.Name, c.Resource) }
		return one, a.manages(ctx, s, k, c.Resource)
	}
	level, until, err := a.granting(ctx, s, k, c.Resource, levelBody{c.Level, c.Ending})
	as := func(do changing) func(context.Context) error {
		return func(ctx context.Context) error { return do(ctx, one.holder, k.Name, c.Resource, level, until) }
	}
	if c.Do != "change" {
		one.give = as(a.Store.CreateGrant)
	}
	one.change = as(a.Store.UpdateGrant)
	return one, err
}

func (a *API) planPattern(ctx context.Context, s *identity.Subject, k kind.Kind, c BulkChange, one planned) (planned, error) {
	if err := administrator(s); err != nil {
		return one, err
	}
	if k.Patterns == "" {
		return one, errs.New(errs.Invalid, "there are no patterns of a %s", k.Title)
	}
	asked := c.Do == "give" && c.ID == 0 && c.Regex != "" || c.Do == "change" && c.ID != 0 && c.Regex != "" || c.Do == "take" && c.ID != 0 && c.Regex == ""
	if !asked || c.Resource != "" {
		return one, errs.New(errs.Invalid, "a pattern is given by its regex, changed by its id and regex, and taken by its id")
	}
	one.held = authz.Grant{Kind: k.Name, ID: c.ID}
	one.about = fmt.Sprintf("%q %q pattern %d", one.holder, k.Name, c.ID)
	if c.Do == "take" {
		one.take = func(ctx context.Context) error { return a.Store.DeletePattern(ctx, one.holder, k.Name, c.ID) }
		return one, nil
	}
	g, until, err := a.pattern(s, k, patternBody{c.Regex, c.Priority, c.Level, c.Ending})
	if c.Do == "change" {
		g.ID = c.ID
		one.change = func(ctx context.Context) error { return a.Store.UpdatePattern(ctx, one.holder, g, until) }
		return one, err
	}
	g = a.newPattern(ctx, k, g, until)
	if c.Workspace == authz.Everywhere && k.Name != kind.Workspace {
		g.Workspace = authz.Everywhere
	}
	one.about = fmt.Sprintf("%q %q in %q: %q", one.holder, k.Name, g.Workspace, g.Pattern)
	one.give = func(ctx context.Context) error { return a.Store.CreatePattern(ctx, one.holder, g) }
	return one, err
}

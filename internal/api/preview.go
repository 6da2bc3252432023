package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

type triedPattern struct {
	Body struct {
		_        struct{} `additionalProperties:"false"`
		User     string   `json:"user,omitempty" maxLength:"255"`
		Group    string   `json:"group,omitempty" maxLength:"255"`
		Kind     string   `json:"kind"`
		ID       int64    `json:"id,omitempty" doc:"the pattern that would be changed; without it a new one"`
		Regex    string   `json:"regex"`
		Priority int32    `json:"priority"`
		Level    string   `json:"permission"`
		Limit    int      `json:"limit,omitempty" minimum:"1" maximum:"100" default:"20"`
		Offset   int      `json:"offset,omitempty" minimum:"0"`
	}
}

// PatternPreview is what a pattern would match and change now.
type PatternPreview struct {
	Matches int          `json:"matches" doc:"how many names it matches"`
	Changes int          `json:"changes" doc:"on how many resources the level would be another than now; of a group, that of a member who has nothing else"`
	Of      int          `json:"of" doc:"how many resources of the kind were looked at"`
	Rows    []PreviewRow `json:"rows" doc:"a page of what it matches or changes; what it changes comes first"`
	Remark  string       `json:"remark,omitempty" doc:"what has to be known beside"`
}

// PreviewRow is one resource that a pattern would match, or on which it would change the level.
type PreviewRow struct {
	ID      string `json:"id" doc:"what permissions of the kind hold"`
	Name    string `json:"name"`
	Matches bool   `json:"matches"`
	Before  string `json:"before" doc:"the level now"`
	After   string `json:"after" doc:"the level that would be"`
}

func (a *API) previews(r *registrar) {
	add(r, http.MethodPost, "/permissions/patterns/preview", 200, "What a pattern would match and change, without giving it", a.TryPattern)
	add(r, http.MethodGet, "/permissions/patterns", 200, "Which patterns, and permissions of roles on all of a kind, speak of a resource, and for whom each decides", a.PatternsOn)
}

// mostNames bounds the names that a preview looks at.
const mostNames = 100_000

// TryPattern says what a pattern would do, to administrators, who alone give patterns. It changes nothing.
func (a *API) TryPattern(ctx context.Context, s *identity.Subject, in *triedPattern) (PatternPreview, error) {
	found := PatternPreview{Rows: []PreviewRow{}}
	k, err := a.askedKind(in.Body.Kind)
	if err != nil {
		return found, err
	}
	g, _, err := a.pattern(s, k, patternBody{Regex: in.Body.Regex, Priority: in.Body.Priority, Permission: in.Body.Level})
	if err != nil {
		return found, err
	}
	switch {
	case k.Patterns == "":
		return found, errs.New(errs.Invalid, "there are no patterns of a %s", k.Title)
	case (in.Body.User == "") == (in.Body.Group == ""):
		return found, errs.New(errs.Invalid, "say whose it would be: one of user and group")
	}
	p := store.Principal{User: canonical(in.Body.User), Group: in.Body.Group}
	if g.ID = in.Body.ID; g.ID == 0 {
		g.Workspace = a.patternPlace(ctx, k)
	} else if ctx, err = a.placeOf(ctx, p, &g); err != nil {
		return found, err
	}
	t, err := a.tryOn(ctx, p, g)
	if err != nil {
		return found, err
	}
	found.Remark = t.remark
	if k.Parent != "" {
		found.Remark = "MLflow does not list every " + k.Title + " at once: what it matches is not shown."
		return found, nil
	}
	all, err := a.MLflow.Listed(ctx, k.Name) // of a moment ago: somebody is typing, and MLflow is not read whole for each key
	if err != nil {
		return found, err
	}
	if len(all) > mostNames {
		found.Remark = "There are more resources than were looked at."
	}
	found.of(t, k.Name, all[:min(len(all), mostNames)])
	found.Rows = found.Rows[min(in.Body.Offset, len(found.Rows)):]
	found.Rows = found.Rows[:min(in.Body.Limit, len(found.Rows))]
	return found, nil
}

// placeOf gives a pattern the workspace of the stored one that it would take the place of, and a context that is there.
func (a *API) placeOf(ctx context.Context, p store.Principal, g *authz.Grant) (context.Context, error) {
	was, err := a.Store.Held(ctx, p, *g)
	if err != nil {
		return ctx, err
	}
	g.Workspace = was.Grant.Workspace
	if a.Rules.Workspaces && g.Workspace != authz.Everywhere && g.Kind != kind.Workspace {
		ctx = workspace.In(ctx, workspace.Scope{Name: a.shownPlace(g.Kind, g.Workspace), Named: true})
	}
	return ctx, nil
}

// tried is a pattern that is tried on a principal.
type tried struct {
	*authz.Trial
	now    *authz.Grants
	level  func(*authz.Grants, authz.Resource) kind.Level
	remark string
}

// tryOn tries a pattern on somebody, or on a group for itself.
func (a *API) tryOn(ctx context.Context, p store.Principal, g authz.Grant) (t tried, err error) {
	who := authz.Subject{Active: true}
	inside := func(*authz.Grants) bool { return true }
	if g.Source = authz.UserPattern; p.Group != "" {
		g.Source = authz.GroupPattern
		rows, err := a.Store.GrantsOfGroup(ctx, p.Group)
		if err != nil {
			return t, err
		}
		t.now, t.remark = a.Grants.Compile(ctx, rows), "The levels are those of a member who has nothing from elsewhere."
	} else {
		user, err := a.Store.User(ctx, p.User)
		if err != nil {
			return t, err
		}
		if t.now, err = a.Grants.Of(ctx, user.ID); err != nil {
			return t, err
		}
		who = authz.Subject{Admin: user.Admin, Active: user.Active}
		switch {
		case !user.Active:
			t.remark = "The account is deactivated, and may do nothing."
		case user.Admin:
			t.remark = "An administrator may do everything, whatever is given."
		}
		inside = func(as *authz.Grants) bool { return user.Admin || a.Rules.Member(who, as) }
	}
	if g.Workspace == authz.Everywhere && a.Rules.Workspaces && g.Kind != kind.Workspace {
		t.remark = strings.TrimSpace(t.remark + " It is for all workspaces; what it matches is shown of the default one.")
	}
	t.level = func(as *authz.Grants, on authz.Resource) kind.Level {
		if !inside(as) {
			return kind.NoPermissions
		}
		return a.Rules.Decide(who, as, on, kind.Read).Level
	}
	if t.Trial, err = t.now.Try(g); err != nil {
		return t, errs.New(errs.Invalid, "%v", err)
	}
	return t, nil
}

// of holds a pattern against all of a kind, which come in the order of their names.
func (f *PatternPreview) of(t tried, k kind.Name, all []upstream.Listed) {
	f.Of = len(all)
	var same []PreviewRow
	for _, item := range all {
		on := authz.Resource{Kind: k, ID: item.ID, Name: item.Name}
		before, after := t.level(t.now, on), t.level(t.Grants(), on)
		row := PreviewRow{item.ID, item.Name, t.Speaks(on), before.String(), after.String()}
		if row.Matches {
			f.Matches++
		}
		switch {
		case before != after:
			f.Changes++
			f.Rows = append(f.Rows, row)
		case row.Matches:
			same = append(same, row)
		}
	}
	f.Rows = append(f.Rows, same...)
}

package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Managers tells who may give permissions on a resource: some users and groups that hold MANAGE on it itself, and how many there are
// in all.
type Managers interface {
	ManagersOf(ctx context.Context, k kind.Name, resource string, most int) (users, groups []string, total int, err error)
}

// Denial is a refusal as a person is told of it who opened an address with a browser.
type Denial struct {
	Message string
	// Kind, Title and ID are what could be asked for; empty where there is nothing of that kind. The id is one that the person has
	// named, or may read.
	Kind        kind.Name
	Title, ID   string
	Workspace   string // that the address was opened in; empty for the default one
	Need, Has   string // levels; Has is empty where nothing may be read, and it is not said whether there is anything
	Name        string // of the resource, for whoever may read it
	Users       []string
	Groups      []string
	Others      int  // who manage it beside those
	KnowsManage bool // whether it could be found out who manages it: to whoever may read it alone
}

// mostManagers bounds the names of one page.
const mostManagers = 5

// lacking is the refusal of a level on a resource that the caller may read.
type lacking struct {
	err       *errs.Error
	on        authz.Resource
	need, has kind.Level
}

// Error gives the message.
func (l *lacking) Error() string { return l.err.Error() }

// Unwrap gives the coded error.
func (l *lacking) Unwrap() error { return l.err }

// unread is the refusal of what the caller may not read, and of which MLflow has no sentence for what does not exist.
type unread struct {
	err    *errs.Error
	target extract.Target
}

// Error gives the message.
func (u *unread) Error() string { return u.err.Error() }

// Unwrap gives the coded error.
func (u *unread) Unwrap() error { return u.err }

// refuse answers an error: a refusal is a page for a person who opened the address with a browser, and MLflow's JSON for everybody
// else. What does not exist, or may not be seen to, stays JSON: there is nothing to tell of it.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error, tell func() Denial) {
	if g.Denied == nil || !errs.Is(err, errs.Denied) || !opened(r) {
		httpx.WriteError(w, r, g.Log, err)
		return
	}
	d := tell()
	d.Message = httpx.BodyOf(err).Message
	g.Denied(w, r, d)
}

func nothingToAskFor() Denial { return Denial{} }

// opened tells whether somebody opens the address as a page of its own. What a page shows in a frame stays as it was: this page is in none.
func opened(r *http.Request) bool {
	into := r.Header.Get("Sec-Fetch-Dest")
	return httpx.Navigation(r) && strings.Contains(r.Header.Get("Accept"), "text/html") && (into == "" || into == "document")
}

// denial says what could be asked for, and of whom. Of what the caller may not read it says what the address said, and nothing else:
// the page of what exists is that of what does not.
func (c *call) denial(err error) Denial {
	var less *lacking
	var none *unread
	d := Denial{Workspace: workspace.Stored(c.r.Context())}
	switch {
	case errors.As(err, &less) && less.has >= kind.Read:
		d.Kind, d.ID, d.Need, d.Has, d.Name = less.on.Kind, less.on.ID, less.need.String(), less.has.String(), less.on.Name
		c.managers(&d)
	case errors.As(err, &none) && none.target.Ref == policy.ArtifactTree:
		if _, experiment, err := extract.Tree(none.target.Value); err == nil {
			d.Kind, d.ID, d.Need = kind.Experiment, experiment, none.target.Level.String()
		}
	}
	if d.Kind != "" {
		d.Title = title(d.Kind)
	}
	return d
}

// managers adds what whoever may read a resource is told of it. Without it the page is shorter, and right.
func (c *call) managers(d *Denial) {
	ctx := c.r.Context()
	if k, _ := kind.Of(d.Kind); k.ByID && d.Name == "" {
		d.Name, _ = c.gateway.MLflow.ExperimentName(ctx, d.ID)
	}
	if d.Name == d.ID {
		d.Name = ""
	}
	users, groups, total, err := c.gateway.Managers.ManagersOf(ctx, d.Kind, d.ID, mostManagers)
	if err != nil {
		c.gateway.Log.WarnContext(ctx, "could not find out who manages a resource", "error", err)
		return
	}
	d.Users, d.Groups, d.Others, d.KnowsManage = users, groups, total-len(users)-len(groups), true
}

package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Pages are the query fields of a listing that goes on where the page before ended.
type Pages struct {
	Most  int    `query:"max_results" minimum:"1" maximum:"1000" default:"100" doc:"how many are answered at most; there may be less and more pages all the same"`
	Token string `query:"page_token" maxLength:"2048" doc:"the next_page_token of the page before"`
}

// after gives the place where the page before ended.
func (p Pages) after() (string, error) {
	place, err := base64.RawURLEncoding.DecodeString(p.Token)
	if err != nil {
		return "", errs.New(errs.Invalid, "page_token is not one that this server gave")
	}
	return string(place), nil
}

func nextPage(place string) *string {
	token := base64.RawURLEncoding.EncodeToString([]byte(place))
	return &token
}

// WhoQuery asks who can do anything with a resource.
type WhoQuery struct {
	Kind string `query:"kind" required:"true" doc:"such as experiment or registered_model"`
	ID   string `query:"id" required:"true" maxLength:"512" doc:"what permissions of the kind hold: an experiment's id, else a name; a scorer's is the experiment's id, a slash and its name"`
	Pages
}

// WhatQuery asks what somebody can do.
type WhatQuery struct {
	User string `query:"user" maxLength:"255" doc:"a username; without it one's own"`
	Kind string `query:"kind" doc:"such as experiment; without it of every kind. Prompts are among the registered models, with which they share their names"`
	Pages
}

// Access is what one user may do with one resource, and by what.
type Access struct {
	User       string       `json:"user"`
	Service    bool         `json:"is_service_account,omitempty"`
	Kind       string       `json:"kind"`
	ID         string       `json:"id"`
	Name       string       `json:"name,omitempty" doc:"of the resource, where it has an id beside it and MLflow tells"`
	Permission string       `json:"permission" doc:"empty where the reason is unknown"`
	Reason     string       `json:"reason" doc:"grant, admin, default, workspace or deactivated; unknown where a name decides and MLflow could not be asked for it"`
	Via        *Considered  `json:"via,omitempty" doc:"the grant that decides"`
	Held       []Considered `json:"held,omitempty" doc:"where the reason is unknown: what is held on this resource itself"`
}

// Who are all who can do anything with a resource.
type Who struct {
	Administrators []string `json:"administrators,omitempty" doc:"who may do everything, everywhere, and is not listed again; on the first page, and to administrators alone"`
	Access         []Access `json:"access"`
	Remark         string   `json:"remark,omitempty" doc:"what could not be found out, where MLflow could not be asked"`
	Next           *string  `json:"next_page_token" nullable:"true"`
}

// What is all that somebody can do: with resources that somebody was given something on, and by what is given on more than
// one.
type What struct {
	User          string       `json:"user"`
	Administrator bool         `json:"is_admin" doc:"who may do everything, whatever else is said"`
	Access        []Access     `json:"access"`
	General       []Considered `json:"general" doc:"patterns, and permissions of roles on all of a kind; on the first page"`
	Remark        string       `json:"remark,omitempty" doc:"what could not be found out, where MLflow could not be asked"`
	Next          *string      `json:"next_page_token" nullable:"true"`
}

func (a *API) access(r *registrar) {
	add(r, http.MethodGet, "/permissions/who", 200, "Who can do what with a resource, and why", a.Who)
	add(r, http.MethodGet, "/permissions/what", 200, "What somebody can do, and why", a.What)
}

// mostDecided bounds the users whose rights one page looks at: where hardly anybody may do anything, pages are short.
const mostDecided = 2000

// Who lists everybody who can do anything with a resource, by the decision on each: to administrators, and to whoever manages the
// resource. Others get the same answer for a resource that does not exist.
func (a *API) Who(ctx context.Context, s *identity.Subject, in *WhoQuery) (found Who, err error) {
	found.Access = []Access{}
	k, err := a.askedKind(in.Kind)
	if err != nil {
		return found, err
	}
	if err := a.manages(ctx, s, k, in.ID); err != nil {
		return found, err
	}
	place, err := in.after()
	if err != nil {
		return found, err
	}
	if s.Admin && place == "" {
		if found.Administrators, err = a.Store.Administrators(ctx); err != nil {
			return found, err
		}
	}
	const batch = 200
	most := mostDecided
	if !s.Admin { // everybody manages something, and each decision may load somebody's grants
		most = batch
	}
	a, names := a.asking()
	defer func() { found.Remark = names.remark() }()
	for decided := 0; decided < most; decided += batch {
		users, err := a.Store.UsersAfter(ctx, place, batch)
		if err != nil {
			return found, err
		}
		for _, user := range users {
			if len(found.Access) == in.Most {
				found.Next = nextPage(place)
				return found, nil
			}
			place = user.Username
			if user.Admin {
				continue
			}
			e, on, silent, err := a.unsure(ctx, user, k.Name, in.ID)
			if err == nil && !s.Admin { // what a name could decide tells that there are patterns
				err = silent
			}
			if err != nil {
				return found, err
			}
			if e.Allowed || silent != nil {
				one := accessOf(s, user, on.Kind, in.ID, e, silent)
				one.Name = a.nameOf(ctx, k, in.ID)
				found.Access = append(found.Access, one)
			}
		}
		if len(users) < batch {
			return found, nil
		}
	}
	found.Next = nextPage(place)
	return found, nil
}

func accessOf(s *identity.Subject, user directory.User, k kind.Name, id string, e authz.Explanation, silent error) Access {
	if silent != nil {
		one := Access{User: user.Username, Service: user.Service, Kind: string(k), ID: id, Reason: unknown}
		for _, g := range e.Considered {
			one.Held = append(one.Held, considered(g, nil))
		}
		return one
	}
	one := Access{User: user.Username, Service: user.Service, Kind: string(k), ID: id, Permission: e.Level.String(), Reason: string(e.Reason)}
	if e.Grant != nil {
		via := considered(*e.Grant, e.Grant).forEyesOf(s, user)
		one.Via = &via
	}
	return one
}

// What lists what a user can do: to administrators, and to oneself what one may at least read.
func (a *API) What(ctx context.Context, s *identity.Subject, in *WhatQuery) (found What, err error) {
	found.Access, found.General = []Access{}, []Considered{}
	name := canonical(in.User)
	if name == "" {
		name = s.Username
	}
	if name != s.Username && !s.Admin {
		return found, errs.New(errs.Denied, "only administrators ask what others can do")
	}
	place, err := in.after()
	if err != nil {
		return found, err
	}
	wanted, err := a.askedKinds(in.Kind)
	if err != nil {
		return found, err
	}
	user, err := a.Store.User(ctx, name)
	if err != nil {
		return found, err
	}
	theirs, err := a.Grants.Of(ctx, user.ID)
	if err != nil {
		return found, err
	}
	found.User, found.Administrator = user.Username, user.Admin && user.Active
	if place == "" {
		found.General = general(theirs, wanted, s.Admin)
	}
	a, names := a.asking()
	defer func() { found.Remark = names.remark() }()
	found.Access, found.Next, err = a.rights(ctx, s, names, holder{user, theirs}, places(theirs, wanted), place, in.Most)
	return found, err
}

// holder is a user with all that is granted.
type holder struct {
	directory.User
	grants *authz.Grants
}

// rights decides what a user may do with each of these resources, from a place on.
func (a *API) rights(ctx context.Context, s *identity.Subject, names *asking, of holder, all []spot, place string, most int) ([]Access, *string, error) {
	found := []Access{}
	all = all[after(all, place):]
	for i, one := range all {
		if i%severalPlaces == 0 {
			names.remember(ctx, experimentsOf(all[i:min(i+severalPlaces, len(all))]))
		}
		if len(found) == most {
			return found, nextPage(place), nil
		}
		place = one.String()
		e, on, silent, err := a.weighed(ctx, of.User, of.grants, one.kind, one.id)
		switch {
		case errs.Is(err, errs.NotFound): // what is gone is nobody's
		case err != nil:
			return found, nil, err
		case e.Allowed || s.Admin: // what may be refused is not told to its holder
			shown := accessOf(s, of.User, on.Kind, one.id, e, silent)
			k, _ := kind.Of(one.kind)
			shown.Name = a.nameOf(ctx, k, one.id)
			found = append(found, shown)
		}
	}
	return found, nil, nil
}

// askedKinds are those that a question is about, in the order of the table; all when it names none.
func (a *API) askedKinds(name string) ([]kind.Kind, error) {
	if name != "" {
		k, err := a.askedKind(name)
		if err == nil && k.Name != k.Name.Kept() {
			k, err = a.askedKind(string(k.Name.Kept()))
		}
		return []kind.Kind{k}, err
	}
	var all []kind.Kind
	for k := range kind.All() {
		if k.Name == k.Name.Kept() && (k.Name != kind.Workspace || a.Rules.Workspaces) {
			all = append(all, k)
		}
	}
	return all, nil
}

// spot is a resource in the order of a listing.
type spot struct {
	kind kind.Name
	id   string
}

func (s spot) String() string { return string(s.kind) + " " + s.id }

// alike are a kind and those that share their names with it.
func alike(k kind.Kind) []kind.Name {
	var all []kind.Name
	for other := range kind.All() {
		if other.Name.Kept() == k.Name {
			all = append(all, other.Name)
		}
	}
	return all
}

// severalPlaces is for how many resources names are asked for at once.
const severalPlaces = 100

// after gives the first of the sorted places behind one.
func after(all []spot, place string) int {
	at, found := slices.BinarySearchFunc(all, place, func(s spot, place string) int { return cmp.Compare(s.String(), place) })
	if found {
		at++
	}
	return at
}

// experimentsOf are the experiments by whose names places are decided.
func experimentsOf(places []spot) []string {
	var ids []string
	for _, one := range places {
		k, _ := kind.Of(one.kind)
		switch {
		case k.ByID:
			ids = append(ids, one.id)
		case k.Parent != "":
			outer, _ := kind.Parts(one.id)
			ids = append(ids, outer)
		}
	}
	return slices.Compact(ids)
}

// places are the resources that something is held on, each once, sorted.
func places(theirs *authz.Grants, wanted []kind.Kind) []spot {
	var all []spot
	for _, k := range wanted {
		for _, name := range alike(k) {
			theirs.Each(name, func(id string) { all = append(all, spot{k.Name, id}) })
		}
	}
	slices.SortFunc(all, func(x, y spot) int { return cmp.Compare(x.String(), y.String()) })
	return slices.Compact(all)
}

// general is what is held on more than one resource. What refuses is shown to administrators alone: it can name what its holder
// may not know of.
func general(theirs *authz.Grants, wanted []kind.Kind, all bool) []Considered {
	shown := []Considered{}
	for _, k := range wanted {
		for _, name := range alike(k) {
			for _, g := range theirs.General(name) {
				if all || g.Level > kind.NoPermissions {
					shown = append(shown, considered(g, nil))
				}
			}
		}
	}
	return shown
}

package api

import (
	"context"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// PatternsQuery names the resource of which patterns may speak.
type PatternsQuery struct {
	Kind string `query:"kind" required:"true" doc:"such as experiment or registered_model"`
	ID   string `query:"id" required:"true" maxLength:"255" doc:"what permissions of the kind hold: an experiment's id, else a name"`
}

// PatternsOn are the patterns that speak of a resource.
type PatternsOn struct {
	Patterns []SpeakingPattern `json:"patterns" doc:"in the order in which they are asked"`
	Total    int               `json:"total" doc:"how many there are, of which the first are listed"`
	Remark   string            `json:"remark,omitempty" doc:"what could not be found out, or was not looked at"`
}

// SpeakingPattern is a pattern, or a permission of a role on all of a kind, that speaks of a resource.
type SpeakingPattern struct {
	User    string     `json:"user,omitempty" doc:"whose it is, where it is a user's own"`
	Grant   Considered `json:"grant"`
	Decides int        `json:"decides" doc:"for how many users it decides"`
	For     []string   `json:"decides_for" doc:"some of them"`
}

// The bounds of an answer: each decision may load somebody's grants, and everybody manages something.
const (
	mostSpeaking     = 200
	mostHolders      = 1000
	mostForManagers  = 200
	mostNamedHolders = 10
)

// heldBy tells one grant from the others.
type heldBy struct {
	source authz.Source
	id     int64
}

// PatternsOn lists the patterns that speak of a resource: to administrators, and to whoever manages it, who sees what they give to whom,
// and not the patterns themselves.
func (a *API) PatternsOn(ctx context.Context, s *identity.Subject, in *PatternsQuery) (found PatternsOn, err error) {
	found.Patterns = []SpeakingPattern{}
	k, err := a.askedKind(in.Kind)
	if err != nil {
		return found, err
	}
	if err := a.manages(ctx, s, k, in.ID); err != nil {
		return found, err
	}
	rows, holders, err := a.generally(ctx, k)
	if err != nil {
		return found, err
	}
	as := a.Grants.Compile(ctx, rows)
	on, err := a.resource(ctx, &identity.Subject{Active: true}, as, k.Name, in.ID)
	if err == nil && k.Name.Kept() == kind.RegisteredModel { // each of the two has patterns of its own
		on.Kind, err = a.names().Registered(ctx, in.ID)
	}
	if err != nil {
		return found, err
	}
	speaking := a.Rules.Explain(authz.Subject{Active: true}, as, on, kind.Read).Considered
	found.Total = len(speaking)
	b, names := a.asking()
	d := deciders{api: b, on: on, id: in.ID, left: mostHolders, told: map[string]*authz.Grant{}}
	if !s.Admin {
		d.left = mostForManagers
	}
	for _, g := range speaking[:min(len(speaking), mostSpeaking)] {
		one, err := d.pattern(ctx, s, g, holders[heldBy{g.Source, g.ID}])
		if err != nil {
			return found, err
		}
		found.Patterns = append(found.Patterns, one)
	}
	if found.Remark = names.remark(); found.Remark == "" && d.left < 0 {
		found.Remark = "There are more holders than were looked at: some patterns decide for more users than is said."
	}
	return found, nil
}

// generally gives what is held on more of a kind than single resources, by whomever, with the names of the holders; also of the kinds that
// share its names, and of what it is in.
func (a *API) generally(ctx context.Context, k kind.Kind) ([]authz.Grant, map[heldBy]string, error) {
	var rows []authz.Grant
	holders := map[heldBy]string{}
	for other := range kind.All() {
		if other.Name.Kept() != k.Name.Kept() && other.Name != k.Parent {
			continue
		}
		for _, ofGroups := range []bool{false, true} {
			all, err := a.Store.PatternHolders(ctx, other.Name, ofGroups)
			if err != nil {
				return nil, nil, err
			}
			for _, one := range all {
				if !ofGroups {
					one.Grant.Group = ""
				}
				rows, holders[heldBy{one.Grant.Source, one.Grant.ID}] = append(rows, one.Grant), one.Name
			}
		}
	}
	roles, err := a.Store.GeneralRoles(ctx)
	return append(rows, roles...), holders, err
}

// deciders finds for whom a grant decides, as long as there is something left to spend on it.
type deciders struct {
	api  *API
	on   authz.Resource
	id   string
	left int
	told map[string]*authz.Grant // by user: what decides
}

func (d *deciders) pattern(ctx context.Context, s *identity.Subject, g authz.Grant, holder string) (SpeakingPattern, error) {
	one := SpeakingPattern{For: []string{}}
	users, err := d.holders(ctx, g, holder)
	if err != nil {
		return one, err
	}
	for _, user := range users {
		by, err := d.of(ctx, user)
		if err != nil {
			return one, err
		}
		if by == nil || by.Source != g.Source || by.ID != g.ID {
			continue
		}
		if one.Decides++; len(one.For) < mostNamedHolders {
			one.For = append(one.For, user.Username)
		}
	}
	var whose directory.User
	if g.Source == authz.UserPattern {
		one.User = holder
		if len(users) > 0 {
			whose = users[0]
		}
	}
	one.Grant = considered(g, nil).forEyesOf(s, whose)
	one.Grant.Decides = one.Decides > 0
	return one, nil
}

// holders are those who hold a grant, as far as they are looked at.
func (d *deciders) holders(ctx context.Context, g authz.Grant, holder string) ([]directory.User, error) {
	switch g.Source {
	case authz.UserPattern:
		user, err := d.api.Store.User(ctx, holder)
		if errs.Is(err, errs.NotFound) { // gone meanwhile
			return nil, nil
		}
		return []directory.User{user}, err
	case authz.GroupPattern:
		users, _, err := d.api.Store.MembersPage(ctx, holder, store.Page{Limit: max(d.left, 1)}) // of more it would not be told what decides
		if errs.Is(err, errs.NotFound) {
			return nil, nil
		}
		return users, err
	}
	return d.api.Store.Assigned(ctx, g.ID)
}

// of gives what decides for a user: nil where it is no grant, or nobody looks any more.
func (d *deciders) of(ctx context.Context, user directory.User) (*authz.Grant, error) {
	if by, known := d.told[user.Username]; known {
		return by, nil
	}
	if d.left--; d.left < 0 {
		return nil, nil
	}
	e, _, silent, err := d.api.unsure(ctx, user, d.on.Kind, d.id)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	if silent != nil {
		e.Grant = nil
	}
	d.told[user.Username] = e.Grant
	return e.Grant, nil
}

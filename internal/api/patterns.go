package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// PatternPath names one of a principal's patterns.
type PatternPath struct {
	HolderPath
	ID string `path:"id" maxLength:"32" doc:"a number"`
}

type patternBody struct {
	Regex      string `json:"regex" doc:"RE2, at most 255 bytes; it matches from the start of a name"`
	Priority   int32  `json:"priority" doc:"the smallest decides"`
	Permission string `json:"permission" doc:"NO_PERMISSIONS, READ, USE, EDIT or MANAGE"`
	Ending
}

type newPattern struct {
	HolderPath
	Body patternBody
}

type patternChange struct {
	PatternPath
	Body patternBody
}

// patterns derives the routes of the patterns of a kind, which are for administrators: a pattern reaches names of everybody.
func (a *API) patterns(r *registrar, k kind.Kind, side side) {
	base := "/permissions/" + side.segment + "/{principal}/" + k.Patterns
	add(r, http.MethodGet, base, 200, "The "+k.Title+" patterns of one of the "+side.segment,
		func(ctx context.Context, s *identity.Subject, in *HolderPath) ([]row, error) {
			if err := administrator(s); err != nil {
				return nil, err
			}
			return a.patternRows(ctx, k, side, side.of(in.Principal))
		})
	add(r, http.MethodPost, base, 201, "Make a pattern", func(ctx context.Context, s *identity.Subject, in *newPattern) (row, error) {
		g, until, err := a.pattern(s, k, in.Body)
		if err != nil {
			return nil, err
		}
		g = a.newPattern(ctx, k, g, until)
		if err := a.Store.CreatePattern(ctx, side.of(in.Principal), g); err != nil {
			return nil, err
		}
		if k.Plain || k.Parent != "" && side.user {
			return a.patternLike(ctx, k, side, side.of(in.Principal), g)
		}
		return row{"status": "success", "message": "The pattern has been created"}, nil
	})
	add(r, http.MethodGet, base+"/{id}", 200, "One pattern", func(ctx context.Context, s *identity.Subject, in *PatternPath) (row, error) {
		id, err := patternID(s, k, side, in.ID)
		if err != nil {
			return nil, err
		}
		return a.onePattern(ctx, k, side, side.of(in.Principal), id)
	})
	a.patternChanges(r, k, side, base+"/{id}")
}

func (a *API) patternChanges(r *registrar, k kind.Kind, side side, path string) {
	add(r, http.MethodPatch, path, 200, "Change a pattern", func(ctx context.Context, s *identity.Subject, in *patternChange) (row, error) {
		id, err := patternID(s, k, side, in.ID)
		if err != nil {
			return nil, err
		}
		g, until, err := a.pattern(s, k, in.Body)
		if err != nil {
			return nil, err
		}
		g.ID = id
		if err := a.Store.UpdatePattern(ctx, side.of(in.Principal), g, until); err != nil {
			return nil, err
		}
		if k.Plain || side.user && k.PatternEnvelope != "" {
			return a.onePattern(ctx, k, side, side.of(in.Principal), id)
		}
		return row{"status": "success", "message": "The pattern has been changed"}, nil
	})
	add(r, http.MethodDelete, path, 200, "Delete a pattern", func(ctx context.Context, s *identity.Subject, in *PatternPath) (message, error) {
		id, err := patternID(s, k, side, in.ID)
		if err != nil {
			return message{}, err
		}
		done := message{Status: "success", Message: "The pattern has been deleted"}
		if side.user && k.BareDeletion {
			done.Message = ""
		}
		return done, a.Store.DeletePattern(ctx, side.of(in.Principal), k.Name, id)
	})
}

// patternID reads the id of a path. What is not a number is another error for some kinds of users' patterns in the plugin, and so here.
func patternID(s *identity.Subject, k kind.Kind, side side, text string) (int64, error) {
	if err := administrator(s); err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil:
		return id, nil
	case side.user && !k.Plain && k.Parent == "":
		return 0, errs.New(errs.Invalid, "the id of a pattern is a number")
	}
	return 0, huma.Error422UnprocessableEntity("the id of a pattern is a number")
}

func (a *API) pattern(s *identity.Subject, k kind.Kind, body patternBody) (authz.Grant, *time.Time, error) {
	if err := administrator(s); err != nil {
		return authz.Grant{}, nil, err
	}
	level, err := parseLevel(body.Permission)
	if err != nil {
		return authz.Grant{}, nil, err
	}
	until, err := a.until(body.Ending)
	return authz.Grant{Kind: k.Name, Pattern: body.Regex, Priority: int(body.Priority), Level: level}, until, err
}

// newPattern is a pattern that is made where the request is, until the time that is given.
func (a *API) newPattern(ctx context.Context, k kind.Kind, g authz.Grant, until *time.Time) authz.Grant {
	if g.Workspace = a.patternPlace(ctx, k); until != nil {
		g.Expires = *until
	}
	return g
}

func (a *API) patternRows(ctx context.Context, k kind.Kind, side side, p store.Principal) ([]row, error) {
	holder, err := a.Store.PrincipalID(ctx, p)
	if err != nil {
		return nil, err
	}
	patterns, err := a.Store.Patterns(ctx, p, k.Name)
	if err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(patterns))
	for _, g := range patterns {
		rows = append(rows, a.patternRow(k, side, holder, g))
	}
	return rows, nil
}

func (a *API) patternRow(k kind.Kind, side side, holder int64, g authz.Grant) row {
	one := lasting(row{"id": g.ID, "regex": g.Pattern, "priority": g.Priority, "permission": g.Level.String(), "workspace": a.shownPlace(k.Name, g.Workspace)}, g.Expires)
	switch {
	case !side.user:
		one["group_id"], one["kind"] = holder, side.kind
	case k.PatternIDText:
		one["id"] = strconv.FormatInt(g.ID, 10)
	default:
		one["user_id"] = holder
		if k.Plain {
			one["kind"] = side.kind
		}
	}
	if k.Prompt {
		one["prompt"] = k.Name == kind.Prompt
	}
	return one
}

// patternLike gives the pattern that has just been made, which no other of the principal's equals.
func (a *API) patternLike(ctx context.Context, k kind.Kind, side side, p store.Principal, made authz.Grant) (row, error) {
	patterns, err := a.Store.Patterns(ctx, p, k.Name)
	if err != nil {
		return nil, err
	}
	for _, g := range patterns {
		if g.Pattern == made.Pattern && g.Workspace == made.Workspace {
			return a.onePattern(ctx, k, side, p, g.ID)
		}
	}
	return nil, errs.New(errs.NotFound, "the pattern is gone again")
}

func (a *API) onePattern(ctx context.Context, k kind.Kind, side side, p store.Principal, id int64) (row, error) {
	holder, err := a.Store.PrincipalID(ctx, p)
	if err != nil {
		return nil, err
	}
	patterns, err := a.Store.Patterns(ctx, p, k.Name)
	if err != nil {
		return nil, err
	}
	for _, g := range patterns {
		if g.ID != id {
			continue
		}
		one := a.patternRow(k, side, holder, g)
		if side.user && k.PatternEnvelope != "" {
			one = row{k.PatternEnvelope: one}
		}
		return one, nil
	}
	return nil, errs.New(errs.NotFound, "there is no such pattern of %s", p)
}

package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// Paging are the query fields of a listing that comes in pages. Without a limit all of it comes, and the offset says nothing.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500"`
	Offset int    `query:"offset" minimum:"0"`
	Search string `query:"search" maxLength:"256" doc:"a part of the name, in any case"`
}

// page gives the rows that were asked for, in the order of their names, and how many there are in all. It gets what the
// caller may see and nothing else, so that the number tells nothing of the rest.
func page[T any](rows []T, name func(T) string, p Paging) ([]T, int) {
	wanted := strings.ToLower(p.Search)
	rows = slices.DeleteFunc(slices.Clone(rows), func(row T) bool { return !strings.Contains(strings.ToLower(name(row)), wanted) })
	slices.SortStableFunc(rows, func(a, b T) int {
		if order := strings.Compare(strings.ToLower(name(a)), strings.ToLower(name(b))); order != 0 {
			return order
		}
		return strings.Compare(name(a), name(b))
	})
	total := len(rows)
	if p.Limit > 0 {
		rows = rows[min(p.Offset, total):]
		rows = rows[:min(p.Limit, len(rows))]
	}
	return rows, total
}

// listing is what an operation gives whose rows are cut here: all that the caller may see, and what they are sorted and searched by.
type listing[T any] struct {
	rows []T
	name func(T) string
}

// pages are the inputs of paged operations.
type pages interface{ paging() Paging }

func (p *Paging) paging() Paging { return *p }

// stored is the page as the users database is asked for it.
func (p *Paging) stored() store.Page {
	return store.Page{Search: p.Search, Limit: p.Limit, Offset: p.Offset}
}

// addPaged registers a listing that comes in pages. It is cut where the rows are kept, and nothing beyond the page is read; the
// answer to a page or search has the number of all in a header.
func addPaged[I any, P interface {
	*I
	pages
}, T any](r *registrar, path, summary string, do func(ctx context.Context, s *identity.Subject, in P) ([]T, int, error)) {
	addPage(r, path, summary, func(ctx context.Context, s *identity.Subject, in P) ([]T, int, error) {
		rows, total, err := do(ctx, s, in)
		return append([]T{}, rows...), total, err
	})
}

// addPagedIn is addPaged for few rows, which are cut here, and are in something.
func addPagedIn[I any, P interface {
	*I
	pages
}, T, B any](r *registrar, path, summary string, do func(ctx context.Context, s *identity.Subject, in P) (listing[T], func([]T) B, error)) {
	addPage(r, path, summary, func(ctx context.Context, s *identity.Subject, in P) (body B, total int, err error) {
		all, within, err := do(ctx, s, in)
		if err != nil {
			return body, 0, err
		}
		rows, total := page(all.rows, all.name, in.paging())
		return within(append([]T{}, rows...)), total, nil
	})
}

// cut has few rows be cut here.
func cut[P pages, T any](do func(ctx context.Context, s *identity.Subject, in P) (listing[T], error)) func(context.Context, *identity.Subject, P) ([]T, int, error) {
	return func(ctx context.Context, s *identity.Subject, in P) ([]T, int, error) {
		all, err := do(ctx, s, in)
		if err != nil {
			return nil, 0, err
		}
		rows, total := page(all.rows, all.name, in.paging())
		return rows, total, nil
	}
}

func addPage[I any, P interface {
	*I
	pages
}, B any](r *registrar, path, summary string, do func(ctx context.Context, s *identity.Subject, in P) (B, int, error)) {
	type output struct {
		Total string `header:"X-Total-Count" doc:"the number of all matches, where a limit or search was given"`
		Body  B
	}
	huma.Register(r.api, r.operation(http.MethodGet, path, http.StatusOK, summary), func(ctx context.Context, in *I) (*output, error) {
		body, total, err := do(ctx, identity.From(ctx), in)
		if err != nil {
			return nil, r.failed(ctx, http.MethodGet, path, err)
		}
		out := &output{Body: body}
		if p := P(in).paging(); p.Limit > 0 || p.Search != "" {
			out.Total = strconv.Itoa(total)
		}
		return out, nil
	})
}

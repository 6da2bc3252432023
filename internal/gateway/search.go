package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/rewrite"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// list answers a search with what the caller may read, in full pages.
func (c *call) list() error {
	list, ok := rewrite.Lists[c.match.Route.Filter]
	if !ok {
		return errs.New(errs.Internal, "filter %q has no list", c.match.Route.Filter)
	}
	selection := c.gateway.Rules.Select(c.decider(), c.grants, list.Kind, kind.Read)
	if selection.Exact && selection.All && len(selection.IDs) == 0 {
		return c.forward()
	}
	c.passage.lap(Deciding)
	purpose, err := c.tokenPurpose(list)
	if err != nil {
		return err
	}
	if err := c.openToken(purpose); err != nil {
		return err
	}
	search, err := rewrite.NewSearch(list, c.read.Query, c.read.Body)
	if err != nil {
		return err
	}
	if selection.Exact && !selection.All && len(selection.IDs) == 0 {
		return c.answerJSON(list.Encode(rewrite.Page{}, ""))
	}
	narrowed, err := search.Narrow(selection)
	if err != nil {
		return err
	}
	page, err := list.Gather(c.r.Context(), search.Start, search.Want, c.fetcher(search), c.readable(list.Kind))
	if narrowed && search.Widen(err) {
		page, err = list.Gather(c.r.Context(), search.Start, search.Want, c.fetcher(search), c.readable(list.Kind))
	}
	if err != nil {
		return err
	}
	token, err := c.sealToken(purpose, page.Next)
	if err != nil {
		return err
	}
	body, err := c.hide(list.Encode(page, token))
	if err != nil {
		return err
	}
	return c.answerJSON(body)
}

func (c *call) fetcher(search *rewrite.Search) rewrite.Fetch {
	return func(ctx context.Context, offset, rows int) (json.RawMessage, error) {
		query, body := search.At(offset, rows)
		method := http.MethodGet
		if search.List.Post {
			method = http.MethodPost
		}
		raw, err := c.gateway.MLflow.Ask(ctx, method, search.List.Path, query, body, c.gateway.MaxFiltered)
		if errors.Is(err, upstream.ErrTooLarge) {
			c.gateway.Log.WarnContext(ctx, "rows are too large to be read at once", "path", search.List.Path, "offset", offset, "rows", rows)
			err = rewrite.ErrTooLarge
		}
		return raw, err
	}
}

// readable decides each row, also of a search that was narrowed before: the answer is trusted no more than the filter.
func (c *call) readable(k kind.Name) rewrite.Allowed {
	filter := c.match.Route.Filter
	return func(ctx context.Context, row rewrite.Row) (bool, error) {
		on := authz.Resource{Kind: k, ID: row.ID, Name: row.Name}
		switch filter {
		case policy.ListExperiments:
			c.gateway.MLflow.RememberName(ctx, row.ID, row.Name)
		case policy.ListModels: // the row says itself whether it is a prompt
			var err error
			if on.Kind, err = rowKind(row.Raw); err != nil {
				return false, err
			}
		case policy.ListModelVersions: // its tags say what whoever made the version wanted them to
			return c.reads(ctx, row.Name)
		case policy.ListMCPServers, policy.ListMCPEndpoints:
		default:
			return false, errs.New(errs.Internal, "filter %q says nothing about rows", filter)
		}
		return c.gateway.Rules.Decide(c.decider(), c.grants, on, kind.Read).Allowed, nil
	}
}

// narrow forwards a search over named experiments with those alone that the caller may read. Without any the answer is
// empty, as MLflow answers for experiments that do not exist.
func (c *call) narrow() error {
	if c.subject.Admin {
		return c.forward()
	}
	kept := []any{}
	for _, target := range c.targets {
		err := c.decide(extract.Target{Ref: policy.Experiment, Value: target.Value, Level: kind.Read})
		switch {
		case err == nil:
			kept = append(kept, target.Value)
		case !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Denied):
			return err
		}
	}
	if len(kept) == 0 {
		return c.answerJSON([]byte("{}"))
	}
	c.read.Body.Set("experiment_ids", kept)
	return c.forward()
}

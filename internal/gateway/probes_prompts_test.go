package gateway_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// The probes of the rules about prompts and scorers.
func init() {
	checkProbes[policy.PromptVersion] = puts("tags", []any{world.PromptTag})
	checkProbes[policy.KindTag] = puts("tags", []any{map[string]any{"key": world.PromptTag["key"], "value": "TRUE"}})
	filterProbes[policy.Scorers] = shows(scorerLooks)
	filterProbes[policy.ScorerConfigs] = shows(configLooks)
	effectProbes[policy.GrantScorer] = scorerGranted
	effectProbes[policy.DropScorer] = scorerDropped
}

// scorerLooks are those of somebody who may do everything in the first owner's experiment, but for its scorer.
func scorerLooks(t *testing.T, c *cast, route policy.Route, own *draft) []look {
	if !choice(route) {
		return []look{{draft: own, shows: []string{c.b.Scorer}}}
	}
	who := c.refusedScorer(t)
	var all []look
	for i := range route.Needs {
		pick := func(work world.Work) picks {
			return func(j int, need policy.Need) []string {
				if i == j {
					return from(t, work, true)(j, need)
				}
				return nil
			}
		}
		all = append(all, look{draft: newDraft(route, pick(c.b)), shows: []string{c.b.Scorer}},
			look{who: who, draft: newDraft(route, pick(c.a)), hides: []string{c.a.Scorer}})
	}
	return all
}

// refusedScorer is that somebody.
func (c *cast) refusedScorer(t *testing.T) *world.Client {
	t.Helper()
	who := c.only(t, "a scorer refused", kind.NoPermissions, map[kind.Name]string{kind.Scorer: held(c.a)[kind.Scorer][0]})
	_ = c.App.Store.CreateGrant(t.Context(), store.Principal{User: who.Username}, kind.Experiment, c.a.Experiment, kind.Manage, nil) // it may be there already
	return who
}

// configLooks ask for the online configurations of both owners' scorers.
func configLooks(t *testing.T, c *cast, _ policy.Route, own *draft) []look {
	ids := map[string]string{}
	for _, work := range []world.Work{c.a, c.b} {
		c.admin.JSON(t, http.MethodPut, v3+"scorers/online-config", map[string]any{"experiment_id": work.Experiment, "name": work.Scorer, "sample_rate": 0})
		for _, row := range c.admin.JSON(t, http.MethodGet, v3+"scorers/list?experiment_id="+work.Experiment, nil)["scorers"].([]any) {
			if scorer := row.(map[string]any); scorer["scorer_name"] == work.Scorer {
				ids[work.Scorer] = scorer["scorer_id"].(string)
			}
		}
	}
	own.query = url.Values{"scorer_ids": {ids[c.a.Scorer], ids[c.b.Scorer]}}
	return []look{{draft: own, shows: []string{ids[c.b.Scorer]}, hides: []string{ids[c.a.Scorer]}},
		{who: c.refusedScorer(t), draft: own, hides: []string{ids[c.a.Scorer], ids[c.b.Scorer]}}}
}

// register registers a new scorer's first version in the second owner's experiment, and gives what grants hold.
func (c *cast) register(t *testing.T, path string, handler http.Handler) (resource string, err error) {
	t.Helper()
	c.recorder.Pass()
	name := world.Name("scorer")
	who := c.second.Through(handler)
	got, err := who.Try(who.Request(t, http.MethodPost, path, world.RegisterScorer(c.b.Experiment, name, "openai:/gpt-4o")))
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("registering a scorer: %d %s", got.Status, got.Body)
	}
	return kind.Within(c.b.Experiment, name), err
}

func scorerGranted(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
	resource, err := c.register(t, route.Path, handler)
	if err != nil {
		return err.Error()
	}
	if got, want := c.grants(t, kind.Scorer, resource), c.second.Username+" MANAGE"; got != want {
		return fmt.Sprintf("the scorer is held by %q, want %q", got, want)
	}
	return ""
}

func scorerDropped(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
	resource, err := c.register(t, v3+"scorers/register", c.App.Handler())
	if err != nil {
		return err.Error()
	}
	d := newDraft(route, func(int, policy.Need) []string { return []string{resource} })
	who := c.second.Through(handler)
	if got, err := who.Try(d.request(t, who)); err != nil || got.Status != http.StatusOK {
		return fmt.Sprintf("answered %d %s %v", got.Status, got.Body, err)
	}
	if left := c.grants(t, kind.Scorer, resource); left != "" {
		return "the scorer's name is still held by " + left
	}
	return ""
}

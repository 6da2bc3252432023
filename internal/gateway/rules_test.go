package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// The probes of what refers to the AI gateway, of jobs, of review queues and of MCP servers.
func init() {
	checkProbes[policy.UsableSecret] = refuses(func(t *testing.T, c *cast, route policy.Route, _ *draft) []attempt {
		who := c.only(t, "edits a definition", kind.Edit, map[kind.Name]string{kind.GatewayModel: c.a.Definition})
		d := newDraft(route, from(t, c.a, false))
		d.body["provider"], d.body["model_name"] = "anthropic", "another"
		return []attempt{{who, d}}
	})
	checkProbes[policy.UsableEndpoints] = puts("serialized_scorer", judge("gateway:/somebodys"))
	checkProbes[policy.KnownScorers] = puts("serialized_scorer", judge("openai:/gpt-4o"))
	checkProbes[policy.KnownJob] = puts("job_name", "optimize_prompts")
	checkProbes[policy.ExactFields] = refuses(func(_ *testing.T, c *cast, _ policy.Route, own *draft) []attempt {
		at := own.body
		if params, ok := at["params"].(map[string]any); ok {
			at = params
		}
		delete(at, "experiment_id")
		at["experimentId"] = c.b.Experiment
		return []attempt{{draft: own}}
	})
	checkProbes[policy.KnownEndpoint] = refuses(func(_ *testing.T, _ *cast, _ policy.Route, own *draft) []attempt {
		delete(own.body, "endpoint_name")
		return []attempt{{draft: own}}
	})
	checkProbes[policy.OwnReview] = refuses(func(t *testing.T, c *cast, route policy.Route, _ *draft) []attempt {
		return []attempt{{c.person(t, "MANAGE and NO_PERMISSIONS", nil, func(to store.Principal) { c.grant(t, to, kind.Manage, c.a) }), newDraft(route, from(t, c.a, true))}}
	})
	checkProbes[policy.StatusDeleted] = refuses(func(t *testing.T, c *cast, route policy.Route, _ *draft) []attempt {
		d := newDraft(route, from(t, c.a, true))
		d.body["status"] = "deleted"
		return []attempt{{c.only(t, "edits a server", kind.Edit, map[kind.Name]string{kind.MCPServer: c.a.Server}), d}}
	})
	checkProbes[policy.NoRouteWord] = refuses(func(t *testing.T, c *cast, route policy.Route, own *draft) []attempt {
		const server = "test/versions" // to MLflow the versions of a server called test
		d := newDraft(route, func(int, policy.Need) []string { return []string{server} })
		d.path = parameter.ReplaceAllString(d.path, "x")
		own.path = parameter.ReplaceAllString(own.path, "versions")
		all := []attempt{{c.only(t, "holds a server by a word", kind.Manage, map[kind.Name]string{kind.MCPServer: server}), d}}
		if own.path != newDraft(route, from(t, c.b, true)).path {
			all = append(all, attempt{draft: own})
		}
		return all
	})

	filterProbes[policy.ListMCPServers] = listing(func(w world.Work) string { return w.Server })
	filterProbes[policy.ListMCPEndpoints] = listing(func(w world.Work) string { return w.Server })
	filterProbes[policy.SeenQueues] = shows(func(t *testing.T, c *cast, route policy.Route, own *draft) []look {
		reader := c.only(t, "reads an experiment", kind.Read, map[kind.Name]string{kind.Experiment: c.a.Experiment})
		return []look{{draft: own, shows: []string{c.b.ReviewQueue}}, {reader, newDraft(route, from(t, c.a, false)), nil, []string{c.a.ReviewQueue}}}
	})

	effectProbes[policy.GrantMCPServer] = grantsCreator
	effectProbes[policy.DropMCPServer] = follows("")
	effectProbes[policy.OwnQueue] = func(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
		_, problem := c.newQueue(t, route, handler)
		return problem
	}
	effectProbes[policy.DropQueue] = func(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
		id, problem := c.newQueue(t, rowOf(t, policy.OwnQueue), c.App.Handler())
		if problem != "" {
			return problem
		}
		d := newDraft(route, func(int, policy.Need) []string { return []string{id} })
		who := c.second.Through(handler)
		if got, err := who.Try(d.request(t, who)); err != nil || got.Status != http.StatusOK {
			return fmt.Sprintf("answered %d %s %v", got.Status, got.Body, err)
		}
		if owner, err := c.App.Store.Owner(t.Context(), policy.ReviewQueue.String(), id); err == nil {
			return fmt.Sprintf("the queue is still %d's", owner)
		}
		return ""
	}

	fill[kind.MCPServer] = func(*draft) {}
}

// makerNeeds sees that who made a review queue may not change it with one level less than makers need.
func makerNeeds(t *testing.T, c *cast, route policy.Route, handler http.Handler) string {
	who := c.only(t, "made a queue", route.Maker-1, map[kind.Name]string{kind.Experiment: c.a.Experiment})
	makes := func(username string) {
		account, err := c.App.Store.User(t.Context(), username)
		if err == nil {
			err = c.App.Store.Own(t.Context(), policy.ReviewQueue.String(), c.a.ReviewQueue, account.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	makes(who.Username)
	defer makes(c.person(t, "EDIT by group", []string{"group of EDIT by group"}, nil).Username)
	c.recorder.Refuse()
	return c.run(t, cell{who: who, draft: newDraft(route, from(t, c.a, false)), want: denied()}, handler)
}

// elsewhere are the rules that cannot be probed with the shared MLflow, which runs no jobs and has no workspaces, and the
// tests that fail without them.
var elsewhere = map[string]string{
	string(policy.OwnJobs):        "TestJobsOnMLflow",
	string(policy.OwnNewJobs):     "TestJobsOnMLflow",
	string(policy.ListWorkspaces): "TestAskWhetherAWorkspaceExists",
	string(policy.GrantWorkspace): "TestInheritTheGrantsOfADeletedWorkspace",
	string(policy.DropWorkspace):  "TestInheritTheGrantsOfADeletedWorkspace",
	string(policy.GrantNewServer): "TestFirstVersionNeedsTheRightToCreate",
}

// rowOf gives the first row with an effect.
func rowOf(t *testing.T, effect policy.Effect) policy.Route {
	t.Helper()
	all := policy.Routes()
	i := slices.IndexFunc(all, func(r policy.Route) bool { return r.Effect == effect })
	if i < 0 {
		t.Fatalf("no row has the effect that %s", effect)
	}
	return all[i]
}

// newQueue lets the second owner make a review queue by its row, which must then be theirs.
func (c *cast) newQueue(t *testing.T, route policy.Route, handler http.Handler) (id, problem string) {
	t.Helper()
	c.recorder.Pass()
	d := newDraft(route, from(t, c.b, false))
	d.body["name"], d.body["queue_type"] = world.Name("queue"), "CUSTOM"
	who := c.second.Through(handler)
	got, err := who.Try(d.request(t, who))
	if err != nil || got.Status != http.StatusOK {
		return "", fmt.Sprintf("answered %d %s %v", got.Status, got.Body, err)
	}
	var said struct {
		Queue struct {
			ID string `json:"queue_id"`
		} `json:"review_queue"`
	}
	if err := json.Unmarshal(got.Body, &said); err != nil {
		t.Fatal(err)
	}
	id = said.Queue.ID
	account, err := c.App.Store.User(t.Context(), c.second.Username)
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := c.App.Store.Owner(t.Context(), policy.ReviewQueue.String(), id); err != nil || owner != account.ID {
		return id, fmt.Sprintf("the queue is %d's (%v), want %d", owner, err, account.ID)
	}
	return id, ""
}

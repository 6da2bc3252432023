package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// marked is a cast whose works bear marks, before MLflow itself.
type marked struct {
	*cast
	fields      map[string][]mlflowtest.RequestField
	theirs, own world.Marks // of the first owner, and of the second
	provider    *httptest.Server
	said        []string // what requests have said of the first owner's, and may have put into the second owner's work
}

func newMarked(t *testing.T) *marked {
	t.Helper()
	m := &marked{cast: newCast(t), fields: mlflowtest.Fields(t)}
	m.theirs = m.first.Mark(t, m.a)
	m.provider = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusTeapot) }))
	t.Cleanup(m.provider.Close)
	m.renew(t)
	return m
}

// renew gives the second owner new work, in place of what a request has deleted or renamed. Its secret leads to a provider of
// the test's own.
func (m *marked) renew(t *testing.T) {
	t.Helper()
	m.b = m.second.MakeWork(t)
	m.own = m.second.Mark(t, m.b)
	m.second.JSON(t, http.MethodPost, ai+"secrets/update", map[string]any{"secret_id": m.b.SecretID, "auth_config": map[string]any{"api_base": m.provider.URL}})
}

// leaks gives what a text shows of the first owner's work, but for what the request itself has said.
func (m *marked) leaks(text, said string) []string {
	found := m.a.Shows(text)
	for _, mark := range []string{m.theirs.Text, m.theirs.Assessment} {
		if strings.Contains(text, mark) {
			found = append(found, mark)
		}
	}
	return slices.DeleteFunc(found, func(shown string) bool { return said != "" && strings.Contains(said, shown) })
}

// whole is a row's request about the second owner's work that MLflow can answer.
func (m *marked) whole(t *testing.T, route policy.Route, all bool) *draft {
	t.Helper()
	pick := from(t, m.b, all)
	if all && choice(route) { // MLflow refuses several of them
		pick = func(i int, need policy.Need) []string { return from(t, m.b, i == 0)(i, need) }
	}
	return newDraft(route, pick).complete(t, m.fields[fieldsOf(route)], m.b, m.own)
}

// fieldsOf gives a row's name among MLflow's requests.
func fieldsOf(route policy.Route) string {
	return strings.NewReplacer("{namespace}/{slug}", "{name}", "*}", "}").Replace(route.Pattern())
}

// untwinned are the rows without those that MLflow serves by the same handler under another prefix.
func untwinned() []policy.Route {
	all := policy.Routes()
	return slices.DeleteFunc(slices.Clone(all), func(r policy.Route) bool {
		rest, twin := strings.CutPrefix(r.Path, "/ajax-api/")
		return twin && slices.ContainsFunc(all, func(other policy.Route) bool { return other.Method == r.Method && other.Path == "/api/"+rest })
	})
}

// answersWithData tells whether a row is there to read.
func answersWithData(route policy.Route) bool {
	highest := kind.NoPermissions
	for _, need := range route.Needs {
		highest = max(highest, need.Level)
	}
	return route.Method == http.MethodGet || highest <= kind.Read || route.Filter != ""
}

// isOpen tells whether a row is for people who are no administrators.
func isOpen(route policy.Route) bool {
	return route.Access == policy.PerResource || route.Access == policy.SignedIn
}

// barren are the rows whose answers hold nothing of anybody: what the server is, its files, and what its version knows of
// providers, for which it may ask the network.
func barren(route policy.Route) bool {
	return route.Access == policy.SignedIn && route.Filter == "" && route.Creates == ""
}

// TestNoAnswerShowsWhatIsForeign asks by every row that answers with data, whole and with nothing to narrow the answer, as
// somebody with work of their own beside that of another, whose every text is marked.
func TestNoAnswerShowsWhatIsForeign(t *testing.T) {
	m := newMarked(t)
	for _, route := range untwinned() {
		if !isOpen(route) || !answersWithData(route) || barren(route) {
			continue
		}
		t.Run(route.Pattern(), func(t *testing.T) {
			bare := newDraft(route, func(_ int, need policy.Need) []string {
				if need.At.In == policy.Path {
					return []string{named(t, need.Ref, m.b)}
				}
				return nil
			})
			empty := newDraft(route, func(i int, need policy.Need) []string {
				if need.At.In == policy.Path {
					return []string{named(t, need.Ref, m.b)}
				}
				return []string{""}
			})
			sized := newDraft(route, func(int, policy.Need) []string { return nil })
			sized.sizes(100)
			for name, d := range map[string]*draft{"whole": m.whole(t, route, true), "without what is optional": m.whole(t, route, false),
				"with nothing": bare, "with empty ids": empty, "with a size alone": sized} {
				got := m.second.Send(t, d.request(t, m.second))
				if found := m.leaks(string(got.Body), ""); len(found) > 0 {
					t.Errorf("%s: the answer shows %q: %d %.1000s", name, found, got.Status, got.Body)
				}
				if name == "whole" && silent[route.Pattern()] == "" && route.Creates == "" {
					m.answered(t, d, got)
				}
			}
			if spends(route) {
				m.renew(t)
			}
		})
	}
}

// silent are the rows whose answers hold nothing by which one's own could be known, and why.
var silent = map[string]string{
	"POST /ajax-api/3.0/jobs/search":                                             noJobs,
	"GET /ajax-api/3.0/jobs/{job_id}":                                            noJobs,
	"GET /ajax-api/3.0/mlflow/jobs/{job_id}":                                     noJobs,
	"GET /api/3.0/mlflow/workspaces":                                             "the server of these tests has no workspaces; TestAskWhetherAWorkspaceExists has one",
	"GET /api/3.0/mlflow/workspaces/{workspace_name}":                            "the server of these tests has no workspaces; TestAskWhetherAWorkspaceExists has one",
	"GET /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/versions/{version}":      noPart,
	"GET /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/aliases/{alias*}":        noPart,
	"GET /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/endpoints/{endpoint_id}": noPart,
	"GET /api/2.0/mlflow/metrics/get-history":                                    "figures alone",
	"POST /api/3.0/mlflow/traces/metrics":                                        "figures alone",
	"POST /api/3.0/mlflow/traces/calculate-filter-correlation":                   "figures alone",
	"POST /api/2.0/mlflow/artifacts/presigned-download-url":                      "only of a cloud's storage",
	"GET /api/2.0/mlflow-artifacts/presigned/{artifact_path*}":                   "only of a cloud's storage",
	"POST /api/3.0/mlflow/gateway/endpoints/models/attach":                       "it is attached already; the filter's probe detaches it",
	"GET /api/3.0/mlflow/scorers/online-configs":                                 "only by scorers' ids; the filter's probe asks for them",
}

// answered fails when a request was not answered with one's own work, so that its answer says nothing about another's.
func (m *marked) answered(t *testing.T, d *draft, got world.Answer) {
	t.Helper()
	text := string(got.Body)
	if got.Status != http.StatusOK || len(m.b.Shows(text)) == 0 && !strings.Contains(text, m.own.Text) && !strings.Contains(text, world.Secret) {
		t.Errorf("%v %v: the answer shows nothing of one's own: %d %.300s", d.query, d.body, got.Status, text)
	}
}

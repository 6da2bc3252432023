package gateway_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// referring matches the last name of a field that could name something.
var referring = regexp.MustCompile(`(^|_)(ids?|uuid|names?|sources?|path|directory|location|token|key|secret|endpoint|queue|model|ur[il]|route|users?|owner|alias|by|overrides|digest)$`)

// plausible says what a field could name, by a part of its name: the first that matches. Others could name anything. The text
// of the marks is never among it, so that wherever it is seen it was read.
var plausible = []struct {
	part string
	what func(m *marked) []string
}{
	{"token", func(m *marked) []string { return []string{m.a.Run, m.a.Experiment} }},
	{"run_", func(m *marked) []string { return []string{m.a.Run} }},
	{"experiment", func(m *marked) []string { return []string{m.a.Experiment, m.a.ExperimentName} }},
	{"assessment_id", func(m *marked) []string { return []string{m.theirs.Assessment} }},
	{"overrides", func(m *marked) []string { return []string{m.theirs.Assessment} }},
	{"request_id", func(m *marked) []string { return []string{m.a.Trace} }},
	{"trace_id", func(m *marked) []string { return []string{m.a.Trace} }},
	{"item_id", func(m *marked) []string { return []string{m.a.Trace, m.a.Run} }},
	{"schema_id", func(m *marked) []string { return []string{m.a.LabelSchema} }},
	{"queue_id", func(m *marked) []string { return []string{m.a.ReviewQueue} }},
	{"issue", func(m *marked) []string { return []string{m.a.Issue} }},
	{"secret", func(m *marked) []string { return []string{m.a.SecretID, m.a.Secret} }},
	{"endpoint", func(m *marked) []string { return []string{m.a.EndpointID, m.a.Endpoint} }},
	{"model_definition", func(m *marked) []string { return []string{m.a.DefinitionID} }},
	{"model", func(m *marked) []string {
		return []string{m.a.LoggedModel, m.a.Model, m.a.Endpoint, m.a.Definition, "models:/" + m.a.Model + "/1"}
	}},
	{"dataset", func(m *marked) []string { return []string{m.a.Dataset} }},
	{"user", func(m *marked) []string { return []string{m.first.Username} }},
	{"owner", func(m *marked) []string { return []string{m.first.Username} }},
	{"_by", func(m *marked) []string { return []string{m.first.Username} }},
	{"key", func(m *marked) []string { return []string{m.a.Model} }},
	{"alias", func(m *marked) []string { return []string{m.a.Model} }},
	{"digest", func(m *marked) []string { return []string{m.a.Dataset} }},
	{"name", func(m *marked) []string {
		return []string{m.a.ExperimentName, m.a.Model, m.a.Endpoint, m.a.Definition, m.a.Secret}
	}},
	{"path", (*marked).places}, {"directory", (*marked).places}, {"location", (*marked).places}, {"source", (*marked).places},
	{"uri", (*marked).places}, {"url", (*marked).places},
}

// places are how the first owner's artifacts can be named.
func (m *marked) places() []string {
	return []string{m.a.Artifacts, m.a.Artifacts + "/secret.txt", "../../" + m.a.Run + "/artifacts/secret.txt", "mlflow-artifacts:/" + m.a.Artifacts,
		"runs:/" + m.a.Run + "/secret.txt", "models:/" + m.a.Model + "/1", "models:/" + m.a.LoggedModel, m.a.Run, m.a.Dataset}
}

// anything is one of each that the first owner has.
func (m *marked) anything() []string {
	return []string{m.a.Experiment, m.a.Run, m.a.LoggedModel, m.a.Trace, m.a.Model, m.a.Dataset, m.a.Issue, m.a.LabelSchema, m.a.ReviewQueue,
		m.a.EndpointID, m.a.DefinitionID, m.a.SecretID, m.theirs.Assessment}
}

// suspects gives the fields of a row that could name something and are no need of it, with what to put there.
func (m *marked) suspects(route policy.Route) map[string][]string {
	found := map[string][]string{}
	for _, field := range m.fields[fieldsOf(route)] {
		last := strings.TrimSuffix(field.Path[strings.LastIndex(field.Path, ".")+1:], "[]")
		if field.Type == "text" && referring.MatchString(last) && !needed(route, field.Path) && !strings.Contains(route.Path, "{"+field.Path+"}") {
			found[field.Path] = m.values(last)
		}
	}
	for _, name := range parameter.FindAllString(route.Path, -1) {
		if name = strings.Trim(name, "{*}"); !needed(route, name) {
			found["{"+name+"}"] = m.values(name)
		}
	}
	return found
}

func (m *marked) values(field string) []string {
	for _, p := range plausible {
		if strings.Contains(field, p.part) {
			return p.what(m)
		}
	}
	return m.anything()
}

// readers are the rows by which a work is read whole: those that take nothing but one id.
func readers() []policy.Route {
	return slices.DeleteFunc(untwinned(), func(r policy.Route) bool {
		return r.Method != http.MethodGet || r.Access != policy.PerResource || len(r.Needs) != 1 || r.Threads || len(r.Needs[0].At.Fields) > 1 && r.Needs[0].Ref != policy.Run
	})
}

// snapshot reads all of somebody's work as they may, by row. What is not answered with 200 is left out.
func (m *marked) snapshot(t *testing.T, c *world.Client, work world.Work, marks world.Marks) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, route := range readers() {
		d := newDraft(route, from(t, work, true)).complete(t, m.fields[fieldsOf(route)], work, marks)
		if got := c.Send(t, d.request(t, c)); got.Status == http.StatusOK {
			all[route.Pattern()] = string(got.Body)
		}
	}
	return all
}

// area is the part of a path by which rows belong together.
func area(route policy.Route) string {
	parts := strings.Split(strings.TrimPrefix(route.Path, "/ajax-api"), "/")
	return parts[min(len(parts)-1, 4)]
}

const (
	noPart = "its path names no part of the server; TestForeignPartsUnderAnOwnMCPServer does"
	noJobs = "the server of these tests runs no jobs; TestRunAJobOnWhatIsForeign is about what a submission names"
)

// unanswered are the rows that MLflow does not answer with success here, whatever is one's own, and why.
var unanswered = map[string]string{
	"POST /api/2.0/mlflow/model-versions/create":                                           "MLflow compares the source with the run and the model; TestStealThroughReferences is about them",
	"POST /ajax-api/3.0/jobs/":                                                             noJobs,
	"POST /ajax-api/3.0/mlflow/genai/evaluate/invoke":                                      noJobs,
	"POST /ajax-api/3.0/mlflow/scorer/invoke":                                              noJobs,
	"POST /ajax-api/3.0/mlflow/issues/invoke":                                              noJobs,
	"GET /api/3.0/mlflow/scorers/online-configs":                                           "a scorer's id is MLflow's own; the filter's probe asks for it",
	"POST /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/versions":                         "a version is a document of its own; TestForeignPartsUnderAnOwnMCPServer makes one",
	"POST /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/aliases":                          noPart,
	"POST /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/endpoints":                        noPart,
	"DELETE /api/3.0/mlflow/gateway/endpoints/bindings/delete":                             "only administrators bind",
	"GET /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/versions/{version}":                noPart,
	"PATCH /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/versions/{version}":              noPart,
	"DELETE /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/versions/{version}":             noPart,
	"POST /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/versions/{version}/tags":          noPart,
	"DELETE /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/versions/{version}/tags/{key*}": noPart,
	"GET /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/aliases/{alias*}":                  noPart,
	"DELETE /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/aliases/{alias*}":               noPart,
	"DELETE /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/tags/{key*}":                    noPart,
	"GET /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/endpoints/{endpoint_id}":           noPart,
	"PATCH /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/endpoints/{endpoint_id}":         noPart,
	"DELETE /api/3.0/mlflow/mcp-servers/{namespace}/{slug}/endpoints/{endpoint_id}":        noPart,
	"POST /api/2.0/mlflow/experiments/restore":                                             "it is not deleted",
	"POST /api/2.0/mlflow/runs/restore":                                                    "it is not deleted",
	"POST /api/3.0/mlflow/gateway/endpoints/models/attach":                                 "it is attached already",
	"POST /api/2.0/mlflow/artifacts/presigned-download-url":                                "only of a cloud's storage",
	"POST /api/2.0/mlflow/artifacts/presigned-upload-url":                                  "only of a cloud's storage",
	"GET /api/2.0/mlflow-artifacts/presigned/{artifact_path*}":                             "only of a cloud's storage",
	"POST /api/2.0/mlflow-artifacts/mpu/create/{artifact_path*}":                           "only of a cloud's storage",
	"POST /api/2.0/mlflow-artifacts/mpu/complete/{artifact_path*}":                         "only of a cloud's storage",
	"POST /api/2.0/mlflow-artifacts/mpu/abort/{artifact_path*}":                            "only of a cloud's storage",
}

// TestForeignIDsInEveryField puts what is the first owner's into every field of MLflow's requests that could name something,
// whether the table knows of it or not, in requests of the second owner that MLflow answers else. What succeeds shows nothing
// of the first owner's, changes nothing of it, and leaves nothing of it to be read in the second owner's work.
func TestForeignIDsInEveryField(t *testing.T) {
	t.Parallel()
	m := newMarked(t)
	before, last, count := m.snapshot(t, m.first, m.a, m.theirs), "", 0
	var succeeded []string
	compare := func(t *testing.T) {
		t.Helper()
		if len(succeeded) == 0 {
			return
		}
		if diff := cmp.Diff(before, m.snapshot(t, m.first, m.a, m.theirs)); diff != "" {
			t.Errorf("after %s:\nthe first owner's work is another: %.3000s", strings.Join(succeeded, "\n"), diff)
		}
		for pattern, text := range m.snapshot(t, m.second, m.b, m.own) {
			if found := m.leaks(text, strings.Join(m.said, " ")); len(found) > 0 {
				t.Errorf("after %s:\n%s shows %q: %.1000s", strings.Join(succeeded, "\n"), pattern, found, text)
			}
		}
		succeeded = nil
	}
	for _, route := range untwinned() {
		if !isOpen(route) || barren(route) || route.Content == policy.OTLP {
			continue
		}
		if area(route) != last || spends(route) { // what is replaced by new work could not be read any more
			compare(t)
			last = area(route)
		}
		t.Run(route.Pattern(), func(t *testing.T) {
			suspects := m.suspects(route)
			if len(suspects) == 0 {
				return
			}
			all := true
			base := m.second.Send(t, m.whole(t, route, all).request(t, m.second))
			if base.Status != http.StatusOK { // MLflow refuses what excludes each other
				all = false
				base = m.second.Send(t, m.whole(t, route, all).request(t, m.second))
			}
			if why := unanswered[route.Pattern()]; base.Status != http.StatusOK && why == "" {
				t.Errorf("an own request is no success, and so the others say little: %d %.300s", base.Status, base.Body)
			}
			spent := base.Status == http.StatusOK && spends(route)
			for field, values := range suspects {
				for _, value := range values {
					if spent {
						m.renew(t)
						spent = false
					}
					count++
					m.said = append(m.said, value)
					d := m.whole(t, route, all)
					m.replace(d, field, value)
					got := m.second.Send(t, d.request(t, m.second))
					if got.Status >= 300 {
						continue
					}
					spent = spends(route)
					if route.Method != http.MethodGet {
						succeeded = append(succeeded, fmt.Sprintf("%s with %s = %s", route.Pattern(), field, value))
					}
					if found := m.leaks(string(got.Body), strings.Join(m.said, " ")); len(found) > 0 {
						t.Errorf("%s = %s: the answer shows %q: %.1000s", field, value, found, got.Body)
					}
				}
			}
			if spent {
				m.renew(t)
			}
		})
	}
	compare(t)
	t.Logf("%d requests", count)
}

// spends tells whether a row's request deletes or renames what it is about, or unties it from who owns it.
func spends(route policy.Route) bool {
	return strings.HasSuffix(route.Path, "/remove-experiments") || strings.HasSuffix(route.Path, "/models/detach") || route.Effect != "" && route.Creates == "" || slices.ContainsFunc(route.Needs, func(n policy.Need) bool { return n.Level == kind.Manage })
}

// replace puts a value into a field in place of what is there.
func (m *marked) replace(d *draft, field, value string) {
	if strings.HasPrefix(field, "{") {
		d.path = strings.NewReplacer(m.own.Assessment, value, m.own.Text, value, field, value).Replace(d.path)
		return
	}
	if d.route.Content != policy.JSON {
		d.query.Set(strings.TrimSuffix(field, "[]"), value)
		return
	}
	if name, listed := strings.CutSuffix(field, "[]"); listed && !strings.Contains(name, ".") {
		delete(d.body, name)
	}
	overwrite(d.body, field, value)
}

// overwrite is place, but for what the last object of a list has already.
func overwrite(body map[string]any, path string, value any) {
	field, rest, nested := strings.Cut(path, ".")
	name, listed := strings.CutSuffix(field, "[]")
	if list, _ := body[name].([]any); listed && nested && len(list) > 0 {
		if last, ok := list[len(list)-1].(map[string]any); ok {
			overwrite(last, rest, value)
			return
		}
	}
	if inner, ok := body[field].(map[string]any); ok && nested {
		overwrite(inner, rest, value)
		return
	}
	place(body, path, value)
}

// Package extract reads a route's ids out of a request, by MLflow's own reading of it, and refuses what MLflow could read
// in another way than we do.
package extract

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Request is a request that has been read once: what is decided on, and what is forwarded.
type Request struct {
	Path  httpx.Path
	Query url.Values
	Body  *httpx.Object // nil unless the route's content is JSON
	Spans *Spans        // nil unless the route's content is OTLP

	header http.Header
}

// Target is one thing that a request touches, and the level that the route needs on it.
type Target struct {
	Ref   policy.Ref
	Value string
	Level kind.Level
}

// Read reads a request for its row. The limit bounds a JSON body, in bytes.
func Read(r *http.Request, path httpx.Path, m *policy.Match, limit int64) (*Request, error) {
	query, err := readQuery(r, m.Route)
	if err != nil {
		return nil, err
	}
	read := &Request{Path: path, Query: query, header: r.Header}
	switch m.Route.Content {
	case policy.JSON:
		if read.Body, err = httpx.ReadObject(r, limit); err != nil {
			return nil, err
		}
	case policy.OTLP:
		if read.Spans, err = ReadSpans(r, limit); err != nil {
			return nil, err
		}
	case policy.NoBody:
		if err := noBody(r, m); err != nil {
			return nil, err
		}
	}
	return read, nil
}

// noBody refuses a body where the row has none: MLflow executes a GET by its JSON body when the query is empty
// (mlflow/server/handlers.py, _get_request_message), and so would do something else than was decided. With DELETE
// some clients send an empty JSON object, and some repeat what the path says (MLflow's DeleteLoggedModel, DeleteAssessment); that is no other
// meaning, and the body is not forwarded.
func noBody(r *http.Request, m *policy.Match) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := httpx.ReadLimited(r.Body, 4096)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(body))
	if text == "" || (r.Method == http.MethodDelete && repeats(text, m)) {
		return nil
	}
	return errs.New(errs.Invalid, "this request must not have a body")
}

// repeats tells whether a JSON object says nothing but what the path says.
func repeats(text string, m *policy.Match) bool {
	object, err := httpx.ParseObject([]byte(text))
	if err != nil {
		return false
	}
	for _, key := range object.Keys() {
		text, given, err := object.Text(httpx.Snake(key))
		if err != nil || !given || text == "" || text != m.Value(httpx.Snake(key)) {
			return false
		}
	}
	return true
}

func readQuery(r *http.Request, route *policy.Route) (url.Values, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	if (route.Content == policy.JSON || route.Content == policy.OTLP) && r.URL.RawQuery != route.Query {
		return nil, errs.New(errs.Invalid, "this request takes its fields from the JSON body and must not have a query")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the query cannot be read: %v", err)
	}
	spelled := make(map[string]string, len(query))
	for name, values := range query {
		field := httpx.Snake(name)
		if other, dup := spelled[field]; dup {
			return nil, errs.New(errs.Invalid, "the query has the field %q in two spellings, %q and %q", field, other, name)
		}
		spelled[field] = name
		for _, text := range append(values, name) {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				return nil, errs.New(errs.Invalid, "the query's field %q is not UTF-8 text", name)
			}
		}
	}
	return query, nil
}

// Targets gives everything that the request touches by its row's needs. An id that is missing, empty, repeated with
// different values or not in its canonical form is an error: what cannot be decided is not forwarded.
func (r *Request) Targets(m *policy.Match) ([]Target, error) {
	targets := make([]Target, 0, 4)
	for i := range m.Route.Needs {
		need := &m.Route.Needs[i]
		values, err := r.values(m, need)
		if err != nil {
			return nil, err
		}
		if len(values) == 0 && !need.Optional {
			return nil, errs.New(errs.Invalid, "the request needs %s", strings.Join(need.At.Fields, " or "))
		}
		if need.At.Within != "" && len(values) > 0 {
			if values, err = r.within(m, need, values); err != nil {
				return nil, err
			}
		}
		for _, value := range values {
			if err := canonical(need.Ref, need.At.Fields[0], value); err != nil {
				return nil, err
			}
			if need.Ref == policy.ArtifactTree && need.Level == kind.Manage && wholeFolder(value) {
				return nil, errs.New(errs.Denied, "a deletion must name something below the experiment's folder")
			}
			targets = append(targets, Target{need.Ref, value, need.Level})
		}
	}
	return targets, nil
}

// within puts a name together with the id within which it is one. Both must be there.
func (r *Request) within(m *policy.Match, need *policy.Need, names []string) ([]string, error) {
	outer := policy.Need{Ref: policy.Experiment, At: policy.Location{In: need.At.In, Fields: []string{need.At.Within}}}
	ids, err := r.values(m, &outer)
	if err != nil {
		return nil, err
	}
	if len(ids) != 1 || len(names) != 1 {
		return nil, errs.New(errs.Invalid, "the request needs %s and %s", need.At.Within, need.At.Fields[0])
	}
	if err := canonical(policy.Experiment, need.At.Within, ids[0]); err != nil { // "1/a" and "b" would be "1" and "a/b"
		return nil, err
	}
	return []string{kind.Within(ids[0], names[0])}, nil
}

func (r *Request) values(m *policy.Match, need *policy.Need) ([]string, error) {
	switch need.At.In {
	case policy.Path:
		return r.pathValue(m, need)
	case policy.Query:
		return r.queryValues(need)
	case policy.Header:
		return r.headerValues(need)
	default:
		return r.bodyValues(need)
	}
}

// pathValue gives a path parameter. MLflow lets it win over a field of the same name, which its client sends along; that
// must then say the same. The artifact proxy's field "path" is another thing: a path below the one of the URL.
func (r *Request) pathValue(m *policy.Match, need *policy.Need) ([]string, error) {
	field := need.At.Fields[0]
	value := m.Value(field)
	if need.Ref == policy.ArtifactTree {
		return []string{value}, nil
	}
	if parts := need.At.Fields[1:]; len(parts) > 0 { // no field of a request is called as the parts of one value
		for _, part := range parts {
			value += "/" + m.Value(part)
		}
		return []string{value}, nil
	}
	others := r.Query[field]
	if r.Body != nil {
		text, given, err := r.Body.Text(field)
		if err != nil {
			return nil, err
		}
		if given {
			others = []string{text}
		}
	}
	for _, other := range others {
		if other != value {
			return nil, errs.New(errs.Invalid, "the path and the request's field %q differ", field)
		}
	}
	return []string{value}, nil
}

// headerValues gives a header, which must be there once: MLflow takes the first.
func (r *Request) headerValues(need *policy.Need) ([]string, error) {
	values := r.header.Values(need.At.Fields[0])
	if len(values) > 1 {
		return nil, errs.New(errs.Invalid, "the header %s is there more than once", need.At.Fields[0])
	}
	if need.Optional && len(values) == 1 && values[0] == "" {
		return nil, nil
	}
	return values, nil
}

func (r *Request) queryValues(need *policy.Need) ([]string, error) {
	var all []string
	for _, field := range need.At.Fields {
		values := r.Query[field]
		if need.At.Many {
			all = append(all, values...)
			continue
		}
		for _, value := range values {
			if len(all) > 0 && all[0] != value {
				return nil, errs.New(errs.Invalid, "the query names %s with different values", strings.Join(need.At.Fields, " or "))
			}
			all = append(all[:0], value)
		}
	}
	return all, nil
}

func (r *Request) bodyValues(need *policy.Need) ([]string, error) {
	var all []string
	for _, field := range need.At.Fields {
		values, err := collect(r.Body, field)
		if err != nil {
			return nil, err
		}
		for _, value := range values {
			switch {
			case value == "" && (need.Optional && !need.At.Many || strings.Contains(field, "[].")): // MLflow reads it as not given
			case need.At.Many || len(all) == 0:
				all = append(all, value)
			case all[0] != value:
				return nil, errs.New(errs.Invalid, "the body names %s with different values", strings.Join(need.At.Fields, " and "))
			}
		}
	}
	return all, nil
}

// canonical refuses every other spelling of an id. MLflow reads " 2", "02", "+2", "0_2" and full-width digits as
// experiment 2 (int() in mlflow/store/tracking/sqlalchemy_store.py), while a grant is held by "2" alone.
func canonical(ref policy.Ref, field, value string) error {
	switch ref {
	case policy.Experiment:
		if !ExperimentID(value) {
			return errs.New(errs.Invalid, "%s %q is not an experiment id: digits without a leading zero", field, value)
		}
	case policy.Run, policy.LoggedModel, policy.Trace, policy.Issue, policy.LabelSchema, policy.ReviewQueue, policy.Dataset,
		policy.GatewayEndpoint, policy.GatewaySecret, policy.GatewayModel, policy.Job:
		if !opaqueID(value) {
			return errs.New(errs.Invalid, "%s %q is not a valid id", field, value)
		}
	case policy.ArtifactTree:
		if _, _, err := Tree(value); err != nil {
			return err
		}
	case policy.Workspace:
		if !workspace.Valid(value) {
			return errs.New(errs.Invalid, "%q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", value)
		}
	case policy.Model, policy.ExperimentName, policy.GatewayEndpointName, policy.GatewaySecretName, policy.GatewayModelName:
		return Name(field, value)
	case policy.MCPServer, policy.MCPServerOrNew:
		return NameOf(kind.MCPServer, "the name of the MCP server", value)
	case policy.Scorer:
		return ScorerID(value)
	}
	return nil
}

// NameOf refuses what cannot be the name of something of a kind, or could be read as another one.
func NameOf(k kind.Name, field, value string) error {
	if k == kind.MCPServer && !serverName(value) {
		return errs.New(errs.Invalid, "%s %q is not <namespace>/<slug>, such as com.example/server-name", field, value)
	}
	return Name(field, value)
}

// MaxScorer is how long what grants hold of a scorer may be, in bytes: the experiment's id, a slash, and the name.
const MaxScorer = 255

// ScorerID refuses what cannot be a scorer, or could be read as another one. What is too long to hold a grant is refused
// too, so that no scorer escapes a refusal by its name.
func ScorerID(value string) error {
	experiment, name := kind.Parts(value)
	if !ExperimentID(experiment) {
		return errs.New(errs.Invalid, "experiment_id %q is not an experiment id: digits without a leading zero", experiment)
	}
	if len(value) > MaxScorer {
		return errs.New(errs.Invalid, "the name of the scorer must not be longer than %d bytes", MaxScorer-1-len(experiment))
	}
	return Name("the name of the scorer", name)
}

// Name refuses what cannot be the name of an experiment or a model, or could be read as another one.
func Name(field, value string) error {
	switch {
	case value == "" || !utf8.ValidString(value) || len(value) > 1000:
		return errs.New(errs.Invalid, "%s must not be empty, nor longer than 1000 bytes", field)
	case strings.ContainsRune(value, 0): // where a database's driver ends its strings
		return errs.New(errs.Invalid, "%s must not hold a NUL character", field)
	}
	return nil
}

// ExperimentID tells whether the text is an experiment id in its one canonical form: what MLflow's 64 bits hold.
func ExperimentID(s string) bool {
	if s == "" || len(s) > 19 || (s[0] == '0' && len(s) > 1) {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

func opaqueID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// wholeFolder tells whether an artifact path is the folder of an experiment. MLflow deletes recursively, and so all that
// the experiment's runs have stored; its own clean-up (mlflow gc) deletes run by run.
func wholeFolder(path string) bool {
	_, path = cutWorkspace(path)
	return !strings.Contains(strings.TrimSuffix(path, "/"), "/")
}

// spaces is the folder in which MLflow keeps the artifacts of workspaces, each in one of its name.
const spaces = "workspaces/"

// cutWorkspace gives the workspace that a path of the artifact proxy names, and the path inside it.
func cutWorkspace(path string) (named, rest string) {
	if below, ok := strings.CutPrefix(path, spaces); ok {
		named, rest, _ = strings.Cut(below, "/")
		return named, rest
	}
	return "", path
}

// Tree gives the experiment that governs a path of the artifact proxy, its first segment, and the workspace in whose folder
// it is, "" where the path names none. The root, the root of a workspace, and paths with more than one meaning, are refused.
func Tree(path string) (named, experiment string, err error) {
	if path == "" {
		return "", "", errs.New(errs.Denied, "the root of the artifact store cannot be listed; name an experiment's folder")
	}
	if err := httpx.RelativePath(path); err != nil {
		return "", "", err
	}
	named, rest := cutWorkspace(path)
	first, _, _ := strings.Cut(rest, "/")
	if !ExperimentID(first) || rest != path && !workspace.Valid(named) {
		return "", "", errs.New(errs.Denied, "the artifact path must start with an experiment id")
	}
	return named, first, nil
}

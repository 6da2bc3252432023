package gateway_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// narrowed is the same person with a token that is narrowed.
func narrowed(t *testing.T, c *world.Client, scope authz.Scope) *world.Client {
	t.Helper()
	db := c.World.App.Store
	user, err := db.User(t.Context(), c.Username)
	if err != nil {
		t.Fatal(err)
	}
	secret, hash := token.NewSecret()
	if _, err := db.CreateToken(t.Context(), directory.Token{UserID: user.ID, Name: world.Name("token"), Prefix: token.Prefix(secret), Hash: hash,
		Scope: &scope, CreatedAt: time.Now(), CreatedBy: c.Username, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	return &world.Client{World: c.World, HTTP: &http.Client{}, Username: c.Username, Token: secret}
}

// questions are the rows that come with a body and change nothing. Every other one that is no GET is refused to a token that
// may read only: a new row is either one of these, or refused.
var questions = []string{"POST /graphql", "mlflow/experiments/search", "mlflow/runs/search", "mlflow/logged-models/search",
	"mlflow/registered-models/get-latest-versions", "mlflow/traces/search", "mlflow/traces/metrics", "mlflow/traces/calculate-filter-correlation",
	"mlflow/traces/batchGetInfos", "mlflow/artifacts/presigned-download-url", "mlflow/datasets/search", "mlflow/experiments/search-datasets", "mlflow/issues/search", "3.0/jobs/search"}

func question(route policy.Route) bool {
	return slices.ContainsFunc(questions, func(end string) bool { return strings.HasSuffix(route.Pattern(), end) })
}

// The attack: write with a token that may read only, of the owner of everything and of an administrator, by each kind of route.
func TestAttackReadOnlyTokenWrites(t *testing.T) {
	s := newScene(t)
	for name, c := range map[string]*world.Client{
		"the owner":                s.victim,
		"an administrator":         s.admin,
		"an owner, by experiments": s.victim,
	} {
		scope := authz.Scope{ReadOnly: true}
		if strings.HasSuffix(name, "by experiments") {
			scope.Kinds = []kind.Name{kind.Experiment}
		}
		with := narrowed(t, c, scope)
		t.Run(name, func(t *testing.T) {
			for _, route := range policy.Routes() {
				if route.Method == http.MethodGet || question(route) {
					continue
				}
				for _, all := range []bool{false, true} {
					s.refused(t, newDraft(route, from(t, s.victims, all)).request(t, with), with)
				}
			}
			for _, target := range []string{"/api/2.0/mlflow/runs/get?run_id=" + s.victims.Run, "/api/2.0/mlflow-artifacts/artifacts/" + s.victims.Artifacts + "/secret.txt"} {
				if got := with.Do(t, http.MethodGet, target, nil); got.Status != http.StatusOK {
					t.Errorf("reading %s: %d %s", target, got.Status, got.Body)
				}
			}
			if got := with.Do(t, http.MethodPost, "/api/2.0/mlflow/runs/search", map[string]any{"experiment_ids": []string{s.victims.Experiment}}); !strings.Contains(string(got.Body), s.victims.Run) {
				t.Errorf("searching runs: %d %s", got.Status, got.Body)
			}
		})
	}
}

// The attack: with a token of an administrator that is for one experiment, reach what belongs to another, by every row that
// names something, in every place where it is named.
func TestAttackTokenOfOneExperimentReachesAnother(t *testing.T) {
	s := newScene(t)
	scope := authz.Scope{Resources: []authz.Scoped{{Kind: kind.Experiment, ID: s.thiefs.Experiment}}}
	with := narrowed(t, s.admin, scope)
	for _, route := range policy.Routes() {
		if len(route.Needs) == 0 || route.Access == policy.SignedIn && route.Filter != "" {
			continue // a search, see below
		}
		for _, all := range []bool{false, true} {
			s.refused(t, newDraft(route, from(t, s.victims, all)).request(t, with), with)
		}
	}
	for _, route := range policy.Routes() {
		if route.Access == policy.Administrators {
			s.refused(t, newDraft(route, from(t, s.thiefs, true)).request(t, with), with)
		}
	}
}

// The attack: the same by what finds, and what answers for several at once.
func TestAttackTokenOfOneExperimentFindsAnother(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	scope := authz.Scope{Resources: []authz.Scoped{{Kind: kind.Experiment, ID: own.Experiment}}}
	for owner, c := range map[string]*world.Client{"an administrator": s.admin, "its owner": s.thief} {
		with := narrowed(t, c, scope)
		t.Run(owner, func(t *testing.T) {
			finds := func(request *http.Request, this, that string) {
				t.Helper()
				got := with.Send(t, request)
				if got.Status != http.StatusOK || !strings.Contains(string(got.Body), this) || strings.Contains(string(got.Body), that) {
					t.Errorf("%s finds not %q alone: %d %s", request.URL, this, got.Status, got.Body)
				}
			}
			post := func(path string, body map[string]any) *http.Request {
				return with.Request(t, http.MethodPost, "/api/2.0/mlflow/"+path, body)
			}
			get := func(target string) *http.Request { return with.Request(t, http.MethodGet, target, nil) }
			both := []string{own.Experiment, v.Experiment}
			finds(post("experiments/search", map[string]any{"max_results": 1000}), own.ExperimentName, v.ExperimentName)
			finds(get("/api/2.0/mlflow/experiments/search?max_results=1000"), own.ExperimentName, v.ExperimentName)
			finds(post("runs/search", map[string]any{"experiment_ids": both}), own.Run, v.Run)
			finds(get("/api/2.0/mlflow/runs/get?run_id="+own.Run), own.Run, v.Run)
			finds(graphQL(t, with, uiRuns, map[string]any{"data": map[string]any{"experimentIds": both}}), own.Run, v.Run)
			finds(get("/api/2.0/mlflow/registered-models/search?max_results=1000"), "{", own.Model) // of another kind, though the person's own
			finds(get("/api/2.0/mlflow/model-versions/search?max_results=1000"), "{", own.Model)
			finds(get("/api/2.0/mlflow-artifacts/artifacts/"+own.Artifacts+"/secret.txt"), world.Secret, v.Run)
			finds(with.Request(t, http.MethodPost, "/ajax-api/3.0/jobs/search", map[string]any{}), "{", "job_id")
			for _, document := range []string{`{mlflowGetRun(input:{runId:"` + v.Run + `"}){run{info{runId}}}}`,
				`{mlflowGetExperiment(input:{experimentId:"` + v.Experiment + `"}){experiment{name}}}`} {
				s.refused(t, graphQL(t, with, document, nil), with)
			}
			for _, target := range []string{"/api/2.0/mlflow/runs/get?run_id=" + v.Run, "/get-artifact?run_uuid=" + v.Run + "&path=secret.txt",
				"/api/2.0/mlflow-artifacts/artifacts/" + v.Artifacts + "/secret.txt", "/api/2.0/mlflow/registered-models/get?name=" + own.Model,
				"/api/2.0/mlflow/experiments/get-by-name?experiment_name=" + v.ExperimentName} {
				s.refused(t, get(target), with)
			}
			// What is in the scope may be changed, and nothing new made beside it.
			if got := with.Send(t, post("runs/create", map[string]any{"experiment_id": own.Experiment})); got.Status != http.StatusOK {
				t.Errorf("a run in the experiment: %d %s", got.Status, got.Body)
			}
			s.refused(t, post("experiments/create", map[string]any{"name": world.Name("e")}), with)
			s.refused(t, post("registered-models/create", map[string]any{"name": world.Name("m")}), with)
		})
	}
}

// The attack: with a token for models reach a prompt that is one's own or anybody's, and the other way round: the registry keeps
// both under names of one sort.
func TestAttackTokenOfOneKindReachesItsNeighbour(t *testing.T) {
	s := newScene(t)
	for k, names := range map[kind.Name][2]string{kind.Prompt: {s.victims.Prompt, s.victims.Model}, kind.RegisteredModel: {s.victims.Model, s.victims.Prompt}} {
		for by, scope := range map[string]authz.Scope{"kind": {Kinds: []kind.Name{k}}, "name": {Resources: []authz.Scoped{{Kind: k, ID: names[0]}, {Kind: k, ID: names[1]}}}} {
			for owner, c := range map[string]*world.Client{"an administrator": s.admin, "the owner": s.victim} {
				t.Run(string(k)+" by "+by+" of "+owner, func(t *testing.T) {
					with, own, other := narrowed(t, c, scope), names[0], names[1]
					for _, attack := range everythingOf(other) {
						var body any
						if attack.body != nil {
							body = attack.body
						}
						s.refused(t, with.Request(t, attack.method, v2+attack.path, body), with)
					}
					with.JSON(t, "GET", v2+"registered-models/get?name="+own, nil)
					for _, search := range []string{"registered-models", "model-versions"} {
						for _, filter := range []string{"", "&filter=" + url.QueryEscape("tags.`mlflow.prompt.is_prompt` = 'true'")} {
							found := string(with.Do(t, "GET", v2+search+"/search?max_results=1000"+filter, nil).Body)
							if strings.Contains(found, `"`+other+`"`) {
								t.Errorf("%s%s shows %s", search, filter, other)
							}
							if shows := strings.Contains(found, `"`+own+`"`); shows != ((filter != "") == (k == kind.Prompt)) {
								t.Errorf("%s%s shows what the token is for: %v", search, filter, shows)
							}
						}
					}
				})
			}
		}
	}
}

// The attack: reach scorers of another experiment with a token for one. Those in the experiment come with it.
func TestAttackTokenOfOneExperimentReachesScorers(t *testing.T) {
	s := newScene(t)
	own, other := s.thiefs, s.victims
	with := narrowed(t, s.admin, authz.Scope{Resources: []authz.Scoped{{Kind: kind.Experiment, ID: own.Experiment}}})
	with.JSON(t, "GET", v3+"scorers/get"+scorerQuery(own.Experiment, own.Scorer), nil)
	if got := listedScorers(t, with, own.Experiment); !slices.Contains(got, own.Scorer) {
		t.Errorf("the experiment's scorers are %v", got)
	}
	s.refused(t, with.Request(t, "GET", v3+"scorers/get"+scorerQuery(other.Experiment, other.Scorer), nil), with)
	s.refused(t, with.Request(t, "GET", v3+"scorers/list?experiment_id="+other.Experiment, nil), with)
	single := narrowed(t, s.admin, authz.Scope{Resources: []authz.Scoped{{Kind: kind.Scorer, ID: kind.Within(own.Experiment, own.Scorer)}}})
	single.JSON(t, "GET", v3+"scorers/get"+scorerQuery(own.Experiment, own.Scorer), nil)
	s.refused(t, single.Request(t, "GET", v2+"experiments/get?experiment_id="+own.Experiment, nil), single)
	s.refused(t, single.Request(t, "GET", v3+"scorers/list?experiment_id="+own.Experiment, nil), single)
	s.refused(t, single.Request(t, "POST", v3+"scorers/register", world.RegisterScorer(own.Experiment, world.Name("s"), "openai:/gpt-4o")), single)
}

// A token for kinds makes what is of them, and nothing else.
func TestTokenOfKindsCreatesThose(t *testing.T) {
	s := newScene(t)
	with := narrowed(t, s.thief, authz.Scope{Kinds: []kind.Name{kind.RegisteredModel}})
	with.JSON(t, http.MethodPost, "/api/2.0/mlflow/registered-models/create", map[string]any{"name": world.Name("m")})
	s.refused(t, with.Request(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("e")}), with)
	s.refused(t, with.Request(t, http.MethodPost, "/api/3.0/mlflow/mcp-servers", map[string]any{"name": "test/" + world.Name("s")}), with)
	s.refused(t, with.Request(t, http.MethodPost, "/api/2.0/mlflow/runs/create", map[string]any{"experiment_id": s.thiefs.Experiment}), with)
}

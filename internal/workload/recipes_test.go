package workload_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workload"
)

// page gives docs/workloads.md, and by their types the issuers of the file in it.
func page(t *testing.T) (string, map[string]config.Workload) {
	t.Helper()
	text, err := os.ReadFile("../../docs/workloads.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "```json\n")
	list, rest, _ := strings.Cut(list, "```")
	file := filepath.Join(t.TempDir(), "workloads.json")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(func(name string) (string, bool) { return file, name == "WORKLOAD_IDENTITY_FILE" }, filepath.Join(t.TempDir(), "absent"), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]config.Workload{}
	for _, w := range c.Workloads {
		all[w.Type] = w
	}
	return rest, all
}

// The jobs of the page come in with the tokens that their platforms say that they give (docs.github.com, "OpenID Connect reference";
// docs.gitlab.com, "OpenID Connect authentication using ID tokens"; kubernetes.io, "Managing service accounts"), and no others.
func TestRecipesOfJobs(t *testing.T) {
	actions := claims{"sub": "repo:our-org/train:ref:refs/heads/main", "repository": "our-org/train", "repository_id": "74", "repository_owner": "our-org",
		"repository_owner_id": "65", "ref": "refs/heads/main", "ref_type": "branch", "sha": "e1b5", "actor": "ann", "event_name": "push", "workflow": "train"}
	lab := claims{"sub": "project_path:our-group/train:ref_type:branch:ref:main", "namespace_id": "72", "namespace_path": "our-group", "project_id": "20",
		"project_path": "our-group/train", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true", "pipeline_source": "push"}
	cluster := pod("ml", "training", "system:serviceaccount:ml:training")
	cluster["aud"] = []string{"mlflow"}
	tag := claims{"ref": "refs/tags/v1", "ref_type": "tag", "sub": "repo:our-org/train:ref:refs/tags/v1"}
	_, issuers := page(t)
	for name, c := range map[string]struct {
		kind    string
		token   claims
		changes claims
		want    string // "": refused
	}{
		"GitHub":                         {"github", actions, nil, "trainer"},
		"GitHub, a tag":                  {"github", actions, tag, "releases"},
		"GitHub, another branch":         {"github", actions, claims{"ref": "refs/heads/try"}, ""},
		"GitHub, a fork":                 {"github", actions, claims{"repository": "eve/train", "repository_owner": "eve"}, ""},
		"GitHub, as without an audience": {"github", actions, claims{"aud": "https://github.com/our-org"}, ""},
		"GitLab":                         {"gitlab", lab, nil, "trainer"},
		"GitLab, a tag of that name":     {"gitlab", lab, claims{"ref_type": "tag", "ref_path": "refs/tags/main"}, ""},
		"GitLab, a fork":                 {"gitlab", lab, claims{"project_path": "eve/train", "namespace_path": "eve"}, ""},
		"GitLab, of another audience":    {"gitlab", lab, claims{"aud": "https://vault.example.com"}, ""},
		"Kubernetes":                     {"kubernetes", cluster, nil, "trainer"},
		"Kubernetes, the pod's own":      {"kubernetes", cluster, claims{"aud": []string{"https://kubernetes.default.svc.cluster.local"}}, ""},
		"Kubernetes, another account":    {"kubernetes", pod("ml", "default", "system:serviceaccount:ml:default"), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			settings, there := issuers[c.kind]
			if !there {
				t.Fatal("the page has no such issuer")
			}
			var handler http.Handler
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
			t.Cleanup(server.Close)
			idp, err := devidp.New(devidp.Options{Issuer: server.URL, ClientID: settings.Audience, Key: key()})
			if err != nil {
				t.Fatal(err)
			}
			handler = idp.Handler()
			settings.Issuer, settings.DiscoveryURL = server.URL, server.URL+"/.well-known/openid-configuration"
			settings.KeysURL, settings.CAFile, settings.TokenFile = "", "", "" // TestKeysOfACluster has them
			i, err := workload.New(settings, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			token := maps.Clone(c.token)
			maps.Copy(token, c.changes)
			b, err := i.Verify(t.Context(), idp.Token("x", token))
			if b.Account != c.want || (err == nil) != (c.want != "") || err != nil && !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("%q, %v", b.Account, err)
			}
		})
	}
}

// Each job asks for a token that is for whom the file says.
func TestJobsAskForTheAudience(t *testing.T) {
	text, issuers := page(t)
	for kind, words := range map[string]string{"github": "&audience=", "gitlab": " aud: ", "kubernetes": " audience: "} {
		if audience := issuers[kind].Audience; audience == "" || !strings.Contains(text, words+audience) {
			t.Errorf("%s: no job asks for %q", kind, audience)
		}
	}
}

package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const v2 = "/api/2.0/mlflow/"

// pattern gives somebody a pattern of a kind.
func pattern(t *testing.T, w *world.World, to *world.Client, k kind.Name, regex string, level kind.Level) {
	t.Helper()
	rule := authz.Grant{Kind: k, Pattern: regex, Priority: 1, Level: level}
	if err := w.App.Store.CreatePattern(t.Context(), store.Principal{User: to.Username}, rule); err != nil {
		t.Fatal(err)
	}
}

// everythingOf are requests that read or change what a name of the registry names.
func everythingOf(name string) map[string]struct {
	method, path string
	body         map[string]any
} {
	q := "?name=" + url.QueryEscape(name)
	type request = struct {
		method, path string
		body         map[string]any
	}
	return map[string]request{
		"get":      {"GET", "registered-models/get" + q, nil},
		"version":  {"GET", "model-versions/get" + q + "&version=1", nil},
		"latest":   {"GET", "registered-models/get-latest-versions" + q, nil},
		"update":   {"PATCH", "registered-models/update", map[string]any{"name": name, "description": "d"}},
		"alias":    {"POST", "registered-models/alias", map[string]any{"name": name, "alias": "a", "version": "1"}},
		"tag":      {"POST", "registered-models/set-tag", map[string]any{"name": name, "key": "k", "value": "v"}},
		"rename":   {"POST", "registered-models/rename", map[string]any{"name": name, "new_name": world.Name("taken")}},
		"deletion": {"DELETE", "registered-models/delete", map[string]any{"name": name}},
	}
}

// A pattern of prompts, however wide, opens no model, and a pattern of models no prompt: neither by name nor in a search.
func TestPatternOfOneKindOpensNoOther(t *testing.T) {
	s := newScene(t)
	for k, names := range map[kind.Name][2]string{kind.Prompt: {s.victims.Prompt, s.victims.Model}, kind.RegisteredModel: {s.victims.Model, s.victims.Prompt}} {
		t.Run(string(k), func(t *testing.T) {
			holder, own, other := s.Person(t, "holder-"+strings.ReplaceAll(string(k), "_", "-"), world.Members), names[0], names[1]
			pattern(t, s.World, holder, k, ".*", kind.Manage)
			for name, attack := range everythingOf(other) {
				t.Run(name, func(t *testing.T) {
					var body any
					if attack.body != nil {
						body = attack.body
					}
					for range 2 { // before the kind is in memory, and after
						s.refused(t, holder.Request(t, attack.method, v2+attack.path, body), holder)
					}
				})
			}
			holder.JSON(t, "GET", v2+"registered-models/get?name="+own, nil)
			for search, field := range map[string]string{"registered-models/search?max_results=1000": "registered_models", "model-versions/search?max_results=1000": "model_versions"} {
				for _, filter := range []string{"", "&filter=" + url.QueryEscape("tags.`mlflow.prompt.is_prompt` = 'true'")} {
					found := string(holder.Do(t, "GET", v2+search+filter, nil).Body)
					if strings.Contains(found, `"`+other+`"`) {
						t.Errorf("%s%s shows %s to a holder of patterns of %s", field, filter, other, k)
					}
					if shows := strings.Contains(found, `"`+own+`"`); shows != ((filter != "") == (k == kind.Prompt)) {
						t.Errorf("%s%s shows what the pattern opens: %v", field, filter, shows)
					}
				}
			}
		})
	}
}

// The tags of a version are whatever its maker says. MLflow takes a version of a model for one of a prompt by them
// (measured), and the search must not: neither is a version shown by them, nor can one be made or changed so.
func TestVersionIsNoPromptByItsOwnTags(t *testing.T) {
	s := newScene(t)
	holder := s.Person(t, "holder", world.Members)
	pattern(t, s.World, holder, kind.Prompt, ".*", kind.Manage)
	lie := map[string]any{"name": s.victims.Model, "source": "dummy-source", "tags": []any{world.PromptTag}}
	s.refused(t, s.victim.Request(t, "POST", v2+"model-versions/create", lie), s.victim)
	tag := map[string]any{"name": s.victims.Model, "version": "1", "key": "mlflow.prompt.is_prompt", "value": "true"}
	s.refused(t, s.victim.Request(t, "POST", v2+"model-versions/set-tag", tag), s.victim)
	s.refused(t, s.victim.Request(t, "DELETE", v2+"model-versions/delete-tag", tag), s.victim)
	s.admin.JSON(t, "POST", v2+"model-versions/create", lie) // MLflow makes it
	filter := "model-versions/search?max_results=1000&filter=" + url.QueryEscape("tags.`mlflow.prompt.is_prompt` = 'true'")
	if found := string(s.admin.Do(t, "GET", v2+filter, nil).Body); !strings.Contains(found, s.victims.Model) {
		t.Fatalf("MLflow does not take the version for one of a prompt: %s", found)
	}
	if found := string(holder.Do(t, "GET", v2+filter, nil).Body); strings.Contains(found, s.victims.Model) {
		t.Errorf("the version of a model is shown by a pattern of prompts: %s", found)
	}
}

// Whoever may create models alone, or prompts alone, tries to make the other by the tag, in every spelling of it.
func TestCreatingIsDecidedByTheKindThatIsMade(t *testing.T) {
	recorder := world.NewRecorder(t, mlflowtest.Shared(t))
	w := world.New(t, recorder.URL, map[string]string{"RESTRICT_RESOURCE_CREATION": "true"})
	s := &scene{World: w, recorder: recorder}
	models, prompts := w.Person(t, "models", world.Members), w.Person(t, "prompts", world.Members)
	pattern(t, w, models, kind.RegisteredModel, ".*", kind.Edit)
	pattern(t, w, prompts, kind.Prompt, ".*", kind.Edit)
	tag := func(key, value string) any { return map[string]any{"key": key, "value": value} }
	const key = "mlflow.prompt.is_prompt"
	for name, attack := range map[string]struct {
		by   *world.Client
		tags []any
	}{
		"a prompt by whoever may create models": {models, []any{tag(key, "true")}},
		"a model by whoever may create prompts": {prompts, nil},
		"a model by the tag":                    {prompts, []any{tag(key, "false")}},
		"the last of two counts":                {models, []any{tag(key, "false"), tag(key, "true")}},
		"the last of two counts, the other way": {prompts, []any{tag(key, "true"), tag(key, "false")}},
		"true in capitals":                      {models, []any{tag(key, "TRUE")}},
		"the key in capitals":                   {models, []any{tag("MLFLOW.prompt.is_prompt", "true")}},
		"the key with a blank":                  {models, []any{tag(key+" ", "true")}},
		"neither true nor false":                {models, []any{tag(key, "yes")}},
	} {
		t.Run(name, func(t *testing.T) {
			body := map[string]any{"name": world.Name("new")}
			if attack.tags != nil {
				body["tags"] = attack.tags
			}
			s.refused(t, attack.by.Request(t, "POST", v2+"registered-models/create", body), attack.by)
		})
	}
	models.JSON(t, "POST", v2+"registered-models/create", map[string]any{"name": world.Name("new"), "tags": []any{tag("a", "b")}})
	prompts.MakePrompt(t, world.Name("new"))
}

// An editor renames to where a pattern would give more: of the kind that the thing is, not of the other.
func TestRenamingGainsNothingByTheKindThatItIs(t *testing.T) {
	s := newScene(t)
	for k, name := range map[kind.Name]string{kind.Prompt: s.victims.Prompt, kind.RegisteredModel: s.victims.Model} {
		editor := s.Person(t, "editor-"+strings.ReplaceAll(string(k), "_", "-"), world.Members)
		if err := s.App.Store.CreateGrant(t.Context(), store.Principal{User: editor.Username}, k, name, kind.Read, nil); err != nil {
			t.Fatal(err)
		}
		pattern(t, s.World, editor, k, "wide-.*", kind.Manage)
		rename := map[string]any{"name": name, "new_name": world.Name("wide")}
		s.refused(t, editor.Request(t, "POST", v2+"registered-models/rename", rename), editor)
	}
	// without exact grants, the pattern alone decides before and after
	for k, name := range map[kind.Name]string{kind.Prompt: s.victims.Prompt, kind.RegisteredModel: s.victims.Model} {
		editor := s.Person(t, "climber-"+strings.ReplaceAll(string(k), "_", "-"), world.Members)
		pattern(t, s.World, editor, k, strings.SplitN(name, "-", 2)[0]+"-.*", kind.Edit)
		pattern(t, s.World, editor, k, "wide-.*", kind.Manage)
		s.refused(t, editor.Request(t, "POST", v2+"registered-models/rename", map[string]any{"name": name, "new_name": world.Name("wide")}), editor)
		other := map[kind.Name]kind.Name{kind.Prompt: kind.RegisteredModel, kind.RegisteredModel: kind.Prompt}[k]
		pattern(t, s.World, editor, other, "tall-.*", kind.Manage) // gives nothing on what is of this kind
		to := world.Name("tall")
		got := editor.Do(t, "POST", v2+"registered-models/rename", map[string]any{"name": name, "new_name": to})
		if got.Status != http.StatusOK {
			t.Fatalf("%s: a renaming that gains nothing was answered with %d %s", k, got.Status, got.Body)
		}
		s.refused(t, editor.Request(t, "DELETE", v2+"registered-models/delete", map[string]any{"name": to}), editor)
	}
}

// The name of a deleted prompt is taken by a model at once: what was remembered of the name must not decide.
func TestNameThatComesBackAsAnotherKind(t *testing.T) {
	s := newScene(t)
	holder, name := s.Person(t, "holder", world.Members), world.Name("again")
	pattern(t, s.World, holder, kind.Prompt, ".*", kind.Read)
	s.victim.MakePrompt(t, name)
	holder.JSON(t, "GET", v2+"registered-models/get?name="+name, nil)
	s.victim.JSON(t, "DELETE", v2+"registered-models/delete", map[string]any{"name": name})
	s.victim.JSON(t, "POST", v2+"registered-models/create", map[string]any{"name": name})
	s.refused(t, holder.Request(t, "GET", v2+"registered-models/get?name="+name, nil), holder)
}

// A trace is linked to prompts that the caller may read, and to no others.
func TestPromptOfOthersIsNotLinked(t *testing.T) {
	s := newScene(t)
	link := func(prompt string) *http.Request {
		return s.thief.Request(t, "POST", v2+"traces/link-prompts", map[string]any{"trace_id": s.thiefs.Trace,
			"prompt_versions": []any{map[string]any{"name": s.thiefs.Prompt, "version": "1"}, map[string]any{"name": prompt, "version": "1"}}})
	}
	s.refused(t, link(s.victims.Prompt), s.thief)
	pattern(t, s.World, s.thief, kind.RegisteredModel, ".*", kind.Manage)
	s.refused(t, link(s.victims.Prompt), s.thief)
	pattern(t, s.World, s.thief, kind.Prompt, ".*", kind.Read)
	if got := s.thief.Send(t, link(s.victims.Prompt)); got.Status != http.StatusOK {
		t.Errorf("a readable prompt: answered %d %s", got.Status, got.Body)
	}
}

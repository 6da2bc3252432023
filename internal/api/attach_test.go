package api_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/storetest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// ruled is a users database before an MLflow with the workspace acme, where the provider "ours" names groups for all.
type ruled struct {
	*testing.T
	db     *store.DB
	mlflow *upstream.MLflow
	rules  *api.Attacher
}

func newRuled(t *testing.T) *ruled {
	t.Helper()
	db, err := store.Connect(t.Context(), store.Options{Address: storetest.Ready(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"workspaces": [{"name": "default"}, {"name": "acme"}]}`)) // who has gone reads nothing
	}))
	t.Cleanup(server.Close)
	r := &ruled{T: t, db: db}
	if r.mlflow, err = upstream.New(upstream.Options{Address: server.URL, ConnectTimeout: time.Second, Workspaces: true, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	r.restart()
	return r
}

// restart is what a start of the gateway does.
func (r *ruled) restart() {
	r.Helper()
	trusted := func(source string) bool { return source == directory.Manual || source == "ours" }
	log := slog.New(slog.DiscardHandler)
	r.rules = &api.Attacher{Store: r.db, MLflow: r.mlflow, Policy: attach.Policy{Ceiling: kind.Edit, Trusted: trusted}, Audit: audit.NewLog(log), Log: log}
	r.must(r.rules.Know(r.Context()))
}

func (r *ruled) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// comes signs somebody in by a provider.
func (r *ruled) comes(provider, name string, groups ...string) {
	r.Helper()
	_, err := r.db.RecordLogin(r.Context(), directory.Login{Identity: directory.Identity{Provider: provider, Subject: name}, Username: name, Groups: groups})
	r.must(err)
	r.rules.Arrived(r.Context(), groups, provider)
}

// file has a policy file be so, as its command does.
func (r *ruled) file(text string) {
	r.Helper()
	file, err := declared.Parse([]byte("version: 1\n" + text))
	r.must(err)
	r.must(r.db.Settle(r.Context(), func(p declared.Policy) ([]declared.Change, error) {
		plan, err := declared.Compare(p, file, false, time.Now())
		return plan.Changes, err
	}))
}

// holds says which groups have which levels in acme.
func (r *ruled) holds(when string, want ...string) {
	r.Helper()
	state, err := r.db.AttachState(r.Context())
	r.must(err)
	var got []string
	for _, group := range []string{"team-acme-ds", "x-acme"} {
		if held, ok := state.Held[attach.Pair{Group: group, Workspace: "acme"}]; ok {
			got = append(got, group+" "+held.Level.String())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("%s: %s", when, diff)
	}
}

const (
	teamRule = "workspace_rules: [{name: teams, pattern: 'team-(?P<ws>[a-z]+)-ds', level: EDIT, mode: enforce}"
	byFile   = teamRule + "]\n"
	more     = teamRule + ", {name: more, pattern: 'x-(?P<ws>[a-z]+)', level: READ, mode: enforce}]\n"
)

// The attack, by whom a provider knows that names no groups for all: sign in with a group of a name that a rule matches, then without
// it, and have the empty group be taken for an administrator's, at a start or when a rule changes.
func TestAttackGroupThatItsProviderLeftEmpty(t *testing.T) {
	r := newRuled(t)
	r.file(byFile)
	r.comes("ours", "ann", "red")
	r.comes("partner", "eve", "team-acme-ds")
	r.holds("with the group")
	r.comes("partner", "eve", "none")
	r.holds("without it")
	r.restart()
	r.comes("ours", "ann", "red")
	r.holds("after a start")
	r.file(more)
	r.comes("ours", "ann", "red")
	r.holds("after a change of the rules")
	r.comes("partner", "eve", "team-acme-ds")
	r.holds("with the group again")
}

// What a policy file makes a rule give is given with the next sign-in, of whomever, also where the file was applied while no gateway ran.
func TestRulesOfFilesAreAppliedOnce(t *testing.T) {
	r := newRuled(t)
	r.must(r.db.CreateGroup(t.Context(), "team-acme-ds")) // an administrator's: it needs no members
	r.comes("ours", "bob", "x-acme")
	r.file(byFile)
	r.holds("before anybody comes")
	r.restart()
	r.comes("ours", "ann", "red")
	r.holds("after a sign-in", "team-acme-ds EDIT")
	r.must(r.db.DeleteGrant(t.Context(), store.Principal{Group: "team-acme-ds"}, kind.Workspace, "acme"))
	r.restart()
	r.comes("ours", "ann", "red", "blue")
	r.holds("what an administrator took away, after a start")
	r.file(more)
	r.comes("ours", "ann", "red")
	r.holds("after a change of the rules", "team-acme-ds EDIT", "x-acme READ")
	r.comes("ours", "bob", "red")
	r.file("workspace_rules: [{name: teams, pattern: 'team-(?P<ws>[a-z]+)-ds', level: READ, mode: enforce}]\n")
	r.comes("ours", "ann", "red")
	r.holds("when our provider left a group empty", "team-acme-ds READ", "x-acme READ")
}

package importer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// answers are what the plugin itself says.
type answers struct {
	Tokens map[string]string
	Pairs  [][6]string // user, kind, id, name, the experiment's name, level
}

// large has the plugin make a large database, and say what some users may.
func large(t *testing.T, users, groups, grants, pairs int) (database.Address, answers) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(root, ".plugin/bin/python")
	if _, err := os.Stat(filepath.Join(root, ".plugin/complete")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no Python 3.12 or newer for the plugin (scripts/plugin.sh)")
	}
	folder := t.TempDir()
	args := []string{filepath.Join(root, "test/predecessors/big.py"), folder}
	for _, n := range []int{users, groups, grants, pairs} {
		args = append(args, strconv.Itoa(n))
	}
	if output, err := exec.CommandContext(t.Context(), python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	content, err := os.ReadFile(filepath.Join(folder, "answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var said answers
	if err := json.Unmarshal(content, &said); err != nil {
		t.Fatal(err)
	}
	return database.File(filepath.Join(folder, "plugin.db")), said
}

// A thousand users, 200 groups and 100,000 grants come over in less than a minute; the old tokens sign in; and 10,000 decisions are those
// that the plugin makes.
func TestLargeDatabaseOfThePlugin(t *testing.T) {
	users, groups, grants, pairs := 1000, 200, 100_000, 10_000
	if dbtest.Raced {
		users, grants, pairs = 300, 10_000, 3000
	}
	at, said := large(t, users, groups, grants, pairs)
	db := ours(t)
	started := time.Now()
	source := read(t, Plugin, at, settings(false))
	plan := imported(t, source, db, Options{From: at})
	took := time.Since(started)
	t.Logf("%d grants and %d patterns came over in %v", len(plan.Grants.Put), len(plan.Patterns.Put), took)
	if took > time.Minute {
		t.Errorf("it took %v", took)
	}
	if len(plan.Grants.Put) != grants || len(plan.Users.Put) != users || len(plan.Groups.Put) != groups || len(plan.Conflicts) > 0 {
		t.Errorf("%+v", plan.Counts)
	}
	compiled := map[string]*authz.Grants{}
	levels := map[string]int{}
	rules := authz.Rules{Default: kind.NoPermissions}
	for _, pair := range said.Pairs {
		on := authz.Resource{Kind: kind.Name(pair[1]), ID: pair[2], Name: pair[3]}
		if on.Kind == kind.Scorer {
			on.Parent = &authz.Resource{Kind: kind.Experiment, ID: pair[2], Name: pair[4]}
			on.ID = kind.Within(pair[2], pair[3])
		}
		if compiled[pair[0]] == nil {
			compiled[pair[0]] = stored(t, db, pair[0])
		}
		d := rules.Decide(authz.Subject{Active: true}, compiled[pair[0]], on, kind.Read)
		levels[d.Level.String()]++
		if d.Level.String() != pair[5] {
			t.Errorf("%v here is %s by %+v", pair, d.Level, d.Grant)
		}
		if before, sure := source.Old.Level(pair[0], Resource{Kind: on.Kind, ID: on.ID, Name: on.Name, Experiment: parent(on)}); !sure || before.String() != pair[5] {
			t.Errorf("%v is %s for --check", pair, before)
		}
		if t.Failed() && levels["READ"] > 50 {
			break
		}
	}
	t.Logf("%d decisions are the plugin's: %v", len(said.Pairs), levels)
	if len(said.Pairs) < pairs || len(levels) < 5 {
		t.Errorf("%d decisions of %d levels were compared", len(said.Pairs), len(levels))
	}
	signsIn(t, db, said.Tokens)
	if plan := imported(t, read(t, Plugin, at, settings(false)), db, Options{From: at}); plan.Changes() {
		t.Errorf("a second time: %+v", plan.Counts)
	}
}

func parent(on authz.Resource) *Resource {
	if on.Parent == nil {
		return nil
	}
	return &Resource{Kind: on.Parent.Kind, ID: on.Parent.ID, Name: on.Parent.Name}
}

func stored(t *testing.T, db *store.DB, name string) *authz.Grants {
	t.Helper()
	user, err := db.User(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := db.GrantsOf(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	return authz.Compile(authz.DefaultOrder(), grants)
}

// unlimited lets everybody try as often as they like.
type unlimited struct{}

// Allowed lets (token.Failures).
func (unlimited) Allowed(context.Context, string, string) error { return nil }

// Note notes nothing (token.Failures).
func (unlimited) Note(context.Context, string, string) {}

// signsIn has each user sign in twice by an old token, and nobody by another's.
func signsIn(t *testing.T, db *store.DB, tokens map[string]string) {
	t.Helper()
	people, err := directory.NewCache(db, authz.DefaultOrder())
	if err != nil {
		t.Fatal(err)
	}
	db.OnChange(people.Invalidate)
	log := slog.New(slog.DiscardHandler)
	auth, err := token.New(token.Options{People: people, Failures: unlimited{}, Upgrades: db, Uses: token.NewUses(db, log, time.Now),
		Client: func(*http.Request) string { return "" }, Audit: audit.NewLog(log), Log: log, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name, secret string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":"+secret)))
		if who, err := auth.Authenticate(r); err == nil && who != nil {
			return who.Username
		}
		return ""
	}
	other := ""
	for name, secret := range tokens {
		for range 2 {
			if got := ask(name, secret); got != name {
				t.Errorf("%s signs in as %q", name, got)
			}
		}
		if got := ask(name, tokens[other]); other != "" && got != "" {
			t.Errorf("%s signs in by the token of %s", got, other)
		}
		other = name
	}
	if len(tokens) < 10 {
		t.Errorf("%d tokens were tried", len(tokens))
	}
}

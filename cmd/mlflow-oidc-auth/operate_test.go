package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/operate"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/kept"
)

// machine is one with settings and a users database of its own.
type machine struct {
	t  *testing.T
	db *store.DB
}

func newMachine(t *testing.T, settings ...string) machine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.db")
	t.Setenv("OIDC_USERS_DB_URI", "sqlite:///"+path)
	t.Setenv("SESSION_TYPE", "database")
	for i := 0; i < len(settings); i += 2 {
		t.Setenv(settings[i], settings[i+1])
	}
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return machine{t, db}
}

// try runs a command, and gives what it prints, what it records, and how it ends.
func (m machine) try(line ...string) (out, log string, err error) {
	m.t.Helper()
	var said, recorded bytes.Buffer
	c := command()
	c.SetArgs(line)
	c.SetOut(&said)
	c.SetErr(&recorded)
	err = c.ExecuteContext(m.t.Context())
	return said.String(), recorded.String(), err
}

// do runs a command that has to succeed; words are split at blanks.
func (m machine) do(line string) string {
	m.t.Helper()
	out, _, err := m.try(strings.Fields(line)...)
	if err != nil {
		m.t.Fatalf("%s: %v", line, err)
	}
	return out
}

// refused runs a command that has to fail, with words that say what to do, and to change nothing.
func (m machine) refused(words string, line ...string) {
	m.t.Helper()
	before, err := m.db.Change(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	out, _, err := m.try(line...)
	if err == nil || !strings.Contains(err.Error(), words) {
		m.t.Errorf("%q: %v (and %q), want %q", line, err, out, words)
	}
	if after, err := m.db.Change(m.t.Context()); err != nil || after != before {
		m.t.Errorf("%q changed something: %v", line, err)
	}
}

func (m machine) login(subject, username string, groups ...string) directory.User {
	m.t.Helper()
	user, err := m.db.RecordLogin(m.t.Context(), directory.Login{Identity: directory.Identity{Provider: "oidc", Subject: subject}, Username: username, DisplayName: username, Groups: groups})
	if err != nil {
		m.t.Fatal(err)
	}
	return user
}

// What an import has set aside is in nobody's file, stays when a file prunes, and goes when an operator takes it.
func TestOperatorsMendWhatAnImportSetAside(t *testing.T) {
	m := newMachine(t)
	m.do("users create ann --admin")
	there := takeover.New()
	there.Users["bob"] = takeover.User{DisplayName: "bob", Active: true, ManagedBy: "manual"}
	const pattern = "^(?!secret).*"
	there.Patterns[takeover.Pattern{Principal: takeover.Principal{User: "bob"}, Kind: "experiment", Text: pattern}] = takeover.Ruled{Priority: 1, Level: "READ",
		Aside: takeover.Aside{Text: pattern, Level: "READ", Reason: "RE2 has nothing for it"}}
	if err := m.db.Import(t.Context(), store.Import{Source: "plugin"}, func(here takeover.Contents, before takeover.Record, _ []store.Import) (takeover.Plan, error) {
		return takeover.Make(there, here, takeover.Options{Before: before}), nil
	}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(m.do("policy export")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := m.do("policy plan --prune " + file); !strings.Contains(got, "0 to add, 0 to change, 0 to remove") || !strings.Contains(got, "an import, which set it aside") {
		t.Errorf("what is exported is not what is there: %s", got)
	}
	m.refused("pattern", "grants", "give", "--user", "bob", "--kind", "experiment", "--pattern", pattern, "--level", "READ")
	m.do("grants take --user bob --kind experiment --pattern " + pattern)
	if all, err := m.db.SetAsides(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestOperatorsManagePeople(t *testing.T) {
	m := newMachine(t)
	m.do("users create Ann@example.com --admin")
	m.do("users create ci --service")
	bob := m.login("s", "bob", "team")
	before, err := m.db.Change(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, log, err := m.try("users", "admin", "bob")
	if err != nil || !strings.Contains(log, "msg=administrator_gained audit=true") || !strings.Contains(log, "account=bob") || !strings.Contains(log, "by=") {
		t.Errorf("it recorded %q, %v", log, err)
	}
	if after, err := m.db.Change(t.Context()); err != nil || after != before+1 {
		t.Errorf("gateways that run are not told: %d after %d, %v", after, before, err)
	}
	m.do("users admin bob --revoke")
	want := `USERNAME         NAME             ADMIN  ACTIVE  SERVICE  MANAGED BY
ann@example.com  ann@example.com  yes    yes              manual
bob              bob                     yes              oidc
ci               ci                      yes     yes      manual
`
	created := time.Now().UTC().Format(time.RFC3339)[:13]
	got := m.do("users list")
	for _, line := range strings.Split(want, "\n") {
		if !strings.Contains(got, line) || strings.Count(got, created) != 3 {
			t.Errorf("%q is not in\n%s", line, got)
		}
	}
	var listed []map[string]any
	if err := json.Unmarshal([]byte(m.do("users list --json")), &listed); err != nil || len(listed) != 3 || listed[1]["managed_by"] != "oidc" {
		t.Errorf("%v, %v", listed, err)
	}
	m.refused("accepts 1 arg(s), received 0; it is: mlflow-oidc-auth sessions list USERNAME", "sessions", "list")
	m.refused("there is a user ci already", "users", "create", "ci")
	m.refused("is a word of the API", "users", "create", "current")
	m.refused("there is no user eve; users list", "users", "activate", "eve")
	m.refused("there is no user eve; users list", "users", "delete", "eve")
	for _, line := range []string{"users admin ann@example.com --revoke", "users deactivate ann@example.com", "users delete ann@example.com"} {
		m.refused("only active administrator", strings.Fields(line)...)
	}
	m.do("groups create readers")
	m.do("groups add readers bob ci")
	m.refused("there is no user eve", "groups", "add", "readers", "eve")
	m.refused("there is no group writers", "groups", "add", "writers", "ci")
	m.refused("there is no member bob of group team", "groups", "remove", "team", "bob") // where a provider has put him
	m.do("groups remove readers ci")
	if got := m.do("groups list readers --json"); !strings.Contains(got, `"username": "bob"`) || !strings.Contains(got, `"by_hand": true`) || strings.Contains(got, "ci") {
		t.Errorf("in the group are %s", got)
	}
	if got := m.do("groups list"); !strings.Contains(got, "readers  1") || !strings.Contains(got, "team     1") {
		t.Errorf("groups are\n%s", got)
	}
	m.do("groups delete readers")
	m.deactivation(bob)
}

// deactivation ends sessions and tokens.
func (m machine) deactivation(bob directory.User) {
	m.t.Helper()
	sessions, ctx := m.db.Sessions(time.Now), m.t.Context()
	signIn := func(key string, ends time.Duration) {
		if err := sessions.Save(ctx, session.Key(strings.Repeat(key, 64)), session.Record{UserID: bob.ID, Client: "192.0.2.1", ExpiresAt: time.Now().Add(ends)}); err != nil {
			m.t.Fatal(err)
		}
	}
	signIn("a", time.Hour)
	signIn("b", time.Hour)
	secret := strings.TrimSpace(m.do("tokens create bob --name laptop --for 1h --read-only"))
	if !strings.HasPrefix(secret, "mlo_") {
		m.t.Errorf("the token is %q", secret)
	}
	m.refused("already", "tokens", "create", "bob", "--name", "laptop")
	m.refused("--for is", "tokens", "create", "bob", "--name", "x", "--for", "87600h")
	m.refused("bob has no token 4711", "tokens", "revoke", "bob", "4711")
	m.refused("by their ids", "tokens", "revoke", "bob")
	if got := m.do("tokens list bob"); !strings.Contains(got, "laptop") || strings.Contains(got, secret) || !strings.Contains(got, secret[:8]) {
		m.t.Errorf("tokens are\n%s", got)
	}
	m.do("tokens revoke bob --all")
	m.do("tokens create bob --name other")
	if got := m.do("sessions list bob"); strings.Count(got, "192.0.2.1") != 2 {
		m.t.Errorf("sessions are\n%s", got)
	}
	m.refused("by their ids", "sessions", "end", "bob")
	m.refused("none of bob", "sessions", "end", "bob", "1")
	if got := m.do("sessions end bob " + jsonNumber(session.Key(strings.Repeat("a", 64)).Number())); got != "1 ended\n" {
		m.t.Errorf("it says %q", got)
	}
	signIn("c", -time.Hour)
	m.do("sessions prune")
	m.do("users deactivate bob")
	left, err := sessions.Find(ctx, session.Query{UserID: bob.ID})
	if tokens, tokensErr := m.db.Tokens(ctx, bob.ID); len(left)+len(tokens) > 0 || err != nil || tokensErr != nil {
		m.t.Errorf("there are still %v and %v, %v", left, tokens, err)
	}
	m.do("users activate bob")
	m.do("users delete bob")
}

func jsonNumber(n int64) string { text, _ := json.Marshal(n); return string(text) }

func TestOperatorsManageGrants(t *testing.T) {
	m := newMachine(t)
	m.login("s", "bob", "team")
	m.do("grants give --user Bob --kind experiment --id 17 --level READ --until 2999-01-01T00:00:00Z")
	if got := m.do("grants give --user bob --kind experiment --id 17 --level EDIT"); got != "~ grant of user bob on experiment 17: READ, until 2999-01-01T00:00:00Z → EDIT, until 2999-01-01T00:00:00Z\n" {
		t.Errorf("it says %q", got)
	}
	m.do("grants give --user bob --kind experiment --id 17 --level EDIT --until never")
	m.do("grants give --group team --kind registered_model --pattern vision-.* --priority 2 --level USE")
	m.do("grants give --group team --kind registered_model --pattern vision-.* --level MANAGE")
	m.do("grants give --group team --kind prompt --id p --level READ")
	want := "HOLDER      KIND              WORKSPACE  ON                                 LEVEL   UNTIL  BY\n" +
		"user bob    experiment                   17                                 EDIT           \n" +
		"group team  registered_model             p                                  READ           \n" +
		"group team  registered_model             names like vision-.* (priority 2)  MANAGE         \n"
	if diff := cmp.Diff(want, m.do("grants list")); diff != "" {
		t.Error(diff)
	}
	for line, words := range map[string]string{
		"--user bob --kind experiment --id 07 --level READ":                  "not an experiment id",
		"--user bob --kind run --id 1 --level READ":                          `no kind "run"`,
		"--user eve --kind experiment --id 1 --level READ":                   "there is no user eve",
		"--kind experiment --id 1 --level READ":                              "--user or --group",
		"--user bob --kind experiment --level READ":                          "--id or --pattern",
		"--user bob --kind experiment --id 1 --level OWNER":                  "OWNER",
		"--user bob --kind experiment --pattern a( --level READ":             "missing closing )",
		"--user bob --kind mcp_server --pattern a --level READ":              "no patterns",
		"--user bob --kind experiment --id 1 --level READ --workspace a1":    "MLFLOW_ENABLE_WORKSPACES is off",
		"--user bob --kind experiment --id 1 --level READ --until yesterday": "a time to come",
	} {
		m.refused(words, append([]string{"grants", "give"}, strings.Fields(line)...)...)
	}
	if got := m.do("grants list --user bob --json"); strings.Count(got, `"kind"`) != 1 {
		t.Errorf("bob's are %s", got)
	}
	m.do("grants take --user bob --kind experiment --id 17")
	m.refused("there is no grant of user bob", "grants", "take", "--user", "bob", "--kind", "experiment", "--id", "17")
	m.do("grants take --group team --kind registered_model --pattern vision-.*")
}

func TestOperatorsAskWhoMayDoWhat(t *testing.T) {
	m := newMachine(t)
	m.do("users create root --admin")
	m.login("s", "bob", "team")
	m.do("grants give --group team --kind experiment --id 17 --level READ")
	m.do("grants give --user bob --kind experiment --id 18 --level NO_PERMISSIONS")
	if got := m.do("explain --user bob --kind experiment --id 17"); !strings.Contains(got, "bob has READ on the experiment 17, by: grant") || !strings.Contains(got, "group team") {
		t.Errorf("explained:\n%s", got)
	}
	if got := m.do("who --kind experiment --id 17"); !strings.Contains(got, "administrators, who may do everything: root\n") || !strings.Contains(got, "bob   READ   grant  group team") {
		t.Errorf("who:\n%s", got)
	}
	if got := m.do("what --user bob"); !strings.Contains(got, "experiment  17  READ            grant  group team") || !strings.Contains(got, "experiment  18  NO_PERMISSIONS  grant  user") {
		t.Errorf("what:\n%s", got)
	}
	if err := m.db.CreatePattern(t.Context(), store.Principal{User: "bob"}, authz.Grant{Kind: kind.Experiment, Pattern: "vision", Priority: 1, Level: kind.Edit}); err != nil {
		t.Fatal(err)
	}
	m.refused("set MLFLOW_UPSTREAM", "explain", "--user", "bob", "--kind", "experiment", "--id", "19")
	if got := m.do("explain --user bob --kind experiment --id 19 --name vision-2 --json"); !strings.Contains(got, `"permission": "EDIT"`) {
		t.Errorf("by the name it is %s", got)
	}
	m.refused("there is no user eve", "explain", "--user", "eve", "--kind", "experiment", "--id", "19")
	m.refused(`"user"`, "what")
	m.do("grants give --user bob --kind experiment --id 20 --level READ")
	m.do("grants give --group team --kind experiment --pattern .* --level USE")
	m.login("c", "carl", "team")
	for _, upstream := range []string{"", "http://127.0.0.1:1"} { // there is none, or it is stopped
		t.Setenv("MLFLOW_UPSTREAM", upstream)
		got := m.do("what --user bob")
		for _, line := range []string{"MLflow could not be asked", "experiment  17  READ            grant  group team", "experiment  18  NO_PERMISSIONS  grant  user", "experiment  20  READ            grant  user", "names like vision"} {
			if !strings.Contains(got, line) {
				t.Errorf("without MLflow at %q, %q is not in:\n%s", upstream, line, got)
			}
		}
		if got := m.do("who --kind experiment --id 19"); !strings.Contains(got, "MLflow could not be asked") || !strings.Contains(got, "unknown") {
			t.Errorf("who, without MLflow at %q:\n%s", upstream, got)
		}
		if got := m.do("who --kind experiment --id 19 --name other"); strings.Contains(got, "unknown") || !strings.Contains(got, "carl  USE") {
			t.Errorf("who, by the name:\n%s", got)
		}
	}
}

// The attack: choose a name that does something to the terminal of whoever lists it, or looks like another line.
func TestAttackNamesThatWriteToTheTerminal(t *testing.T) {
	m := newMachine(t)
	if _, err := m.db.CreateUser(t.Context(), directory.User{Username: "eve", DisplayName: "\x1b]0;owned\x07\x1b[2K\nroot  yes", ManagedBy: directory.Manual}); err != nil {
		t.Fatal(err)
	}
	m.do("grants give --user eve --kind registered_model --id m --level READ")
	file := filepath.Join(t.TempDir(), "none.yaml")
	if err := os.WriteFile(file, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	planned, _, err := m.try("policy", "plan", file, "--prune")
	if !errors.As(err, &operate.Differs{}) {
		t.Error(err)
	}
	for name, got := range map[string]string{"list": m.do("users list"), "plan": planned} {
		if strings.ContainsAny(got, "\x1b\x07") || strings.Count(got, "\n") > 3 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestPolicyFile(t *testing.T) {
	m := newMachine(t)
	m.do("users create ann --admin")
	bob := m.login("s", "bob", "team")
	m.do("grants give --user bob --kind experiment --id 17 --level READ")
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	exported := m.do("policy export")
	write(exported)
	for _, line := range []string{"policy plan " + file, "policy plan --prune " + file, "policy apply --prune " + file} {
		if got := m.do(line); !strings.HasSuffix(got, "0 to add, 0 to change, 0 to remove: to do\n") && !strings.HasSuffix(got, "0 to add, 0 to change, 0 to remove: done\n") {
			t.Errorf("%s: %s", line, got)
		}
	}
	write("version: 1\nusers:\n  - {username: ann, admin: true}\n  - {username: bob, active: false}\n  - username: ci\n    service: true\ngrants:\n  - {group: team, kind: experiment, resource: 18, level: EDIT}\n")
	wanted := `+ user ci: service account, called "ci"
+ grant of group team on experiment 18: EDIT
~ user bob: called "bob" → deactivated, called "bob"
- grant of user bob on experiment 17: READ
`
	for _, line := range []string{"policy plan --prune " + file, "policy apply --dry-run --prune " + file} {
		got, log, err := m.try(strings.Fields(line)...)
		if !errors.As(err, &operate.Differs{}) || log != "" {
			t.Errorf("%s: %v, recorded %q", line, err, log)
		}
		if sortedLines(got) != sortedLines(wanted+"  group team stays: it is managed by oidc\n2 to add, 1 to change, 1 to remove: to do\n") {
			t.Errorf("%s:\n%s", line, got)
		}
	}
	if err := m.db.Sessions(time.Now).Save(t.Context(), "key", session.Record{UserID: bob.ID, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	got, log, err := m.try("policy", "apply", "--prune", "--json", file)
	var plan struct{ Changes []map[string]any }
	if err != nil || json.Unmarshal([]byte(got), &plan) != nil || len(plan.Changes) != 4 {
		t.Errorf("applied: %v\n%s", err, got)
	}
	for _, words := range []string{"msg=service_account_made", "msg=account_deactivated", "msg=grant_given", "msg=grant_taken", "msg=session_ended", "by=local:"} {
		if !strings.Contains(log, words) {
			t.Errorf("%q is not recorded in %s", words, log)
		}
	}
	if got := m.do("audit --name session_ended --format jsonl"); !strings.Contains(got, `"by":"local:`) {
		t.Errorf("the end of the session is not among the stored events: %s", got)
	}
	if got := m.do("policy apply --prune " + file); !strings.Contains(got, "0 to add, 0 to change, 0 to remove: done") {
		t.Errorf("applied twice: %s", got)
	}
	write("version: 1\nusers: []\n")
	m.refused("no active administrator", "policy", "apply", "--prune", file)
	if _, _, err := m.try("policy", "apply", "--prune", file); strings.Contains(err.Error(), "database") {
		t.Errorf("what the file says wrong is the database's fault: %v", err)
	}
	write("version: 1\nusers:\n- {username: eve, amdin: true}\ngrants:\n- {user: bob, kind: x, resource: 1, level: READ}\n")
	m.refused("line 3: a user has no field \"amdin\"", "policy", "apply", file)
	m.refused("line 5: there is no kind \"x\"", "policy", "plan", file)
	m.refused("no such file", "policy", "plan", filepath.Join(t.TempDir(), "none"))
}

func TestPolicyFileHasOwnersAndWorkspaceRules(t *testing.T) {
	m := newMachine(t, "MLFLOW_ENABLE_WORKSPACES", "true", "MLFLOW_UPSTREAM", mlflowOf(t, map[string]string{"/api/3.0/mlflow/workspaces": `{"workspaces":[{"name":"default"},{"name":"acme"}]}`}))
	m.do("users create ann --admin")
	bob := m.login("s", "bob", "team-acme")
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte("version: 1\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held := func(want string) {
		t.Helper()
		if got := m.do("grants list --kind workspace --id acme"); !strings.Contains(got, want) || want == "" && strings.Contains(got, "acme") {
			t.Errorf("%q is not what is held:\n%s", want, got)
		}
	}
	const programs = "users:\n  - {username: ci, service: true, owner: bob}\n"
	write(programs + "workspace_rules:\n  - {name: z, pattern: \"team-(?P<ws>.+)\", level: READ, mode: enforce}\n  - {name: a, pattern: \"x-(?P<ws>acme)\", level: USE}\n")
	if got := m.do("policy apply " + file); !strings.Contains(got, "+ owner of service account ci: bob\n") || !strings.Contains(got, `+ workspace rule z: READ by "team-(?P<ws>.+)", enforced`) {
		t.Errorf("applied: %s", got)
	}
	ci, err := m.db.User(t.Context(), "ci")
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := m.db.ServiceOwner(t.Context(), ci.ID); err != nil || owner.ID != bob.ID {
		t.Errorf("the owner is %v, %v", owner, err)
	}
	if rules, err := m.db.WorkspaceRules(t.Context()); err != nil || len(rules) != 2 || rules[0].Name != "z" || !strings.HasPrefix(rules[0].CreatedBy, "local:") {
		t.Errorf("the rules are %+v, %v", rules, err)
	}
	exported := m.do("policy export")
	if err := os.WriteFile(file, []byte(exported), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := m.do("policy plan --prune " + file); !strings.HasSuffix(got, "0 to add, 0 to change, 0 to remove: to do\n") {
		t.Errorf("what is exported is not what is there: %s of\n%s", got, exported)
	}
	if _, err := m.db.Attach(t.Context(), func(s attach.State) ([]attach.Change, error) {
		s.Workspaces = map[string]bool{"acme": true}
		return attach.Policy{Ceiling: kind.Edit, Trusted: func(string) bool { return true }}.Plan(s, nil)
	}); err != nil {
		t.Fatal(err)
	}
	held("READ")
	rule := func(with string) string {
		return "workspace_rules:\n  - {name: z, pattern: \"team-(?P<ws>.+)\", mode: enforce, " + with + "}\n"
	}
	write(rule("level: EDIT"))
	m.do("policy apply " + file)
	held("EDIT")
	for text, words := range map[string]string{ // the attacks: get more by a file than the settings leave, or by names that nobody knows
		rule("level: MANAGE"): "line 3: MANAGE is above WORKSPACE_RULES_MAX_PERMISSION",
		"workspace_rules: [{name: y, pattern: '(?P<ws>ghost)', level: READ}]":                                                     "line 2: the workspace rule y gives a level in the workspace ghost, which MLflow does not have",
		"workspace_rules: [{name: a, pattern: 'x-(?P<ws>acme)', level: USE}, {name: z, pattern: 'team-(?P<ws>.+)', level: EDIT}]": "the workspace rule z is asked before the rule a",
		"users: [{username: cd, service: true, owner: ghost}]":                                                                    "line 2: there is no user ghost",
		"users: [{username: cd, service: true, admin: true, owner: bob}]":                                                         "line 2: user bob is no administrator, and cannot own one",
		"users: [{username: bob, owner: ann}]":                                                                                    "nobody owns",
	} {
		write(text)
		m.refused(words, "policy", "apply", file)
		m.refused(words, "policy", "plan", file)
	}
	write(rule("level: EDIT, enabled: false"))
	m.do("policy apply " + file)
	held("")
	write(programs + "  - {username: ann, admin: true}\ngroups: [{name: team-acme}]\n")
	_, log, err := m.try("policy", "apply", "--prune", file)
	if rules, listErr := m.db.WorkspaceRules(t.Context()); err != nil || listErr != nil || len(rules) > 0 || strings.Count(log, "workspace_rule_deleted") != 2 {
		t.Errorf("left are %v, %v, recorded %s", rules, err, log)
	}
	t.Setenv("MLFLOW_ENABLE_WORKSPACES", "false")
	write(rule("level: READ"))
	m.refused("MLFLOW_ENABLE_WORKSPACES is off", "policy", "apply", file)
}

func sortedLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		for j := range lines[:i] {
			if lines[i] < lines[j] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}

// mlflowOf is an MLflow that has answers for paths; for all else it says in its own words that it does not exist.
func mlflowOf(t *testing.T, answers map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for path, answer := range answers {
			if strings.HasSuffix(r.URL.String(), path) || r.URL.Path == path {
				if answer == "" { // there is no such route
					http.NotFound(w, r)
					return
				}
				_, _ = w.Write([]byte(answer))
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"there is none"}`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Only what MLflow itself says is gone is an orphan. The attack on oneself: lose permissions because MLflow could not be asked.
func TestOrphans(t *testing.T) {
	answers := map[string]string{
		"/api/2.0/mlflow/experiments/search":              `{"experiments":[]}`,
		"/api/2.0/mlflow/experiments/get?experiment_id=1": `{"experiment":{"experiment_id":"1","lifecycle_stage":"active"}}`,
		"/api/2.0/mlflow/experiments/get?experiment_id=2": `{"experiment":{"experiment_id":"2","lifecycle_stage":"deleted"}}`,
		"/api/2.0/mlflow/experiments/get?experiment_id=4": "", // a proxy's 404
		"/api/2.0/mlflow/registered-models/get?name=here": `{"registered_model":{"name":"here"}}`,
		"/api/3.0/mlflow/scorers/list?experiment_id=1":    `{"scorers":[{"scorer_name":"good"}]}`,
		"/api/3.0/mlflow/scorers/list?experiment_id=2":    `{"scorers":[]}`, // whatever is in the trash
		"/api/3.0/mlflow/gateway/secrets/list":            `{"secrets":[{"secret_name":"openai","secret_id":"s"}]}`,
		"/api/3.0/mlflow/gateway/endpoints/list":          "",
	}
	m := newMachine(t, "MLFLOW_UPSTREAM", mlflowOf(t, answers))
	m.login("s", "bob")
	for _, at := range []string{"experiment 1", "experiment 2", "experiment 3", "experiment 4", "registered_model here", "registered_model lost", "scorer 1/good", "scorer 1/bad",
		"scorer 2/any", "scorer 3/any", "gateway_secret openai", "gateway_secret lost", "gateway_endpoint e", "workspace team-a"} {
		k, id, _ := strings.Cut(at, " ")
		m.do("grants give --user bob --level READ --kind " + k + " --id " + id)
	}
	listed := m.do("orphans --json")
	var rows []struct{ Kind, ID, State string }
	if err := json.Unmarshal([]byte(listed), &rows); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range rows {
		got[row.Kind+" "+row.ID] = row.State
	}
	want := map[string]string{"experiment 3": "gone", "experiment 4": "unknown", "registered_model lost": "gone", "scorer 1/bad": "gone", "scorer 2/any": "unknown", "scorer 3/any": "gone",
		"gateway_secret lost": "gone", "gateway_endpoint e": "unknown", "workspace team-a": "unknown"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if left := strings.Count(m.do("grants list"), "bob"); left != 14 {
		t.Errorf("listing them has left %d", left)
	}
	m.do("orphans --delete")
	left := m.do("grants list")
	if strings.Count(left, "bob") != 9 || strings.Contains(left, "lost") || !strings.Contains(left, "here") {
		t.Errorf("what is left:\n%s", left)
	}

	t.Setenv("MLFLOW_UPSTREAM", mlflowOf(t, map[string]string{"/api/2.0/mlflow/experiments/search": `{"experiments":[]}`}))
	m.refused("it may be another one", "orphans", "--delete")
	t.Setenv("MLFLOW_UPSTREAM", mlflowOf(t, map[string]string{"/api/2.0/mlflow/experiments/search": ""}))
	m.refused("cannot be asked", "orphans", "--delete")
	t.Setenv("MLFLOW_UPSTREAM", "http://127.0.0.1:1")
	m.refused("cannot be asked", "orphans", "--delete")
	t.Setenv("MLFLOW_UPSTREAM", "")
	m.refused("set MLFLOW_UPSTREAM", "orphans")
}

func TestDocsShowTheCommands(t *testing.T) {
	var commands bytes.Buffer
	if err := operate.Markdown(command(), &commands); err != nil {
		t.Fatal(err)
	}
	kept.Page(t, "./cmd/mlflow-oidc-auth", filepath.Join("..", "..", "docs", "operations.md"), commands.String())
}

// Every command says what it does, and is in the manual.
func TestManual(t *testing.T) {
	m := newMachine(t)
	page := m.do("man")
	for _, words := range []string{`.TH MLFLOW\-OIDC\-AUTH 1`, `.SS mlflow\-oidc\-auth users create USERNAME`, `.B \-\-prune`, `.SS mlflow\-oidc\-auth serve`} {
		if !strings.Contains(page, words) {
			t.Errorf("%q is not in the manual", words)
		}
	}
	dir := t.TempDir()
	m.do("man --dir " + dir)
	if text, err := os.ReadFile(filepath.Join(dir, "mlflow-oidc-auth-policy-apply.1")); err != nil || !strings.Contains(string(text), "in one transaction") {
		t.Errorf("%s, %v", text, err)
	}
	for _, c := range command().Commands() {
		if c.Short == "" {
			t.Errorf("%s does not say what it does", c.CommandPath())
		}
	}
}

// What docs/policy.md shows as a file is one, and can be applied.
func TestExampleOfAPolicyFileCanBeApplied(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil || !found {
		t.Fatal(err)
	}
	m := newMachine(t, "MLFLOW_ENABLE_WORKSPACES", "true")
	if got := m.do("policy apply " + file); !strings.Contains(got, " to add, 0 to change, 0 to remove: done") || strings.Count(got, "\n+") < 10 {
		t.Error(got)
	}
	if got := m.do("policy plan --prune " + file); !strings.Contains(got, "0 to add, 0 to change, 0 to remove") {
		t.Error(got)
	}
}

// What is made anew under the name of what is gone, while MLflow is asked, keeps its permissions.
func TestAttackOrphansTakeWhatIsMadeAnew(t *testing.T) {
	m := newMachine(t)
	bob := m.login("s", "bob")
	m.do("grants give --user bob --level READ --kind registered_model --id lost")
	m.do("grants give --user bob --level MANAGE --kind registered_model --id anew")
	m.do("grants give --user bob --level READ --kind experiment --id 1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("name") + r.URL.Query().Get("experiment_id") {
		case "anew": // MLflow says no, and then somebody makes it
			if err := m.db.Created(t.Context(), kind.RegisteredModel, "anew", bob.ID); err != nil {
				t.Error(err)
			}
		case "lost":
		case "1":
			_, _ = w.Write([]byte(`{"experiment":{"experiment_id":"1"}}`))
			return
		default:
			_, _ = w.Write([]byte(`{}`))
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"there is none"}`))
	}))
	t.Cleanup(server.Close)
	t.Setenv("MLFLOW_UPSTREAM", server.URL)
	m.do("orphans --delete")
	if left := m.do("grants list"); strings.Contains(left, "lost") || !strings.Contains(left, "anew") {
		t.Errorf("what is left:\n%s", left)
	}
}

// A level on a name in a workspace is of no use to whom the workspace does not let in: requests are refused there, and so is it said.
func TestOperatorsAskAboutWorkspaces(t *testing.T) {
	m := newMachine(t, "MLFLOW_ENABLE_WORKSPACES", "true")
	m.login("s", "bob")
	m.do("grants give --user bob --kind registered_model --id m --workspace team-a --level EDIT")
	const question = "explain --user bob --kind registered_model --id m --workspace "
	if got := m.do(question + "team-a"); !strings.Contains(got, "NO_PERMISSIONS on the registered_model m, by: workspace") {
		t.Errorf("outside of it: %s", got)
	}
	if got := m.do("who --kind registered_model --id m --workspace team-a"); strings.Contains(got, "bob") {
		t.Errorf("outside of it can: %s", got)
	}
	m.do("grants give --user bob --kind workspace --id team-a --level READ")
	if got := m.do(question + "team-a"); !strings.Contains(got, "bob has EDIT") {
		t.Errorf("in it: %s", got)
	}
	if got := m.do(question + "team-b"); !strings.Contains(got, "NO_PERMISSIONS") {
		t.Errorf("in another: %s", got)
	}
	m.refused("not the name of a workspace", "grants", "give", "--user", "bob", "--kind", "registered_model", "--id", "m", "--level", "READ", "--workspace", "Team")
	m.refused("leave workspace out", "grants", "give", "--user", "bob", "--kind", "experiment", "--id", "1", "--level", "READ", "--workspace", "team-a")
	if got := m.do("grants give --user bob --kind registered_model --pattern x --level READ"); !strings.Contains(got, "of every workspace") {
		t.Errorf("a pattern is %s", got)
	}
}

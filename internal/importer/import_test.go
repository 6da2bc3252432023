package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

const issuer = "https://issuer.example"

// settings are those of a gateway with one provider, and with workspaces or without.
func settings(workspaces bool) Settings {
	return Settings{Workspaces: workspaces, Default: kind.NoPermissions, Order: []authz.Source{authz.User, authz.Group, authz.UserPattern, authz.GroupPattern},
		Provider: func(_ context.Context, id string) (string, error) {
			return map[string]string{"default": issuer}[id], nil
		}}
}

// dump makes a database of what a predecessor has made.
func dump(t *testing.T, name string, changes ...string) database.Address {
	t.Helper()
	at := dbtest.New(t, database.SQLite)
	dbtest.Load(t, at, text(t, name), changes...)
	return at
}

func text(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func read(t *testing.T, name string, at database.Address, s Settings) *Source {
	t.Helper()
	source, err := Read(t.Context(), name, at, s)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func ours(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "ours.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func imported(t *testing.T, s *Source, db *store.DB, o Options) takeover.Plan {
	t.Helper()
	plan, err := s.Import(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func contents(t *testing.T, db *store.DB, source string) takeover.Contents {
	t.Helper()
	here, _, err := db.Contents(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	return here
}

// dumps are of the last version, or the first, of each state of the tables that a release has left behind. 6.6 has those of 6.0, 8.2 those
// of 8.0, 8.3 those of 8.4, and 10 those of 9 and 11.
var dumps = map[string][]string{
	Plugin: {"plugin-5.7.0", "plugin-6.0.0", "plugin-6.7.1", "plugin-7.0.0", "plugin-7.24.0", "plugin-8.0.0", "plugin-8.4.0", "plugin-9.0.5",
		"plugin-11.0.2"},
	BasicAuth: {"basic-auth-2.22.0", "basic-auth-3.5.0", "basic-auth-3.17.2"},
}

// Every version's database comes over whole, a second time changes nothing, and the database itself is as it was, to the byte.
func TestEveryVersionComesOver(t *testing.T) {
	for name, all := range dumps {
		for _, version := range all {
			t.Run(version, func(t *testing.T) {
				at := dump(t, version)
				before := sum(t, at.Path)
				source, db, o := read(t, name, at, settings(true)), ours(t), Options{From: at, By: "test"}
				if plan := imported(t, source, db, o); !plan.Changes() || len(plan.Conflicts) > 0 {
					t.Fatalf("%+v", plan.Counts)
				}
				if diff := cmp.Diff(source.Contents, contents(t, db, name), cmpopts.IgnoreFields(takeover.Password{}, "Made")); diff != "" {
					t.Errorf("there and here differ:\n%s", diff)
				}
				counter, err := db.Change(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if plan := imported(t, read(t, name, at, settings(true)), db, o); plan.Changes() || len(plan.Conflicts) > 0 {
					t.Errorf("a second time: %+v, %+v", plan.Counts, plan.Conflicts)
				}
				if again, err := db.Change(t.Context()); err != nil || again != counter {
					t.Errorf("the second time moved the counter from %d to %d, %v", counter, again, err)
				}
				if sum(t, at.Path) != before {
					t.Error("the predecessor's database was changed")
				}
			})
		}
	}
}

func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(content)
}

var ann = takeover.Principal{User: "ann"}

func TestWhatThePluginHeld(t *testing.T) {
	for _, version := range dumps[Plugin] {
		t.Run(version, func(t *testing.T) {
			c := read(t, Plugin, dump(t, version), settings(true)).Contents
			for g, level := range map[takeover.Grant]string{
				{Principal: ann, Kind: "experiment", Resource: "1"}:                                        "EDIT",
				{Principal: ann, Kind: "experiment", Resource: "4"}:                                        "NO_PERMISSIONS",
				{Principal: ann, Kind: "experiment", Resource: "5"}:                                        "NO_PERMISSIONS", // NULL there
				{Principal: ann, Kind: "experiment", Resource: "6"}:                                        "NO_PERMISSIONS", // OWNER there
				{Principal: takeover.Principal{Group: "blue"}, Kind: "experiment", Resource: "3"}:          "MANAGE",
				{Principal: takeover.Principal{Group: "red"}, Kind: "registered_model", Resource: "greet"}: "EDIT", // a prompt
				{Principal: ann, Kind: "registered_model", Resource: "churn"}:                              "MANAGE",
			} {
				if got := c.Grants[g].Level; got != level {
					t.Errorf("%+v: %q, want %s", g, got, level)
				}
			}
			for g, later := range map[takeover.Grant]struct{ than, level string }{
				{Principal: ann, Kind: "scorer", Resource: "1/tone/of voice"}:                             {"plugin-5.7.0", "EDIT"},
				{Principal: ann, Kind: "gateway_endpoint", Resource: "chat"}:                              {"plugin-6.0.0", "USE"},
				{Principal: takeover.Principal{Group: "red"}, Kind: "gateway_secret", Resource: "openai"}: {"plugin-6.0.0", "READ"},
				{Principal: ann, Kind: "workspace", Resource: "team-a"}:                                   {"plugin-6.7.1", "EDIT"},
			} {
				if slices.Index(dumps[Plugin], version) <= slices.Index(dumps[Plugin], later.than) {
					later.level = "" // the version had none of the kind
				}
				if got := c.Grants[g].Level; got != later.level {
					t.Errorf("%+v: %q, want %q", g, got, later.level)
				}
			}
			kept := c.Patterns[takeover.Pattern{Principal: ann, Kind: "experiment", Workspace: "*", Text: "^(?!secret).*"}]
			if kept.Aside.Level != "READ" || kept.Level != "NO_PERMISSIONS" || kept.Priority != 20 {
				t.Errorf("the pattern with a lookahead: %+v", kept)
			}
			if c.Patterns[takeover.Pattern{Principal: ann, Kind: "prompt", Workspace: "*", Text: "^g"}].Level != "EDIT" {
				t.Errorf("the pattern of prompts is not there: %+v", slices.Collect(maps.Keys(c.Patterns)))
			}
			if c.Users["bob@example.com"].Admin {
				t.Error("an administrator of whom no subject is known could be had by whoever gets the name")
			}
			if _, secret := c.Passwords["ann"]; !secret && c.Tokens[takeover.Token{User: "ann", Name: "laptop"}].Hash == "" {
				t.Error("ann has no secret")
			}
			if rule := c.Rules["teams"]; rule.Enforced != (slices.Index(dumps[Plugin], version) >= slices.Index(dumps[Plugin], "plugin-8.4.0")) {
				t.Errorf("the rule of workspaces: %+v", rule)
			}
			if _, held := c.Memberships[takeover.Membership{User: "job", Group: "blue", Source: "manual"}]; !held {
				t.Errorf("%+v", c.Memberships)
			}
		})
	}
}

func TestIdentitiesAndRulesOfThePlugin(t *testing.T) {
	c := read(t, Plugin, dump(t, "plugin-11.0.2"), settings(true)).Contents
	if who := c.Identities[takeover.Identity{Provider: issuer, Subject: "subject-of-ann"}]; who.User != "ann" || len(c.Identities) != 1 {
		t.Errorf("%+v", c.Identities)
	}
	if rule := c.Rules["teams"]; !rule.Enforced || !rule.Enabled || rule.Level != "EDIT" {
		t.Errorf("%+v", rule)
	}
	if given := c.Grants[takeover.Grant{Principal: takeover.Principal{Group: "team-x-ds"}, Kind: "workspace", Resource: "x"}]; given.Rule != "teams" {
		t.Errorf("what the rule has given: %+v", given)
	}
	if c.Users["cyd"].Active {
		t.Error("cyd was deactivated there")
	}
	if c.Grants[takeover.Grant{Principal: ann, Kind: "mcp_server", Resource: "io.example/files"}].Level != "READ" {
		t.Error("the MCP server is not there")
	}
}

// The attack: sign in, at another provider, under the name of somebody whose identities could not be carried over.
func TestAttackAccountOfALostIdentity(t *testing.T) {
	none := settings(true)
	none.Provider = func(context.Context, string) (string, error) { return "", nil }
	c := read(t, Plugin, dump(t, "plugin-11.0.2"), none).Contents
	if by := c.Users["ann"].ManagedBy; by == "manual" {
		t.Error("the first of the name to sign in would be given the account")
	}
	down := settings(true)
	down.Provider = func(context.Context, string) (string, error) { return "", errors.New("down") }
	if _, err := Read(t.Context(), Plugin, dump(t, "plugin-11.0.2"), down); err == nil || !strings.Contains(err.Error(), "see that this machine reaches it") {
		t.Errorf("a provider that does not answer: %v", err)
	}
}

func TestRefusedDatabases(t *testing.T) {
	newer := dump(t, "plugin-11.0.2", "UPDATE alembic_version SET version_num = 'ffffffffffff'")
	older := dump(t, "plugin-5.7.0", "UPDATE alembic_version SET version_num = '1ddf23934b63'")
	folder := database.File(t.TempDir())
	for name, tc := range map[string]struct {
		predecessor string
		at          database.Address
		says        []string
	}{
		"a version of tomorrow":       {Plugin, newer, []string{`"ffffffffffff"`, "e1f2a3b4c5d6 (9.0 to 11.0)", "0565cf04c12e"}},
		"a version that is too old":   {Plugin, older, []string{"1ddf23934b63", "0565cf04c12e"}},
		"basic-auth taken for plugin": {Plugin, dump(t, "basic-auth-3.17.2"), []string{"no table alembic_version"}},
		"plugin taken for basic-auth": {BasicAuth, dump(t, "plugin-11.0.2"), []string{"e1f2a3b4c5d6", "f1a2b3c4d5e6"}},
		"nothing":                     {Plugin, database.File(filepath.Join(t.TempDir(), "none.db")), []string{"no such file"}},
		"a folder":                    {Plugin, folder, []string{"folder"}},
		// The attack: an account with the name of another one in capitals, to be one with it here, and have its permissions.
		"two accounts that would be one": {Plugin, dump(t, "plugin-5.7.0",
			"INSERT INTO users (id, username, display_name, password_hash, is_admin, is_service_account) VALUES (99, 'ANN', 'x', '', 0, 0)"), []string{`"ann"`, "delete or rename"}},
	} {
		_, err := Read(t.Context(), tc.predecessor, tc.at, settings(false))
		for _, says := range tc.says {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want %q", name, err, says)
			}
		}
	}
}

// level is what a user may on a resource, by what is stored.
func level(t *testing.T, db *store.DB, name string, on authz.Resource) kind.Level {
	t.Helper()
	user, err := db.User(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := db.GrantsOf(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	rules := authz.Rules{Default: kind.Read}
	return rules.Decide(authz.Subject{Active: user.Active, Admin: user.Admin}, authz.Compile(authz.DefaultOrder(), grants), on, kind.Read).Level
}

// The attack: have what a pattern with a lookahead refused, since it could not be carried over. It refuses every name at its priority
// and after; what comes before it counts as it did, and other kinds are not touched.
func TestAttackPatternSetAside(t *testing.T) {
	at := dump(t, "plugin-11.0.2", "INSERT INTO experiment_regex_permissions (regex, priority, user_id, permission, workspace) SELECT '.*', 30, id, 'MANAGE', '*' FROM users WHERE username = 'ann'")
	db := ours(t)
	imported(t, read(t, Plugin, at, settings(false)), db, Options{From: at})
	for name, tc := range map[string]struct {
		on   authz.Resource
		want kind.Level
	}{
		"at its priority and after":  {authz.Resource{Kind: kind.Experiment, ID: "70", Name: "anything"}, kind.NoPermissions},
		"a pattern before it":        {authz.Resource{Kind: kind.Experiment, ID: "71", Name: "ann-7"}, kind.Manage},
		"a source before it":         {authz.Resource{Kind: kind.Experiment, ID: "1", Name: "secret"}, kind.Edit},
		"a group's pattern after it": {authz.Resource{Kind: kind.Experiment, ID: "72", Name: "y-x"}, kind.NoPermissions},
		"another kind":               {authz.Resource{Kind: kind.RegisteredModel, ID: "m", Name: "m"}, kind.Read},
	} {
		if got := level(t, db, "ann", tc.on); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	aside, err := db.SetAsides(t.Context())
	if err != nil || len(aside) != 1 || aside[0].Username != "ann" || aside[0].Level != "READ" || aside[0].Pattern != "^(?!secret).*" {
		t.Errorf("%+v, %v", aside, err)
	}
	// whoever replaces it by one that is known has it count
	held, err := db.Patterns(t.Context(), store.Principal{User: "ann"}, kind.Experiment)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range held {
		if one.Priority == 20 {
			one.Pattern, one.Level = "any.*", kind.Edit
			if err := db.UpdatePattern(t.Context(), store.Principal{User: "ann"}, one, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := level(t, db, "ann", authz.Resource{Kind: kind.Experiment, ID: "70", Name: "anything"}); got != kind.Edit {
		t.Errorf("mended: %s", got)
	}
	if aside, err := db.SetAsides(t.Context()); err != nil || len(aside) != 0 {
		t.Errorf("mended, and still listed: %+v, %v", aside, err)
	}
}

// The attack: get back what an administrator has taken away here, by having the import run once more.
func TestAttackRevokedComesBack(t *testing.T) {
	at, db, p := dump(t, "plugin-11.0.2"), ours(t), store.Principal{User: "ann"}
	o := Options{From: at}
	again := func() takeover.Plan { return imported(t, read(t, Plugin, at, settings(false)), db, o) }
	again()
	if err := db.DeleteGrant(t.Context(), p, kind.Experiment, "1"); err != nil {
		t.Fatal(err)
	}
	if err := db.UpdateGrant(t.Context(), p, kind.RegisteredModel, "churn", kind.Read, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteUser(t.Context(), "cyd"); err != nil {
		t.Fatal(err)
	}
	if plan := again(); plan.Changes() {
		t.Errorf("%+v", plan.Counts)
	}
	model := takeover.Grant{Principal: ann, Kind: "registered_model", Resource: "churn"}
	experiment := takeover.Grant{Principal: ann, Kind: "experiment", Resource: "1"}
	if here := contents(t, db, Plugin); here.Grants[model].Level != "READ" || here.Grants[experiment].Level != "" {
		t.Errorf("what was changed here is gone: %+v", here.Grants)
	}
	// what changes there alone follows: one more, one less, one revoked
	dbtest.Load(t, at, "INSERT INTO experiment_permissions (experiment_id, user_id, permission) SELECT '8', id, 'READ' FROM users WHERE username = 'ann'",
		"UPDATE experiment_group_permissions SET permission = 'READ' WHERE experiment_id = '3'", "DELETE FROM gateway_endpoint_permissions",
		"UPDATE registered_model_permissions SET permission = 'EDIT' WHERE name = 'churn'")
	plan := again()
	here := contents(t, db, Plugin)
	if _, there := here.Grants[takeover.Grant{Principal: ann, Kind: "gateway_endpoint", Resource: "chat"}]; there {
		t.Error("what was revoked there is still held here")
	}
	if here.Grants[takeover.Grant{Principal: ann, Kind: "experiment", Resource: "8"}].Level != "READ" ||
		here.Grants[takeover.Grant{Principal: takeover.Principal{Group: "blue"}, Kind: "experiment", Resource: "3"}].Level != "READ" {
		t.Errorf("what changed there does not follow: %+v", here.Grants)
	}
	if here.Grants[model].Level != "READ" || len(plan.Conflicts) != 1 || plan.Conflicts[0].What != "grants" {
		t.Errorf("what changed on both sides: %+v, %+v", here.Grants[model], plan.Conflicts)
	}
	o.Overwrite = true
	again()
	if here := contents(t, db, Plugin); here.Grants[model].Level != "EDIT" || here.Grants[experiment].Level != "EDIT" || here.Users["cyd"].DisplayName == "" {
		t.Errorf("overwritten: %+v, %+v", here.Grants[model], here.Grants[experiment])
	}
}

// The attack: a second database, to which people of the first one are unknown, must not take from them what they have, nor give.
func TestAttackAnotherDatabase(t *testing.T) {
	first, db := dump(t, "plugin-11.0.2"), ours(t)
	imported(t, read(t, Plugin, first, settings(false)), db, Options{From: first})
	before := contents(t, db, Plugin)
	other := dump(t, "plugin-11.0.2", "DELETE FROM experiment_permissions", "UPDATE registered_model_permissions SET permission = 'READ'", "UPDATE users SET is_admin = 1",
		"UPDATE groups SET group_name = 'green' WHERE group_name = 'red'")
	plan := imported(t, read(t, Plugin, other, settings(false)), db, Options{From: other})
	here := contents(t, db, Plugin)
	for g, given := range before.Grants {
		if here.Grants[g] != given {
			t.Errorf("%+v became %+v", g, here.Grants[g])
		}
	}
	if diff := cmp.Diff(before.Users, here.Users); diff != "" || len(plan.Conflicts) == 0 {
		t.Errorf("%+v\n%s", plan.Conflicts, diff)
	}
	if _, is := here.Groups["green"]; !is {
		t.Error("what is new there did not come")
	}
}

func TestAllOrNothing(t *testing.T) {
	at, db := dump(t, "plugin-11.0.2"), ours(t)
	source := read(t, Plugin, at, settings(false))
	// two tokens of one hash cannot be; the last part fails
	source.Contents.Permissions[takeover.Permission{Role: takeover.Role{Workspace: "default", Name: "r"}, Type: "run", Pattern: "*"}] = takeover.Permitted{}
	source.Contents.Roles[takeover.Role{Workspace: "default", Name: "r"}] = takeover.Described{}
	source.Contents.Identities[takeover.Identity{Provider: issuer, Subject: "x"}] = takeover.Whose{User: "ann"}
	broken, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Import(broken, db, Options{From: at}); err == nil {
		t.Fatal("a database that does not answer")
	}
	if here := contents(t, db, Plugin); len(here.Users)+len(here.Grants) > 0 {
		t.Errorf("a part came: %+v", here.Users)
	}
}

// The predecessor's tables in our own database are taken over once, and not where somebody is here already.
func TestOwnDatabaseOnce(t *testing.T) {
	at := dump(t, "plugin-11.0.2")
	if found, is, err := Recognise(t.Context(), at, ""); err != nil || !is || found.Revision != "e1f2a3b4c5d6" {
		t.Fatalf("%+v %v %v", found, is, err)
	}
	db, err := store.Open(t.Context(), at.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	source, o := read(t, Plugin, at, settings(false)), Options{From: at, Own: true}
	imported(t, source, db, o)
	if plan := imported(t, source, db, o); plan.Changes() {
		t.Errorf("twice: %+v", plan.Counts)
	}
	imports, err := db.Imports(t.Context())
	if err != nil || len(imports) != 1 || !imports[0].Own {
		t.Errorf("%+v, %v", imports, err)
	}
	other := ours(t)
	if err := other.CreateGroup(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if _, err := other.RecordLogin(t.Context(), login("s", "zoe")); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Import(t.Context(), other, o); !errors.Is(err, ErrInUse) {
		t.Errorf("%v", err)
	}
	for name, a := range map[string]database.Address{"nobody's": database.File(filepath.Join(t.TempDir(), "x.db")), "MLflow's": dump(t, "basic-auth-3.5.0")} {
		if a.Path != "" {
			dbtest.Load(t, a, "CREATE TABLE IF NOT EXISTS other (id INTEGER)")
		}
		if _, is, err := Recognise(t.Context(), a, ""); is || err != nil {
			t.Errorf("%s: %v, %v", name, is, err)
		}
	}
	newer := dump(t, "plugin-11.0.2", "UPDATE alembic_version SET version_num = 'ffffffffffff'")
	if _, is, err := Recognise(t.Context(), newer, ""); is || err == nil {
		t.Errorf("a version of tomorrow: %v, %v", is, err)
	}
}

func TestMemberships(t *testing.T) {
	at, db := dump(t, "plugin-11.0.2"), ours(t)
	imported(t, read(t, Plugin, at, settings(false)), db, Options{From: at})
	// ann is in none of the groups any more, as the provider says at the first sign-in
	if _, err := db.RecordLogin(t.Context(), login("subject-of-ann", "ann")); err != nil {
		t.Fatal(err)
	}
	user, err := db.User(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if groups, err := db.GroupsOf(t.Context(), user.ID); err != nil || len(groups) != 0 {
		t.Errorf("%+v, %v", groups, err)
	}
	if plan := imported(t, read(t, Plugin, at, settings(false)), db, Options{From: at}); plan.Changes() {
		t.Errorf("the groups come back: %+v", plan.Counts)
	}
	if _, err := db.RecordLogin(t.Context(), login("another", "ann")); !errs.Is(err, errs.Conflict) {
		t.Errorf("another subject under the name: %v", err)
	}
}

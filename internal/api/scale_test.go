package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const (
	manyPeople      = 100_000
	manyServices    = 1000
	manyGroups      = 10_000
	manyExperiments = 50_000
	manyHeld        = 10_000 // of one person
)

// fill puts people, service accounts and groups into the database of a world: each person in one group, all in another, and one who holds
// something on very many experiments.
func fill(t *testing.T, w *world.World) {
	t.Helper()
	numbers := func(n int, what string) string {
		from, number := dbtest.Digits(len(strconv.Itoa(n)) - 1)
		return " SELECT " + what + " FROM (SELECT " + number + " AS n FROM " + from + ") AS numbers"
	}
	account := func(name string, n int, service bool) string {
		return "INSERT INTO gw_users (username, display_name, is_admin, active, is_service, managed_by, created_at, updated_at)" +
			numbers(n, fmt.Sprintf("CONCAT('%s-', n), '', FALSE, TRUE, %t, 'manual', '2026-01-01 00:00:00', '2026-01-01 00:00:00'", name, service))
	}
	dbtest.Load(t, database.File(strings.TrimPrefix(w.Settings["OIDC_USERS_DB_URI"], "sqlite:///")),
		account("person", manyPeople, false), account("robot", manyServices, true),
		"INSERT INTO gw_groups (name, folded, external_id)"+numbers(manyGroups, "CONCAT('Team-', n), CONCAT('team-', n), ''"),
		"INSERT INTO gw_groups (name, folded, external_id) VALUES ('Everybody', 'everybody', '')",
		"INSERT INTO gw_memberships (user_id, group_id, managed_by) SELECT u.id, g.id, 'manual' FROM gw_users AS u JOIN gw_groups AS g "+
			fmt.Sprintf("ON g.name = CONCAT('Team-', u.id %% %d) OR g.name = 'Everybody' WHERE u.username LIKE 'person-%%'", manyGroups),
		"INSERT INTO gw_grants (user_id, kind, workspace, resource, level)"+
			numbers(manyHeld, "(SELECT id FROM gw_users WHERE username = 'person-7'), 'experiment', '', CONCAT('', n + 1), 'READ'"))
}

// No page reads a whole table, whatever there is: that would be seen in what it asks MLflow, in what it takes of memory, and in its time.
func TestListsAtScale(t *testing.T) {
	if dbtest.Raced {
		t.Skip("it is run without the race detector, with which it would take minutes")
	}
	mlflow := mlflowtest.NewMany(t, manyExperiments, func(i int) string { return fmt.Sprintf("Project-%d/run %d", i%100, i) })
	w := world.New(t, mlflow.Address, nil)
	member, admin := w.Browser(t, "member", world.Members), w.Browser(t, "root", world.Members, world.Admins)
	began := time.Now()
	fill(t, w)
	t.Logf("filled in %v", time.Since(began))
	rule := authz.Grant{Kind: kind.Experiment, Pattern: "Project-7/.*", Priority: 1, Level: kind.Manage}
	if err := w.App.Store.CreatePattern(t.Context(), store.Principal{User: member.Username}, rule); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	admin.Do(t, http.MethodGet, base+"/permissions/experiments?limit=1", nil)
	t.Logf("all experiments are read in %v", time.Since(began))
	for _, c := range []struct {
		by    *world.Client
		at    string
		rows  int
		total int
	}{
		{admin, "/users/details?service=false&limit=25", 25, manyPeople + 2},
		{admin, "/users/details?service=false&limit=25&offset=99975", 25, manyPeople + 2},
		{admin, "/users/details?service=false&limit=25&search=PERSON-99", 25, 1111},
		{admin, "/users/details?service=false&limit=25&search=9", 25, 40951},
		{admin, "/users/details?service=true&limit=25&offset=500", 25, manyServices},
		{admin, "/users/details?service=true&limit=25&search=robot-77", 11, 11},
		{admin, "/users/details?limit=500", 500, manyPeople + manyServices + 2},
		{member, "/users?limit=10&search=n-4711", 10, 11},
		{member, "/permissions/groups?limit=10&search=TEAM-99", 10, 111},
		{admin, "/permissions/groups/details?limit=25", 25, manyGroups + 3},
		{admin, "/permissions/groups/details?limit=25&offset=9975", 25, manyGroups + 3},
		{admin, "/permissions/groups/details?limit=25&search=team-47", 25, 111},
		{admin, "/permissions/groups/Everybody/users?limit=25", 25, manyPeople},
		{admin, "/permissions/groups/Everybody/users?limit=25&offset=99975", 25, manyPeople},
		{admin, "/permissions/groups/Everybody/users?limit=25&search=4711", 20, 20},
		{admin, "/permissions/groups/Team-7/users?limit=25", 10, 10},
		{admin, "/permissions/experiments?limit=25", 25, manyExperiments},
		{admin, "/permissions/experiments?limit=25&offset=49975", 25, manyExperiments},
		{admin, "/permissions/experiments?limit=25&search=RUN%2049999", 1, 1},
		{admin, "/permissions/experiments?limit=500&search=project-7", 500, 5500},
		{member, "/permissions/experiments?limit=25", 25, manyExperiments / 100},
		{member, "/permissions/experiments?limit=25&search=project-8", 0, 0},
		{admin, "/permissions/holdings?user=person-7&limit=25", 25, manyHeld},
		{admin, "/permissions/holdings?user=person-7&limit=500", 500, manyHeld},
		{admin, "/permissions/holdings?user=person-7&limit=25&search=run%20777", 11, 11},
		{admin, "/permissions/holdings?kind=experiment&id=777&limit=25", 1, 1},
		{admin, "/permissions/what?user=person-7&max_results=50", 50, -1},
	} {
		measured(t, w, mlflow, c.by, c.at, c.rows, c.total)
	}
}

// measured asks for a page, and holds what that takes.
func measured(t *testing.T, w *world.World, mlflow *mlflowtest.Many, by *world.Client, at string, rows, total int) {
	t.Helper()
	const (
		mostTime       = time.Second
		mostMemory     = 32 // MB; all users are 100
		mostStatements = 12
		mostCalls      = 8
	)
	mlflow.Asked()
	statements := w.App.Store.Queries()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	got := by.Do(t, http.MethodGet, base+at, nil)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	statements = w.App.Store.Queries() - statements
	calls, read := mlflow.Asked()
	memory := (after.TotalAlloc - before.TotalAlloc) >> 20
	found, all := counted(t, got)
	t.Logf("%-75s %6v %3d MB, %2d statements, %2d questions for %d experiments", at, took.Round(time.Millisecond), memory, statements, calls, read)
	if got.Status != 200 || found != rows || all != total {
		t.Errorf("%s: %d, %d of %d: %.300s", at, got.Status, found, all, got.Body)
	}
	if took > mostTime || memory > mostMemory || statements > mostStatements || calls > mostCalls || read > 510 {
		t.Errorf("%s takes too much", at)
	}
}

// counted gives how many rows an answer has, and how many there are in all; -1 where it does not say.
func counted(t *testing.T, got world.Answer) (rows, total int) {
	t.Helper()
	var body any
	if err := json.Unmarshal(got.Body, &body); err != nil {
		t.Fatalf("%v in %.300s", err, got.Body)
	}
	total = -1
	if said := got.Header.Get("X-Total-Count"); said != "" {
		total, _ = strconv.Atoi(said) // else it is 0, and wrong
	}
	if one, ok := body.(object); ok {
		for _, in := range []string{"holdings", "access"} {
			if some, ok := one[in].(list); ok {
				body = some
			}
		}
		if said, ok := one["total"].(float64); ok {
			total = int(said)
		}
	}
	all, _ := body.(list)
	return len(all), total
}

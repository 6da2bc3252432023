package gateway_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// manyExperiments puts experiments into MLflow's own database: 10,000 requests would take minutes. Every hundredth is
// called "team-…", the others "other-…". It gives their ids.
func manyExperiments(t *testing.T, mlflow *mlflowtest.Server, count int) []string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+mlflow.Database+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, count)
	prefix := world.Name("many")
	for i := range ids {
		kind := "other"
		if i%100 == 0 {
			kind = "team"
		}
		result, err := tx.ExecContext(t.Context(), `INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
			VALUES (?, ?, 'active', ?, ?, 'default')`, fmt.Sprintf("%s-%s-%05d", kind, prefix, i), "mlflow-artifacts:/many", i, i)
		if err != nil {
			t.Fatal(err)
		}
		id, err := result.LastInsertId()
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = strconv.FormatInt(id, 10)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// pages reads a search to its end and gives the ids of each page.
func pages(t *testing.T, c *world.Client, path, items, id string, body map[string]any) [][]string {
	t.Helper()
	var all [][]string
	for {
		said := c.JSON(t, http.MethodPost, path, body)
		page := []string{}
		rows, _ := said[items].([]any)
		for _, row := range rows {
			page = append(page, row.(map[string]any)[id].(string))
		}
		all = append(all, page)
		next, more := said["next_page_token"].(string)
		if !more {
			return all
		}
		if len(all) > 500 {
			t.Fatal("the search does not end")
		}
		body["page_token"] = next
	}
}

// TestSearchTenThousandExperiments reads full pages of the hundred experiments that one may read, by every sort of permission.
func TestSearchTenThousandExperiments(t *testing.T) {
	t.Parallel()
	mlflow := mlflowtest.New(t)
	recorder := world.NewRecorder(t, mlflow)
	ids := manyExperiments(t, mlflow, 10_000)
	var team, rest []string
	for i, id := range ids {
		if i%100 == 0 {
			team = append(team, id)
		} else {
			rest = append(rest, id)
		}
	}
	open := world.New(t, recorder.URL, map[string]string{"DEFAULT_MLFLOW_PERMISSION": "READ"})
	closed := world.New(t, recorder.URL, nil)
	path := "/api/2.0/mlflow/experiments/search"
	body := func(size int) map[string]any {
		return map[string]any{"max_results": size, "order_by": []string{"name ASC"}}
	}

	grant := func(w *world.World, c *world.Client, level kind.Level, ids ...string) {
		t.Helper()
		err := w.App.Store.Settle(t.Context(), func(declared.Policy) (all []declared.Change, err error) { // one by one they would take minutes
			for _, id := range ids {
				all = append(all, declared.Change{Action: declared.Add, Key: declared.Key{What: declared.Grant, User: c.Username, Kind: string(kind.Experiment), Resource: id},
					After: declared.Value{Level: level.String()}})
			}
			return all, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pattern := func(w *world.World, c *world.Client, regex string, level kind.Level) {
		t.Helper()
		g := authz.Grant{Kind: kind.Experiment, Pattern: regex, Priority: 1, Level: level}
		if err := w.App.Store.CreatePattern(t.Context(), store.Principal{User: c.Username}, g); err != nil {
			t.Fatal(err)
		}
	}
	byGrants := closed.Person(t, "grants", world.Members)
	grant(closed, byGrants, kind.Read, team...)
	byPattern := closed.Person(t, "pattern", world.Members)
	pattern(closed, byPattern, "team-.*", kind.Read)
	byRefusals := open.Person(t, "refusals", world.Members)
	grant(open, byRefusals, kind.NoPermissions, rest[:1500]...)
	byMany := closed.Person(t, "many", world.Members)
	grant(closed, byMany, kind.Read, append(slices.Clone(team), rest[:2500]...)...) // more ids than a filter takes

	for _, c := range []*world.Client{byGrants, byPattern} {
		recorder.Calls()
		got := pages(t, c, path, "experiments", "experiment_id", body(100))
		calls := recorder.Calls()
		if len(got) != 1 || !slices.Equal(got[0], team) {
			t.Errorf("%s: %d pages, the first of %d rows, want one of the team's 100", c.Username, len(got), len(got[0]))
		}
		if len(calls) > 2 {
			t.Errorf("%s: a page cost %d calls to MLflow: %v", c.Username, len(calls), calls)
		}
		got = pages(t, c, path, "experiments", "experiment_id", body(30))
		if len(got) != 4 || len(got[0]) != 30 || len(got[2]) != 30 || !slices.Equal(slices.Concat(got...), team) {
			t.Errorf("%s: pages of 30 are %d", c.Username, len(got))
		}
	}
	for c, want := range map[*world.Client]int{byRefusals: 10_001 - 1500, byMany: 2600} { // with Default
		got := pages(t, c, path, "experiments", "experiment_id", body(1000))
		for i, page := range got {
			if len(page) != 1000 && i != len(got)-1 {
				t.Errorf("%s: page %d has %d rows", c.Username, i, len(page))
			}
		}
		all := slices.Concat(got...)
		if slices.Sort(all); len(all) != want || len(slices.Compact(all)) != want {
			t.Errorf("%s: %d rows, want %d, each once", c.Username, len(all), want)
		}
	}
	// what the caller's own filter says cannot widen the search
	for _, filter := range []string{"name LIKE '%'", "experiment_id IN ('" + strings.Join(rest[:3], "','") + "')", "name LIKE 'other-%'", "experiment_id NOT IN ('0')",
		"name = 'x' OR name LIKE '%'", "name LIKE '%' -- ", "name LIKE '%' /*", "') OR name LIKE '%'", "1=1", "tags.x = 'y') OR (name LIKE '%'"} {
		got := byGrants.Do(t, http.MethodPost, path, map[string]any{"max_results": 1000, "filter": filter})
		for _, id := range rest[:3] {
			if strings.Contains(string(got.Body), `"experiment_id": "`+id+`"`) || strings.Contains(string(got.Body), `"experiment_id":"`+id+`"`) {
				t.Errorf("the filter %q shows an experiment that may not be read: %d", filter, got.Status)
			}
		}
		if got.Status >= 500 {
			t.Errorf("the filter %q was answered with %d %s", filter, got.Status, got.Body)
		}
	}
	t.Run("by GET", func(t *testing.T) {
		said := byGrants.JSON(t, http.MethodGet, path+"?max_results=7&order_by=name%20DESC", nil)
		if rows := said["experiments"].([]any); len(rows) != 7 || rows[0].(map[string]any)["experiment_id"] != team[99] {
			t.Errorf("answered %v", said)
		}
	})
	t.Run("bad sizes and tokens", func(t *testing.T) {
		for _, bad := range []map[string]any{{}, {"max_results": 0}, {"max_results": -1}, {"max_results": 50_001}, {"max_results": "x"},
			{"max_results": 1, "page_token": "x"}, {"max_results": 1, "page_token": "eyJvZmZzZXQiOiAtMX0="}, {"max_results": 1, "page_token": 5}} {
			if got := byGrants.Do(t, http.MethodPost, path, bad); got.Status != http.StatusBadRequest {
				t.Errorf("%v was answered with %d %s", bad, got.Status, got.Body)
			}
		}
	})
}

// TestSearchModels reads full pages of models and versions, without those of others.
func TestSearchModels(t *testing.T) {
	w := world.New(t, mlflowtest.Shared(t).Address, nil)
	ann, bob := w.Person(t, "ann", world.Members), w.Person(t, "bob", world.Members)
	prefix := world.Name("list")
	var anns []string
	for i := range 12 {
		name := fmt.Sprintf("%s-%02d", prefix, i)
		owner := bob
		if i%2 == 0 {
			owner, anns = ann, append(anns, name)
		}
		owner.JSON(t, http.MethodPost, "/api/2.0/mlflow/registered-models/create", map[string]any{"name": name})
	}
	filter := "name%20LIKE%20%27" + prefix + "%25%27"
	var got []string
	for token, calls := "", 0; ; calls++ {
		said := ann.JSON(t, http.MethodGet, "/api/2.0/mlflow/registered-models/search?max_results=4&filter="+filter+"&page_token="+token, nil)
		rows := said["registered_models"].([]any)
		for _, row := range rows {
			got = append(got, row.(map[string]any)["name"].(string))
		}
		next, more := said["next_page_token"].(string)
		if !more {
			break
		}
		if len(rows) != 4 || calls > 3 {
			t.Fatalf("page %d has %d rows", calls, len(rows))
		}
		token = strings.ReplaceAll(next, "=", "%3D")
	}
	if !slices.Equal(got, anns) {
		t.Errorf("ann finds %v, want %v", got, anns)
	}
	work := bob.MakeWork(t)
	for _, target := range []string{"model-versions/search?filter=name%3D%27" + work.Model + "%27", "model-versions/search?filter=run_id%3D%27" + work.Run + "%27", "model-versions/search?max_results=1000"} {
		if said := ann.Do(t, http.MethodGet, "/api/2.0/mlflow/"+target, nil); said.Status != http.StatusOK || strings.Contains(string(said.Body), work.Model) {
			t.Errorf("%s: answered %d %s", target, said.Status, said.Body)
		}
		if said := bob.Do(t, http.MethodGet, "/api/2.0/mlflow/"+target, nil); !strings.Contains(string(said.Body), work.Model) {
			t.Errorf("%s by the owner: answered %d %s", target, said.Status, said.Body)
		}
	}
}

// TestPageTokensDoNotCountWhatIsHidden tries to learn from page tokens how many rows of others lie between one's own, and with
// a filter what they are called: by reading the token, by choosing it, and by carrying it to another search.
func TestPageTokensDoNotCountWhatIsHidden(t *testing.T) {
	s := newScene(t)
	mark := world.Name("mark")
	create := func(c *world.Client, names ...string) {
		for _, name := range names {
			c.JSON(t, http.MethodPost, "/api/2.0/mlflow/registered-models/create",
				map[string]any{"name": mark + name, "tags": []any{map[string]any{"key": "mark", "value": mark}}})
		}
	}
	create(s.thief, "-a", "-x", "-y", "-z")
	create(s.victim, "-b", "-c", "-d")
	search := func(c *world.Client, token, filter, more string) world.Answer {
		return c.Do(t, http.MethodGet, "/api/2.0/mlflow/registered-models/search?max_results=1&order_by=name&filter="+
			url.QueryEscape(filter)+"&page_token="+url.QueryEscape(token)+more, nil)
	}
	tagged, named := "tags.mark = '"+mark+"'", "name LIKE '"+mark+"%'"
	next := func(a world.Answer) string {
		var said struct {
			Token string `json:"next_page_token"`
		}
		if err := json.Unmarshal(a.Body, &said); err != nil || said.Token == "" {
			t.Fatalf("answered %d %s, want a page and a token: %v", a.Status, a.Body, err)
		}
		return said.Token
	}
	first := next(search(s.thief, "", tagged, ""))
	if got := search(s.thief, first, tagged, ""); !strings.Contains(string(got.Body), mark+"-x") || len(next(got)) != len(first) {
		t.Errorf("the second page: %d %s, want %s and a token of the same length", got.Status, got.Body, mark+"-x")
	}
	if raw, err := base64.StdEncoding.DecodeString(first); err == nil && strings.Contains(string(raw), "offset") {
		t.Errorf("the token says %s", raw)
	}
	for name, got := range map[string]world.Answer{
		"a token of MLflow":     search(s.thief, "eyJvZmZzZXQiOiA0fQ==", tagged, ""),
		"another filter":        search(s.thief, first, named, ""),
		"another order":         search(s.thief, first, tagged, "&order_by=timestamp"),
		"another person":        search(s.victim, first, tagged, ""),
		"changed":               search(s.thief, "A"+first[1:]+"A", tagged, ""),
		"another kind of thing": s.thief.Do(t, http.MethodGet, "/api/2.0/mlflow/model-versions/search?order_by=name&filter="+url.QueryEscape(tagged)+"&page_token="+first, nil),
	} {
		if got.Status != http.StatusBadRequest {
			t.Errorf("%s: answered %d %s", name, got.Status, got.Body)
		}
	}
}

// TestLargeRowsDoNotBreakTheSearchesOfOthers stores models so large that a page of them is more than is read at once.
func TestLargeRowsDoNotBreakTheSearchesOfOthers(t *testing.T) {
	w := world.New(t, mlflowtest.Shared(t).Address, map[string]string{"MAX_FILTERED_BODY_BYTES": "1048576"})
	victim, thief := w.Person(t, "victim", world.Members), w.Person(t, "thief", world.Members)
	mark := world.Name("mark")
	create := func(c *world.Client, name string, size int) {
		tags := []any{map[string]any{"key": "mark", "value": mark}}
		for i := range size {
			tags = append(tags, map[string]any{"key": "k" + strconv.Itoa(i), "value": strings.Repeat("v", 4000)})
		}
		c.JSON(t, http.MethodPost, "/api/2.0/mlflow/registered-models/create", map[string]any{"name": mark + name, "tags": tags})
	}
	create(thief, "-1", 150)
	create(victim, "-2", 0)
	create(thief, "-3", 150)
	create(w.Person(t, "admin", world.Admins), "-4", 300) // too large alone; the answer to an administrator is not read
	create(victim, "-5", 0)
	got := victim.Do(t, http.MethodGet, "/api/2.0/mlflow/registered-models/search?filter="+url.QueryEscape("tags.mark = '"+mark+"'"), nil)
	if text := string(got.Body); got.Status != http.StatusOK || !strings.Contains(text, mark+"-2") || !strings.Contains(text, mark+"-5") || len(text) > 10_000 {
		t.Errorf("the victim's search: %d %.300s", got.Status, text)
	}
}

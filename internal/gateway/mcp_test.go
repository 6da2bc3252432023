package gateway_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const mcp = "/api/3.0/mlflow/mcp-servers"

// escaped is a server's name as MLflow's client and its pages send it.
func escaped(server string) string { return strings.Replace(server, "/", "%2F", 1) }

// share gives the thief a level on the victim's server.
func (s *scene) share(t *testing.T, level kind.Level) {
	t.Helper()
	if err := s.App.Store.CreateGrant(t.Context(), store.Principal{User: s.thief.Username}, kind.MCPServer, s.victims.Server, level, nil); err != nil {
		t.Fatal(err)
	}
}

// A foreign server is named by each spelling that MLflow reads, and by paths that it cuts elsewhere than where they look to be cut.
func TestForeignMCPServerByEverySpelling(t *testing.T) {
	s := newScene(t)
	theirs, own := s.victims.Server, s.thiefs.Server
	bare := mlflowtest.Shared(t)
	for _, spelling := range []string{theirs, escaped(theirs), strings.Replace(theirs, "/", "%2f", 1), strings.Replace(theirs, "t", "%74", 1)} {
		if got := s.victim.JSON(t, http.MethodGet, mcp+"/"+spelling, nil)["name"]; got != theirs {
			t.Errorf("its owner sees %v under %s", got, spelling)
		}
		for _, at := range []string{"", "/versions", "/versions/1.0.0", "/aliases/stable", "/aliases/latest", "/endpoints", "/endpoints/" + s.victims.Access} {
			for _, prefix := range []string{mcp, strings.Replace(mcp, "/api/", "/ajax-api/", 1)} {
				s.refused(t, s.thief.Request(t, http.MethodGet, prefix+"/"+spelling+at, nil), s.thief)
			}
		}
	}
	bare.Do(t, http.MethodGet, mcp+"/"+theirs+"/versions/1.0.0", nil, nil) // MLflow itself asks nobody
	for name, path := range map[string]string{
		"its slash encoded twice":            strings.Replace(theirs, "/", "%252F", 1),
		"a second slash":                     strings.Replace(theirs, "/", "//", 1),
		"a second slash, encoded":            strings.Replace(theirs, "/", "%2F/", 1),
		"a slash before it":                  "%2F" + theirs,
		"a slash behind it":                  theirs + "/",
		"a dot segment":                      own + "/../../" + theirs,
		"a dot segment, encoded":             own + "/%2e%2e/%2E%2E/" + theirs,
		"a dot segment behind encoded ones":  own + "%2F..%2F..%2F" + theirs,
		"a parameter of the path":            strings.Replace(theirs, "/", ";x=/", 1),
		"a backslash":                        strings.Replace(theirs, "/", "%5C", 1),
		"a version of it in an own one's":    own + "/versions/" + theirs + "/versions/1.0.0",
		"an own one in front":                own + "/" + theirs,
		"an alias that ends a route":         own + "/aliases/endpoints",
		"an alias that holds one":            own + "/aliases/x/versions/1.0.0",
		"an alias that holds one, encoded":   own + "/aliases/x%2Fversions%2F1.0.0",
		"a version that ends a route":        own + "/versions/versions",
		"a server called versions":           "test/versions",
		"its versions":                       "test/versions/versions/1.0.0",
		"a namespace that is a word":         "endpoints/server",
		"one segment":                        "test",
		"three segments":                     own + "/x",
		"three segments, encoded":            escaped(own) + "%2Fx",
		"a NUL behind it":                    theirs + "%00",
		"a space behind it":                  theirs + "%20",
		"a colon and a verb":                 theirs + ":get",
		"a letter of another alphabet":       theirs + "%D0%B0",
		"the prefix itself with its slash":   "",
		"the endpoints with a slash":         "endpoints/",
		"the endpoints with one encoded":     "endpoints%2F",
		"below the endpoints":                "endpoints/" + s.victims.Access,
		"an endpoint of theirs, as an own":   own + "/endpoints/" + theirs + "/endpoints/" + s.victims.Access,
		"a key that holds a route":           own + "/tags/x/versions/1.0.0",
		"a foreign version's tag, own first": own + "/versions/1.0.0/tags/x/versions/" + theirs,
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch, http.MethodPost, http.MethodPut} {
				var body any
				if method != http.MethodGet && method != http.MethodDelete {
					body = fields{"description": "mine", "status": "active"}
				}
				s.refused(t, s.thief.Request(t, method, mcp+"/"+path, body), s.thief)
			}
		})
	}
	for _, path := range []string{own + "/aliases/x/endpoints/1", own + "/aliases/versions", "test/versions", "test/tags"} { // nobody is exempt from what has two meanings
		s.refused(t, s.admin.Request(t, http.MethodGet, mcp+"/"+path, nil), s.admin)
	}
}

// changes are a request of each sort that changes a server.
func changes(server, access string) map[string]struct {
	method, path string
	body         any
	level        kind.Level
} {
	type change = struct {
		method, path string
		body         any
		level        kind.Level
	}
	at := mcp + "/" + server
	return map[string]change{
		"description":          {http.MethodPatch, at, fields{"description": "mine"}, kind.Edit},
		"version":              {http.MethodPost, at + "/versions", world.ServerVersion(server, "6.6.6"), kind.Edit},
		"status of a version":  {http.MethodPatch, at + "/versions/1.0.0", fields{"status": "active"}, kind.Edit},
		"deletion by status":   {http.MethodPatch, at + "/versions/1.0.0", fields{"status": "deleted", "tools": nil}, kind.Manage},
		"tools of a version":   {http.MethodPatch, at + "/versions/1.0.0", fields{"tools": []any{fields{"name": "evil"}}}, kind.Edit},
		"tag":                  {http.MethodPost, at + "/tags", fields{"key": "k", "value": "v"}, kind.Edit},
		"tag of a version":     {http.MethodPost, at + "/versions/1.0.0/tags", fields{"key": "k", "value": "v"}, kind.Edit},
		"alias":                {http.MethodPost, at + "/aliases", fields{"alias": "stable", "version": "1.0.0"}, kind.Edit},
		"endpoint":             {http.MethodPost, at + "/endpoints", fields{"url": "https://evil.example.com", "server_version": "1.0.0"}, kind.Edit},
		"address":              {http.MethodPatch, at + "/endpoints/" + access, fields{"url": "https://evil.example.com"}, kind.Edit},
		"deletion of a tag":    {http.MethodDelete, at + "/tags/team%2Fowner", nil, kind.Manage},
		"of a version's tag":   {http.MethodDelete, at + "/versions/1.0.0/tags/k", nil, kind.Manage},
		"of an alias":          {http.MethodDelete, at + "/aliases/stable", nil, kind.Manage},
		"of an endpoint":       {http.MethodDelete, at + "/endpoints/" + access, nil, kind.Manage},
		"of a version":         {http.MethodDelete, at + "/versions/1.0.0", nil, kind.Manage},
		"of the server itself": {http.MethodDelete, at, nil, kind.Manage},
	}
}

// What a reader of a server, and a stranger, may not change; nor may an editor delete.
func TestChangeForeignMCPServer(t *testing.T) {
	s := newScene(t)
	attack := func(below kind.Level) {
		t.Helper()
		for name, change := range changes(s.victims.Server, s.victims.Access) {
			if change.level > below {
				t.Run(below.String()+" "+name, func(t *testing.T) {
					s.refused(t, s.thief.Request(t, change.method, change.path, change.body), s.thief)
				})
			}
		}
	}
	attack(kind.NoPermissions)
	s.share(t, kind.Read)
	s.thief.JSON(t, http.MethodGet, mcp+"/"+s.victims.Server, nil)
	attack(kind.Read)
	if err := s.App.Store.UpdateGrant(t.Context(), store.Principal{User: s.thief.Username}, kind.MCPServer, s.victims.Server, kind.Edit, nil); err != nil {
		t.Fatal(err)
	}
	attack(kind.Edit)
	for name, change := range changes(s.victims.Server, s.victims.Access) { // the victim, and the editor, may: the attacks fail because of who asks
		if change.level <= kind.Edit {
			if got := s.thief.Do(t, change.method, change.path, change.body); got.Status != http.StatusOK {
				t.Errorf("an editor's %s: %d %s", name, got.Status, got.Body)
			}
		}
	}
	for _, name := range []string{"deletion of a tag", "of a version's tag", "of an endpoint", "of an alias", "of a version", "of the server itself"} {
		change := changes(s.victims.Server, s.victims.Access)[name]
		if name == "of a version" { // MLflow deletes none that is active
			s.victim.JSON(t, http.MethodPatch, change.path, fields{"status": "draft"})
		}
		if got := s.victim.Do(t, change.method, change.path, change.body); got.Status != http.StatusOK {
			t.Errorf("the owner's %s: %d %s", name, got.Status, got.Body)
		}
	}
}

// An endpoint, and a version, of another server cannot be reached under an own server's name, nor moved there.
func TestForeignPartsUnderAnOwnMCPServer(t *testing.T) {
	s := newScene(t)
	own := mcp + "/" + s.thiefs.Server
	for name, attack := range map[string]struct {
		method, path string
		body         any
	}{
		"foreign endpoint read":       {http.MethodGet, own + "/endpoints/" + s.victims.Access, nil},
		"foreign endpoint moved":      {http.MethodPatch, own + "/endpoints/" + s.victims.Access, fields{"url": "https://evil.example.com"}},
		"foreign endpoint by a field": {http.MethodPatch, own + "/endpoints/" + s.victims.Access, fields{"server_name": s.thiefs.Server, "url": "https://evil.example.com"}},
		"foreign endpoint deleted":    {http.MethodDelete, own + "/endpoints/" + s.victims.Access, nil},
		"foreign version":             {http.MethodPost, own + "/versions", world.ServerVersion(s.victims.Server, "6.6.6")},
		"foreign version, wrapped":    {http.MethodPost, own + "/versions", fields{"server_json": fields{"server": fields{"name": s.victims.Server, "version": "6.6.6"}}}},
		"two names":                   {http.MethodPost, own + "/versions", `{"server_json":{"name":"` + s.thiefs.Server + `","name":"` + s.victims.Server + `","version":"6.6.6"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.thief.Do(t, attack.method, attack.path, attack.body); got.Status < 400 || got.Status >= 500 || strings.Contains(string(got.Body), world.Secret) {
				t.Errorf("answered %d %s", got.Status, got.Body)
			}
		})
	}
	for _, body := range []fields{ // MLflow reads neither name, and must not begin to with the next field
		{"name": s.victims.Server, "display_name": "x", "server_name": s.victims.Server, "workspace": "other"},
		{"new_name": s.victims.Server, "display_name": "x"},
	} {
		if got := s.thief.JSON(t, http.MethodPatch, own, body); got["name"] != s.thiefs.Server {
			t.Errorf("changed %v", got)
		}
	}
	s.thief.JSON(t, http.MethodPatch, own+"/endpoints/"+s.thiefs.Access, fields{"server_name": s.victims.Server, "url": "https://mcp.example.com"})
	left := s.victim.JSON(t, http.MethodGet, mcp+"/"+s.victims.Server+"/endpoints", nil)["mcp_access_endpoints"].([]any)
	if len(left) != 1 || left[0].(fields)["url"] != "https://mcp.example.com/"+s.victims.Server {
		t.Errorf("the victim's endpoints are %v", left)
	}
	if versions := s.victim.JSON(t, http.MethodGet, mcp+"/"+s.victims.Server+"/versions", nil)["mcp_server_versions"].([]any); len(versions) != 1 {
		t.Errorf("the victim's versions are %v", versions)
	}
}

// What may not be read answers as what does not exist.
func TestHiddenMCPServerLooksAsMissing(t *testing.T) {
	s := newScene(t)
	missing := "test/" + world.Name("none")
	bare, err := mlflowtest.Shared(t).Client.Get("http://localhost" + mcp + "/" + missing)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bare.Body.Close() }()
	var said struct{ Message string }
	if err := json.NewDecoder(bare.Body).Decode(&said); err != nil || bare.StatusCode != http.StatusNotFound {
		t.Fatalf("MLflow answers %d, %v", bare.StatusCode, err)
	}
	for _, at := range []string{"", "/versions", "/endpoints", "/aliases/stable"} {
		hidden, none := s.thief.Do(t, http.MethodGet, mcp+"/"+s.victims.Server+at, nil), s.thief.Do(t, http.MethodGet, mcp+"/"+missing+at, nil)
		if hidden.Status != http.StatusNotFound || none.Status != http.StatusNotFound ||
			strings.ReplaceAll(string(hidden.Body), s.victims.Server, missing) != string(none.Body) || !strings.Contains(string(none.Body), said.Message) {
			t.Errorf("%s: hidden %d %s, missing %d %s, MLflow's own sentence is %q", at, hidden.Status, hidden.Body, none.Status, none.Body, said.Message)
		}
	}
}

// listed gives the names in a list, and its next token.
func listed(t *testing.T, c *world.Client, path, items, name string) ([]string, string) {
	t.Helper()
	answer := c.JSON(t, http.MethodGet, mcp+path, nil)
	rows, ok := answer[items].([]any)
	if !ok {
		t.Fatalf("%s: MLflow's client needs the list %s: %v", path, items, answer)
	}
	var all []string
	for _, row := range rows {
		all = append(all, row.(fields)[name].(string))
	}
	token, _ := answer["next_page_token"].(string)
	return all, token
}

// Lists hold what the caller may read, in full pages, and their tokens lead nobody else on, nor another search.
func TestListsOfMCPServersHideWhatIsForeign(t *testing.T) {
	s := newScene(t)
	newcomer := s.Person(t, "newcomer", world.Members)
	for _, list := range []struct{ path, items, name string }{{"", "mcp_servers", "name"}, {"/endpoints", "mcp_access_endpoints", "server_name"}} {
		if got, token := listed(t, newcomer, list.path, list.items, list.name); len(got) > 0 || token != "" {
			t.Errorf("somebody without a server sees %v", got)
		}
		if got, _ := listed(t, s.thief, list.path, list.items, list.name); !slices.Equal(got, []string{s.thiefs.Server}) {
			t.Errorf("the thief sees %v in %s", got, list.path)
		}
		for _, narrowing := range []string{"name = '" + s.victims.Server + "'", "name LIKE '%'", "name != 'x'"} {
			if list.path == "" {
				if got, _ := listed(t, s.thief, "?filter_string="+url.QueryEscape(narrowing), list.items, list.name); slices.Contains(got, s.victims.Server) {
					t.Errorf("%s shows %v", narrowing, got)
				}
			}
		}
	}
	own := []string{s.thiefs.Server}
	for range 4 { // foreign ones lie between
		for _, c := range []*world.Client{s.thief, s.victim} {
			name := "test/" + world.Name("more")
			c.JSON(t, http.MethodPost, mcp+"/"+escaped(name)+"/versions", world.ServerVersion(name, "1.0.0"))
			c.JSON(t, http.MethodPost, mcp+"/"+name+"/endpoints", fields{"url": "https://mcp.example.com", "server_alias": "latest"})
			if c == s.thief {
				own = append(own, name)
			}
		}
	}
	slices.Sort(own)
	for _, list := range []struct{ path, items, name string }{{"?", "mcp_servers", "name"}, {"/endpoints?", "mcp_access_endpoints", "server_name"}} {
		var seen []string
		token := ""
		for page := 0; page == 0 || token != ""; page++ {
			names, next := listed(t, s.thief, list.path+"max_results=2&page_token="+url.QueryEscape(token), list.items, list.name)
			if next != "" && len(names) != 2 {
				t.Errorf("a page of %s has %v", list.path, names)
			}
			if next != "" {
				for who, attempt := range map[string]world.Answer{
					"another":        s.victim.Do(t, http.MethodGet, mcp+list.path+"max_results=2&page_token="+url.QueryEscape(next), nil),
					"another filter": s.thief.Do(t, http.MethodGet, mcp+list.path+"filter_string="+url.QueryEscape("status = 'draft'")+"&page_token="+url.QueryEscape(next), nil),
					"MLflow's own":   s.thief.Do(t, http.MethodGet, mcp+list.path+"page_token=eyJvZmZzZXQiOiAxfQ==", nil),
				} {
					if attempt.Status != http.StatusBadRequest {
						t.Errorf("%s token is taken: %d %s", who, attempt.Status, attempt.Body)
					}
				}
			}
			seen, token = append(seen, names...), next
		}
		if slices.Sort(seen); !slices.Equal(seen, own) {
			t.Errorf("the pages of %s have %v, want %v", list.path, seen, own)
		}
	}
	s.share(t, kind.Read)
	if got, _ := listed(t, s.thief, "", "mcp_servers", "name"); !slices.Contains(got, s.victims.Server) {
		t.Errorf("what is shared is not in %v", got)
	}
}

// Names are free again after a deletion: who held something on the old server holds nothing on the new one.
func TestRecycledNameOfMCPServerInheritsNothing(t *testing.T) {
	s := newScene(t)
	name := "test/" + world.Name("recycled")
	s.victim.JSON(t, http.MethodPost, mcp, fields{"name": name})
	grant := func() {
		t.Helper()
		if err := s.App.Store.CreateGrant(t.Context(), store.Principal{User: s.thief.Username}, kind.MCPServer, name, kind.Manage, nil); err != nil {
			t.Fatal(err)
		}
	}
	hidden := func(why string) {
		t.Helper()
		if got := s.thief.Do(t, http.MethodGet, mcp+"/"+name, nil); got.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", why, got.Status, got.Body)
		}
	}
	bare := mlflowtest.Shared(t)
	grant()
	s.thief.JSON(t, http.MethodDelete, mcp+"/"+escaped(name), nil)
	s.victim.JSON(t, http.MethodPost, mcp, fields{"name": name})
	hidden("made again")
	grant()
	bare.Do(t, http.MethodDelete, mcp+"/"+name, nil, nil) // beside the gateway: its grants are left
	s.victim.JSON(t, http.MethodPost, mcp+"/"+name+"/versions", world.ServerVersion(name, "1.0.0"))
	hidden("made again by its first version")
	grant()
	bare.Do(t, http.MethodDelete, mcp+"/"+name, nil, nil)
	s.admin.JSON(t, http.MethodPost, mcp+"/"+name+"/versions", world.ServerVersion(name, "1.0.0"))
	hidden("made again by an administrator")
}

// A name that is taken is refused to whoever may not read it with MLflow's conflict at most, and gives nothing.
func TestTakenNameOfMCPServer(t *testing.T) {
	s := newScene(t)
	for name, attack := range map[string]struct {
		path string
		body any
	}{
		"create":                   {mcp, fields{"name": s.victims.Server}},
		"create by a version":      {mcp + "/" + s.victims.Server + "/versions", world.ServerVersion(s.victims.Server, "6.6.6")},
		"the version that exists":  {mcp + "/" + escaped(s.victims.Server) + "/versions", world.ServerVersion(s.victims.Server, "1.0.0")},
		"create by another server": {mcp + "/test/" + world.Name("mine") + "/versions", world.ServerVersion(s.victims.Server, "6.6.6")},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.thief.Do(t, http.MethodPost, attack.path, attack.body)
			if got.Status < 400 || got.Status >= 500 || strings.Contains(string(got.Body), world.Secret) || strings.Contains(string(got.Body), s.victim.Username) {
				t.Errorf("answered %d %s", got.Status, got.Body)
			}
			if got := s.thief.Do(t, http.MethodGet, mcp+"/"+s.victims.Server, nil); got.Status != http.StatusNotFound {
				t.Errorf("it is shown now: %d %s", got.Status, got.Body)
			}
		})
	}
	for _, name := range []string{"test/versions", "endpoints/server", "test", "test/a/b", "test/a b", "", "../x", "test/x\x00"} {
		s.refused(t, s.thief.Request(t, http.MethodPost, mcp, fields{"name": name}), s.thief)
	}
	s.refused(t, s.thief.Request(t, http.MethodPost, mcp, `{"name":"test/aa","name":"test/bb"}`), s.thief)
}

// Where creation is restricted, a first version is a creation too; a pattern of EDIT on the name is the right to it, and its maker is its owner.
func TestFirstVersionNeedsTheRightToCreate(t *testing.T) {
	recorder := world.NewRecorder(t, mlflowtest.Shared(t))
	w := world.New(t, recorder.URL, map[string]string{"RESTRICT_RESOURCE_CREATION": "true"})
	person, reader := w.Person(t, "person", world.Members), w.Person(t, "reader", world.Members)
	name := "test/" + world.Name("first")
	first := func(c *world.Client) world.Answer {
		t.Helper()
		return c.Do(t, http.MethodPost, mcp+"/"+escaped(name)+"/versions", world.ServerVersion(name, "1.0.0"))
	}
	if got := first(person); got.Status != http.StatusForbidden {
		t.Errorf("without a right: %d %s", got.Status, got.Body)
	}
	for _, c := range []struct {
		to    *world.Client
		level kind.Level
	}{{person, kind.Edit}, {reader, kind.Read}} {
		if err := w.App.Store.CreatePattern(t.Context(), store.Principal{User: c.to.Username}, authz.Grant{Kind: kind.MCPServer, Pattern: name + "$", Priority: 1, Level: c.level}); err != nil {
			t.Fatal(err)
		}
	}
	if got := first(reader); got.Status != http.StatusForbidden {
		t.Errorf("with READ on the name: %d %s", got.Status, got.Body)
	}
	if got := first(person); got.Status != http.StatusOK {
		t.Errorf("with EDIT on the name: %d %s", got.Status, got.Body)
	}
	person.JSON(t, http.MethodDelete, mcp+"/"+name, nil) // MANAGE
}

// meanwhile is an MLflow that says that a server does not exist, and then does what the test says when it is made.
func meanwhile(t *testing.T, made http.HandlerFunc) (w *world.World, calls *[]string) {
	t.Helper()
	calls = &[]string{}
	stub := world.Stub(t, func(answer http.ResponseWriter, r *http.Request) {
		*calls = append(*calls, r.Method+" "+r.URL.Path)
		switch {
		case r.Method == http.MethodGet:
			answer.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(answer, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"not found"}`)
		case r.Method == http.MethodPost && r.URL.Path == mcp:
			made(answer, r)
		default:
			_, _ = io.WriteString(answer, "{}")
		}
	})
	return world.New(t, stub.URL, nil), calls
}

const raced = "test/raced"

// Whoever adds the first version to a server that somebody else makes at the same time neither adds it nor is given the server.
func TestFirstVersionRacesAnotherMaker(t *testing.T) {
	w, calls := meanwhile(t, func(answer http.ResponseWriter, _ *http.Request) {
		answer.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(answer, `{"error_code":"RESOURCE_ALREADY_EXISTS","message":"MCP server with name 'test/raced' already exists"}`)
	})
	thief := w.Person(t, "thief", world.Members)
	if got := thief.Do(t, http.MethodPost, mcp+"/"+raced+"/versions", world.ServerVersion(raced, "1.0.0")); got.Status != http.StatusBadRequest {
		t.Errorf("answered %d %s", got.Status, got.Body)
	}
	if slices.Contains(*calls, "POST "+mcp+"/"+raced+"/versions") {
		t.Errorf("the version reached MLflow: %v", *calls)
	}
	users, groups, err := w.App.Store.GrantsOn(t.Context(), kind.MCPServer, raced)
	if err != nil || len(users)+len(groups) > 0 {
		t.Errorf("the server is held by %v %v, %v", users, groups, err)
	}
}

// A server whose owner cannot be noted is deleted again, and its first version is not forwarded.
func TestFirstVersionIsNeverLeftOwnerless(t *testing.T) {
	var w *world.World
	var calls *[]string
	w, calls = meanwhile(t, func(answer http.ResponseWriter, _ *http.Request) {
		_ = w.App.Store.Close()
		_, _ = io.WriteString(answer, `{"name":"test/raced"}`)
	})
	ann := w.Person(t, "ann", world.Members)
	if got := ann.Do(t, http.MethodPost, mcp+"/"+raced+"/versions", world.ServerVersion(raced, "1.0.0")); got.Status != http.StatusServiceUnavailable {
		t.Errorf("answered %d %s", got.Status, got.Body)
	}
	want := []string{"GET " + mcp + "/" + raced, "POST " + mcp, "DELETE " + mcp + "/" + raced}
	if !slices.Equal(*calls, want) {
		t.Errorf("MLflow was asked %v, want %v", *calls, want)
	}
}

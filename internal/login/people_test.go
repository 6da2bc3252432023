package login_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

func TestWhoMaySignIn(t *testing.T) {
	type claims = map[string]any
	for name, tc := range map[string]struct {
		claims   claims
		settings func(*world)
		refused  int    // status, 0 for let in
		says     string // why
		groups   []string
	}{
		"list":                     {claims: claims{"groups": []string{"mlflow", "a", "a", ""}}, groups: []string{"a", "mlflow"}},
		"text":                     {claims: claims{"groups": "mlflow"}, groups: []string{"mlflow"}},
		"neither group":            {claims: claims{"groups": []string{"others"}}, refused: 403, says: "none of the groups"},
		"part of a name":           {claims: claims{"groups": []string{"mlflow2", "xmlflow", "MLFLOW", " mlflow"}}, refused: 403, says: "none of the groups"},
		"list in a text":           {claims: claims{"groups": "a,mlflow"}, refused: 403, says: "none of the groups"},
		"no claim":                 {claims: claims{"groups": nil}, refused: 403, says: "none of the groups"},
		"empty":                    {claims: claims{"groups": []string{}}, refused: 403, says: "none of the groups"},
		"empty names, no settings": {claims: claims{"groups": []string{""}}, settings: func(w *world) { w.settings.Groups = []string{""}; w.settings.AdminGroups = []string{""} }, refused: 403, says: "none of the groups"},
		"no groups configured":     {claims: claims{"groups": []string{"mlflow"}}, settings: func(w *world) { w.settings.Groups = nil; w.settings.AdminGroups = nil }, refused: 403, says: "none of the groups"},
		"a number":                 {claims: claims{"groups": 7}, refused: 403, says: "not a list of names"},
		"an object":                {claims: claims{"groups": claims{"mlflow": true}}, refused: 403, says: "not a list of names"},
		"true":                     {claims: claims{"groups": true}, refused: 403, says: "not a list of names"},
		"a list of objects":        {claims: claims{"groups": []any{"mlflow", claims{"name": "x"}}}, refused: 403, says: "not a list of names"},
		"a name beyond all bounds": {claims: claims{"groups": []string{"mlflow", strings.Repeat("x", 256)}}, refused: 403, says: "not a list of names"},
		"nested": {claims: claims{"groups": nil, "realm": claims{"roles": []string{"mlflow"}}}, groups: []string{"mlflow"},
			settings: func(w *world) { w.settings.GroupsClaim = "realm.roles" }},
		"a name with dots": {claims: claims{"groups": nil, "https://x.example/groups": []string{"mlflow"}}, groups: []string{"mlflow"},
			settings: func(w *world) { w.settings.GroupsClaim = "https://x.example/groups" }},
		"nested in a text":                  {claims: claims{"realm": "mlflow"}, settings: func(w *world) { w.settings.GroupsClaim = "realm.roles" }, refused: 403, says: "none of the groups"},
		"claim not named":                   {settings: func(w *world) { w.settings.GroupsClaim = "" }, refused: 403, says: "none of the groups"},
		"no name at all":                    {claims: claims{"email": nil, "preferred_username": nil}, refused: 403, says: "gives no username"},
		"a name with colon":                 {claims: claims{"email": nil, "preferred_username": "a:b"}, refused: 403, says: "gives no username"},
		"a name with slash":                 {claims: claims{"email": nil, "preferred_username": "../x"}, refused: 403, says: "gives no username"},
		"a name with a line end":            {claims: claims{"email": "a\nb@example.com"}, refused: 403, says: "gives no username"},
		"a name with unseen characters":     {claims: claims{"email": "root\u200b@example.com"}, refused: 403, says: "gives no username"},
		"a name that lower-cases to ours":   {claims: claims{"email": "m\u212aelvin@example.com"}, refused: 403, says: "gives no username"},
		"a name with a dotted I":            {claims: claims{"email": "adm\u0130n@example.com"}, refused: 403, says: "gives no username"},
		"a name beyond all bounds of names": {claims: claims{"email": strings.Repeat("x", 300) + "@example.com"}, refused: 403, says: "gives no username"},
		"an unverified address":             {claims: claims{"email_verified": false}, refused: 403, says: "not verified"},
		"an address verified in words":      {claims: claims{"email_verified": "true"}, groups: []string{"mlflow", "red"}},
		"an address unverified in words":    {claims: claims{"email_verified": "false"}, refused: 403, says: "not verified"},
		"nothing about verifying":           {claims: claims{"email_verified": nil}, groups: []string{"mlflow", "red"}},
		"a blank subject":                   {claims: claims{"sub": " "}, refused: 401, says: "no subject"},
		"a subject beyond all bounds":       {claims: claims{"sub": strings.Repeat("x", 256)}, refused: 401, says: "no subject"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.settings)
			person := ann
			person.Claims = tc.claims
			w.idp.SetPerson(person)
			b := w.browser()
			if tc.refused != 0 {
				b.refused(b.signIn("s-ann"), tc.refused, tc.says)
				w.nobody(b)
				return
			}
			b.mustSignIn("s-ann")
			if diff := cmp.Diff(tc.groups, w.groups("ann@example.com")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	type claims = map[string]any
	for name, tc := range map[string]struct {
		claims            claims
		username, display string
	}{
		"without e-mail":       {claims{"email": nil}, "ann", "Ann Lee"},
		"a blank e-mail":       {claims{"email": "  "}, "ann", "Ann Lee"},
		"a number":             {claims{"email": nil, "preferred_username": 9007199254740993}, "9007199254740993", "Ann Lee"},
		"without display name": {claims{"name": nil}, "ann@example.com", "ann@example.com"},
		"a long display name":  {claims{"name": strings.Repeat("é", 200)}, "ann@example.com", strings.Repeat("é", 127)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			person := ann
			person.Claims = tc.claims
			w.idp.SetPerson(person)
			w.browser().mustSignIn("s-ann")
			if user, ok := w.people()[tc.username]; !ok || user.DisplayName != tc.display {
				t.Errorf("stored %v", w.people())
			}
		})
	}
}

// Two subjects that differ in a blank, or in case, are two people.
func TestSubjectsToTheLetter(t *testing.T) {
	w := newWorld(t, nil)
	w.browser().mustSignIn("s-ann")
	for _, subject := range []string{"s-ann ", "S-ANN"} {
		other := ann
		other.Subject = subject
		w.idp.SetPerson(other)
		b := w.browser()
		b.refused(b.signIn(subject), http.StatusConflict, "belongs to another account")
	}
}

func TestIdentityFromUserInfo(t *testing.T) {
	type claims = map[string]any
	for name, tc := range map[string]struct {
		claims  claims
		subject string
		refused int
	}{
		"sub":             {nil, "s-ann", 0},
		"id as a number":  {claims{"sub": nil, "id": 9007199254740993}, "9007199254740993", 0}, // one more than a float can hold
		"id as text":      {claims{"sub": nil, "id": "abc"}, "abc", 0},
		"sub before id":   {claims{"id": "abc"}, "s-ann", 0},
		"neither":         {claims{"sub": nil}, "", 401},
		"an empty sub":    {claims{"sub": "", "id": "abc"}, "", 401},
		"sub as a list":   {claims{"sub": []string{"s-ann"}, "id": "abc"}, "", 401},
		"id as an object": {claims{"sub": nil, "id": claims{"x": 1}}, "", 401},
		"id as true":      {claims{"sub": nil, "id": true}, "", 401},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withoutDiscovery)
			person := ann
			person.Claims = tc.claims
			w.idp.SetPerson(person)
			b := w.browser()
			if tc.refused != 0 {
				b.refused(b.signIn("s-ann"), tc.refused, "no subject")
				w.nobody(b)
				return
			}
			b.mustSignIn("s-ann")
			if _, err := w.db.UserByIdentity(t.Context(), directory.Identity{Provider: w.idpURL + "/userinfo", Subject: tc.subject}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A subject means something only at the issuer that gave it (OpenID Connect Core §2).
func TestAttackSameSubjectOfAnotherIssuer(t *testing.T) {
	w := newWorld(t, nil)
	w.browser().mustSignIn("s-root")
	other := newWorld(t, func(other *world) { other.db = w.db })
	b := other.browser()
	b.refused(b.signIn("s-root"), http.StatusConflict, "belongs to another account")
}

// graph is a Microsoft Graph of several pages.
type graph struct {
	*httptest.Server
	answers map[string]func(w http.ResponseWriter) // by the query's page
	mu      sync.Mutex
	tokens  []string
}

func newGraph(t *testing.T) *graph {
	g := &graph{answers: map[string]func(http.ResponseWriter){}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock() // a broken request is sent again while its handler still ends
		g.tokens = append(g.tokens, r.Header.Get("Authorization"))
		g.mu.Unlock()
		answer := g.answers[r.URL.Query().Get("page")]
		if r.URL.Path != "/v1.0/me/memberOf" || answer == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		answer(w)
	}))
	t.Cleanup(g.Close)
	return g
}

// page answers groups, and where the next page is.
func (g *graph) page(number, next string, groups ...string) {
	var value []map[string]any
	for _, name := range groups {
		value = append(value, map[string]any{"@odata.type": "#microsoft.graph.group", "displayName": name})
	}
	value = append(value, map[string]any{"@odata.type": "#microsoft.graph.directoryRole", "displayName": "mlflow-admin"},
		map[string]any{"@odata.type": "#microsoft.graph.group", "displayName": nil})
	g.answers[number] = func(w http.ResponseWriter) {
		body := map[string]any{"value": value}
		if next != "" {
			body["@odata.nextLink"] = next
		}
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (g *graph) at(number string) string { return g.URL + "/v1.0/me/memberOf?page=" + number }

func (w *world) withGraph(g *graph) { w.settings.EntraGroups, w.settings.GraphURL = true, g.URL }

func TestGroupsFromGraph(t *testing.T) {
	g := newGraph(t)
	g.page("", g.at("2"), "red", "blue")
	g.page("2", g.at("3"), "red")
	g.page("3", "", "mlflow")
	w := newWorld(t, func(w *world) { w.withGraph(g) })
	b := w.browser()
	b.mustSignIn("s-root") // whose claim says mlflow-admin, which does not count here, and neither does a role of that name
	if who := b.whoami(); who != "root@example.com admin=false" {
		t.Errorf("signed in as %q", who)
	}
	if diff := cmp.Diff([]string{"blue", "mlflow", "red"}, w.groups("root@example.com")); diff != "" {
		t.Error(diff)
	}
	if len(g.tokens) != 3 || !strings.HasPrefix(g.tokens[0], "Bearer ") || len(g.tokens[0]) < 20 {
		t.Errorf("Graph was asked with %q", g.tokens)
	}
}

// Without all of the groups nobody is let in: a missing one could be what takes away.
func TestAttackGraphThatFails(t *testing.T) {
	fail := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { // with a body that would do
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"value":[]}`))
		}
	}
	elsewhere := newGraph(t)
	elsewhere.page("", "", "mlflow-admin")
	for name, second := range map[string]func(g *graph){
		"401":       func(g *graph) { g.answers["2"] = fail(401) },
		"403":       func(g *graph) { g.answers["2"] = fail(403) },
		"429":       func(g *graph) { g.answers["2"] = fail(429) },
		"500":       func(g *graph) { g.answers["2"] = fail(500) },
		"204":       func(g *graph) { g.answers["2"] = fail(204) },
		"no JSON":   func(g *graph) { g.answers["2"] = func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) } },
		"cut":       func(g *graph) { g.answers["2"] = func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"value":[`)) } },
		"too large": func(g *graph) { g.page("2", "", strings.Repeat("x", 5<<20)) },
		"broken":    func(g *graph) { g.answers["2"] = func(http.ResponseWriter) { panic(http.ErrAbortHandler) } },
		"elsewhere": func(g *graph) { g.page("2", elsewhere.at("")) },
		"in a loop": func(g *graph) { g.page("2", g.at("2")) },
		"plain path": func(g *graph) {
			g.page("2", "/v1.0/me/memberOf?page=3")
			g.page("3", "", "mlflow")
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGraph(t)
			g.page("", g.at("2"), "mlflow", "mlflow-admin")
			second(g)
			w := newWorld(t, func(w *world) { w.withGraph(g) })
			b := w.browser()
			b.refused(b.signIn("s-ann"), http.StatusServiceUnavailable, "Microsoft Graph")
			w.nobody(b)
		})
	}
	if len(elsewhere.tokens) != 0 {
		t.Errorf("the access token went elsewhere: %q", elsewhere.tokens)
	}
}

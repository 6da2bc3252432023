package login_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
)

// blockOf gives a block of a page of a provider: the one of its language with this number, from 0.
func blockOf(t *testing.T, provider, language string, number int) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/providers/" + provider + ".md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```"+language+"\n")
	if len(blocks) < number+2 {
		t.Fatalf("the page of %s has %d blocks of %s", provider, len(blocks)-1, language)
	}
	block, _, _ := strings.Cut(blocks[number+1], "```")
	return block
}

// settingsOf gives further settings of a page, by which those that it has first are changed.
func settingsOf(t *testing.T, provider string, number int) map[string]string {
	t.Helper()
	values, err := config.ParseDotenv(blockOf(t, provider, "dotenv", number), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// recipe gives the settings that the page of a provider has first, with changes, as the program reads them.
func recipe(w *world, provider string, changes ...map[string]string) config.OIDC {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), ".env")
	w.must(os.WriteFile(file, []byte(blockOf(w.t, provider, "dotenv", 0)), 0o600))
	changed := map[string]string{}
	for _, change := range changes {
		maps.Copy(changed, change)
	}
	c, err := config.Load(func(name string) (string, bool) { value, ok := changed[name]; return value, ok }, file, nil)
	w.must(err)
	return c.OIDC
}

// follow takes a recipe over. The stand-in is where the example host is, at the path that the recipe names, and knows the client.
func (w *world) follow(o config.OIDC, scopes ...string) {
	w.t.Helper()
	at, err := url.Parse(o.DiscoveryURL)
	w.must(err)
	o.DiscoveryURL = w.idpURL + at.Path
	w.settings = o
	prefix := strings.TrimSuffix(at.Path, "/.well-known/openid-configuration")
	w.idp.Issuer, w.idp.ClientID, w.idp.ClientSecret = w.idpURL+prefix, o.ClientID, o.ClientSecret
	w.front = func(provider http.Handler) http.Handler {
		return http.StripPrefix(prefix, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			for scope := range strings.FieldsSeq(r.URL.Query().Get("scope")) {
				if !slices.Contains(scopes, scope) { // as both do with scopes that they do not know
					http.Error(rw, "invalid_scope", http.StatusBadRequest)
					return
				}
			}
			provider.ServeHTTP(rw, r)
		}))
	}
}

// Okta has the address of the organization for issuer, or that and the name of an authorization server. An ID token that comes with an
// access token has no groups, and says nothing of the address, but where an authorization server's claim is always in it. The claim of
// groups has what its filter lets through, and is left out when that is nothing.
func TestRecipeOfOkta(t *testing.T) {
	type claims = map[string]any
	own := map[string]string{"OIDC_DISCOVERY_URL": "https://your-org.okta.com/oauth2/default/.well-known/openid-configuration"}
	member := claims{"groups": []string{"Everyone", "mlflow"}}
	for name, c := range map[string]struct {
		changes map[string]string
		claims  claims // of the ID token
		info    claims
		refused int
		admin   bool
	}{
		"the organization":        {nil, nil, member, 0, false},
		"an administrator":        {nil, nil, claims{"groups": []string{"mlflow-admin"}}, 0, true},
		"groups in the token":     {own, member, claims{"groups": []string{"mlflow-admin"}}, 0, false},
		"an authorization server": {own, nil, member, 0, false},
		"scopes with commas":      {map[string]string{"OIDC_SCOPE": "openid,profile,email,groups"}, nil, member, 0, false},
		"names at user-info only": {nil, claims{"email": nil, "preferred_username": nil, "name": nil}, member, 0, false},
		"user-info is not asked":  {map[string]string{"OIDC_USERINFO_GROUPS": "false"}, nil, member, 403, false},
		"the filter lets none by": {nil, nil, nil, 403, false},
		"of other groups":         {nil, nil, claims{"groups": []string{"Everyone"}}, 403, false},
		"an unverified address":   {nil, nil, claims{"groups": []string{"mlflow"}, "email_verified": false}, 403, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				w.follow(recipe(w, "okta", c.changes), "openid", "profile", "email", "groups")
			})
			person := ann
			person.Subject, person.Claims = "00u1ann", claims{"groups": nil, "email_verified": nil}
			maps.Copy(person.Claims, c.claims)
			w.idp.SetPerson(person)
			info := claims{"sub": "00u1ann", "email": "Ann@Example.com", "email_verified": true, "name": "Ann Lee", "preferred_username": "ann"}
			maps.Copy(info, c.info)
			w.idp.SetUserInfo(info)
			b := w.browser()
			if c.refused != 0 {
				if got := b.signIn("00u1ann"); got.StatusCode != c.refused {
					t.Errorf("gave %d %s", got.StatusCode, got.body)
				}
				w.nobody(b)
				return
			}
			b.mustSignIn("00u1ann")
			if who := b.whoami(); who != fmt.Sprintf("ann@example.com admin=%v", c.admin) {
				t.Errorf("signed in as %q", who)
			}
		})
	}
}

// Keycloak's realm has the client of its recipe, which puts groups into the ID token by their path. No roles are in it.
func TestRecipeOfSeveral(t *testing.T) {
	for group, in := range map[string]bool{"/mlflow": true, "/mlflow-vision": true, "mlflow": false, "/teams/mlflow": false, "/others": false} {
		t.Run(group, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				secret, list := filepath.Join(t.TempDir(), "keycloak"), filepath.Join(t.TempDir(), "providers.json")
				w.must(os.WriteFile(secret, []byte("the-client-secret\n"), 0o600))
				w.must(os.WriteFile(list, []byte(strings.Replace(blockOf(t, "several", "json", 0), "/run/secrets/keycloak", secret, 1)), 0o600))
				c, err := config.Load(func(name string) (string, bool) { return list, name == "OIDC_PROVIDERS_FILE" }, filepath.Join(t.TempDir(), "absent"), nil)
				w.must(err)
				c.Providers[0].ID = config.Single // so that the browser of these tests finds its callback
				w.follow(c.Providers[0], "openid", "profile", "email")
			})
			person := ann
			person.Claims = map[string]any{"groups": []string{group}}
			w.idp.SetPerson(person)
			b := w.browser()
			if in {
				b.mustSignIn("s-ann")
				return
			}
			b.refused(b.signIn("s-ann"), http.StatusForbidden, "none of the groups")
		})
	}
}

// Google has no groups, and the address stands for one; Dex names teams by organization; Auth0 has the names of claims be addresses.
func TestRecipesOfGoogleDexAndAuth0(t *testing.T) {
	type claims = map[string]any
	for name, c := range map[string]struct {
		provider string
		claims   claims
		who      string // empty: nobody
		groups   []string
	}{
		"Google":                       {"google", claims{"email": "Bob@example.com", "hd": "example.com", "groups": nil, "preferred_username": nil}, "bob@example.com admin=false", []string{"Bob@example.com"}},
		"Google, an administrator":     {"google", claims{"email": "ann@example.com", "groups": nil}, "ann@example.com admin=true", []string{"ann@example.com"}},
		"Google, of another domain":    {"google", claims{"email": "ann@example.com.evil.example", "groups": []string{"ann@example.com"}}, "", nil},
		"Google, below the domain":     {"google", claims{"email": "ann@evil.example", "groups": nil}, "", nil},
		"Dex":                          {"github", claims{"groups": []string{"our-org", "our-org:mlflow"}}, "ann@example.com admin=false", []string{"our-org", "our-org:mlflow"}},
		"Dex, an administrator":        {"github", claims{"groups": []string{"our-org:mlflow-admin"}}, "ann@example.com admin=true", []string{"our-org:mlflow-admin"}},
		"Dex, of another organization": {"github", claims{"groups": []string{"their-org:mlflow", "mlflow"}}, "", nil},
		"Auth0":                        {"auth0", claims{"https://mlflow.example.com/groups": []string{"mlflow"}, "groups": nil}, "ann@example.com admin=false", []string{"mlflow"}},
		"Auth0, without the action":    {"auth0", claims{"groups": []string{"mlflow"}}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.follow(recipe(w, c.provider), "openid", "profile", "email", "groups") })
			person := ann
			person.Claims = c.claims
			w.idp.SetPerson(person)
			b := w.browser()
			got := b.signIn("s-ann")
			if c.who == "" {
				b.refused(got, http.StatusForbidden, "none of the groups")
				w.nobody(b)
				return
			}
			if who := b.whoami(); who != c.who {
				t.Fatalf("signed in as %q: %s", who, got.body)
			}
			if diff := cmp.Diff(c.groups, w.groups(strings.Fields(c.who)[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Entra ID has no email_verified, an e-mail address of few people, the application's roles if there are any, and in place of too many
// groups the word where they are.
func TestRecipeOfEntra(t *testing.T) {
	type claims = map[string]any
	const upn = "Ann@contoso.example"
	overage := claims{"_claim_names": claims{"groups": "src1"},
		"_claim_sources": claims{"src1": claims{"endpoint": "https://graph.windows.net/x/users/y/getMemberObjects"}}}
	graph, member := settingsOf(t, "entra", 1), claims{"roles": []string{"mlflow", "readers"}}
	for name, c := range map[string]struct {
		changes map[string]string
		claims  claims
		refused string // why
		who     string
		groups  []string
	}{
		"roles":             {nil, member, "", "ann@contoso.example admin=false", []string{"mlflow", "readers"}},
		"an administrator":  {nil, claims{"roles": []string{"mlflow-admin"}}, "", "ann@contoso.example admin=true", []string{"mlflow-admin"}},
		"an e-mail address": {nil, claims{"roles": member["roles"], "email": "ann.lee@contoso.example"}, "", "ann.lee@contoso.example admin=false", []string{"mlflow", "readers"}},
		"upn alone":         {map[string]string{"OIDC_USERNAME_FIELD": "email,upn"}, claims{"roles": member["roles"], "preferred_username": nil, "upn": upn}, "", "ann@contoso.example admin=false", []string{"mlflow", "readers"}},
		"roles of nobody":   {nil, nil, "none of the groups", "", nil},
		"groups of a name":  {nil, claims{"groups": []string{"mlflow-admin"}}, "none of the groups", "", nil},
		"groups from Graph": {graph, overage, "", "ann@contoso.example admin=false", []string{"blue", "mlflow", "red"}},
		"overage":           {map[string]string{"OIDC_GROUPS_ATTRIBUTE": "groups"}, overage, "in more groups than", "", nil},
		"v1":                {nil, claims{"roles": member["roles"], "iss": "https://sts.windows.net/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/"}, "another issuer", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGraph(t)
			g.page("", g.at("2"), "red", "blue")
			g.page("2", "", "mlflow")
			w := newWorld(t, func(w *world) {
				o := recipe(w, "entra", c.changes)
				o.GraphURL = g.URL
				w.follow(o, "openid", "profile", "email", "User.Read", "GroupMember.Read.All")
			})
			person := ann
			person.Claims = claims{"email": nil, "email_verified": nil, "groups": nil, "preferred_username": upn, "oid": "o-ann", "ver": "2.0"}
			maps.Copy(person.Claims, c.claims)
			w.idp.SetPerson(person)
			b := w.browser()
			got := b.signIn("s-ann")
			if c.refused != "" {
				if !strings.Contains(got.body, c.refused) {
					t.Errorf("gave %d %s", got.StatusCode, got.body)
				}
				w.nobody(b)
				return
			}
			if who := b.whoami(); who != c.who {
				t.Fatalf("signed in as %q: %s", who, got.body)
			}
			if diff := cmp.Diff(c.groups, w.groups(strings.Fields(c.who)[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// People of two tenants with one subject and one name are two; which tenant somebody is of, the token says.
func TestRecipeOfEntraForTenants(t *testing.T) {
	const ours, theirs, another = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "82229342-1101-4ab6-817b-70c0747630f3", "72f988bf-86f1-41af-91ab-2d7cd011db47"
	w := newWorld(t, func(w *world) {
		w.follow(recipe(w, "entra", settingsOf(t, "entra", 2), map[string]string{"OIDC_USE_REFRESH_TOKEN": "true"}), "openid", "profile", "email", "offline_access")
		stripped := w.front
		w.front = func(provider http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				stripped(provider).ServeHTTP(answer, r)
				if !strings.HasSuffix(r.URL.Path, "/openid-configuration") {
					for name := range answer.Header() {
						rw.Header().Set(name, answer.Header().Get(name))
					}
					if to := rw.Header().Get("Location"); to != "" { // it names no issuer there
						u, _ := url.Parse(to)
						q := u.Query()
						q.Del("iss")
						u.RawQuery = q.Encode()
						rw.Header().Set("Location", u.String())
					}
					rw.WriteHeader(answer.Code)
					_, _ = rw.Write(answer.Body.Bytes())
					return
				}
				var document map[string]any
				_ = json.Unmarshal(answer.Body.Bytes(), &document)
				document["issuer"] = w.idpURL + "/{tenantid}/v2.0"
				delete(document, "authorization_response_iss_parameter_supported")
				rw.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(rw).Encode(document)
			})
		}
	})
	of := func(tenant, tid string) {
		person := ann
		person.Claims = map[string]any{"iss": w.idpURL + "/" + tenant + "/v2.0", "tid": tid, "roles": []string{"mlflow"}}
		w.idp.SetPerson(person)
	}
	for _, attack := range [][2]string{{another, another}, {ours, another}, {another, ours}, {"{tenantid}", ours}} {
		of(attack[0], attack[1])
		b := w.browser()
		b.refused(b.signIn("s-ann"), http.StatusUnauthorized, "token is not valid")
		w.nobody(b)
	}
	of(ours, ours)
	b := w.browser()
	b.mustSignIn("s-ann")
	w.clock.Advance(devidp.Life)
	w.idpClock.Advance(devidp.Life)
	if who := b.whoami(); who != "ann@example.com admin=false" {
		t.Errorf("after a renewal: %q", who)
	}
	of(theirs, theirs)
	other := w.browser()
	other.refused(other.signIn("s-ann"), http.StatusConflict, "has to link them")
	known, err := w.db.Identities(t.Context(), "ann@example.com")
	w.must(err)
	if len(known) != 1 || known[0].Provider != w.idpURL+"/"+ours+"/v2.0" {
		t.Errorf("known by %v", known)
	}
	if c, ok := status(t, b)["provider"]; !ok || c != "Sign in with Microsoft" {
		t.Errorf("signed in at %v", c)
	}
}

package config

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// loaded loads a file of providers, beside an environment.
func loaded(t *testing.T, file string, env map[string]string) (*Config, error) {
	t.Helper()
	all := map[string]string{"OIDC_PROVIDERS_FILE": entriesOf(t, file)}
	for name, value := range env {
		all[name] = value
	}
	return Load(lookup(all), filepath.Join(t.TempDir(), "absent"), nil)
}

func TestProvidersOfAFile(t *testing.T) {
	secret := entriesOf(t, "of-a-file\n")
	c, err := loaded(t, fmt.Sprintf(`[
		{"id": "keycloak", "discovery_url": "https://kc.example/realms/x/.well-known/openid-configuration", "client_id": "k", "client_secret": "s"},
		{"id": "okta-eu", "display_name": "Okta", "discovery_url": "https://okta.example", "client_id": "o", "allowed_groups": ["eu"],
		 "admin_groups": ["bosses"], "allowed_group_patterns": ["eu-*"], "redirect_uri": "https://m.example/callback/okta-eu", "allowed_algorithms": ["ES256"]},
		{"id": "file", "type": "entra", "discovery_url": "https://e.example", "client_id": "e", "client_secret_file": %q, "admin_source": "claims"},
		{"id": "env", "discovery_url": "https://n.example", "client_id": "n", "client_secret_env": "MINE", "provisioning": "jit"},
		{"id": "programs", "interactive": false, "discovery_url": "https://p.example", "audience": "mlflow", "token_types": ["at+jwt"]}
	]`, secret), map[string]string{"OIDC_CLIENT_SECRET_OKTA_EU": "of-okta", "MINE": "of-env", "OIDC_DISCOVERY_URL": "https://one.example", "OIDC_CLIENT_ID": "one", "OIDC_CLIENT_SECRET": "s1"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range c.Providers {
		got[o.ID] = fmt.Sprintf("%s %s %s %v%v%d %v%v%v %s %s", o.Type, o.ClientSecret, o.Callback(), o.Groups, o.AdminGroups, len(o.GroupPatterns), o.Algorithms, o.TokensOnly, o.Separate, o.Expected(), o.ForAudience())
	}
	want := map[string]string{
		"oidc":     "oidc s1 /callback [mlflow][mlflow-admin]0 []falsefalse https://one.example one",
		"keycloak": "oidc s /callback/keycloak [mlflow][]0 [RS256]falsetrue https://kc.example/realms/x k",
		"okta-eu":  "oidc of-okta /callback/okta-eu [eu][bosses]1 [ES256]falsetrue https://okta.example o",
		"file":     "entra of-a-file /callback/file [mlflow][mlflow-admin]0 [RS256]falsetrue https://e.example e",
		"env":      "oidc of-env /callback/env [mlflow][]0 [RS256]falsetrue https://n.example n",
		"programs": "oidc  /callback/programs [mlflow][]0 [RS256]truetrue https://p.example mlflow",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// How sessions follow the provider is said once for all providers.
func TestProvidersOfAFileAreFollowedAsTheSingleOne(t *testing.T) {
	c, err := loaded(t, `[{"id": "a", "discovery_url": "https://a.example", "client_id": "a", "public_client": true}]`,
		map[string]string{"OIDC_USE_REFRESH_TOKEN": "true", "OIDC_SESSION_EXPIRY_LEEWAY_SECONDS": "7"})
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Providers[0]; o.ID != "a" || !o.Refresh || o.RefreshLeeway != 7*time.Second {
		t.Errorf("%s: followed %v, %v before the end", o.ID, o.Refresh, o.RefreshLeeway)
	}
}

// Providers of a file need none of the single variables.
func TestProvidersOfAFileAlone(t *testing.T) {
	c, err := loaded(t, `[{"id": "a", "discovery_url": "https://a.example", "client_id": "a", "public_client": true}]`, map[string]string{"SECRET_KEY": "4uKpAZr8vX2q-LmT0yWc"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckServe(); err != nil || len(c.Providers) != 1 {
		t.Errorf("%v, %d providers", err, len(c.Providers))
	}
}

// An entry that is wrong, or says what would not be done, stops the start; none of them shows a secret.
func TestWrongProviders(t *testing.T) {
	const t1, t2 = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "82229342-1101-4ab6-817b-70c0747630f3"
	const common = `"discovery_url": "https://login.example/common/v2.0", "client_id": "a", "client_secret": "hunter2"`
	const rest = `"discovery_url": "https://a.example", "client_id": "a", "client_secret": "hunter2"`
	for name, c := range map[string]struct{ file, want string }{
		"unknown field":        {`[{"id": "a", "alowed_groups": [], ` + rest + `}]`, `unknown field "alowed_groups"`},
		"field in capitals":    {`[{"id": "a", "Client_Id": "x", ` + rest + `}]`, `unknown field "Client_Id"`},
		"field twice":          {`[{"id": "a", "id": "b", ` + rest + `}]`, `"id"`},
		"wrong type":           {`[{"id": "a", "public_client": "hunter2", ` + rest + `}]`, "public_client"},
		"no object":            {`["hunter2"]`, "it must be an object"},
		"no id":                {`[{` + rest + `}]`, "id must not be empty"},
		"id with a slash":      {`[{"id": "a/b", ` + rest + `}]`, "id must be letters"},
		"reserved id":          {`[{"id": "start", ` + rest + `}]`, "id must be letters"},
		"id twice":             {`[{"id": "a", ` + rest + `}, {"id": "a", "discovery_url": "https://b.example", "client_id": "a", "client_secret": "hunter2"}]`, "the same id"},
		"issuer twice":         {`[{"id": "a", ` + rest + `}, {"id": "b", "discovery_url": "https://a.example/.well-known/openid-configuration", "client_id": "a", "client_secret": "hunter2"}]`, "the same issuer"},
		"callback twice":       {`[{"id": "a", "redirect_uri": "https://m/callback", ` + rest + `}, {"id": "b", "redirect_uri": "https://m/callback", "discovery_url": "https://b.example", "client_id": "a", "client_secret": "hunter2"}]`, "the same redirect_uri"},
		"another's callback":   {`[{"id": "a", "redirect_uri": "https://m/callback/b", ` + rest + `}]`, "redirect_uri must end in"},
		"plain HTTP":           {`[{"id": "a", "discovery_url": "http://a.example", "client_id": "a", "client_secret": "hunter2"}]`, "discovery_url is"},
		"no secret":            {`[{"id": "a", "discovery_url": "https://a.example", "client_id": "a"}]`, "set OIDC_CLIENT_SECRET_A"},
		"two secrets":          {`[{"id": "a", "client_secret_env": "X", ` + rest + `}]`, "only one of"},
		"secret of another":    {`[{"id": "a.b", "discovery_url": "https://a.example", "client_id": "a"}, {"id": "a-b", "discovery_url": "https://b.example", "client_id": "a"}]`, "as another provider's"},
		"secret and public":    {`[{"id": "a", "public_client": true, ` + rest + `}]`, "public_client is true"},
		"no audience":          {`[{"id": "a", "interactive": false, ` + rest + `}]`, "audience must not be empty"},
		"none":                 {`[{"id": "a", "allowed_algorithms": ["none"], ` + rest + `}]`, `allowed_algorithms has "none"`},
		"HS256":                {`[{"id": "a", "allowed_algorithms": ["RS256", "HS256"], ` + rest + `}]`, `allowed_algorithms has "HS256"`},
		"no algorithm":         {`[{"id": "a", "allowed_algorithms": [], ` + rest + `}]`, "must not be empty lists"},
		"every group":          {`[{"id": "a", "allowed_group_patterns": ["*"], ` + rest + `}]`, "matches every group"},
		"another type":         {`[{"id": "a", "type": "saml", ` + rest + `}]`, "it must be oidc or entra"},
		"known by e-mail":      {`[{"id": "a", "identity_binding": "email", ` + rest + `}]`, `identity_binding is "email"`},
		"tenant by name":       {`[{"id": "a", "tenants": ["contoso.com"], ` + common + `}]`, "tenants: it must be ids of tenants"},
		"prompt of none":       {`[{"id": "a", "prompt": "none", ` + rest + `}]`, `prompt is "none"`},
		"two that are asked":   {`[{"id": "a", "introspection": true, ` + rest + `}, {"id": "b", "introspection": true, "discovery_url": "https://b.example", "client_id": "b", "client_secret": "hunter2"}]`, `introspection is on for "a" already`},
		"asked by nobody":      {`[{"id": "a", "introspection": true, "public_client": true, "discovery_url": "https://a.example", "client_id": "a"}]`, "introspection needs a client with a secret"},
		"asked of no client":   {`[{"id": "a", "interactive": false, "audience": "x", "introspection": true, "discovery_url": "https://a.example"}]`, "client_id must not be empty"},
		"asked of tenants":     {`[{"id": "a", "introspection": true, "tenants": ["` + t1 + `"], ` + common + `}]`, "introspection needs a provider of one issuer"},
		"asked, and not":       {`[{"id": "a", "introspection_url": "https://a.example/i", ` + rest + `}]`, "introspection is off"},
		"asked over HTTP":      {`[{"id": "a", "introspection": true, "introspection_url": "http://a.example/i", ` + rest + `}]`, "introspection_url is"},
		"no tenants":           {`[{"id": "a", "tenants": [], ` + common + `}]`, "it names no tenant"},
		"tenant twice":         {`[{"id": "a", "tenants": ["` + t1 + `", "` + strings.ToUpper(t1) + `"], ` + common + `}]`, "each tenant once"},
		"tenants of one":       {`[{"id": "a", "tenants": ["` + t1 + `"], ` + rest + `}]`, "must be that of all tenants"},
		"tenants and issuer":   {`[{"id": "a", "issuer": "https://x.example", "tenants": ["` + t1 + `"], ` + common + `}]`, "must not be set beside"},
		"tenants and waiting":  {`[{"id": "a", "binds_prepared_accounts": true, "tenants": ["` + t1 + `", "` + t2 + `"], ` + common + `}]`, "binds_prepared_accounts"},
		"tenant of two":        {`[{"id": "a", "tenants": ["` + t1 + `"], ` + common + `}, {"id": "b", "discovery_url": "https://login.example/` + t1 + `/v2.0", "client_id": "a", "client_secret": "hunter2"}]`, "the same issuer"},
		"administrators by no": {`[{"id": "a", "admin_source": "none", "admin_groups": ["x"], ` + rest + `}]`, "admin_source is none"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loaded(t, c.file, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("gave %v, want %q", err, c.want)
			}
		})
	}
}

// Each tenant has an issuer of its own, and nobody of several tenants is given an account that waits for a name.
func TestTenants(t *testing.T) {
	const t1, t2 = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "82229342-1101-4ab6-817b-70c0747630f3"
	for at, tenants := range map[string]string{"https://login.example/common/v2.0/.well-known/openid-configuration": strings.ToUpper(t1) + ", " + t2,
		"https://login.example/organizations/v2.0": t1} {
		c, err := with(t, map[string]string{"OIDC_DISCOVERY_URL": at, "OIDC_CLIENT_ID": "x", "OIDC_TENANTS": tenants})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"https://login.example/" + t1 + "/v2.0", "https://login.example/" + t2 + "/v2.0"}[:strings.Count(tenants, ",")+1]
		if diff := cmp.Diff(want, c.Providers[0].Issuers()); diff != "" || c.Providers[0].Separate != (len(want) > 1) {
			t.Errorf("%s: separate %v %s", at, c.Providers[0].Separate, diff)
		}
	}
}

func TestOneListOfProviders(t *testing.T) {
	if _, err := loaded(t, "[]", map[string]string{"AUTH_PROVIDERS": "[]"}); err == nil || !strings.Contains(err.Error(), "only one of") {
		t.Errorf("gave %v", err)
	}
}

const githubRule = `{"service_account": "ci", "claims": {"repository_owner": "us", "repository": "us/app"}}`

func workloads(t *testing.T, file string) ([]Workload, error) {
	t.Helper()
	c, err := with(t, map[string]string{"WORKLOAD_IDENTITY_FILE": entriesOf(t, file)})
	return c.Workloads, err
}

func TestWorkloads(t *testing.T) {
	got, err := workloads(t, `[{"type": "github", "audience": "mlflow", "rules": [`+githubRule+`, {"service_account": "all", "claims": {"repository_owner": "us"}, "claims_begin": {"repository": "us/", "ref": "refs/tags/"}}]},
		{"type": "kubernetes", "issuer": "https://k8s.example", "jwks_uri": "https://k8s.example/openid/v1/jwks", "audience": "mlflow",
		 "rules": [{"service_account": "trainer", "claims": {"namespace": "ml", "service_account": "train"}}]}]`)
	if err != nil || len(got) != 2 || got[0].Issuer != "https://token.actions.githubusercontent.com" || got[0].DiscoveryURL != got[0].Issuer+"/.well-known/openid-configuration" ||
		cmp.Diff(got[0].Algorithms, []string{"RS256"}) != "" || got[1].DiscoveryURL != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// A rule by which strangers could come in stops the start.
func TestAttackLooseWorkloadRules(t *testing.T) {
	issuer := func(kind, rule string) string {
		return `[{"type": "` + kind + `", "issuer": "https://i.example", "audience": "mlflow", "rules": [` + rule + `]}]`
	}
	rule := func(claims string) string { return `{"service_account": "ci", ` + claims + `}` }
	for name, c := range map[string]struct{ file, want string }{
		"no owner":                 {issuer("github", rule(`"claims": {"repository": "us/app"}`)), "repository_owner"},
		"no repository":            {issuer("github", rule(`"claims": {"repository_owner": "us", "ref": "refs/heads/main"}`)), "repository"},
		"owner by its beginning":   {issuer("github", rule(`"claims": {"repository": "us/app"}, "claims_begin": {"repository_owner": "us/"}`)), "repository_owner"},
		"repositories of another":  {issuer("github", rule(`"claims": {"repository_owner": "us"}, "claims_begin": {"repository": "them/"}`)), "repository"},
		"repository of another":    {issuer("github", rule(`"claims": {"repository_owner": "us", "repository": "them/app"}`)), "is not one of"},
		"beginning of a name":      {issuer("github", rule(`"claims": {"repository_owner": "us", "repository": "us/app"}, "claims_begin": {"ref": "refs/heads/rel"}`)), "must end in /"},
		"no project":               {issuer("gitlab", rule(`"claims": {"ref": "main"}`)), "project_path"},
		"no service account there": {issuer("kubernetes", rule(`"claims": {"namespace": "ml"}`)), "service_account"},
		"no namespace":             {issuer("kubernetes", rule(`"claims": {"service_account": "train"}`)), "namespace"},
		"no subject":               {issuer("jwt", rule(`"claims": {"team": "ml"}`)), "sub"},
		"nothing":                  {issuer("jwt", rule(`"claims": {}`)), "sub"},
		"empty claim":              {issuer("jwt", rule(`"claims": {"sub": "x", "team": ""}`)), "team is empty"},
		"no account here":          {issuer("jwt", `{"claims": {"sub": "x"}}`), "service_account must not be empty"},
		"no rules":                 {issuer("jwt", ``), "no rules"},
		"unknown field":            {issuer("jwt", rule(`"claims": {"sub": "x"}, "claim": {"ref": "main"}`)), "unknown field"},
		"unknown type":             {issuer("circleci", rule(`"claims": {"sub": "x"}`)), "type is"},
		"audience of everybody":    {`[{"type": "github", "audience": "https://github.com/us", "rules": [` + githubRule + `]}]`, "others"},
		"audience of the cluster":  {`[{"type": "kubernetes", "issuer": "https://k.example", "audience": "https://kubernetes.default.svc.cluster.local", "rules": [` + rule(`"claims": {"namespace": "a", "service_account": "b"}`) + `]}]`, "others"},
		"no audience":              {`[{"type": "github", "rules": [` + githubRule + `]}]`, "audience must not be empty"},
		"twice":                    {`[{"type": "github", "audience": "m", "rules": [` + githubRule + `]}, {"type": "github", "audience": "m", "rules": [` + githubRule + `]}]`, "those of another entry"},
		"keys over plain HTTP":     {`[{"type": "github", "audience": "m", "jwks_uri": "http://keys.example", "rules": [` + githubRule + `]}]`, "jwks_uri is"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := workloads(t, c.file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("gave %v, want %q", err, c.want)
			}
		})
	}
}

// What was compared with Python's fnmatchcase.
func TestGlobs(t *testing.T) {
	for pattern, c := range map[string]struct{ yes, no []string }{
		"team-*":    {[]string{"team-", "team-a/b", "team-a\nb"}, []string{"Team-a", "xteam-a", "team"}},
		"a?c":       {[]string{"abc", "a.c", "aäc"}, []string{"ac", "abbc"}},
		"[ab]x":     {[]string{"ax", "bx"}, []string{"cx", "abx"}},
		"[!ab]x":    {[]string{"cx", "!x"}, []string{"ax"}},
		"[a-c]x":    {[]string{"bx"}, []string{"-x", "dx"}},
		"[]]x":      {[]string{"]x"}, []string{"[x"}},
		"[!]]x":     {[]string{"ax"}, []string{"]x"}},
		"[abc":      {[]string{"[abc"}, []string{"a"}},
		"a.b+(c)|d": {[]string{"a.b+(c)|d"}, []string{"axb+(c)|d", "d"}},
		`a\b`:       {[]string{`a\b`}, []string{"ab"}},
		"[^a]x":     {[]string{"^x", "ax"}, []string{"bx"}},
	} {
		compiled, err := glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.yes {
			if !compiled.MatchString(name) {
				t.Errorf("%q does not match %q", pattern, name)
			}
		}
		for _, name := range c.no {
			if compiled.MatchString(name) {
				t.Errorf("%q matches %q", pattern, name)
			}
		}
	}
}

// A pattern without brackets means what path.Match has it mean; and a name alone is itself, and nothing else.
func FuzzGlob(f *testing.F) {
	f.Add("team-*", "team-a")
	f.Add("a?b", "axb")
	f.Add("[a]", "a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		compiled, err := glob(pattern)
		if err != nil {
			return
		}
		valid := utf8.ValidString(pattern) && utf8.ValidString(name)
		if valid && !strings.ContainsAny(pattern, "*?[") && compiled.MatchString(name) != (pattern == name) {
			t.Errorf("%q and %q: %v", pattern, name, pattern != name)
		}
		if !valid || strings.ContainsAny(pattern, `[\`) || strings.Contains(pattern+name, "/") {
			return
		}
		if want, err := path.Match(pattern, name); err == nil && want != compiled.MatchString(name) {
			t.Errorf("%q and %q: %v", pattern, name, !want)
		}
	})
}

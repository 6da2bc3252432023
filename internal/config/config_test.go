package config

import (
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// with loads the settings of an environment, and of no file.
func with(t *testing.T, env map[string]string) (*Config, error) {
	t.Helper()
	return Load(lookup(env), filepath.Join(t.TempDir(), "absent"), nil)
}

// setting says of one option what it is by default, and what right and wrong values do.
type setting struct {
	field   func(*Config) any
	unset   any
	right   map[string]any // value → what it becomes
	wrong   []string
	message string // what is said of each wrong value
}

const notEmpty = "it must not be empty"

var wrongURLs = []string{"idp.example.com", "http://idp.example.com", "ftp://idp", "https://", "https://a b/", "file:///etc/passwd"}

const urlMessage = "it must be an https:// address (http:// only for this machine)"

func textual(unset string, field func(*Config) *string) setting {
	return setting{field: func(c *Config) any { return *field(c) }, unset: unset, right: map[string]any{"a text": "a text", "  trimmed ": "trimmed", "": ""}}
}

func needed(unset string, field func(*Config) *string) setting {
	s := textual(unset, field)
	delete(s.right, "")
	s.wrong, s.message = []string{"", "  "}, notEmpty
	return s
}

func yesNo(unset bool, field func(*Config) *bool) setting {
	s := setting{field: func(c *Config) any { return *field(c) }, unset: unset, right: map[string]any{"": false},
		wrong: []string{"2", "ja", "truee", "enabled", "-1"}, message: "it must be true or false (also yes, no, on, off, 1, 0)"}
	if unset { // nothing must not turn off what is on
		delete(s.right, "")
		s.wrong = append(s.wrong, "")
	}
	for _, yes := range []string{"true", "True", "TRUE", "1", "yes", "Yes", "y", "t", "on", "On"} {
		s.right[yes] = true
	}
	for _, no := range []string{"false", "False", "0", "no", "No", "n", "f", "off", "OFF"} {
		s.right[no] = false
	}
	return s
}

func whole(unset int, low, high string, message string, field func(*Config) *int) setting {
	return setting{field: func(c *Config) any { return *field(c) }, unset: unset, right: map[string]any{"7": 7, " 12 ": 12},
		wrong: []string{"", "x", "1.5", "-1", low, high, "99999999999999999999", "0x10"}, message: message}
}

func size(unset int64, field func(*Config) *int64) setting {
	return setting{field: func(c *Config) any { return *field(c) }, unset: unset, right: map[string]any{"1024": int64(1024), "2000000": int64(2000000)},
		wrong: []string{"", "1023", "16M", "-5", "9223372036854775807"}, message: "it must be a whole number of bytes, at least 1024"}
}

func span(unset, unit time.Duration, name string, field func(*Config) *time.Duration) setting {
	return setting{field: func(c *Config) any { return *field(c) }, unset: unset, right: map[string]any{"1": unit, "30": 30 * unit},
		wrong: []string{"", "0", "-1", "1.5", "10s", "9223372036854775807"}, message: "it must be a whole number of " + name + ", at least 1"}
}

func names(unset []string, blanks bool, field func(*Config) *[]string) setting {
	s := setting{field: func(c *Config) any { return *field(c) }, unset: unset, right: map[string]any{
		"a": []string{"a"}, "a,b": []string{"a", "b"}, " a , b ,, ": []string{"a", "b"}, "a b": []string{"a b"}}}
	if blanks {
		s.right["a b"], s.right["a, b\tc"] = []string{"a", "b"}, []string{"a", "b", "c"}
	}
	return s
}

func provider(unset string, field func(*Config) *string) setting {
	return setting{field: func(c *Config) any { return *field(c) }, unset: unset, right: map[string]any{"": "",
		"https://idp.example.com/x": "https://idp.example.com/x", "http://127.0.0.1:9/x": "http://127.0.0.1:9/x", "http://localhost/": "http://localhost/"},
		wrong: wrongURLs, message: urlMessage}
}

// entriesIn is a setting with a list in JSON, or the file of one.
func entriesIn(name, right string) setting {
	return setting{field: func(c *Config) any { return c.entries[name] != nil }, unset: false, right: map[string]any{"": false, right: true},
		wrong: []string{"/nowhere/at/all", "{}"}}
}

// listFile is a file with an empty list.
func listFile(t *testing.T) string {
	t.Helper()
	return entriesOf(t, "[]")
}

// entriesOf is a file with a text.
func entriesOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "entries.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func patternsOf(o OIDC) []string {
	var all []string
	for _, pattern := range o.GroupPatterns {
		all = append(all, pattern.String())
	}
	return all
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func settings(t *testing.T) map[string]setting {
	t.Helper()
	order := authz.DefaultOrder()
	return map[string]setting{
		"MLFLOW_UPSTREAM": {field: func(c *Config) any { return c.Upstream }, unset: "",
			right: map[string]any{"": "", "http://mlflow:5000": "http://mlflow:5000", "https://m": "https://m", "http://m:5000/x/": "http://m:5000/x/", "unix:///run/m.sock": "unix:///run/m.sock"},
			wrong: []string{"mlflow:5000", "5000", "ftp://m", "http://", "unix://", "unix://run/m.sock"}, message: "it must be http://host:port, https://host or unix:///path/to/socket"},
		"LISTEN_ADDR": {field: func(c *Config) any { return c.Listen }, unset: "127.0.0.1:8080", right: map[string]any{":80": ":80", "[::1]:8": "[::1]:8"},
			wrong: []string{"", "8080", "127.0.0.1", "::1:80"}, message: "it must be host:port, such as 127.0.0.1:8080 or :8080"},
		"PUBLIC_URL": {field: func(c *Config) any { return c.PublicURL }, unset: (*url.URL)(nil),
			right: map[string]any{"": (*url.URL)(nil), "https://m.example.com": mustURL(t, "https://m.example.com"), "http://m:8080/": mustURL(t, "http://m:8080/")},
			wrong: []string{"m.example.com", "https://m/path", "https://m?q", "https://m/#f", "ftp://m", "https://u@m", "https://"}, message: "it must be https://host, without a path"},
		"TRUSTED_PROXIES": {field: func(c *Config) any { return c.Proxies }, unset: []string(nil), right: map[string]any{"10.0.0.0/8, ::1": []string{"10.0.0.0/8", "::1"}},
			wrong: []string{"proxy.local", "10.0.0.0/33", "*", "10.0.0.1,all"}, message: "is neither an IP address nor a network such as 10.0.0.0/8"},
		"TLS_CERT_FILE":                    textual("", func(c *Config) *string { return &c.TLSCert }),
		"TLS_KEY_FILE":                     textual("", func(c *Config) *string { return &c.TLSKey }),
		"MLFLOW_COMMAND":                   needed("mlflow", func(c *Config) *string { return &c.MLflowCommand }),
		"MAX_JSON_BODY_BYTES":              size(16<<20, func(c *Config) *int64 { return &c.MaxJSON }),
		"MAX_FILTERED_BODY_BYTES":          size(64<<20, func(c *Config) *int64 { return &c.MaxFiltered }),
		"SHUTDOWN_GRACE_SECONDS":           span(30*time.Second, time.Second, "seconds", func(c *Config) *time.Duration { return &c.Grace }),
		"REQUEST_TIMEOUT_SECONDS":          span(time.Minute, time.Second, "seconds", func(c *Config) *time.Duration { return &c.RequestTimeout }),
		"UPSTREAM_CONNECT_TIMEOUT_SECONDS": span(5*time.Second, time.Second, "seconds", func(c *Config) *time.Duration { return &c.ConnectTimeout }),
		"LOG_LEVEL": {field: func(c *Config) any { return c.LogLevel }, unset: slog.LevelInfo,
			right: map[string]any{"DEBUG": slog.LevelDebug, "debug": slog.LevelDebug, "WARNING": slog.LevelWarn, "WARN": slog.LevelWarn, "ERROR": slog.LevelError, "CRITICAL": slog.LevelError + 4},
			wrong: []string{"", "verbose", "10"}, message: "it must be DEBUG, INFO, WARNING, ERROR or CRITICAL"},
		"LOG_FORMAT": {field: func(c *Config) any { return c.LogJSON }, unset: false, right: map[string]any{"json": true, "text": false}, wrong: []string{"", "xml"}, message: "it must be text or json"},
		"ACCESS_LOG": yesNo(false, func(c *Config) *bool { return &c.AccessLog }),
		"METRICS_ADDR": {field: func(c *Config) any { return c.Metrics }, unset: "", right: map[string]any{"": "", ":9464": ":9464", "127.0.0.1:0": "127.0.0.1:0"},
			wrong: []string{"9464", "127.0.0.1", "::1:80"}, message: "it must be host:port, such as 127.0.0.1:8080 or :8080"},
		"OTEL_EXPORTER_OTLP_ENDPOINT":           endpoint("/v1/traces"),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":    endpoint(""),
		"OTEL_EXPORTER_OTLP_PROTOCOL":           textual("http/protobuf", func(c *Config) *string { return &c.Traces.Protocol }),
		"OTEL_EXPORTER_OTLP_HEADERS":            listed(func(c *Config) any { return c.Traces.Headers }),
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS":     listed(func(c *Config) any { return c.Traces.OwnHeaders }),
		"OTEL_EXPORTER_OTLP_CERTIFICATE":        textual("", func(c *Config) *string { return &c.Traces.CAFile }),
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": textual("", func(c *Config) *string { return &c.Traces.CertFile }),
		"OTEL_EXPORTER_OTLP_CLIENT_KEY":         textual("", func(c *Config) *string { return &c.Traces.KeyFile }),
		"OTEL_EXPORTER_OTLP_COMPRESSION": {field: func(c *Config) any { return c.Traces.Compress }, unset: false, right: map[string]any{"": false, "none": false, "gzip": true},
			wrong: []string{"zstd", "GZIP", "true"}, message: "it must be gzip or none"},
		"OTEL_TRACES_SAMPLER": {field: func(c *Config) any { return [2]any{c.Traces.FollowsClient, c.Traces.Ratio()} }, unset: [2]any{true, 1.0},
			right: map[string]any{"": [2]any{true, 1.0}, "always_off": [2]any{false, 0.0}, "traceidratio": [2]any{false, 1.0}, "parentbased_always_off": [2]any{true, 0.0}},
			wrong: []string{"parentbased_", "jaeger_remote", "parentbased_parentbased_always_on", "ALWAYS_ON"}, message: "it must be always_on, always_off or traceidratio, or parentbased_ and one of them"},
		"OTEL_TRACES_SAMPLER_ARG": {field: func(c *Config) any { return c.Traces.Argument }, unset: 1.0, right: map[string]any{"": 1.0, "0": 0.0, "0.25": 0.25, "1": 1.0},
			wrong: []string{"-0.1", "1.1", "NaN", "Inf", "x", "endpoint=http://x"}, message: "it must be a number from 0 to 1"},
		"OTEL_SERVICE_NAME":        textual("", func(c *Config) *string { return &c.Traces.Service }),
		"OTEL_RESOURCE_ATTRIBUTES": listed(func(c *Config) any { return c.Traces.Attributes }),
		"SECRET_KEY":               {field: func(c *Config) any { return c.Secrets }, unset: []string(nil), right: map[string]any{"new, old": []string{"new", "old"}, "a b": []string{"a b"}}},
		"OIDC_USERS_DB_URI": {field: func(c *Config) any { return c.Database }, unset: database.File("auth.db"),
			right: map[string]any{"sqlite:///auth.db": database.File("auth.db"), "sqlite:////var/lib/a.db": database.File("/var/lib/a.db"), "sqlite:///a.db?timeout=5": database.File("a.db"),
				"postgresql+psycopg2://u:p@h/d": database.Address{Engine: database.PostgreSQL, Host: "h", User: "u", Password: "p", Name: "d"}},
			wrong: []string{"", "auth.db", "mssql://h/d", "oracle://h/d", "sqlite+pysqlcipher:///auth.db"}, message: database.Examples},
		"OIDC_ALEMBIC_VERSION_TABLE": needed("alembic_version", func(c *Config) *string { return &c.PluginVersions }),
		"OIDC_DB_POOL_SIZE": {field: func(c *Config) any { return c.Pool.Size }, unset: 5, right: map[string]any{"0": 0, "20": 20},
			wrong: []string{"", "x", "-1", "1001"}, message: "it must be a whole number from 0 to 1000"},
		"OIDC_DB_POOL_MAX_OVERFLOW": {field: func(c *Config) any { return c.Pool.Overflow }, unset: 10, right: map[string]any{"0": 0, "20": 20},
			wrong: []string{"", "x", "-1", "1001"}, message: "it must be a whole number from 0 to 1000"},
		"OIDC_DB_POOL_RECYCLE_SECONDS": {field: func(c *Config) any { return c.Pool.Recycle }, unset: time.Duration(0),
			right: map[string]any{"0": time.Duration(0), "1800": 30 * time.Minute}, wrong: []string{"", "-1", "1.5"}, message: "it must be a whole number"},
		"DEFAULT_MLFLOW_PERMISSION": {field: func(c *Config) any { return c.Default }, unset: kind.NoPermissions,
			right: map[string]any{"READ": kind.Read, "use": kind.Use, "EDIT": kind.Edit, "MANAGE": kind.Manage, "NO_PERMISSIONS": kind.NoPermissions},
			wrong: []string{"", "NONE", "ADMIN", "4"}, message: "it must be one of NO_PERMISSIONS, READ, USE, EDIT, MANAGE"},
		"DEFAULT_MLFLOW_GROUP_PERMISSION": {field: func(c *Config) any { return c.GroupsOfCreator }, unset: kind.NoPermissions,
			right: map[string]any{"": kind.NoPermissions, "READ": kind.Read, "manage": kind.Manage}, wrong: []string{"NONE"}, message: "it must be one of NO_PERMISSIONS, READ, USE, EDIT, MANAGE"},
		"REPORT_ONLY": {field: func(c *Config) any { return c.Report }, unset: Report{},
			right: map[string]any{"": Report{}, "no": Report{}, "true": Report{Decisions: true}, "ALL": Report{true, true}}, wrong: []string{"unknown", "2"}, message: "it must be true, false or all"},
		"WORKSPACE_RULES_MAX_PERMISSION": {field: func(c *Config) any { return c.Workspaces.MostByRule }, unset: kind.Edit,
			right: map[string]any{"READ": kind.Read, "MANAGE": kind.Manage}, wrong: []string{"", "NONE"}, message: "it must be one of NO_PERMISSIONS, READ, USE, EDIT, MANAGE"},
		"RESTRICT_RESOURCE_CREATION":              yesNo(false, func(c *Config) *bool { return &c.RestrictCreation }),
		"MLFLOW_ENABLE_WORKSPACES":                yesNo(false, func(c *Config) *bool { return &c.Workspaces.Enabled }),
		"OIDC_WORKSPACE_REQUIRE_CREATION_CONTEXT": yesNo(false, func(c *Config) *bool { return &c.Workspaces.NameToCreate }),
		"OIDC_WORKSPACE_DENY_DEFAULT_CREATION":    yesNo(false, func(c *Config) *bool { return &c.Workspaces.NotDefault }),
		"PERMISSION_SOURCE_ORDER": {field: func(c *Config) any { return c.Order }, unset: order,
			right: map[string]any{"group-regex, regex": []authz.Source{authz.GroupPattern, authz.UserPattern}, "USER": []authz.Source{authz.User}},
			wrong: []string{"user,roles", "user;group"}, message: "is not one of user, group, regex, group-regex, role"},
		"STEP_UP_SECONDS": {field: func(c *Config) any { return c.StepUp }, unset: time.Duration(0),
			right: map[string]any{"": time.Duration(0), "300": 5 * time.Minute}, wrong: []string{"0", "-1", "5m"}, message: "it must be a whole number of seconds, at least 1"},
		"ACCESS_TOKEN_LIFETIME_DAYS":      span(365*24*time.Hour, 24*time.Hour, "days", func(c *Config) *time.Duration { return &c.TokenLifetime }),
		"TERMINAL_TOKEN_LIFETIME_SECONDS": span(12*time.Hour, time.Second, "seconds", func(c *Config) *time.Duration { return &c.Terminal.Token }),
		"TERMINAL_LOGIN_LIFETIME_DAYS":    span(30*24*time.Hour, 24*time.Hour, "days", func(c *Config) *time.Duration { return &c.Terminal.Login }),
		"TOKEN_EXCHANGE":                  yesNo(false, func(c *Config) *bool { return &c.Exchange.Enabled }),
		"TOKEN_EXCHANGE_LIFETIME_SECONDS": {field: func(c *Config) any { return c.Exchange.Lifetime }, unset: time.Hour, right: map[string]any{"60": time.Minute},
			wrong: []string{"", "0", "-1", "3601", "1h"}, message: "at least 1 and at most 3600"},
		"AUDIT_RETENTION_DAYS":      whole(90, "-1", "36501", "it must be a whole number from 0 to 36500", func(c *Config) *int { return &c.AuditDays }),
		"LOGIN_FAILURES_PER_MINUTE": whole(20, "0", "10001", "it must be a whole number from 1 to 10000", func(c *Config) *int { return &c.FailuresMinute }),

		"OIDC_DISCOVERY_URL":     provider("", func(c *Config) *string { return &c.OIDC.DiscoveryURL }),
		"OIDC_AUTHORIZATION_URL": provider("", func(c *Config) *string { return &c.OIDC.AuthorizationURL }),
		"OIDC_TOKEN_URL":         provider("", func(c *Config) *string { return &c.OIDC.TokenURL }),
		"OIDC_USER_URL":          provider("", func(c *Config) *string { return &c.OIDC.UserURL }),
		"OIDC_TENANTS": {field: func(c *Config) any { return c.OIDC.Tenants }, unset: []string(nil), right: map[string]any{"": []string(nil), ",": []string(nil)},
			wrong: []string{"common", "{tenantid}", "contoso.onmicrosoft.com", "8eaef023-2b34-4da1-9baa-8bc8c9d6a490/x"}, message: "it must be ids of tenants"},
		"OIDC_PROMPT": {field: func(c *Config) any { return c.OIDC.Prompt }, unset: "", right: map[string]any{"": "", "consent": "consent", "login  consent": "login consent"},
			wrong: []string{"none", "login none", "Consent", "login,consent"}, message: "it can be login, consent"},
		"OIDC_ISSUER":        textual("", func(c *Config) *string { return &c.OIDC.Issuer }),
		"OIDC_CLIENT_ID":     textual("", func(c *Config) *string { return &c.OIDC.ClientID }),
		"OIDC_CLIENT_SECRET": textual("", func(c *Config) *string { return &c.OIDC.ClientSecret }),
		"OIDC_CLIENT_KEY_FILE": {field: func(c *Config) any { return c.OIDC.Assertion.Key != nil }, unset: false, right: map[string]any{"": false, keyIn(t): true},
			wrong: []string{"/nowhere/at/all", entriesOf(t, "")}},
		"OIDC_CLIENT_KEY_ID":        textual("", func(c *Config) *string { return &c.OIDC.Assertion.ID }),
		"OIDC_CLIENT_KEY_ALGORITHM": textual("", func(c *Config) *string { return &c.OIDC.Assertion.Algorithm }),
		"OIDC_CLIENT_ASSERTION_AUDIENCE": {field: func(c *Config) any { return c.OIDC.Assertion.Audience }, unset: "issuer", right: map[string]any{"endpoint": "endpoint"},
			wrong: []string{"", "token_endpoint", "Issuer"}, message: "it must be issuer or endpoint"},
		"OIDC_PUBLIC_CLIENT": yesNo(false, func(c *Config) *bool { return &c.OIDC.PublicClient }),
		"OIDC_REDIRECT_URI": {field: func(c *Config) any { return c.OIDC.RedirectURI }, unset: "",
			right: map[string]any{"": "", "https://m/callback": "https://m/callback", "http://m.local/callback": "http://m.local/callback"},
			wrong: []string{"/callback", "m/callback", "https://m/callback#x", "https://u@m/callback", "javascript:alert(1)"}, message: "it must be https://host/callback, as it is registered at the provider"},
		"OIDC_MAX_AGE_SECONDS": {field: func(c *Config) any { return c.OIDC.MaxAge }, unset: time.Duration(0),
			right: map[string]any{"": time.Duration(0), "3600": time.Hour}, wrong: []string{"0", "-1", "1h"}, message: "it must be a whole number of seconds, at least 1"},
		"OIDC_SCOPE":                 names([]string{"openid", "email", "profile"}, true, func(c *Config) *[]string { return &c.OIDC.Scopes }),
		"OIDC_PROVIDER_DISPLAY_NAME": textual("Login with OIDC", func(c *Config) *string { return &c.OIDC.DisplayName }),
		"OIDC_GROUP_NAME":            names([]string{"mlflow"}, false, func(c *Config) *[]string { return &c.OIDC.Groups }),
		"OIDC_ADMIN_GROUP_NAME":      names([]string{"mlflow-admin"}, false, func(c *Config) *[]string { return &c.OIDC.AdminGroups }),
		"OIDC_GROUPS_ATTRIBUTE":      needed("groups", func(c *Config) *string { return &c.OIDC.GroupsClaim }),
		"OIDC_USERNAME_FIELD": {field: func(c *Config) any { return c.OIDC.UsernameClaims }, unset: []string{"email", "preferred_username"},
			right: map[string]any{"upn": []string{"upn"}}, wrong: []string{"", " , "}, message: "it must name a claim, such as email"},
		"OIDC_DISPLAY_NAME_FIELD": names([]string{"name"}, false, func(c *Config) *[]string { return &c.OIDC.NameClaims }),
		"OIDC_AUDIENCE":           textual("", func(c *Config) *string { return &c.OIDC.Audience }),
		"OIDC_INTROSPECTION":      yesNo(false, func(c *Config) *bool { return &c.OIDC.Introspection }),
		"OIDC_INTROSPECTION_URL":  provider("", func(c *Config) *string { return &c.OIDC.IntrospectionURL }),
		"OIDC_GROUP_DETECTION_PLUGIN": {field: func(c *Config) any { return c.OIDC.EntraGroups }, unset: false, right: map[string]any{"": false, EntraPlugin: true},
			wrong: []string{"my.plugin"}, message: "Python plugins cannot be loaded; it must be empty or " + EntraPlugin},
		"GRAPH_URL":                 provider("https://graph.microsoft.com", func(c *Config) *string { return &c.OIDC.GraphURL }),
		"OIDC_VERIFY_SSL":           yesNo(true, func(c *Config) *bool { return &c.OIDC.VerifyTLS }),
		"OIDC_HTTP_TIMEOUT_SECONDS": span(10*time.Second, time.Second, "seconds", func(c *Config) *time.Duration { return &c.OIDC.HTTPTimeout }),
		"OIDC_CODE_CHALLENGE": {field: func(*Config) any { return nil }, right: map[string]any{"S256": nil},
			wrong: []string{"", "plain", "s256"}, message: "it must be S256 (RFC 9700 §2.1.1)"},
		"OIDC_GROUP_NAME_PATTERN": {field: func(c *Config) any { return patternsOf(c.OIDC) }, unset: []string(nil), right: map[string]any{"": []string(nil), "team-*, [ab]?": []string{`(?s)\Ateam-.*\z`, `(?s)\A[\x{61}-\x{61}\x{62}-\x{62}].\z`}},
			wrong: []string{"*", "?*", "**,a", "[b-a]"}, message: "the pattern"},
		"OIDC_USERINFO_GROUPS":                yesNo(false, func(c *Config) *bool { return &c.OIDC.UserInfoGroups }),
		"OIDC_JWKS_CACHE_TTL_SECONDS":         span(5*time.Minute, time.Second, "seconds", func(c *Config) *time.Duration { return &c.OIDC.KeysTTL }),
		"OIDC_PROVISION_ON_BEARER_AUTH":       yesNo(false, func(c *Config) *bool { return &c.OIDC.Provision }),
		"OIDC_TRUST_BEARER_GROUP_CLAIMS":      yesNo(false, func(c *Config) *bool { return &c.OIDC.TrustGroups }),
		"OIDC_PROVIDERS_FILE":                 entriesIn("OIDC_PROVIDERS_FILE", listFile(t)),
		"AUTH_PROVIDERS_FILE":                 entriesIn("AUTH_PROVIDERS_FILE", listFile(t)),
		"AUTH_PROVIDERS":                      entriesIn("AUTH_PROVIDERS", "[]"),
		"WORKLOAD_IDENTITY_FILE":              entriesIn("WORKLOAD_IDENTITY_FILE", listFile(t)),
		"EXTEND_MLFLOW_MENU":                  yesNo(true, func(c *Config) *bool { return &c.Pages.Menu }),
		"EXTEND_MLFLOW_REAUTH":                yesNo(true, func(c *Config) *bool { return &c.Pages.SignInAgain }),
		"EXTEND_MLFLOW_REDIRECT_ADMIN":        yesNo(true, func(c *Config) *bool { return &c.Pages.Administer }),
		"DEFAULT_LANDING_PAGE_IS_PERMISSIONS": yesNo(true, func(c *Config) *bool { return &c.Pages.Permissions }),
		"AUTOMATIC_LOGIN_REDIRECT":            yesNo(false, func(c *Config) *bool { return &c.OIDC.AutoRedirect }),
		"OIDC_USE_REFRESH_TOKEN":              yesNo(false, func(c *Config) *bool { return &c.OIDC.Refresh }),
		"OIDC_SESSION_EXPIRY_LEEWAY_SECONDS":  span(30*time.Second, time.Second, "seconds", func(c *Config) *time.Duration { return &c.OIDC.RefreshLeeway }),

		"SESSION_TYPE": {field: func(c *Config) any { return c.Session.Type }, unset: "filesystem", right: map[string]any{"redis": "redis", "database": "database"},
			wrong: []string{"", "memory", "Redis"}, message: "it must be filesystem or redis or database"},
		"SESSION_FILE_DIR":           needed("flask_session", func(c *Config) *string { return &c.Session.Dir }),
		"SESSION_PERMANENT":          yesNo(false, func(c *Config) *bool { return &c.Session.Permanent }),
		"PERMANENT_SESSION_LIFETIME": span(24*time.Hour, time.Second, "seconds", func(c *Config) *time.Duration { return &c.Session.Lifetime }),
		"SESSION_KEY_PREFIX":         textual("mlflow_oidc:", func(c *Config) *string { return &c.Session.KeyPrefix }),
		"SESSION_COOKIE_NAME": {field: func(c *Config) any { return c.Session.Cookie }, unset: "session", right: map[string]any{"my-Cookie_1": "my-Cookie_1"},
			wrong: []string{"", "a b", "a;b", "a=b", "ä"}, message: "it must be letters, digits, - and _"},
		"SESSION_COOKIE_MAX_AGE_SECONDS": span(14*24*time.Hour, time.Second, "seconds", func(c *Config) *time.Duration { return &c.Session.MaxAge }),
		"SESSION_COOKIE_SAMESITE": {field: func(c *Config) any { return c.Session.SameSite }, unset: "lax", right: map[string]any{"Strict": "strict", "LAX": "lax"},
			wrong: []string{"", "none"}, message: "it must be lax or strict"},
		"SESSION_COOKIE_SECURE": yesNo(false, func(c *Config) *bool { return &c.Session.Secure }),
		"REDIS_HOST":            needed("localhost", func(c *Config) *string { return &c.Redis.Host }),
		"REDIS_PORT":            whole(6379, "0", "65536", "it must be a whole number from 1 to 65535", func(c *Config) *int { return &c.Redis.Port }),
		"REDIS_DB":              whole(0, "-2", "1048577", "it must be a whole number from 0 to 1048576", func(c *Config) *int { return &c.Redis.DB }),
		"REDIS_USERNAME":        textual("", func(c *Config) *string { return &c.Redis.Username }),
		"REDIS_PASSWORD":        textual("", func(c *Config) *string { return &c.Redis.Password }),
		"REDIS_SSL":             yesNo(false, func(c *Config) *bool { return &c.Redis.TLS }),
		"REDIS_SSL_CA_FILE":     textual("", func(c *Config) *string { return &c.Redis.CAFile }),
		"REDIS_SENTINELS": {field: func(c *Config) any { return c.Redis.Sentinels }, unset: []string(nil),
			right: map[string]any{"": []string(nil), "a:1, [::1]:26379": []string{"a:1", "[::1]:26379"}},
			wrong: []string{"a", "a:1,b", ":26379", "a:"}, message: "it must be host:port of each Sentinel, comma-separated"},
		"REDIS_SENTINEL_MASTER":   textual("", func(c *Config) *string { return &c.Redis.Master }),
		"REDIS_SENTINEL_USERNAME": textual("", func(c *Config) *string { return &c.Redis.SentinelUsername }),
		"REDIS_SENTINEL_PASSWORD": textual("", func(c *Config) *string { return &c.Redis.SentinelPassword }),
	}
}

func TestEveryOption(t *testing.T) {
	cases := settings(t)
	for o := range All() {
		s, ok := cases[o.Name]
		if !ok {
			t.Errorf("no case covers %s", o.Name)
			continue
		}
		delete(cases, o.Name)
		t.Run(o.Name, func(t *testing.T) {
			c, err := with(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.unset, s.field(c)); diff != "" {
				t.Errorf("default:\n%s", diff)
			}
			for value, want := range s.right {
				c, err := with(t, map[string]string{o.Name: value})
				if err != nil {
					t.Errorf("%q: %v", value, err)
				} else if diff := cmp.Diff(want, s.field(c)); diff != "" {
					t.Errorf("%q:\n%s", value, diff)
				}
			}
			for _, value := range s.wrong {
				_, err := with(t, map[string]string{o.Name: value})
				if err == nil || !strings.HasPrefix(err.Error(), o.Name+` (from environment) is "`+o.shown(value)+`": `) || !strings.Contains(err.Error(), s.message) {
					t.Errorf("%q gives %v; it should name the variable, what it holds, and %q", value, err, s.message)
				}
			}
		})
	}
	for name := range cases {
		t.Errorf("a case covers %s, which is no option", name)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := with(t, map[string]string{"LISTEN_ADDR": "x", "REDIS_PORT": "y", "OIDC_VERIFY_SSL": "z", "PERMISSION_SOURCE_ORDER": "user,user"})
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 4 {
		t.Errorf("%d lines for 4 mistakes:\n%v", len(lines), err)
	}
	for _, want := range []string{"LISTEN_ADDR", "REDIS_PORT", "OIDC_VERIFY_SSL", `PERMISSION_SOURCE_ORDER (from environment) is "user,user": source "user" is named twice`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestNoSourceIsAMistake(t *testing.T) {
	_, err := with(t, map[string]string{"PERMISSION_SOURCE_ORDER": " , "})
	if err == nil || !strings.Contains(err.Error(), "no source is named") {
		t.Errorf("gave %v", err)
	}
}

func TestFlagBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	file := "REDIS_HOST=file\nREDIS_USERNAME=file\nREDIS_DB=4 # four\nREDIS_PASSWORD=${REDIS_HOST}-${FROM}\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(lookup(map[string]string{"REDIS_HOST": "environment", "REDIS_USERNAME": "environment", "FROM": "outside"}), path, map[string]string{"REDIS_USERNAME": "flag"})
	if err != nil {
		t.Fatal(err)
	}
	want := Redis{Host: "environment", Port: 6379, DB: 4, Username: "flag", Password: "environment-outside"}
	if diff := cmp.Diff(want, c.Redis); diff != "" {
		t.Error(diff)
	}
	var printed strings.Builder
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"REDIS_HOST=environment  # environment\n", "REDIS_PORT=6379  # default\n", "REDIS_DB=4  # .env\n", "REDIS_USERNAME=flag  # flag\n"} {
		if !strings.Contains(printed.String(), line) {
			t.Errorf("%q is not in\n%s", line, printed.String())
		}
	}
}

func TestEmptyVariableWinsOverTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("OIDC_ISSUER=file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(lookup(map[string]string{"OIDC_ISSUER": ""}), path, nil); err != nil || c.OIDC.Issuer != "" {
		t.Errorf("%q, %v", c.OIDC.Issuer, err)
	}
}

func TestFileThatCannotBeReadStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, ".env")
	if err := os.WriteFile(broken, []byte("A=1\nSECRET_KEY=\"hunter2-hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{broken: "line 2: a quoted value does not end", dir: "is a directory"} {
		_, err := Load(lookup(nil), path, nil)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s gave %v, want %q", path, err, want)
		}
	}
}

// Every place that shows values is asked for every secret: those of secret options, and those inside addresses.
func TestSecretsAreNeverShown(t *testing.T) {
	env := map[string]string{}
	for o := range All() {
		if o.Secret {
			env[o.Name] = "hunter2-of-" + o.Name
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		env[name] = "authorization=Bearer hunter2"
	}
	env["AUTH_PROVIDERS"] = `[{"id":"x","client_id":"c","discovery_url":"https://x.example","client_secret":"hunter2"}]`
	if len(env) != 7 {
		t.Errorf("%d options are secret", len(env))
	}
	env["MLFLOW_UPSTREAM"] = "http://user:hunter2@mlflow:5000"
	env["OIDC_TOKEN_URL"] = "https://idp.example.com/token?client=me&password=hunter2"
	c, err := with(t, env)
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(printed.String(), "hunter2") {
		t.Errorf("a secret is printed:\n%s", printed.String())
	}
	for _, line := range []string{"SECRET_KEY=********  # environment", "REDIS_PASSWORD=********", "MLFLOW_UPSTREAM=http://********@mlflow:5000", "client=me&password=********"} {
		if !strings.Contains(printed.String(), line) {
			t.Errorf("%q is not in\n%s", line, printed.String())
		}
	}
	for _, uri := range []string{"postgresql+psycopg2://mlflow:hunter2@db", "postgresql://u:hunter2%zz@db", "mysql://u:a/hunter2@b@db", "postgresql:///auth?user=u&password=hunter2", "postgresql://u:a\nhunter2@db",
		"postgresql://u:hunter2", "postgresql://u:hunter2/auth", "postgresql://h/auth?sslpassword=hunter2", "mysql://u:hunter2@db:port/auth", "mssql://u:hunter2@db/auth"} {
		_, err := with(t, map[string]string{"OIDC_USERS_DB_URI": uri})
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "OIDC_USERS_DB_URI") {
			t.Errorf("%q gave %v", uri, err)
		}
	}
}

func TestCheckServe(t *testing.T) {
	good := map[string]string{"SECRET_KEY": "Zr8vX2q-LmT0yWc4uKpA", "OIDC_DISCOVERY_URL": "https://idp/.well-known/openid-configuration", "OIDC_CLIENT_ID": "me", "OIDC_CLIENT_SECRET": "s"}
	const command = `make one with: python3 -c "import secrets; print(secrets.token_urlsafe(32))"`
	const weak = "SECRET_KEY holds a secret that is too short or easily guessed; it needs at least 16 random characters; " + command
	const noProvider = "OIDC_DISCOVERY_URL is not set; set it, or all three of OIDC_AUTHORIZATION_URL, OIDC_TOKEN_URL and OIDC_USER_URL, or OIDC_PROVIDERS_FILE"
	for name, c := range map[string]struct {
		change map[string]string
		want   []string
	}{
		"good":                {nil, nil},
		"rotated":             {map[string]string{"SECRET_KEY": "4uKpAZr8vX2q-LmT0yWc,Zr8vX2q-LmT0yWc4uKpA"}, nil},
		"key":                 {map[string]string{"OIDC_CLIENT_SECRET": "", "OIDC_CLIENT_KEY_FILE": keyIn(t)}, nil},
		"of no key":           {map[string]string{"OIDC_CLIENT_KEY_ID": "1"}, []string{"OIDC_CLIENT_KEY_FILE: it is not set, and what is said of the key has no effect"}},
		"for an endpoint":     {map[string]string{"OIDC_CLIENT_ASSERTION_AUDIENCE": "endpoint"}, []string{"OIDC_CLIENT_KEY_FILE: it is not set, and what is said of the key has no effect"}},
		"public client":       {map[string]string{"OIDC_CLIENT_SECRET": "", "OIDC_PUBLIC_CLIENT": "true"}, nil},
		"without discovery":   {map[string]string{"OIDC_DISCOVERY_URL": "", "OIDC_AUTHORIZATION_URL": "https://i/a", "OIDC_TOKEN_URL": "https://i/t", "OIDC_USER_URL": "https://i/u"}, nil},
		"two of three":        {map[string]string{"OIDC_DISCOVERY_URL": "", "OIDC_AUTHORIZATION_URL": "https://i/a", "OIDC_TOKEN_URL": "https://i/t"}, []string{noProvider}},
		"no secret key":       {map[string]string{"SECRET_KEY": ""}, []string{"SECRET_KEY is not set; it protects cookies and stored tokens; " + command}},
		"short":               {map[string]string{"SECRET_KEY": "Zr8vX2q-LmT0yWc"}, []string{weak}},
		"old one short":       {map[string]string{"SECRET_KEY": "Zr8vX2q-LmT0yWc4uKpA,Zr8"}, []string{weak}},
		"one character":       {map[string]string{"SECRET_KEY": strings.Repeat("x", 40)}, []string{weak}},
		"few characters":      {map[string]string{"SECRET_KEY": strings.Repeat("abc", 20)}, []string{weak}},
		"words":               {map[string]string{"SECRET_KEY": "your-super-secret-key"}, []string{weak}},
		"words twice":         {map[string]string{"SECRET_KEY": "changeme-CHANGEME-changeme"}, []string{weak}},
		"words and a year":    {map[string]string{"SECRET_KEY": "mlflow-secret-key-2024"}, []string{weak}},
		"digits in a row":     {map[string]string{"SECRET_KEY": "0123456789abcdef"}, []string{weak}},
		"letters in a row":    {map[string]string{"SECRET_KEY": "abcdefghijklmnopqrstuvwxyz"}, []string{weak}},
		"no client":           {map[string]string{"OIDC_CLIENT_ID": ""}, []string{"OIDC_CLIENT_ID is not set; the identity provider gives it when the application is registered there"}},
		"no client secret":    {map[string]string{"OIDC_CLIENT_SECRET": ""}, []string{"OIDC_CLIENT_SECRET is not set; set it, or OIDC_CLIENT_KEY_FILE, or OIDC_PUBLIC_CLIENT=true for a client without a secret"}},
		"certificate alone":   {map[string]string{"TLS_CERT_FILE": "c.pem"}, []string{"TLS_CERT_FILE and TLS_KEY_FILE are set together or not at all"}},
		"key alone":           {map[string]string{"TLS_KEY_FILE": "k.pem"}, []string{"TLS_CERT_FILE and TLS_KEY_FILE are set together or not at all"}},
		"Sentinels alone":     {map[string]string{"REDIS_SENTINELS": "a:1"}, []string{"REDIS_SENTINELS and REDIS_SENTINEL_MASTER are set together or not at all"}},
		"master alone":        {map[string]string{"REDIS_SENTINEL_MASTER": "m"}, []string{"REDIS_SENTINELS and REDIS_SENTINEL_MASTER are set together or not at all"}},
		"authority of nobody": {map[string]string{"REDIS_SSL_CA_FILE": "ca.pem"}, []string{"REDIS_SSL_CA_FILE is set and REDIS_SSL is not; set REDIS_SSL=true, or nothing is encrypted"}},
		"all at once":         {map[string]string{"OIDC_DISCOVERY_URL": "", "SECRET_KEY": "hunter2"}, []string{weak, noProvider}},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			for _, values := range []map[string]string{good, c.change} {
				for k, v := range values {
					env[k] = v
				}
			}
			loaded, err := with(t, env)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := loaded.CheckServe(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(strings.Join(c.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMarkdownHasEveryOptionInOneRow(t *testing.T) {
	var written strings.Builder
	if err := Markdown(&written); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(written.String(), "\n"), "\n")[2:]
	i := 0
	for o := range All() {
		if i >= len(lines) || !strings.HasPrefix(lines[i], "| `"+o.Name+"` | ") || strings.Count(lines[i], "|") != 4 || !strings.Contains(lines[i], o.Help) {
			t.Fatalf("row %d is not that of %s:\n%s", i, o.Name, written.String())
		}
		i++
	}
	if i != len(lines) {
		t.Errorf("%d rows for %d options", len(lines), i)
	}
	if !strings.Contains(written.String(), "| `LISTEN_ADDR` | `127.0.0.1:8080` |") || !strings.Contains(written.String(), "| `SECRET_KEY` | – |") {
		t.Error("a default is missing")
	}
}

func TestFlagsAreTheNamesInKebabCase(t *testing.T) {
	seen := map[string]bool{}
	for o := range All() {
		if seen[o.Flag()] || strings.ContainsAny(o.Flag(), "_ ") || strings.ToLower(o.Flag()) != o.Flag() || o.Help == "" {
			t.Errorf("%s has the flag %q and the help %q", o.Name, o.Flag(), o.Help)
		}
		seen[o.Flag()] = true
	}
	if !seen["oidc-client-id"] {
		t.Error("no --oidc-client-id")
	}
}

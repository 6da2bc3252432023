package config

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Option is one setting of the table.
type Option struct {
	Name    string
	Default string
	Help    string
	Secret  bool
	set     func(c *Config, value string) error
}

// Flag gives the name of the option's flag.
func (o Option) Flag() string { return strings.ReplaceAll(strings.ToLower(o.Name), "_", "-") }

// All yields the options, in the order of the documentation.
func All() iter.Seq[Option] { return slices.Values(options) }

var options = []Option{
	{"MLFLOW_UPSTREAM", "", "the MLflow server, `http://host:port` or `unix:///path`; `http://host:port/prefix` for one with `--static-prefix /prefix`; empty: full mode, which starts `mlflow server` itself", false, upstream(func(c *Config) *string { return &c.Upstream })},
	{"LISTEN_ADDR", "127.0.0.1:8080", "address and port to listen on", false, address(func(c *Config) *string { return &c.Listen })},
	{"PUBLIC_URL", "", "the address under which people reach the gateway, such as `https://mlflow.example.com`; empty: taken from each request", false, publicURL},
	{"TRUSTED_PROXIES", "", "addresses and networks of reverse proxies whose `X-Forwarded-*` headers are believed; the name of a request begins with their `X-Request-Id`", false, proxies},
	{"TLS_CERT_FILE", "", "certificate, to serve TLS without a proxy in front", false, text(func(c *Config) *string { return &c.TLSCert })},
	{"TLS_KEY_FILE", "", "key of the certificate", false, text(func(c *Config) *string { return &c.TLSKey })},
	{"MLFLOW_COMMAND", "mlflow", "the `mlflow` command of full mode", false, filled(func(c *Config) *string { return &c.MLflowCommand })},
	{"MAX_JSON_BODY_BYTES", "16777216", "largest JSON request that is read to decide", false, bytes(func(c *Config) *int64 { return &c.MaxJSON })},
	{"MAX_FILTERED_BODY_BYTES", "67108864", "largest answer of MLflow that is read to filter", false, bytes(func(c *Config) *int64 { return &c.MaxFiltered })},
	{"SHUTDOWN_GRACE_SECONDS", "30", "how long requests in flight may take when the gateway stops", false, seconds(func(c *Config) *time.Duration { return &c.Grace })},
	{"REQUEST_TIMEOUT_SECONDS", "60", "how long a request may take to come, with a body that is read to decide; streams may take longer", false, seconds(func(c *Config) *time.Duration { return &c.RequestTimeout })},
	{"UPSTREAM_CONNECT_TIMEOUT_SECONDS", "5", "how long connecting to MLflow may take", false, seconds(func(c *Config) *time.Duration { return &c.ConnectTimeout })},
	{"LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING, ERROR or CRITICAL", false, logLevel},
	{"LOG_FORMAT", "text", "text or json", false, logFormat},
	{"ACCESS_LOG", "false", "a line of the log for each request but health checks: who, what, and what came of it", false, boolean(func(c *Config) *bool { return &c.AccessLog })},
	{"METRICS_ADDR", "", "address and port at which Prometheus reads `/metrics`, such as `127.0.0.1:9464`; they are nowhere else. Whoever reaches it may read them; empty: nowhere", false, unlessEmpty(address(func(c *Config) *string { return &c.Metrics }))},
	{"OTEL_EXPORTER_OTLP_ENDPOINT", "", "whom traces are sent to by OTLP over HTTP, such as `http://127.0.0.1:4318`, to `/v1/traces` below it; empty: nobody", false, otlpEndpoint(func(c *Config) *string { return &c.Traces.Base })},
	{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "", "the whole address in its place", false, otlpEndpoint(func(c *Config) *string { return &c.Traces.Endpoint })},
	{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "only `http/protobuf`", false, text(func(c *Config) *string { return &c.Traces.Protocol })},
	{"OTEL_EXPORTER_OTLP_HEADERS", "", "headers of what is sent there, as `name=value`, comma-separated and percent-encoded", true, pairs(func(c *Config) *map[string]string { return &c.Traces.Headers })},
	{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "", "the same for traces alone, in their place", true, pairs(func(c *Config) *map[string]string { return &c.Traces.OwnHeaders })},
	{"OTEL_EXPORTER_OTLP_CERTIFICATE", "", "certificates (PEM) of who signs the receiver's; empty: those of the system", false, text(func(c *Config) *string { return &c.Traces.CAFile })},
	{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "", "certificate (PEM) that is shown to the receiver", false, text(func(c *Config) *string { return &c.Traces.CertFile })},
	{"OTEL_EXPORTER_OTLP_CLIENT_KEY", "", "its private key", false, text(func(c *Config) *string { return &c.Traces.KeyFile })},
	{"OTEL_EXPORTER_OTLP_COMPRESSION", "none", "`gzip`: what is sent is compressed", false, compression},
	{"OTEL_TRACES_SAMPLER", "parentbased_always_on", "which traces are sent: `always_on`, `always_off` or `traceidratio`; with `parentbased_` before it, those that a client who is signed in has begun as that client says", false, sampler},
	{"OTEL_TRACES_SAMPLER_ARG", "1", "part of the traces that is sent with `traceidratio`, from 0 to 1", false, ratio},
	{"OTEL_SERVICE_NAME", "", "what the sender of traces is called; empty: `service.name` of `OTEL_RESOURCE_ATTRIBUTES`, or else `mlflow-oidc-auth`", false, text(func(c *Config) *string { return &c.Traces.Service })},
	{"OTEL_RESOURCE_ATTRIBUTES", "", "what else is said of it, as `name=value`, comma-separated and percent-encoded", false, pairs(func(c *Config) *map[string]string { return &c.Traces.Attributes })},
	{"AUDIT_RETENTION_DAYS", "90", "how long events of the audit log stay in the users database, where administrators search them; 0: they are in the log alone", false, integer(func(c *Config) *int { return &c.AuditDays }, 0, 36500)},
	{"SECRET_KEY", "", "seals cookies and stored tokens; several, comma-separated, newest first, to rotate", true, secrets},
	{"OIDC_USERS_DB_URI", "sqlite:///auth.db", "the users database, as SQLAlchemy writes it: `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user:password@host/database`, `mysql://user:password@host/database` (MariaDB too)", false, usersDatabase},
	{"OIDC_ALEMBIC_VERSION_TABLE", "alembic_version", "where the Python plugin keeps the version of its tables, for `serve` and `import plugin`, which take them over", false, filled(func(c *Config) *string { return &c.PluginVersions })},
	{"OIDC_DB_POOL_SIZE", "5", "connections to PostgreSQL or MySQL that are kept open; 0: as many as without the setting", false, integer(func(c *Config) *int { return &c.Pool.Size }, 0, 1000)},
	{"OIDC_DB_POOL_MAX_OVERFLOW", "10", "connections beyond them, while they are needed; 0: as many as without the setting", false, integer(func(c *Config) *int { return &c.Pool.Overflow }, 0, 1000)},
	{"OIDC_DB_POOL_RECYCLE_SECONDS", "0", "age at which such a connection is replaced by a new one; 0: at none", false, recycle},
	{"DEFAULT_MLFLOW_PERMISSION", "NO_PERMISSIONS", "level of whoever no permission says anything about", false, level(func(c *Config) *kind.Level { return &c.Default })},
	{"DEFAULT_MLFLOW_GROUP_PERMISSION", "", "level that the groups of whoever makes an experiment, a model or the like get on it; empty: none. A group of administrators gets none, nor that of `OIDC_GROUP_NAME` where it is the only one by which people may sign in: everybody is in it", false, unlessEmpty(level(func(c *Config) *kind.Level { return &c.GroupsOfCreator }))},
	{"REPORT_ONLY", "false", "`true`: what permissions would refuse is logged (`request_would_be_refused`) and forwarded all the same, to see whom they would stop before they do; `all`: routes that are not in the table too. Signing in, narrowed tokens, deactivated accounts and this gateway's own API are enforced as ever", false, report},
	{"RESTRICT_RESOURCE_CREATION", "false", "creating needs EDIT on the new name, from a pattern or the default", false, boolean(func(c *Config) *bool { return &c.RestrictCreation })},
	{"PERMISSION_SOURCE_ORDER", "user,group,regex,group-regex,role", "which source of permissions is asked first; the first that holds one decides, but for a DENY of role, which wins wherever role is named", false, order},
	{"MLFLOW_ENABLE_WORKSPACES", "false", "every request is in one of MLflow's workspaces, with the levels that people have there; MLflow must have them too (`--enable-workspaces`; full mode sees to that)", false, boolean(func(c *Config) *bool { return &c.Workspaces.Enabled })},
	{"OIDC_WORKSPACE_REQUIRE_CREATION_CONTEXT", "false", "with workspaces: creating needs a request that names its workspace", false, boolean(func(c *Config) *bool { return &c.Workspaces.NameToCreate })},
	{"OIDC_WORKSPACE_DENY_DEFAULT_CREATION", "false", "with workspaces: nothing is created in the workspace `default`, but by administrators", false, boolean(func(c *Config) *bool { return &c.Workspaces.NotDefault })},
	{"WORKSPACE_RULES_MAX_PERMISSION", "EDIT", "with workspaces: the most that a rule gives a group by its name; READ, USE, EDIT or MANAGE", false, level(func(c *Config) *kind.Level { return &c.Workspaces.MostByRule })},
	{"ACCESS_TOKEN_LIFETIME_DAYS", "365", "how long an access token is good when its maker does not say", false, days(func(c *Config) *time.Duration { return &c.TokenLifetime })},
	{"STEP_UP_SECONDS", "", "how long ago administrators may have shown the provider who they are to make administrators, tokens or other credentials by browser; after that `/login?fresh=1` asks them again; empty: as long as the session", false, unlessEmpty(seconds(func(c *Config) *time.Duration { return &c.StepUp }))},
	{"TERMINAL_TOKEN_LIFETIME_SECONDS", "43200", "how long the token of `mlflow-oidc-auth login` is good before it is renewed", false, seconds(func(c *Config) *time.Duration { return &c.Terminal.Token })},
	{"TERMINAL_LOGIN_LIFETIME_DAYS", "30", "how long `mlflow-oidc-auth login` signs a program in, with all renewals", false, days(func(c *Config) *time.Duration { return &c.Terminal.Login })},
	{"TOKEN_EXCHANGE", "false", "`/oauth/token` gives an access token of ours for the token of a provider or a job (RFC 8693)", false, boolean(func(c *Config) *bool { return &c.Exchange.Enabled })},
	{"TOKEN_EXCHANGE_LIFETIME_SECONDS", "3600", "how long such a token is good: an hour at most, and not longer than the one that was exchanged", false, upToAnHour},
	{"LOGIN_FAILURES_PER_MINUTE", "20", "failed attempts to sign in per minute that one address or account may make; all replicas count together with `SESSION_TYPE=redis`, else each by itself", false, integer(func(c *Config) *int { return &c.FailuresMinute }, 1, 10000)},

	{"OIDC_DISCOVERY_URL", "", "the provider's `…/.well-known/openid-configuration`", false, providerURL(func(c *Config) *string { return &c.OIDC.DiscoveryURL })},
	{"OIDC_AUTHORIZATION_URL", "", "without discovery: the authorization endpoint", false, providerURL(func(c *Config) *string { return &c.OIDC.AuthorizationURL })},
	{"OIDC_TOKEN_URL", "", "without discovery: the token endpoint", false, providerURL(func(c *Config) *string { return &c.OIDC.TokenURL })},
	{"OIDC_USER_URL", "", "without discovery: the user-info endpoint, from which the identity is read", false, providerURL(func(c *Config) *string { return &c.OIDC.UserURL })},
	{"OIDC_ISSUER", "", "the issuer, where it is not the one that the discovery document names", false, text(func(c *Config) *string { return &c.OIDC.Issuer })},
	{"OIDC_TENANTS", "", "ids of the Microsoft Entra ID tenants whose people may come, comma-separated, where `OIDC_DISCOVERY_URL` is that of `common` or `organizations`", false, tenants},
	{"OIDC_CLIENT_ID", "", "client id at the provider", false, text(func(c *Config) *string { return &c.OIDC.ClientID })},
	{"OIDC_CLIENT_SECRET", "", "client secret at the provider", true, text(func(c *Config) *string { return &c.OIDC.ClientSecret })},
	{"OIDC_CLIENT_KEY_FILE", "", "private key (PEM) by which the client proves itself in place of a secret (`private_key_jwt`), and its certificate if the provider knows the key by that", false, keyFile},
	{"OIDC_CLIENT_KEY_ID", "", "`kid` of the key at the provider; empty: its thumbprint (RFC 7638), and none beside a certificate", false, text(func(c *Config) *string { return &c.OIDC.Assertion.ID })},
	{"OIDC_CLIENT_KEY_ALGORITHM", "", "`RS256` or `PS256` of an RSA key; empty: `RS256`, and of other keys that of the curve", false, text(func(c *Config) *string { return &c.OIDC.Assertion.Algorithm })},
	{"OIDC_CLIENT_ASSERTION_AUDIENCE", "issuer", "whom what the key signs is for: `issuer`, or `endpoint` for a provider that wants the address that is asked (Entra ID, Okta)", false, assertionAudience},
	{"OIDC_PUBLIC_CLIENT", "false", "the client has no secret", false, boolean(func(c *Config) *bool { return &c.OIDC.PublicClient })},
	{"OIDC_REDIRECT_URI", "", "`https://…/callback` as registered at the provider; empty: computed from the public address", false, redirectURI},
	{"OIDC_MAX_AGE_SECONDS", "", "how long ago people may have shown the provider who they are when they sign in here; asks for it (`max_age`) and checks it; empty: the provider decides", false, unlessEmpty(seconds(func(c *Config) *time.Duration { return &c.OIDC.MaxAge }))},
	{"OIDC_SCOPE", "openid email profile", "separated by commas or blanks", false, list(func(c *Config) *[]string { return &c.OIDC.Scopes })},
	{"OIDC_PROMPT", "", "`prompt` of each sign-in: login, consent, select_account; `consent` for a provider that gives no refresh token for `offline_access` else", false, prompt(func(c *Config) *string { return &c.OIDC.Prompt })},
	{"OIDC_PROVIDER_DISPLAY_NAME", "Login with OIDC", "text on the sign-in button", false, text(func(c *Config) *string { return &c.OIDC.DisplayName })},
	{"OIDC_GROUP_NAME", "mlflow", "groups that may sign in, comma-separated", false, commas(func(c *Config) *[]string { return &c.OIDC.Groups })},
	{"OIDC_ADMIN_GROUP_NAME", "mlflow-admin", "groups whose members are administrators, comma-separated", false, commas(func(c *Config) *[]string { return &c.OIDC.AdminGroups })},
	{"OIDC_GROUPS_ATTRIBUTE", "groups", "the claim with the groups; dots lead into nested claims", false, filled(func(c *Config) *string { return &c.OIDC.GroupsClaim })},
	{"OIDC_USERNAME_FIELD", "email,preferred_username", "claims with the username, the first that is there", false, usernames},
	{"OIDC_DISPLAY_NAME_FIELD", "name", "claims with the name to show", false, commas(func(c *Config) *[]string { return &c.OIDC.NameClaims })},
	{"OIDC_AUDIENCE", "", "audience of bearer tokens; empty: the client id", false, text(func(c *Config) *string { return &c.OIDC.Audience })},
	{"OIDC_INTROSPECTION", "false", "bearer tokens that are no JWTs are shown to the provider, which says whose they are (RFC 7662); of one provider alone", false, boolean(func(c *Config) *bool { return &c.OIDC.Introspection })},
	{"OIDC_INTROSPECTION_URL", "", "the introspection endpoint, where it is not the one that the discovery document names", false, providerURL(func(c *Config) *string { return &c.OIDC.IntrospectionURL })},
	{"OIDC_GROUP_DETECTION_PLUGIN", "", "`" + EntraPlugin + "` reads the groups from Microsoft Graph", false, groupPlugin},
	{"GRAPH_URL", "https://graph.microsoft.com", "Microsoft Graph; national clouds have their own", false, providerURL(func(c *Config) *string { return &c.OIDC.GraphURL })},
	{"OIDC_VERIFY_SSL", "true", "verify the provider's certificate", false, said(func(c *Config) *bool { return &c.OIDC.VerifyTLS })},
	{"OIDC_HTTP_TIMEOUT_SECONDS", "10", "how long a call to the provider may take", false, seconds(func(c *Config) *time.Duration { return &c.OIDC.HTTPTimeout })},
	{"OIDC_CODE_CHALLENGE", "S256", "the PKCE method; only S256", false, challenge},
	{"OIDC_GROUP_NAME_PATTERN", "", "further groups that may sign in, as shell patterns such as `mlflow-*`, comma-separated", false, groupPatterns},
	{"OIDC_USERINFO_GROUPS", "false", "read the groups from the user-info endpoint where the ID token has none", false, boolean(func(c *Config) *bool { return &c.OIDC.UserInfoGroups })},
	{"OIDC_JWKS_CACHE_TTL_SECONDS", "300", "how long a provider's keys are believed before they are fetched anew", false, seconds(func(c *Config) *time.Duration { return &c.OIDC.KeysTTL })},
	{"OIDC_PROVISION_ON_BEARER_AUTH", "false", "a bearer token makes an account for who has none, if its groups may sign in", false, boolean(func(c *Config) *bool { return &c.OIDC.Provision })},
	{"OIDC_TRUST_BEARER_GROUP_CLAIMS", "false", "the groups of a bearer token count as those of a sign-in", false, boolean(func(c *Config) *bool { return &c.OIDC.TrustGroups })},
	{"OIDC_PROVIDERS_FILE", "", "a JSON file with several providers, beside that of the variables above, which is `oidc`", false, entriesFile("OIDC_PROVIDERS_FILE")},
	{"AUTH_PROVIDERS_FILE", "", "the Python plugin's name of `OIDC_PROVIDERS_FILE`", false, entriesFile("AUTH_PROVIDERS_FILE")},
	{"AUTH_PROVIDERS", "", "the same providers, as JSON in the variable itself", true, entriesHere("AUTH_PROVIDERS")},
	{"WORKLOAD_IDENTITY_FILE", "", "a JSON file that says which jobs of GitHub, GitLab or Kubernetes act as which service account", false, entriesFile("WORKLOAD_IDENTITY_FILE")},
	{"OIDC_USE_REFRESH_TOKEN", "false", "ask the provider again, by a refresh token, when what it said ends: groups, administrators and leavers follow it without a new sign-in", false, boolean(func(c *Config) *bool { return &c.OIDC.Refresh })},
	{"OIDC_SESSION_EXPIRY_LEEWAY_SECONDS", "30", "how long before the end of a token it is renewed", false, seconds(func(c *Config) *time.Duration { return &c.OIDC.RefreshLeeway })},
	{"AUTOMATIC_LOGIN_REDIRECT", "false", "go to the provider at once, without the sign-in page, where there is one alone", false, boolean(func(c *Config) *bool { return &c.OIDC.AutoRedirect })},
	{"EXTEND_MLFLOW_MENU", "true", "MLflow's own pages get a menu: who is signed in, the permissions of what is open, how to ask for access to it, signing out", false, said(func(c *Config) *bool { return &c.Pages.Menu })},
	{"EXTEND_MLFLOW_REAUTH", "true", "on MLflow's own pages an ended session leads to the sign-in page, and back to where one was", false, said(func(c *Config) *bool { return &c.Pages.SignInAgain })},
	{"EXTEND_MLFLOW_REDIRECT_ADMIN", "true", "MLflow's own pages of users, roles and the account lead to the pages of permissions; needs one of the two before it", false, said(func(c *Config) *bool { return &c.Pages.Administer })},
	{"DEFAULT_LANDING_PAGE_IS_PERMISSIONS", "true", "whoever signs in without having asked for a page gets to the pages of permissions, and else to MLflow", false, said(func(c *Config) *bool { return &c.Pages.Permissions })},

	{"SESSION_TYPE", "filesystem", "where sessions are kept: filesystem, redis, or database (the users database)", false, sessionType},
	{"SESSION_FILE_DIR", "flask_session", "folder of sessions on the file system", false, filled(func(c *Config) *string { return &c.Session.Dir })},
	{"SESSION_PERMANENT", "False", "the cookie outlives the browser", false, boolean(func(c *Config) *bool { return &c.Session.Permanent })},
	{"PERMANENT_SESSION_LIFETIME", "86400", "seconds without use after which a session ends", false, seconds(func(c *Config) *time.Duration { return &c.Session.Lifetime })},
	{"SESSION_KEY_PREFIX", "mlflow_oidc:", "prefix of the sessions' keys", false, text(func(c *Config) *string { return &c.Session.KeyPrefix })},
	{"SESSION_COOKIE_NAME", "session", "name of the session cookie; over TLS, and where MLflow has no prefix, with `__Host-` before it, so that no other site of the domain can set it", false, cookieName},
	{"SESSION_COOKIE_MAX_AGE_SECONDS", "1209600", "seconds after which a session ends in any case", false, seconds(func(c *Config) *time.Duration { return &c.Session.MaxAge })},
	{"SESSION_COOKIE_SAMESITE", "lax", "lax or strict", false, sameSite},
	{"SESSION_COOKIE_SECURE", "false", "send the cookie over TLS alone; always so when the public address is https", false, boolean(func(c *Config) *bool { return &c.Session.Secure })},
	{"REDIS_HOST", "localhost", "host of Redis", false, filled(func(c *Config) *string { return &c.Redis.Host })},
	{"REDIS_PORT", "6379", "port of Redis", false, integer(func(c *Config) *int { return &c.Redis.Port }, 1, 65535)},
	{"REDIS_DB", "0", "number of the Redis database", false, integer(func(c *Config) *int { return &c.Redis.DB }, 0, 1<<20)},
	{"REDIS_USERNAME", "", "user at Redis", false, text(func(c *Config) *string { return &c.Redis.Username })},
	{"REDIS_PASSWORD", "", "password at Redis", true, text(func(c *Config) *string { return &c.Redis.Password })},
	{"REDIS_SSL", "false", "reach Redis, and its Sentinels, over TLS", false, boolean(func(c *Config) *bool { return &c.Redis.TLS })},
	{"REDIS_SSL_CA_FILE", "", "certificates (PEM) of who signs those of Redis; empty: those of the system", false, text(func(c *Config) *string { return &c.Redis.CAFile })},
	{"REDIS_SENTINELS", "", "`host:port` of each Sentinel, comma-separated, in place of REDIS_HOST: they know which Redis is the master", false, sentinels},
	{"REDIS_SENTINEL_MASTER", "", "the name under which the Sentinels watch the master", false, text(func(c *Config) *string { return &c.Redis.Master })},
	{"REDIS_SENTINEL_USERNAME", "", "user at the Sentinels", false, text(func(c *Config) *string { return &c.Redis.SentinelUsername })},
	{"REDIS_SENTINEL_PASSWORD", "", "password at the Sentinels", true, text(func(c *Config) *string { return &c.Redis.SentinelPassword })},
}

type setter = func(*Config, string) error

func text(field func(*Config) *string) setter {
	return func(c *Config, v string) error { *field(c) = v; return nil }
}

func filled(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		if v == "" {
			return errors.New("it must not be empty")
		}
		*field(c) = v
		return nil
	}
}

// prompt takes what people can be asked (OpenID Connect Core §3.1.2.1). With none nobody could sign in.
func prompt(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		for _, one := range strings.Fields(v) {
			if !slices.Contains([]string{"login", "consent", "select_account"}, one) {
				return errors.New("it can be login, consent and select_account, separated by blanks")
			}
		}
		*field(c) = strings.Join(strings.Fields(v), " ")
		return nil
	}
}

func boolean(field func(*Config) *bool) setter {
	return func(c *Config, v string) error {
		switch strings.ToLower(v) {
		case "1", "true", "t", "yes", "y", "on":
			*field(c) = true
		case "", "0", "false", "f", "no", "n", "off":
			*field(c) = false
		default:
			return errors.New("it must be true or false (also yes, no, on, off, 1, 0)")
		}
		return nil
	}
}

// said takes a boolean that is on by default: an empty value, as compose files pass on what is not set, must not turn it off.
func said(field func(*Config) *bool) setter {
	return func(c *Config, v string) error {
		if v == "" {
			return errors.New("it must be true or false (also yes, no, on, off, 1, 0)")
		}
		return boolean(field)(c, v)
	}
}

func integer(field func(*Config) *int, low, high int) setter {
	return func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("it must be a whole number from %d to %d", low, high)
		}
		*field(c) = n
		return nil
	}
}

func bytes(field func(*Config) *int64) setter {
	return func(c *Config, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1024 || n > math.MaxInt64/2 {
			return errors.New("it must be a whole number of bytes, at least 1024")
		}
		*field(c) = n
		return nil
	}
}

func seconds(field func(*Config) *time.Duration) setter {
	return duration(field, time.Second, "seconds")
}

// unlessEmpty leaves a field alone that nothing is set for.
func unlessEmpty(set setter) setter {
	return func(c *Config, v string) error {
		if v == "" {
			return nil
		}
		return set(c, v)
	}
}

// upToAnHour takes how long an exchanged token is good.
func upToAnHour(c *Config, v string) error {
	if err := seconds(func(c *Config) *time.Duration { return &c.Exchange.Lifetime })(c, v); err != nil || c.Exchange.Lifetime > time.Hour {
		return errors.New("it must be a whole number of seconds, at least 1 and at most 3600")
	}
	return nil
}

func days(field func(*Config) *time.Duration) setter { return duration(field, 24*time.Hour, "days") }

func duration(field func(*Config) *time.Duration, unit time.Duration, name string) setter {
	return func(c *Config, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 || n > int64(100*365*24*time.Hour/unit) {
			return fmt.Errorf("it must be a whole number of %s, at least 1", name)
		}
		*field(c) = time.Duration(n) * unit
		return nil
	}
}

func split(v, separators string) []string {
	var items []string
	for item := range strings.FieldsFuncSeq(v, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func list(field func(*Config) *[]string) setter {
	return func(c *Config, v string) error { *field(c) = split(v, ", \t"); return nil }
}

func commas(field func(*Config) *[]string) setter {
	return func(c *Config, v string) error { *field(c) = split(v, ","); return nil }
}

func oneOf(v string, choices ...string) error {
	if slices.Contains(choices, v) {
		return nil
	}
	return fmt.Errorf("it must be %s", strings.Join(choices, " or "))
}

func level(field func(*Config) *kind.Level) setter {
	return func(c *Config, v string) (err error) {
		if *field(c), err = kind.ParseLevel(strings.ToUpper(v)); err != nil {
			err = fmt.Errorf("it must be one of %s", strings.Join(kind.Levels(), ", "))
		}
		return err
	}
}

func order(c *Config, v string) (err error) {
	c.Order, err = authz.ParseOrder(split(v, ","))
	return err
}

// report takes what is only reported.
func report(c *Config, v string) error {
	if c.Report.Unknown = strings.EqualFold(v, "all"); c.Report.Unknown {
		c.Report.Decisions = true
		return nil
	}
	if boolean(func(c *Config) *bool { return &c.Report.Decisions })(c, v) != nil {
		return errors.New("it must be true, false or all")
	}
	return nil
}

func secrets(c *Config, v string) error { c.Secrets = split(v, ","); return nil }

func logFormat(c *Config, v string) error {
	c.LogJSON = v == "json"
	return oneOf(v, "text", "json")
}

func logLevel(c *Config, v string) error {
	levels := map[string]slog.Level{"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARNING": slog.LevelWarn,
		"WARN": slog.LevelWarn, "ERROR": slog.LevelError, "CRITICAL": slog.LevelError + 4}
	found, ok := levels[strings.ToUpper(v)]
	if !ok {
		return errors.New("it must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
	}
	c.LogLevel = found
	return nil
}

func upstream(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		u, err := url.Parse(v)
		good := err == nil && ((u.Scheme == "unix" && u.Path != "" && u.Host == "") || ((u.Scheme == "http" || u.Scheme == "https") && u.Host != ""))
		if v != "" && !good {
			return errors.New("it must be http://host:port, https://host or unix:///path/to/socket")
		}
		if good && u.Scheme != "unix" {
			if _, err := httpx.ParsePrefix(u.EscapedPath()); err != nil {
				return err
			}
		}
		*field(c) = v
		return nil
	}
}

func address(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		if _, _, err := net.SplitHostPort(v); err != nil {
			return errors.New("it must be host:port, such as 127.0.0.1:8080 or :8080")
		}
		*field(c) = v
		return nil
	}
}

func publicURL(c *Config, v string) error {
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return errors.New("it must be https://host, without a path")
	}
	c.PublicURL = u
	return nil
}

func redirectURI(c *Config, v string) error {
	u, err := url.Parse(v)
	if v != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || strings.Contains(v, "#")) {
		return errors.New("it must be https://host/callback, as it is registered at the provider") // no fragment: RFC 6749 §3.1.2
	}
	c.OIDC.RedirectURI = v
	return nil
}

func usernames(c *Config, v string) error {
	c.OIDC.UsernameClaims = split(v, ",")
	if len(c.OIDC.UsernameClaims) == 0 {
		return errors.New("it must name a claim, such as email")
	}
	return nil
}

// providerURL takes https alone, but for a provider on this machine: tokens and secrets go there.
func providerURL(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		if v == "" {
			*field(c) = ""
			return nil
		}
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || (u.Scheme != "https" && !(u.Scheme == "http" && httpx.Loopback(u.Hostname()))) {
			return errors.New("it must be an https:// address (http:// only for this machine)")
		}
		*field(c) = v
		return nil
	}
}

func proxies(c *Config, v string) error {
	c.Proxies = split(v, ", \t")
	_, err := httpx.ParseProxies(c.Proxies)
	return err
}

func usersDatabase(c *Config, v string) (err error) {
	c.Database, err = database.Parse(v)
	return err
}

func recycle(c *Config, v string) error {
	var n int
	err := integer(func(*Config) *int { return &n }, 0, 1<<30)(c, v)
	c.Pool.Recycle = time.Duration(n) * time.Second
	return err
}

func groupPlugin(c *Config, v string) error {
	c.OIDC.EntraGroups = v == EntraPlugin
	if v != "" && !c.OIDC.EntraGroups {
		return fmt.Errorf("Python plugins cannot be loaded; it must be empty or %s", EntraPlugin) //nolint:staticcheck // a name
	}
	return nil
}

func challenge(_ *Config, v string) error {
	if v != "S256" {
		return errors.New("it must be S256 (RFC 9700 §2.1.1)")
	}
	return nil
}

func sessionType(c *Config, v string) error {
	c.Session.Type = v
	return oneOf(v, "filesystem", "redis", "database")
}

func sentinels(c *Config, v string) error {
	c.Redis.Sentinels = split(v, ", \t")
	for _, item := range c.Redis.Sentinels {
		if host, port, err := net.SplitHostPort(item); err != nil || host == "" || port == "" {
			return errors.New("it must be host:port of each Sentinel, comma-separated")
		}
	}
	return nil
}

func cookieName(c *Config, v string) error {
	if v == "" || strings.ContainsFunc(v, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	}) {
		return errors.New("it must be letters, digits, - and _")
	}
	c.Session.Cookie = v
	return nil
}

func sameSite(c *Config, v string) error {
	c.Session.SameSite = strings.ToLower(v)
	return oneOf(c.Session.SameSite, "lax", "strict")
}

// Package config is the one table of settings: names, defaults, checks and help. Values come from flags, the environment
// and .env, in this order; every mistake is reported at once.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Pool bounds the connections to a database server.
type Pool struct {
	Size     int
	Overflow int
	Recycle  time.Duration
}

// Config holds every setting, checked.
type Config struct {
	Upstream       string // empty: full mode
	SocketPrefix   string // full mode alone: the path under which MLflow serves everything; no setting of ours
	Listen         string
	PublicURL      *url.URL
	Proxies        []string
	TLSCert        string
	TLSKey         string
	MLflowCommand  string
	MaxJSON        int64 // bytes
	MaxFiltered    int64 // bytes
	Grace          time.Duration
	ConnectTimeout time.Duration
	RequestTimeout time.Duration
	LogLevel       slog.Level
	LogJSON        bool
	AccessLog      bool
	Metrics        string // where they are read; empty: nowhere
	Traces         Traces
	Secrets        []string
	Database       database.Address
	Pool           Pool
	TokenLifetime  time.Duration
	StepUp         time.Duration // after a sign-in, for critical acts; 0: as long as the session
	Terminal       Terminal
	Exchange       Exchange
	FailuresMinute int

	Default          kind.Level
	RestrictCreation bool
	GroupsOfCreator  kind.Level // what the groups of whoever makes a resource get on it; NoPermissions: nothing
	Report           Report
	PluginVersions   string // the table with the version of the Python plugin's tables
	Order            []authz.Source
	Workspaces       Workspaces
	AuditDays        int // that events are stored; 0: they are in the log alone

	OIDC      OIDC // the provider of the single variables, and what they say for all
	Providers []OIDC
	Workloads []Workload
	Session   Session
	Redis     Redis
	Pages     Pages

	entries map[string][]json.RawMessage // of the variables that hold, or name, lists in JSON

	origins map[string]string // where each value came from
	values  map[string]string

	unheeded  []string
	secretsOf []string // names of variables that hold providers' secrets
}

// Workspaces are the settings of MLflow's workspaces.
type Workspaces struct {
	Enabled      bool
	NameToCreate bool // creating asks for a request that names its workspace
	NotDefault   bool // nothing is created in the default workspace
	MostByRule   kind.Level
}

// Pages are the settings of what people see: MLflow's own pages, and where they get to.
type Pages struct {
	Menu        bool // MLflow's pages have a menu of ours
	SignInAgain bool // an ended session leads from MLflow's pages to the sign-in page
	Administer  bool // MLflow's pages of accounts lead to ours, where the pages have a menu or lead to the sign-in page
	Permissions bool // who signs in without having asked for a page sees their permissions
}

// OIDC are the settings of an identity provider.
type OIDC struct {
	ID               string
	Type             string // oidc, or entra, whose groups come from Microsoft Graph
	TokensOnly       bool   // nobody signs in there with a browser
	Separate         bool   // nobody from there is given an account that an administrator made beforehand
	DiscoveryURL     string
	AuthorizationURL string
	TokenURL         string
	UserURL          string
	Issuer           string
	Tenants          []string // of Microsoft Entra ID, whose people may come, where the discovery is for all tenants
	ClientID         string
	ClientSecret     string
	Assertion        Assertion // in place of the secret
	PublicClient     bool
	RedirectURI      string
	Scopes           []string
	MaxAge           time.Duration // since people showed the provider who they are; 0: any
	Prompt           string        // what the provider is asked to ask; empty: it decides
	DisplayName      string
	Groups           []string // who may sign in
	GroupPatterns    []*regexp.Regexp
	AdminGroups      []string
	GroupsClaim      string
	UsernameClaims   []string
	NameClaims       []string
	Audience         string
	Algorithms       []string // nil: all asymmetric ones
	TokenTypes       []string // nil: those of ID tokens and access tokens
	Introspection    bool     // the provider says whose tokens are that are no JWTs
	IntrospectionURL string   // empty: from discovery
	UserInfoGroups   bool     // groups from the user-info endpoint, where the ID token has none
	Provision        bool     // a bearer token makes an account
	TrustGroups      bool     // the groups of a bearer token count
	KeysTTL          time.Duration
	EntraGroups      bool
	GraphURL         string
	VerifyTLS        bool
	HTTPTimeout      time.Duration
	AutoRedirect     bool
	Refresh          bool          // sessions follow the provider by refresh tokens
	RefreshLeeway    time.Duration // how long before its end a token is renewed
}

// Terminal are the settings of sign-ins at a terminal.
type Terminal struct {
	Token time.Duration // how long an access token is good
	Login time.Duration // how long it can be renewed
}

// Exchange are the settings of tokens that are given for others.
type Exchange struct {
	Enabled  bool
	Lifetime time.Duration
}

// Session are the settings of sessions and their cookie.
type Session struct {
	Type      string
	Dir       string
	Permanent bool
	Lifetime  time.Duration
	KeyPrefix string
	Cookie    string
	MaxAge    time.Duration
	SameSite  string
	Secure    bool
}

// Redis says where Redis is.
type Redis struct {
	Host     string
	Port     int
	DB       int
	Username string
	Password string
	TLS      bool
	CAFile   string

	Sentinels        []string
	Master           string // the name that the Sentinels have for it
	SentinelUsername string
	SentinelPassword string
}

// EntraPlugin is the value of OIDC_GROUP_DETECTION_PLUGIN that reads groups from Microsoft Graph.
const EntraPlugin = "mlflow_oidc_auth.plugins.group_detection_microsoft_entra_id"

// Load reads the settings. The .env file may be absent; flags may be nil. The error lists every wrong value, each on a line.
func Load(getenv func(string) (string, bool), dotenvPath string, flags map[string]string) (*Config, error) {
	file, err := readDotenv(dotenvPath, getenv)
	if err != nil {
		return nil, err
	}
	c := &Config{origins: map[string]string{}, values: map[string]string{}, entries: map[string][]json.RawMessage{}}
	var wrong []error
	for _, o := range options {
		value, origin := o.Default, "default"
		if v, ok := file[o.Name]; ok {
			value, origin = v, ".env"
		}
		if v, ok := getenv(o.Name); ok {
			value, origin = v, "environment"
		}
		if v, ok := flags[o.Name]; ok {
			value, origin = v, "flag"
		}
		c.origins[o.Name], c.values[o.Name] = origin, value
		if err := o.set(c, strings.TrimSpace(value)); err != nil {
			wrong = append(wrong, fmt.Errorf("%s (from %s) is %q: %w", o.Name, origin, o.shown(value), err))
		}
	}
	lookup := func(name string) string {
		if v, ok := getenv(name); ok {
			return strings.TrimSpace(v)
		}
		return strings.TrimSpace(file[name])
	}
	wrong = append(wrong, c.assemble(lookup)...)
	c.unheeded = append(unheeded(file, getenv, c.secretsOf), c.Traces.unheeded(lookup)...)
	slices.Sort(c.unheeded)
	return c, errors.Join(wrong...)
}

func readDotenv(path string, getenv func(string) (string, bool)) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	values, err := ParseDotenv(string(text), getenv)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return values, nil
}

// minSecret is the fewest characters of a SECRET_KEY.
const minSecret = 16

// CheckServe says what serve needs beyond settings that are well formed, all of it at once.
func (c *Config) CheckServe() error {
	var wrong []error
	missing := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	const make = `make one with: python3 -c "import secrets; print(secrets.token_urlsafe(32))"`
	if len(c.Secrets) == 0 {
		missing("SECRET_KEY is not set; it protects cookies and stored tokens; %s", make)
	}
	for _, secret := range c.Secrets {
		if len(secret) < minSecret || guessable(secret) {
			missing("SECRET_KEY holds a secret that is too short or easily guessed; it needs at least %d random characters; %s", minSecret, make)
		}
	}
	if len(c.Providers) > 0 && !c.OIDC.configured() {
		return errors.Join(append(wrong, c.checkPairs())...)
	}
	o := c.OIDC
	if o.DiscoveryURL == "" && (o.AuthorizationURL == "" || o.TokenURL == "" || o.UserURL == "") {
		missing("OIDC_DISCOVERY_URL is not set; set it, or all three of OIDC_AUTHORIZATION_URL, OIDC_TOKEN_URL and OIDC_USER_URL, or OIDC_PROVIDERS_FILE")
	}
	if o.ClientID == "" {
		missing("OIDC_CLIENT_ID is not set; the identity provider gives it when the application is registered there")
	}
	if o.ClientSecret == "" && !o.PublicClient && o.Assertion.Key == nil {
		missing("OIDC_CLIENT_SECRET is not set; set it, or OIDC_CLIENT_KEY_FILE, or OIDC_PUBLIC_CLIENT=true for a client without a secret")
	}
	return errors.Join(append(wrong, c.checkPairs())...)
}

// checkPairs finds settings that mean nothing without another one.
func (c *Config) checkPairs() error {
	var wrong []error
	if (c.TLSCert == "") != (c.TLSKey == "") {
		wrong = append(wrong, errors.New("TLS_CERT_FILE and TLS_KEY_FILE are set together or not at all"))
	}
	if (len(c.Redis.Sentinels) == 0) != (c.Redis.Master == "") {
		wrong = append(wrong, errors.New("REDIS_SENTINELS and REDIS_SENTINEL_MASTER are set together or not at all"))
	}
	if c.Redis.CAFile != "" && !c.Redis.TLS {
		wrong = append(wrong, errors.New("REDIS_SSL_CA_FILE is set and REDIS_SSL is not; set REDIS_SSL=true, or nothing is encrypted"))
	}
	if err := c.OIDC.Assertion.described(); err != nil {
		wrong = append(wrong, fmt.Errorf("OIDC_CLIENT_KEY_FILE: %w", err))
	}
	return errors.Join(append(wrong, c.Traces.check()...)...)
}

// words are what secrets of examples are made of.
var words = strings.NewReplacer("secret", "", "changeme", "", "change", "", "password", "", "mlflow", "", "oidc", "", "super", "",
	"key", "", "your", "", "this", "", "default", "", "example", "", "replace", "", "please", "", "test", "", "-", "", "_", "", " ", "")

// guessable tells whether a secret is made of few characters, of words of examples, or of a row such as 0123456789abcdef.
func guessable(secret string) bool {
	rest := words.Replace(strings.ToLower(secret))
	distinct, steps, before := map[rune]bool{}, 0, rune(-1)
	for _, r := range rest {
		if distinct[r] = true; r == before || r == before+1 {
			steps++
		}
		before = r
	}
	return len(distinct) < 6 || steps > len(rest)/2
}

const mask = "********"

// credentials are what a URL can carry of them: user and password before the host, also where the host was forgotten, or a
// parameter with such a name.
var credentials = regexp.MustCompile(`(?is)(://).*(@)|(://)[^\[/?@][^/?@]*:[^/?@]*[^0-9/?@].*|([?&;][a-z_]*(?:pass|passwd|password|pwd|user|username|token|secret)=)[^&;]*`)

// shown is a value as it may be printed: without secrets, also where they stand inside an address.
func (o Option) shown(value string) string {
	if o.Secret && value != "" {
		return mask
	}
	return credentials.ReplaceAllString(value, "${1}${3}${4}"+mask+"${2}")
}

// Print writes the effective settings, one a line with where it came from. Secrets are masked.
func (c *Config) Print(w io.Writer) error {
	for _, o := range options {
		if _, err := fmt.Fprintf(w, "%s=%s  # %s\n", o.Name, o.shown(c.values[o.Name]), c.origins[o.Name]); err != nil {
			return err
		}
	}
	for _, name := range c.unheeded {
		if _, err := fmt.Fprintf(w, "# %s is set and has no effect in this version\n", name); err != nil {
			return err
		}
	}
	return nil
}

// Markdown writes the table of settings for the documentation.
func Markdown(w io.Writer) error {
	if _, err := fmt.Fprint(w, "| variable | default | meaning |\n|---|---|---|\n"); err != nil {
		return err
	}
	for _, o := range options {
		value := "–"
		if o.Default != "" {
			value = "`" + o.Default + "`"
		}
		help := o.Help
		if o.Secret {
			help += "; a secret, and so without a flag"
		}
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s |\n", o.Name, value, help); err != nil {
			return err
		}
	}
	return nil
}

// Report is what is reported instead of refused.
type Report struct {
	Decisions bool // of permissions
	Unknown   bool // also routes that are not in the table
}

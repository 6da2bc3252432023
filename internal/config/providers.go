package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Single is the id of the provider of the single variables (OIDC_DISCOVERY_URL and so on).
const Single = "oidc"

// entry is one of OIDC_PROVIDERS_FILE. Where the Python plugin has a field of the meaning, it has that name.
type entry struct {
	ID                  string   `json:"id"`
	Type                string   `json:"type"`
	DisplayName         string   `json:"display_name"`
	Interactive         *bool    `json:"interactive"`
	DiscoveryURL        string   `json:"discovery_url"`
	Issuer              string   `json:"issuer"`
	Tenants             []string `json:"tenants"`
	ClientID            string   `json:"client_id"`
	ClientSecret        string   `json:"client_secret"`
	ClientSecretFile    string   `json:"client_secret_file"`
	ClientSecretEnv     string   `json:"client_secret_env"`
	ClientKeyFile       string   `json:"client_key_file"`
	ClientKeyID         string   `json:"client_key_id"`
	ClientKeyAlgorithm  string   `json:"client_key_algorithm"`
	AssertionAudience   string   `json:"client_assertion_audience"`
	PublicClient        bool     `json:"public_client"`
	RedirectURI         string   `json:"redirect_uri"`
	Scopes              []string `json:"scopes"`
	Prompt              string   `json:"prompt"`
	GroupsClaim         string   `json:"groups_claim"`
	AllowedGroups       []string `json:"allowed_groups"`
	AllowedPatterns     []string `json:"allowed_group_patterns"`
	AdminGroups         []string `json:"admin_groups"`
	AdminSource         string   `json:"admin_source"`
	UserInfoGroups      bool     `json:"userinfo_groups"`
	UsernameClaims      []string `json:"username_claims"`
	NameClaims          []string `json:"display_name_claims"`
	Audience            string   `json:"audience"`
	Algorithms          []string `json:"allowed_algorithms"`
	TokenTypes          []string `json:"token_types"`
	Introspection       bool     `json:"introspection"`
	IntrospectionURL    string   `json:"introspection_url"`
	Provision           bool     `json:"provision_on_bearer_auth"`
	TrustGroups         bool     `json:"trust_bearer_group_claims"`
	PreparedAccounts    bool     `json:"binds_prepared_accounts"`
	GraphURL            string   `json:"graph_url"`
	Provisioning        string   `json:"provisioning"`
	GroupSync           string   `json:"group_sync"`
	GroupSyncMode       string   `json:"group_sync_mode"`
	IdentityBinding     string   `json:"identity_binding"`
	AllowedEmailDomains []string `json:"allowed_email_domains"`
}

// only are the plugin's policies of which this version has one alone.
func (p entry) only() []error {
	var wrong []error
	for _, policy := range []struct{ name, is, has string }{
		{"provisioning", p.Provisioning, "jit"}, {"group_sync", p.GroupSync, "every_login"},
		{"group_sync_mode", p.GroupSyncMode, "authoritative"}, {"identity_binding", p.IdentityBinding, "subject"},
	} {
		if policy.is != "" && policy.is != policy.has {
			wrong = append(wrong, fmt.Errorf("%s is %q: this version has %q alone", policy.name, policy.is, policy.has))
		}
	}
	if p.AllowedEmailDomains != nil {
		wrong = append(wrong, errors.New("allowed_email_domains: nobody is known by an e-mail address here"))
	}
	return wrong
}

var (
	providerID   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	notInNames   = regexp.MustCompile(`[^A-Z0-9]+`)
	reservedIDs  = []string{"start", "callback", "internal", "kubernetes", "manual"}
	tokenTypeOf  = regexp.MustCompile(`^[a-z0-9.+-]*$`)
	asymmetric   = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"}
	plainIssuers = "RS256" // what an entry accepts that does not say
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// secretName is the variable with the client secret of a provider that does not say where its secret is.
func secretName(id string) string {
	return "OIDC_CLIENT_SECRET_" + notInNames.ReplaceAllString(strings.ToUpper(id), "_")
}

// configured tells whether the single variables name a provider.
func (o OIDC) configured() bool {
	return o.DiscoveryURL != "" || o.AuthorizationURL != "" || o.ClientID != ""
}

// assemble makes the list of providers and workloads out of the variables and the files.
func (c *Config) assemble(lookup func(string) string) []error {
	c.OIDC.ID, c.OIDC.Type = Single, "oidc"
	if c.OIDC.EntraGroups {
		c.OIDC.Type = "entra"
	}
	wrong := c.OIDC.prove("OIDC_CLIENT_SECRET", "OIDC_PUBLIC_CLIENT")
	for i, err := range wrong {
		wrong[i] = fmt.Errorf("OIDC_CLIENT_KEY_FILE: %w", err)
	}
	if err := c.OIDC.divide(); err != nil {
		wrong = append(wrong, fmt.Errorf("OIDC_TENANTS: %w", err))
	}
	if c.OIDC.configured() {
		c.Providers = append(c.Providers, c.OIDC)
	}
	wrong = append(wrong, c.addProviders(lookup)...)
	wrong = append(wrong, c.addWorkloads()...)
	return append(wrong, c.distinct()...)
}

func (c *Config) addProviders(lookup func(string) string) []error {
	var list []json.RawMessage
	var names []string
	for _, from := range []string{"OIDC_PROVIDERS_FILE", "AUTH_PROVIDERS_FILE", "AUTH_PROVIDERS"} {
		if entries, set := c.entries[from]; set {
			list, names = entries, append(names, from)
		}
	}
	if len(names) > 1 {
		return []error{fmt.Errorf("only one of %s can be set", strings.Join(names, ", "))}
	}
	name := strings.Join(names, "")
	var wrong []error
	for i, raw := range list {
		given := entry{}
		err := parseEntry(raw, &given)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: provider %d: %w", name, i+1, err))
			continue
		}
		o, mistakes := c.provider(given, lookup)
		for _, mistake := range mistakes {
			wrong = append(wrong, fmt.Errorf("%s: provider %q: %w", name, given.ID, mistake))
		}
		c.Providers = append(c.Providers, o)
	}
	return wrong
}

// provider makes the settings of an entry. What it leaves open is as the single variables have it for all, but for what would
// let more in: administrators, and accounts that were made beforehand.
func (c *Config) provider(p entry, lookup func(string) string) (OIDC, []error) {
	wrong := append(p.only(), p.check()...)
	o := OIDC{ID: p.ID, Type: or(p.Type, "oidc"), DisplayName: or(p.DisplayName, p.ID), TokensOnly: p.Interactive != nil && !*p.Interactive,
		Separate: !p.PreparedAccounts, DiscoveryURL: p.DiscoveryURL, Issuer: p.Issuer, ClientID: p.ClientID, PublicClient: p.PublicClient,
		RedirectURI: p.RedirectURI, GroupsClaim: or(p.GroupsClaim, c.OIDC.GroupsClaim), AdminGroups: p.AdminGroups,
		UserInfoGroups: p.UserInfoGroups, Audience: p.Audience, Algorithms: p.Algorithms, TokenTypes: p.TokenTypes, Provision: p.Provision,
		TrustGroups: p.TrustGroups, KeysTTL: c.OIDC.KeysTTL, MaxAge: c.OIDC.MaxAge, Refresh: c.OIDC.Refresh, RefreshLeeway: c.OIDC.RefreshLeeway, EntraGroups: p.Type == "entra", GraphURL: or(p.GraphURL, c.OIDC.GraphURL),
		VerifyTLS: c.OIDC.VerifyTLS, HTTPTimeout: c.OIDC.HTTPTimeout, Scopes: orList(p.Scopes, c.OIDC.Scopes),
		UsernameClaims: orList(p.UsernameClaims, c.OIDC.UsernameClaims), NameClaims: orList(p.NameClaims, c.OIDC.NameClaims)}
	if o.Algorithms == nil {
		o.Algorithms = []string{plainIssuers}
	}
	wrong = append(wrong, o.takeTenants(p.Tenants)...)
	if err := prompt(func(*Config) *string { return &o.Prompt })(c, p.Prompt); err != nil {
		wrong = append(wrong, fmt.Errorf("prompt is %q: %w", p.Prompt, err))
	}
	if p.PreparedAccounts && len(p.Tenants) > 1 {
		wrong = append(wrong, errors.New("binds_prepared_accounts: a name does not tell of which of several tenants an account is"))
	}
	o.Groups, o.GroupPatterns = c.OIDC.Groups, c.OIDC.GroupPatterns
	if p.AllowedGroups != nil || p.AllowedPatterns != nil {
		var err error
		o.Groups = p.AllowedGroups
		if o.GroupPatterns, err = globs(p.AllowedPatterns); err != nil {
			wrong = append(wrong, fmt.Errorf("allowed_group_patterns: %w", err))
		}
	}
	if p.AdminSource == "claims" && p.AdminGroups == nil {
		o.AdminGroups = c.OIDC.AdminGroups
	}
	wrong = append(wrong, o.takeKey(p)...)
	o.Introspection, o.IntrospectionURL = p.Introspection, p.IntrospectionURL
	wrong = append(wrong, addresses(map[string]string{"introspection_url": p.IntrospectionURL})...)
	if o.TokensOnly {
		wrong = append(wrong, needs(map[string]string{"audience": p.Audience})...)
		if !o.Introspection { // nobody is asked as a client
			return o, wrong
		}
	}
	wrong = append(wrong, needs(map[string]string{"client_id": p.ClientID})...)
	secret, err := c.secret(p, lookup)
	if err != nil {
		wrong = append(wrong, err)
	}
	o.ClientSecret = secret
	return o, wrong
}

// check finds what is wrong with an entry by itself.
func (p entry) check() []error {
	wrong := append(needs(map[string]string{"id": p.ID, "discovery_url": p.DiscoveryURL}),
		addresses(map[string]string{"discovery_url": p.DiscoveryURL, "graph_url": p.GraphURL})...)
	if p.ID != "" && !providerID.MatchString(p.ID) || slices.Contains(reservedIDs, p.ID) {
		wrong = append(wrong, errors.New("id must be letters, digits, ., - and _, and none of "+strings.Join(reservedIDs, ", ")))
	}
	if p.Type != "" && p.Type != "oidc" && p.Type != "entra" {
		wrong = append(wrong, fmt.Errorf("type is %q: it must be oidc or entra", p.Type))
	}
	if p.AdminSource != "" && p.AdminSource != "claims" && p.AdminSource != "none" {
		wrong = append(wrong, fmt.Errorf("admin_source is %q: it must be claims or none", p.AdminSource))
	}
	if p.AdminSource == "none" && len(p.AdminGroups) > 0 {
		wrong = append(wrong, errors.New("admin_groups are named, and admin_source is none"))
	}
	wrong = append(wrong, checkTokens(p.Algorithms, p.TokenTypes)...)
	if err := redirectURI(&Config{}, p.RedirectURI); err != nil {
		return append(wrong, fmt.Errorf("redirect_uri is %q: %w", p.RedirectURI, err))
	}
	if u, err := url.Parse(p.RedirectURI); p.RedirectURI != "" && err == nil &&
		!strings.HasSuffix(u.EscapedPath(), "/callback") && !strings.HasSuffix(u.EscapedPath(), "/callback/"+p.ID) {
		wrong = append(wrong, fmt.Errorf("redirect_uri must end in /callback/%s or /callback", p.ID))
	}
	return wrong
}

// checkTokens refuses algorithms with a shared secret, and none at all.
func checkTokens(algorithms, types []string) []error {
	var wrong []error
	if algorithms != nil && len(algorithms) == 0 || types != nil && len(types) == 0 {
		wrong = append(wrong, errors.New("allowed_algorithms and token_types must not be empty lists"))
	}
	for _, algorithm := range algorithms {
		if !slices.Contains(asymmetric, algorithm) {
			wrong = append(wrong, fmt.Errorf("allowed_algorithms has %q: it can have %s", algorithm, strings.Join(asymmetric, ", ")))
		}
	}
	for _, kind := range types {
		if !tokenTypeOf.MatchString(kind) {
			wrong = append(wrong, fmt.Errorf("token_types has %q: they are written in small letters, without application/", kind))
		}
	}
	return wrong
}

// secret finds the client secret: in the entry, in a file, or in a variable.
func (c *Config) secret(p entry, lookup func(string) string) (string, error) {
	given := 0
	for _, place := range []string{p.ClientSecret, p.ClientSecretFile, p.ClientSecretEnv} {
		if place != "" {
			given++
		}
	}
	name := or(p.ClientSecretEnv, secretName(p.ID))
	secret := p.ClientSecret
	switch {
	case given > 1:
		return "", errors.New("only one of client_secret, client_secret_file and client_secret_env can be set")
	case p.ClientSecretFile != "":
		text, err := os.ReadFile(p.ClientSecretFile)
		if err != nil {
			return "", fmt.Errorf("client_secret_file: %w", err)
		}
		secret = strings.TrimSpace(string(text))
	case secret == "":
		if slices.Contains(c.secretsOf, name) {
			return "", fmt.Errorf("its secret would be in %s, as another provider's", name)
		}
		c.secretsOf = append(c.secretsOf, name)
		secret = lookup(name)
	}
	if secret == "" && !p.PublicClient && p.ClientKeyFile == "" {
		return "", fmt.Errorf("it has no client secret; set %s, client_secret_file, client_key_file, or public_client for a client without one", name)
	}
	if secret != "" && p.ClientKeyFile != "" {
		return "", errors.New("it has a client secret and a client_key_file; a client proves itself in one way")
	}
	if secret != "" && p.PublicClient {
		return "", errors.New("it has a client secret, and public_client is true")
	}
	return secret, nil
}

// distinct refuses what would make one provider's word another's.
func (c *Config) distinct() []error {
	var wrong []error
	ids, callbacks, issuers := map[string]bool{}, map[string]bool{}, map[string]bool{}
	once := func(seen map[string]bool, value, id, what string) {
		if value != "" && seen[value] {
			wrong = append(wrong, fmt.Errorf("provider %q: another provider has the same %s", id, what))
		}
		seen[value] = true
	}
	verified := map[[2]string]bool{}
	introspects := ""
	for _, o := range c.Providers {
		for _, mistake := range o.introspected() {
			wrong = append(wrong, fmt.Errorf("provider %q: %w", o.ID, mistake))
		}
		if o.Introspection && introspects != "" { // what is no JWT does not say whose it is, and is shown to nobody else
			wrong = append(wrong, fmt.Errorf("provider %q: introspection is on for %q already; a token would be shown to a provider that has not made it", o.ID, introspects))
		}
		if o.Introspection {
			introspects = o.ID
		}
		once(ids, o.ID, o.ID, "id")
		for _, issuer := range o.Issuers() {
			once(issuers, issuer, o.ID, "issuer")
			verified[[2]string{issuer, o.ForAudience()}] = true
		}
		if !o.TokensOnly {
			once(callbacks, o.Callback(), o.ID, "redirect_uri")
		}
	}
	for _, w := range c.Workloads {
		pair := [2]string{strings.TrimSuffix(w.Issuer, "/"), w.Audience}
		if verified[pair] {
			wrong = append(wrong, fmt.Errorf("WORKLOAD_IDENTITY_FILE: issuer %q and audience %q are those of another entry or provider", w.Issuer, w.Audience))
		}
		verified[pair] = true
	}
	return wrong
}

// Expected gives the issuer that a provider must name itself, without a slash at the end. That of several tenants has
// TenantPlace in it.
func (o OIDC) Expected() string {
	switch {
	case o.Issuer != "":
		return strings.TrimSuffix(o.Issuer, "/")
	case len(o.Tenants) > 0:
		return o.template()
	case o.DiscoveryURL != "":
		return strings.TrimSuffix(strings.TrimSuffix(o.DiscoveryURL, "/.well-known/openid-configuration"), "/")
	}
	return strings.TrimSuffix(o.UserURL, "/") // whoever says who somebody is
}

// ForAudience is whom a bearer token must be for.
func (o OIDC) ForAudience() string { return or(o.Audience, o.ClientID) }

// Callback is the page of ours that the provider's answer comes to: one of its own for each provider (RFC 9700 §4.4.2.2).
func (o OIDC) Callback() string {
	own := "/callback/" + o.ID
	if o.ID == Single || o.ID == "" {
		own = "/callback"
	}
	u, err := url.Parse(o.RedirectURI)
	if err != nil || o.RedirectURI == "" {
		return own
	}
	for _, page := range []string{"/callback/" + o.ID, "/callback"} {
		if strings.HasSuffix(u.EscapedPath(), page) {
			return page
		}
	}
	return own
}

func or(value, otherwise string) string {
	if value = strings.TrimSpace(value); value != "" {
		return value
	}
	return otherwise
}

func orList(value, otherwise []string) []string {
	if value != nil {
		return value
	}
	return otherwise
}

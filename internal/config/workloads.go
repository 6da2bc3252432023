package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Workload is an issuer of tokens that jobs bring along, and which of them act as which service account.
type Workload struct {
	Type         string   `json:"type"` // github, gitlab, kubernetes or jwt
	Issuer       string   `json:"issuer"`
	Audience     string   `json:"audience"`
	DiscoveryURL string   `json:"discovery_url"`
	KeysURL      string   `json:"jwks_uri"`
	CAFile       string   `json:"ca_file"`    // in place of the system's authorities
	TokenFile    string   `json:"token_file"` // sent to where the keys are, read anew each time
	Algorithms   []string `json:"allowed_algorithms"`
	TokenTypes   []string `json:"token_types"`
	Rules        []Rule   `json:"rules"`
}

// Rule says which tokens act as a service account: those whose claims have exactly these values, and begin with these.
type Rule struct {
	Account string            `json:"service_account"`
	Claims  map[string]string `json:"claims"`
	Begins  map[string]string `json:"claims_begin"`
}

// workloadKind says of a kind of issuer what is known of it.
type workloadKind struct {
	issuer  string
	pinned  [][]string // of each list, a rule has to say one claim exactly; else it lets in strangers
	foreign string     // how audiences begin that tokens have by default, which are handed to others too
}

// workloadKinds are the kinds of issuer. Everybody has repositories at GitHub and projects at GitLab, and in a cluster pods of many
// namespaces run: a rule that does not say whose lets in all the world.
var workloadKinds = map[string]workloadKind{
	"github": {issuer: "https://token.actions.githubusercontent.com", foreign: "https://github.com/",
		pinned: [][]string{{"repository_owner", "repository_owner_id"}, {"repository", "repository_id"}}},
	"gitlab":     {issuer: "https://gitlab.com", pinned: [][]string{{"project_path", "project_id", "namespace_path", "namespace_id"}}},
	"kubernetes": {pinned: [][]string{{"namespace"}, {"service_account"}}, foreign: "https://kubernetes.default.svc"},
	"jwt":        {pinned: [][]string{{"sub"}}},
}

func (c *Config) addWorkloads() []error {
	const name = "WORKLOAD_IDENTITY_FILE"
	var wrong []error
	for i, raw := range c.entries[name] {
		w := Workload{}
		if err := parseEntry(raw, &w); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: issuer %d: %w", name, i+1, err))
			continue
		}
		for _, mistake := range w.complete() {
			wrong = append(wrong, fmt.Errorf("%s: issuer %d: %w", name, i+1, mistake))
		}
		c.Workloads = append(c.Workloads, w)
	}
	return wrong
}

// complete fills in what is known of the kind of issuer, and says what is wrong.
func (w *Workload) complete() []error {
	known, ok := workloadKinds[w.Type]
	if !ok {
		return []error{fmt.Errorf("type is %q: it must be one of %s", w.Type, strings.Join(sortedKeys(workloadKinds), ", "))}
	}
	w.Issuer = or(w.Issuer, known.issuer)
	if w.Algorithms == nil {
		w.Algorithms = []string{plainIssuers}
	}
	wrong := append(needs(map[string]string{"issuer": w.Issuer, "audience": w.Audience}),
		addresses(map[string]string{"discovery_url": w.DiscoveryURL, "jwks_uri": w.KeysURL})...)
	if w.DiscoveryURL != "" && w.KeysURL != "" {
		wrong = append(wrong, errors.New("only one of discovery_url and jwks_uri can be set"))
	}
	if w.DiscoveryURL == "" && w.KeysURL == "" {
		w.DiscoveryURL = strings.TrimSuffix(w.Issuer, "/") + "/.well-known/openid-configuration"
		wrong = append(wrong, addresses(map[string]string{"issuer": w.Issuer})...)
	}
	if w.Audience == w.Issuer || known.foreign != "" && strings.HasPrefix(w.Audience, known.foreign) {
		wrong = append(wrong, fmt.Errorf("audience is %q: that is what tokens have which are for others; have them made for this gateway alone", w.Audience))
	}
	wrong = append(wrong, checkTokens(w.Algorithms, w.TokenTypes)...)
	if len(w.Rules) == 0 {
		wrong = append(wrong, errors.New("it has no rules, and lets nobody in"))
	}
	for i, rule := range w.Rules {
		for _, mistake := range rule.check(w.Type, known) {
			wrong = append(wrong, fmt.Errorf("rule %d: %w", i+1, mistake))
		}
	}
	return wrong
}

func (r Rule) check(kind string, known workloadKind) []error {
	wrong := needs(map[string]string{"service_account": r.Account})
	for _, one := range known.pinned {
		if !slices.ContainsFunc(one, func(claim string) bool { return r.pins(kind, claim) }) {
			wrong = append(wrong, fmt.Errorf("claims must have %s, for else strangers match", strings.Join(one, " or ")))
		}
	}
	for _, claim := range sortedKeys(r.Claims) {
		if r.Claims[claim] == "" {
			wrong = append(wrong, fmt.Errorf("claims: %s is empty", claim))
		}
	}
	for _, claim := range sortedKeys(r.Begins) {
		// team/app begins team/app-of-somebody-else
		if begin := r.Begins[claim]; len(begin) < 2 || !strings.HasSuffix(begin, "/") && !strings.HasSuffix(begin, ":") {
			wrong = append(wrong, fmt.Errorf("claims_begin: %s is %q: it must end in / or :", claim, begin)) //nolint:staticcheck // what it must end in
		}
		if _, both := r.Claims[claim]; both {
			wrong = append(wrong, fmt.Errorf("%s is in claims and in claims_begin", claim))
		}
	}
	owner, repository := r.Claims["repository_owner"], r.Claims["repository"]
	if kind == "github" && owner != "" && repository != "" && !strings.HasPrefix(repository, owner+"/") {
		wrong = append(wrong, fmt.Errorf("the repository %q is not one of %q", repository, owner))
	}
	return wrong
}

// pins tells whether a rule says enough of a claim. All the repositories of an owner may be meant, and then the owner's name is
// how they begin.
func (r Rule) pins(kind, claim string) bool {
	if r.Claims[claim] != "" {
		return true
	}
	owner := r.Claims["repository_owner"]
	return kind == "github" && claim == "repository" && owner != "" && r.Begins[claim] == owner+"/"
}

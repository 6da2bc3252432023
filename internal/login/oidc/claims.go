package oidc

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// maxName is how many bytes of a name the users database holds.
const maxName = 255

// login turns verified claims into a sign-in: who, in which groups, and whether that lets them in.
func (p *Provider) login(ctx context.Context, f *found, claims map[string]any, accessToken string) (directory.Login, error) {
	subject, err := p.subject(claims)
	if err != nil {
		return directory.Login{}, err
	}
	username, err := p.username(claims)
	if err != nil {
		return directory.Login{}, err
	}
	groups, err := p.groups(ctx, claims, accessToken)
	if err != nil {
		return directory.Login{}, err
	}
	login := directory.Login{Identity: directory.Identity{Provider: f.provider, Subject: subject}, Username: username,
		DisplayName: p.displayName(claims, username), Separate: p.settings.Separate}
	err = p.admit(&login, groups)
	return login, err
}

// groupsBy says what says in which groups somebody is.
func (p *Provider) groupsBy() string {
	switch {
	case p.settings.EntraGroups:
		return "Microsoft Graph"
	case p.settings.UserInfoGroups:
		return "the claim " + p.settings.GroupsClaim + ", of the user-info endpoint where the ID token has none"
	}
	return "the claim " + p.settings.GroupsClaim
}

// admit lets in who is in one of the groups that may sign in.
func (p *Provider) admit(login *directory.Login, groups []string) error {
	login.Groups, login.Admin = groups, intersects(groups, p.settings.AdminGroups)
	if !login.Admin && !intersects(groups, p.settings.Groups) && !slices.ContainsFunc(groups, p.patterned) {
		return ErrNotAllowed
	}
	return nil
}

// patterned tells whether a group is one of OIDC_GROUP_NAME_PATTERN.
func (p *Provider) patterned(group string) bool {
	return slices.ContainsFunc(p.settings.GroupPatterns, func(pattern *regexp.Regexp) bool { return pattern.MatchString(group) })
}

func (p *Provider) displayName(claims map[string]any, username string) string {
	_, name := first(claims, p.settings.NameClaims)
	if name == "" {
		name = username
	}
	return shortened(name)
}

// subject gives whom the provider means, to the letter: two subjects that differ in a blank are two people.
func (p *Provider) subject(claims map[string]any) (string, error) {
	value, ok := claims["sub"]
	if !ok && p.settings.DiscoveryURL == "" {
		value = claims["id"] // plain OAuth 2 providers have no sub
	}
	var subject string
	switch v := value.(type) {
	case string:
		subject = v
	case json.Number:
		subject = v.String()
	}
	if strings.TrimSpace(subject) == "" || len(subject) > maxName {
		return "", errs.New(errs.Unauthenticated, "the identity provider names no subject")
	}
	return subject, nil
}

// username gives the name under which people grant permissions to this one.
func (p *Provider) username(claims map[string]any) (string, error) {
	claim, given := first(claims, p.settings.UsernameClaims)
	username := strings.ToLower(given)
	if username == "" || len(username) > maxName || strings.ContainsAny(username, ":/") || strings.ContainsFunc(username, unprintable) || lookalike(given) {
		return "", errs.New(errs.Denied, "the identity provider gives no username: none of the claims %s can be used",
			strings.Join(p.settings.UsernameClaims, ", ")).Because(errs.Misconfigured)
	}
	// An address that nobody checked may be somebody else's, for whom permissions wait.
	if claim == "email" && unverified(claims) {
		return "", errs.New(errs.Denied, "the identity provider says that your e-mail address is not verified; verify it there, "+
			"or ask an administrator to take the username from another claim (OIDC_USERNAME_FIELD)")
	}
	return username, nil
}

// unverified tells whether the provider says that the e-mail address is not verified.
func unverified(claims map[string]any) bool {
	says := claims["email_verified"]
	return says != nil && says != true && says != "true"
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// lookalike tells whether lower-casing makes ASCII of another letter, as of the Kelvin sign and the dotted capital I: the
// name would become somebody else's.
func lookalike(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII && unicode.ToLower(r) <= unicode.MaxASCII })
}

// shortened cuts a text to what the users database holds, between characters.
func shortened(text string) string {
	if len(text) <= maxName {
		return text
	}
	return strings.ToValidUTF8(text[:maxName], "")
}

// ErrNotAllowed says that a person is in none of the groups that may sign in.
var ErrNotAllowed = errs.New(errs.Denied, "you are signed in at the identity provider, but in none of the groups that may use MLflow here; ask an administrator to add you to one").Because(errs.NotAllowed)

func text(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}

// first gives the first of the claims that has a value, and the value.
func first(claims map[string]any, names []string) (claim, value string) {
	for _, name := range names {
		if value := text(claims[name]); value != "" {
			return name, value
		}
	}
	return "", ""
}

func intersects(a, b []string) bool {
	return slices.ContainsFunc(a, func(item string) bool { return slices.Contains(b, item) })
}

func (p *Provider) groups(ctx context.Context, claims map[string]any, accessToken string) ([]string, error) {
	if p.settings.EntraGroups {
		return p.graphGroups(ctx, accessToken)
	}
	if sources, _ := claims["_claim_names"].(map[string]any); sources[p.settings.GroupsClaim] != nil {
		return nil, errOverage
	}
	value := p.groupClaim(claims)
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return names([]any{v})
	case []any:
		return names(v)
	}
	return nil, errNoGroups
}

// groupClaim gives the claim of groups, nil for none.
func (p *Provider) groupClaim(claims map[string]any) any {
	value, ok := claims[p.settings.GroupsClaim]
	if !ok { // a.b leads into nested claims, as Keycloak's realm_access.roles
		value = any(claims)
		for part := range strings.SplitSeq(p.settings.GroupsClaim, ".") {
			object, _ := value.(map[string]any)
			value = object[part]
		}
	}
	return value
}

// errOverage refuses a token that says of the groups only where they are (OpenID Connect Core §5.6.2): without them a person
// could be let in with less refused than should be.
var errOverage = errs.New(errs.Denied, "you are in more groups than the identity provider's token holds; an administrator has to have them read "+
	"elsewhere, such as by OIDC_GROUP_DETECTION_PLUGIN").Because(errs.Misconfigured)

var errNoGroups = errs.New(errs.Denied, "the identity provider's claim of groups (OIDC_GROUPS_ATTRIBUTE) is not a list of names").Because(errs.Misconfigured)

// names reads the names of groups, to the letter. A list that cannot be understood whole is refused: a group can also take
// away, and so must not be missing.
func names(list []any) ([]string, error) {
	var groups []string
	seen := map[string]bool{}
	for _, item := range list {
		name, ok := item.(string)
		if !ok || len(name) > maxName {
			return nil, errNoGroups
		}
		if name != "" && !seen[name] {
			seen[name] = true
			groups = append(groups, name)
		}
	}
	return groups, nil
}

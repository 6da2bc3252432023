package oidc

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// login turns verified claims into a sign-in: who, in which groups, and whether that lets them in.
func (p *Provider) login(ctx context.Context, claims map[string]any, accessToken string) (directory.Login, error) {
	subject := text(claims["sub"])
	if subject == "" && p.settings.DiscoveryURL == "" {
		subject = text(claims["id"]) // plain OAuth 2 providers have no sub
	}
	if subject == "" {
		return directory.Login{}, errs.New(errs.Unauthenticated, "the identity provider names no subject")
	}
	username := strings.ToLower(first(claims, p.settings.UsernameClaims))
	if username == "" || len(username) > 255 || !utf8.ValidString(username) || strings.ContainsAny(username, ":/\x00\n\r") {
		return directory.Login{}, errs.New(errs.Denied, "the identity provider gives no username: none of the claims %s can be used",
			strings.Join(p.settings.UsernameClaims, ", "))
	}
	groups, err := p.groups(ctx, claims, accessToken)
	if err != nil {
		return directory.Login{}, err
	}
	admin := intersects(groups, p.settings.AdminGroups)
	if !admin && !intersects(groups, p.settings.Groups) {
		return directory.Login{}, ErrNotAllowed
	}
	name := first(claims, p.settings.NameClaims)
	if name == "" {
		name = username
	}
	return directory.Login{Identity: directory.Identity{Provider: ID, Subject: subject}, Username: username, DisplayName: name,
		Groups: groups, Admin: admin}, nil
}

// ErrNotAllowed says that a person is in none of the groups that may sign in.
var ErrNotAllowed = errs.New(errs.Denied, "you are signed in at the identity provider, but in none of the groups that may use MLflow here; ask an administrator to add you to one")

func text(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}

func first(claims map[string]any, names []string) string {
	for _, name := range names {
		if value := text(claims[name]); value != "" {
			return value
		}
	}
	return ""
}

func intersects(a, b []string) bool {
	return slices.ContainsFunc(a, func(item string) bool { return slices.Contains(b, item) })
}

func (p *Provider) groups(ctx context.Context, claims map[string]any, accessToken string) ([]string, error) {
	if p.settings.EntraGroups {
		return p.graphGroups(ctx, accessToken)
	}
	value, ok := claims[p.settings.GroupsClaim]
	if !ok { // a.b leads into nested claims, as Keycloak's realm_access.roles
		value = any(claims)
		for part := range strings.SplitSeq(p.settings.GroupsClaim, ".") {
			object, _ := value.(map[string]any)
			value = object[part]
		}
	}
	switch v := value.(type) {
	case string:
		return []string{v}, nil
	case []any:
		var groups []string
		for _, item := range v {
			if name := text(item); name != "" && !slices.Contains(groups, name) {
				groups = append(groups, name)
			}
		}
		return groups, nil
	case nil:
		return nil, nil
	}
	return nil, errs.New(errs.Denied, "the identity provider's claim %q is not a list of groups", p.settings.GroupsClaim)
}

// maxGraphPages bounds what one sign-in asks of Microsoft Graph; a page holds up to 999 groups.
const maxGraphPages = 100

// graphGroups reads the person's groups from Microsoft Graph, all pages. A Graph that fails refuses the sign-in: without
// its groups a person could be let in with less refused than should be.
func (p *Provider) graphGroups(ctx context.Context, accessToken string) ([]string, error) {
	base, err := url.Parse(p.settings.GraphURL)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "GRAPH_URL cannot be used")
	}
	next := base.JoinPath("/v1.0/me/memberOf").String() + "?$select=displayName&$top=999"
	var groups []string
	for range maxGraphPages {
		var page struct {
			Next  string `json:"@odata.nextLink"`
			Value []struct {
				Type string `json:"@odata.type"`
				Name string `json:"displayName"`
			} `json:"value"`
		}
		if err := p.graphPage(ctx, next, accessToken, &page); err != nil {
			return nil, err
		}
		for _, item := range page.Value {
			if item.Name != "" && (item.Type == "" || item.Type == "#microsoft.graph.group") && !slices.Contains(groups, item.Name) {
				groups = append(groups, item.Name)
			}
		}
		if page.Next == "" {
			return groups, nil
		}
		// The token goes to Graph alone, whatever an answer says.
		if u, err := url.Parse(page.Next); err != nil || u.Scheme != base.Scheme || u.Host != base.Host {
			return nil, errs.New(errs.Unavailable, "Microsoft Graph's answer leads elsewhere; the sign-in was refused")
		}
		next = page.Next
	}
	return nil, errs.New(errs.Unavailable, "Microsoft Graph lists more groups than can be read; the sign-in was refused")
}

func (p *Provider) graphPage(ctx context.Context, address, accessToken string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errs.Wrap(errs.Internal, err, "GRAPH_URL cannot be used")
	}
	request.Header.Set("Authorization", "Bearer "+accessToken)
	answer, err := p.client.Do(request)
	if err != nil {
		return errs.Wrap(errs.Unavailable, err, "Microsoft Graph cannot be reached, so your groups are not known; try again shortly")
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errs.New(errs.Unavailable, "Microsoft Graph answered %d, so your groups are not known; try again shortly", answer.StatusCode)
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return errs.Wrap(errs.Unavailable, err, "Microsoft Graph's answer cannot be read, so your groups are not known")
	}
	return nil
}

package oidc

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

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

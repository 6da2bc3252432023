package app

import (
	"context"
	"net/url"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login/oidc"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workload"
)

// providers are the identity providers by their ids, in the order of the settings.
type providers struct {
	settings []config.OIDC
	all      []*oidc.Provider
}

func newProviders(settings []config.OIDC) *providers {
	p := &providers{settings: settings}
	for _, one := range settings {
		p.all = append(p.all, oidc.New(one, time.Now))
	}
	return p
}

// choices are those at which people sign in.
func (p *providers) choices() login.Choices {
	var all login.Choices
	for i, one := range p.settings {
		if !one.TokensOnly {
			all = append(all, login.Choice{Provider: p.all[i], ID: one.ID, Type: "oidc", DisplayName: one.DisplayName,
				RedirectURI: one.RedirectURI, Callback: one.Callback()})
		}
	}
	return all
}

// issuers are all whose tokens are accepted.
func (p *providers) issuers(workloads []config.Workload) (*token.Issuers, error) {
	var all []token.Issuer
	for _, one := range p.all {
		all = append(all, one)
	}
	for _, settings := range workloads {
		one, err := workload.New(settings, time.Now)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return token.NewIssuers(all...), nil
}

// introspector is the provider that is asked whose a token is that is no JWT; nil for none.
func (p *providers) introspector() token.Introspector {
	for i, one := range p.settings {
		if one.Introspection {
			return p.all[i]
		}
	}
	return nil
}

// ID gives the id of the provider of which identities have a name (api.Providers); the name itself where there are others.
func (p *providers) ID(name string) string {
	for i, one := range p.all {
		if one.Names(name) && !one.Several() {
			return p.settings[i].ID
		}
	}
	return name
}

// Name gives the name that identities of a provider have (api.Providers).
func (p *providers) Name(ctx context.Context, id string) (string, error) {
	for i, one := range p.all {
		if p.settings[i].ID == id || one.Names(id) {
			return one.Name(ctx, id)
		}
	}
	return "", errs.New(errs.NotFound, "there is no identity provider %q", id)
}

// All are the providers that are configured (api.Providers).
func (p *providers) All() []api.Provider {
	all := make([]api.Provider, len(p.settings))
	for i, one := range p.settings {
		all[i] = api.Provider{ID: one.ID, Title: one.DisplayName}
	}
	return all
}

// Settings are what administrators see of how providers are set up (api.Providers): no secret, and none in an address.
func (p *providers) Settings() []api.ProviderRow {
	all := []api.ProviderRow{}
	for _, one := range p.settings {
		row := api.ProviderRow{ID: one.ID, Title: one.DisplayName, Type: one.Type, Interactive: !one.TokensOnly, Issuers: one.Issuers(), ClientID: one.ClientID, Scopes: one.Scopes,
			Redirect: one.RedirectURI, Callback: one.Callback(), GroupsFrom: one.GroupsClaim, AllowedGroups: one.Groups, AdminGroups: one.AdminGroups,
			UsernameClaims: one.UsernameClaims, NameClaims: one.NameClaims}
		if u, err := url.Parse(one.DiscoveryURL); err == nil {
			u.User, u.RawQuery = nil, ""
			row.Discovery = u.String()
		}
		for _, pattern := range one.GroupPatterns {
			row.AllowedPatterns = append(row.AllowedPatterns, pattern.String())
		}
		if one.EntraGroups {
			row.GroupsFrom, row.GroupsPlugin = "", "Microsoft Graph"
		}
		all = append(all, row)
	}
	return all
}

// exchangeFor is how long exchanged tokens are good; 0 where none are given.
func exchangeFor(c *config.Config) time.Duration {
	if !c.Exchange.Enabled {
		return 0
	}
	return c.Exchange.Lifetime
}

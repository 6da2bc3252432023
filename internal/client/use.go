package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Choose gives the server that is meant where none is named: that of MLFLOW_TRACKING_URI, or the only one.
func (f File) Choose(named string, getenv func(string) string) (string, error) {
	if named == "" {
		named = getenv("MLFLOW_TRACKING_URI")
	}
	if named != "" {
		return Address(named)
	}
	all, err := f.read()
	if err != nil {
		return "", err
	}
	servers := map[string]bool{}
	for at := range all.Servers {
		at, _, _ = strings.Cut(at, "#")
		servers[at] = true
	}
	switch len(servers) {
	case 0:
		return "", errors.New("you are signed in nowhere; mlflow-oidc-auth login URL signs you in")
	case 1:
		return slices.Collect(maps.Keys(servers))[0], nil
	}
	return "", fmt.Errorf("you are signed in at %s: say which, or set MLFLOW_TRACKING_URI", strings.Join(slices.Sorted(maps.Keys(servers)), " and "))
}

func signedOut(server string) error {
	return fmt.Errorf("you are not signed in at %s; run: mlflow-oidc-auth login %s", server, server)
}

// Token gives an access token that is good for a while, and renews it where that is due. Whoever else wants to meanwhile
// waits, and takes what came of it: a refresh token is good once.
func (f File) Token(ctx context.Context, server, profile string, now time.Time) (string, error) {
	at := key(server, profile)
	all, err := f.read()
	if err != nil {
		return "", err
	}
	if known, ok := all.Servers[at]; ok {
		if renew, _ := known.due(now); !renew {
			return known.AccessToken, nil
		}
	}
	var token string
	err = f.change(func(servers map[string]Credential) (bool, error) {
		known, ok := servers[at]
		if !ok {
			return false, signedOut(server)
		}
		renew, ended := known.due(now)
		if token = known.AccessToken; !renew {
			return false, nil
		}
		var got issued
		err := post(ctx, known.TokenEndpoint, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {known.RefreshToken}}, &got)
		var said problem
		switch {
		case errors.As(err, &said) && said.Code == "invalid_grant":
			delete(servers, at)
			return true, fmt.Errorf("your sign-in at %s has ended: %w; run: mlflow-oidc-auth login %s", server, said, server)
		case err != nil && !ended:
			return false, nil // later
		case err != nil:
			return false, err
		}
		if known, err = known.keep(got, now); err != nil {
			return false, err
		}
		servers[at], token = known, known.AccessToken
		return true, nil
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// Logout ends a sign-in: at the server, and here in any case.
func (f File) Logout(ctx context.Context, server, profile string) error {
	at := key(server, profile)
	return f.change(func(servers map[string]Credential) (bool, error) {
		known, ok := servers[at]
		if !ok {
			return false, signedOut(server)
		}
		delete(servers, at)
		var nothing struct{}
		if err := post(ctx, known.RevocationEndpoint, url.Values{"token": {known.RefreshToken}}, &nothing); err != nil {
			return true, fmt.Errorf("the sign-in is gone from here, and not revoked: revoke it in the list of your tokens at %s: %w", server, err)
		}
		return true, nil
	})
}

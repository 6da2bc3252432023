package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Trials try what would come of a sign-in.
type Trials interface {
	Begin(w http.ResponseWriter, r *http.Request, provider string, by *identity.Subject) (address string, err error)
	Outcome(ctx context.Context, by *identity.Subject, trial string) ([]byte, error)
}

// ProviderRow is how an identity provider is set up.
type ProviderRow struct {
	ID              string   `json:"id"`
	Title           string   `json:"display_name"`
	Type            string   `json:"type"`
	Interactive     bool     `json:"interactive" doc:"people sign in there with a browser"`
	Issuers         []string `json:"issuers" doc:"as far as the settings say them"`
	Discovery       string   `json:"discovery_url,omitempty"`
	ClientID        string   `json:"client_id"`
	Scopes          []string `json:"scopes"`
	Redirect        string   `json:"redirect_uri,omitempty" doc:"where its answers come to; empty: the callback on the address by which each request came"`
	Callback        string   `json:"callback"`
	GroupsFrom      string   `json:"groups_claim,omitempty" doc:"the claim that says the groups"`
	GroupsPlugin    string   `json:"groups_plugin,omitempty" doc:"what says the groups in place of a claim"`
	AllowedGroups   []string `json:"allowed_groups"`
	AllowedPatterns []string `json:"allowed_group_patterns"`
	AdminGroups     []string `json:"admin_groups"`
	UsernameClaims  []string `json:"username_claims"`
	NameClaims      []string `json:"display_name_claims"`
}

type providerList struct {
	Providers []ProviderRow `json:"providers"`
}

// Trial is what would come of a sign-in that was tried. Nothing came of it.
type Trial struct {
	Provider    string       `json:"provider"`
	LetIn       bool         `json:"let_in"`
	Refused     string       `json:"refused,omitempty" doc:"why there would be no sign-in"`
	Username    string       `json:"username,omitempty"`
	DisplayName string       `json:"display_name,omitempty"`
	Issuer      string       `json:"issuer,omitempty" doc:"with the subject, by which the person is known"`
	Subject     string       `json:"subject,omitempty"`
	Admin       bool         `json:"is_admin"`
	New         bool         `json:"new" doc:"there is no account of the person yet"`
	Claims      []Claim      `json:"claims"`
	GroupsBy    string       `json:"groups_by"`
	Groups      []TrialGroup `json:"groups" doc:"that the provider names"`
	Others      []string     `json:"other_groups" doc:"in which the account is otherwise"`
	Access      []Access     `json:"access"`
	General     []Considered `json:"general"`
	Cut         bool         `json:"cut" doc:"this is not all: it was too much to show"`
	Remark      string       `json:"remark,omitempty"`
}

// Claim is what a provider said of a person.
type Claim struct {
	Name  string `json:"name"`
	Value string `json:"value" doc:"as JSON"`
	From  string `json:"from" enum:"id_token,userinfo"`
}

// TrialGroup is a group that a provider names.
type TrialGroup struct {
	Name  string `json:"name"`
	Known bool   `json:"known" doc:"it is there already; others would be made"`
}

type trialPath struct {
	Trial string `path:"trial" maxLength:"64"`
}

type trialBegun struct {
	Address string `json:"address" doc:"at the provider, where the browser has to go"`
}

type providerPath struct {
	Provider string `path:"provider_id" maxLength:"255"`
}

func (a *API) trials(r *registrar) {
	add(r, http.MethodGet, "/permissions/providers", 200, "How the identity providers are set up", func(_ context.Context, s *identity.Subject, _ *none) (providerList, error) {
		if err := administrator(s); err != nil {
			return providerList{}, err
		}
		return providerList{a.Providers.Settings()}, nil
	})
	add(r, http.MethodPost, "/permissions/trials/{trial}", 200, "See what would come of a sign-in that I tried, once", func(ctx context.Context, s *identity.Subject, in *trialPath) (found Trial, err error) {
		if err := administrator(s); err != nil {
			return found, err
		}
		kept, err := a.Trials.Outcome(ctx, s, in.Trial)
		if err == nil {
			err = json.Unmarshal(kept, &found)
		}
		return found, err
	})
	const path = "/permissions/providers/{provider_id}/trial"
	operation := r.operation(http.MethodPost, path, http.StatusOK, "Try what would come of a sign-in at a provider, in this browser")
	operation.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {Schema: r.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[trialBegun](), true, "TrialBegun")}}}}
	huma.Register(r.api, operation, func(ctx context.Context, in *providerPath) (*huma.StreamResponse, error) {
		s := identity.From(ctx)
		if err := administrator(s); err != nil {
			return nil, r.failed(ctx, http.MethodPost, path, err)
		}
		return &huma.StreamResponse{Body: func(out huma.Context) { // since it sets a cookie of the browser's
			request, w := humago.Unwrap(out)
			to, err := a.Trials.Begin(w, request, in.Provider, s)
			if err != nil {
				httpx.WriteError(w, request, a.Log, err)
				return
			}
			httpx.WriteJSON(w, http.StatusOK, trialBegun{to})
		}}, nil
	})
}

// What of a trial is shown at most. All of it is kept with the sessions, of which a record has room for 64 kB in some databases.
const (
	mostShown   = 36 << 10
	mostClaims  = 100
	mostGroups  = 200
	mostRights  = 50
	mostGeneral = 50
)

// Judge says what would come of what a provider said (login.Judge). It decides as the requests of that person would be decided.
func (a *API) Judge(ctx context.Context, provider string, heard directory.Heard) ([]byte, error) {
	if a.Rules.Workspaces {
		ctx = workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace})
	}
	said := heard.Login
	t := Trial{Provider: provider, GroupsBy: heard.Groups, Username: said.Username, DisplayName: said.DisplayName, Issuer: said.Identity.Provider, Subject: said.Identity.Subject,
		Admin: said.Admin, Claims: []Claim{}, Groups: []TrialGroup{}, Others: []string{}, Access: []Access{}, General: []Considered{}}
	refused := heard.Refused
	if said.Identity.Subject != "" && said.Username != "" {
		tried, rows, err := a.Store.TryLogin(ctx, said)
		if err != nil {
			return nil, err
		}
		refused = first(refused, tried.Refused)
		t.account(said, tried)
		if refused == nil {
			if err := a.shows(ctx, &t, holder{tried.User, a.Grants.Compile(ctx, rows)}); err != nil {
				return nil, err
			}
		}
	}
	if t.LetIn = refused == nil; !t.LetIn {
		t.Refused = told(refused)
	}
	claims := append(claimsOf(heard.Claims, "id_token", heard.Secrets), claimsOf(heard.UserInfo, "userinfo", heard.Secrets)...)
	t.Claims = append(t.Claims, claims[:min(len(claims), mostClaims)]...)
	t.Cut = t.Cut || len(claims) > mostClaims
	return t.fit()
}

// account says what is there of the person already, and what would be.
func (t *Trial) account(said directory.Login, tried directory.Tried) {
	t.New = tried.New
	if tried.Refused == nil {
		t.Username, t.Admin = tried.User.Username, tried.User.Admin
	}
	for _, name := range said.Groups {
		t.Groups = append(t.Groups, TrialGroup{name, slices.Contains(tried.Known, name)})
	}
	for _, name := range tried.Groups {
		if !slices.Contains(said.Groups, name) {
			t.Others = append(t.Others, name)
		}
	}
	t.Cut = len(t.Groups) > mostGroups || len(t.Others) > mostGroups
	t.Groups, t.Others = t.Groups[:min(len(t.Groups), mostGroups)], t.Others[:min(len(t.Others), mostGroups)]
}

// shows says what the person could do.
func (a *API) shows(ctx context.Context, t *Trial, of holder) error {
	wanted, err := a.askedKinds("")
	if err != nil {
		return err
	}
	eyes := &identity.Subject{Admin: true, Active: true} // of whom this is for
	t.General = general(of.grants, wanted, true)
	t.Cut = t.Cut || len(t.General) > mostGeneral
	t.General = t.General[:min(len(t.General), mostGeneral)]
	a, names := a.asking()
	access, next, err := a.rights(ctx, eyes, names, of, places(of.grants, wanted), "", mostRights)
	t.Access, t.Remark, t.Cut = access, names.remark(), t.Cut || next != nil
	return err
}

// told is a refusal as an administrator is told it.
func told(err error) string {
	if errs.Is(err, errs.Internal) {
		return "something went wrong; the server's log says more"
	}
	return httpx.BodyOf(err).Message
}

// fit writes it, with less of what is too much.
func (t *Trial) fit() ([]byte, error) {
	for {
		text, err := json.Marshal(t)
		if err != nil || len(text) <= mostShown {
			return text, err
		}
		t.Cut = true
		t.Claims, t.Groups, t.Others = half(t.Claims), half(t.Groups), half(t.Others)
		t.Access, t.General = half(t.Access), half(t.General)
	}
}

func half[T any](all []T) []T { return all[:len(all)/2] }

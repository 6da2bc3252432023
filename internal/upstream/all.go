package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Item is one resource as a search of MLflow shows it.
type Item struct {
	Kind        kind.Name // where kinds share a search: which of them it is
	ID          string
	Name        string
	Opaque      string // MLflow's own id of what grants hold by its name, where it has one
	Description string
	Tags        map[string]string
	Aliases     map[string]string
	Provider    string  // of a model definition
	Server      *Server // of an MCP server, what the permissions API shows of it
}

// Server is what MLflow says of an MCP server; what it does not know is null.
type Server struct {
	Name        string  `json:"name"`
	DisplayName *string `json:"display_name"`
	Description *string `json:"description"`
	Status      *string `json:"status"`
	Latest      *string `json:"latest_version"`
	Workspace   *string `json:"workspace"`
}

type pair struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

type found struct {
	ExperimentID string `json:"experiment_id"`
	Name         string `json:"name"`
	SecretName   string `json:"secret_name"` // a secret has no other name
	SecretID     string `json:"secret_id"`   // endpoints have one too, of what they use
	EndpointID   string `json:"endpoint_id"`
	DefinitionID string `json:"model_definition_id"`
	Description  string `json:"description"`
	Provider     string `json:"provider"`
	Tags         []pair `json:"tags"`
	Aliases      []pair `json:"aliases"`
}

func (f found) opaque() string {
	switch {
	case f.SecretName != "":
		return f.SecretID
	case f.EndpointID != "":
		return f.EndpointID
	}
	return f.DefinitionID
}

func (f found) item() Item {
	i := Item{ID: f.ExperimentID, Name: f.Name, Opaque: f.opaque(), Description: f.Description, Provider: f.Provider, Tags: map[string]string{}, Aliases: map[string]string{}}
	if i.Name == "" {
		i.Name = f.SecretName
	}
	if i.ID == "" {
		i.ID = i.Name
	}
	i.Kind = kind.RegisteredModel
	for _, tag := range f.Tags {
		if prompt.Tag == tag.Key { // MLflow's own clients do not show it either
			if prompt.Tagged(tag.Value) {
				i.Kind = kind.Prompt
			}
			continue
		}
		i.Tags[tag.Key] = tag.Value
	}
	for _, alias := range f.Aliases {
		i.Aliases[alias.Alias] = alias.Version
	}
	return i
}

var prompt, _ = kind.Of(kind.Prompt)

// searches say where all resources of a kind are listed, how many at a time, and by which filter.
var searches = map[kind.Name]struct {
	path   string
	size   int
	filter string
}{
	kind.Experiment:      {"/api/2.0/mlflow/experiments/search", 5000, ""},
	kind.RegisteredModel: {"/api/2.0/mlflow/registered-models/search", 1000, ""}, // without prompts
	// "= 'true'" would leave out those whose tag is spelled in another case, which MLflow takes for prompts all the same
	kind.Prompt:          {"/api/2.0/mlflow/registered-models/search", 1000, "tags.`" + prompt.Tag + "` != 'false'"},
	kind.GatewayEndpoint: {"/api/3.0/mlflow/gateway/endpoints/list", 1, ""}, // the gateway's lists come in one piece
	kind.GatewaySecret:   {"/api/3.0/mlflow/gateway/secrets/list", 1, ""},
	kind.GatewayModel:    {"/api/3.0/mlflow/gateway/model-definitions/list", 1, ""},
	kind.MCPServer:       {"/api/3.0/mlflow/mcp-servers", 1000, ""},
	kind.Workspace:       {"/api/3.0/mlflow/workspaces", 1, ""},
}

// All lists every resource of a kind, page by page.
func (m *MLflow) All(ctx context.Context, k kind.Name) ([]Item, error) {
	search, ok := searches[k]
	if !ok {
		return nil, errs.New(errs.Internal, "kind %s has no search", k)
	}
	if k == kind.Workspace && !m.workspaces { // MLflow would refuse the question
		return nil, nil
	}
	var items []Item
	query := url.Values{"max_results": {strconv.Itoa(search.size)}}
	if search.filter != "" {
		query.Set("filter", search.filter)
	}
	for {
		raw, err := m.call(ctx, http.MethodGet, search.path, query, nil, lookupLimit)
		if errors.Is(err, ErrTooLarge) && search.size > 1 { // somebody's rows are large: their tokens are offsets, so any size goes on
			search.size /= 2
			query.Set("max_results", strconv.Itoa(search.size))
			continue
		}
		if err != nil {
			return nil, err
		}
		var page struct {
			Experiments []found  `json:"experiments"`
			Models      []found  `json:"registered_models"`
			Endpoints   []found  `json:"endpoints"`
			Secrets     []found  `json:"secrets"`
			Definitions []found  `json:"model_definitions"`
			Workspaces  []found  `json:"workspaces"`
			Servers     []Server `json:"mcp_servers"`
			Next        string   `json:"next_page_token"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
		}
		for _, f := range slices.Concat(page.Experiments, page.Models, page.Endpoints, page.Secrets, page.Definitions, page.Workspaces) {
			if item := f.item(); k.Kept() != kind.RegisteredModel || item.Kind == k {
				items = append(items, item)
			}
		}
		for _, s := range page.Servers {
			items = append(items, Item{ID: s.Name, Name: s.Name, Server: &s})
		}
		if page.Next == "" {
			return items, nil
		}
		query.Set("page_token", page.Next)
	}
}

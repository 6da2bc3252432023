package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// WebhookEvent is what a webhook is called for, in the words of MLflow's REST API: REGISTERED_MODEL, CREATED.
type WebhookEvent struct {
	Entity string `json:"entity"`
	Action string `json:"action"`
}

// Webhook is a webhook of the model registry. MLflow does not give its secret out.
type Webhook struct {
	ID          string         `json:"webhook_id"`
	Name        string         `json:"name"`
	URL         string         `json:"url"`
	Events      []WebhookEvent `json:"events"`
	Description string         `json:"description"`
	Status      string         `json:"status"`
	CreatedAt   int64          `json:"creation_timestamp"`
	UpdatedAt   int64          `json:"last_updated_timestamp"`
}

// WebhookChange is what a webhook is to be; what is nil stays, or is MLflow's default.
type WebhookChange struct {
	Name        *string        `json:"name,omitempty"`
	URL         *string        `json:"url,omitempty"`
	Events      []WebhookEvent `json:"events,omitempty"`
	Description *string        `json:"description,omitempty"`
	Secret      *string        `json:"secret,omitempty"`
	Status      *string        `json:"status,omitempty"`
}

// WebhookTrial is what came of calling a webhook.
type WebhookTrial struct {
	Success      bool    `json:"success"`
	Status       *int    `json:"response_status"`
	Body         *string `json:"response_body"`
	ErrorMessage *string `json:"error_message"`
}

const webhooks = "/api/2.0/mlflow/webhooks"

// Webhooks lists a page of webhooks, and gives the token of the next one. Empty query fields are MLflow's defaults.
func (m *MLflow) Webhooks(ctx context.Context, most, token string) ([]Webhook, string, error) {
	query := url.Values{}
	for name, value := range map[string]string{"max_results": most, "page_token": token} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var answer struct {
		Webhooks []Webhook `json:"webhooks"`
		Next     string    `json:"next_page_token"`
	}
	err := m.ask(ctx, webhooks, query, &answer)
	return answer.Webhooks, answer.Next, err
}

// Webhook gives one webhook. The id must be free of characters that mean something in a path.
func (m *MLflow) Webhook(ctx context.Context, id string) (Webhook, error) {
	return m.webhook(ctx, http.MethodGet, "/"+id, nil)
}

// CreateWebhook makes a webhook.
func (m *MLflow) CreateWebhook(ctx context.Context, w WebhookChange) (Webhook, error) {
	return m.webhook(ctx, http.MethodPost, "", w)
}

// ChangeWebhook changes a webhook.
func (m *MLflow) ChangeWebhook(ctx context.Context, id string, w WebhookChange) (Webhook, error) {
	return m.webhook(ctx, http.MethodPatch, "/"+id, w)
}

// DeleteWebhook deletes a webhook.
func (m *MLflow) DeleteWebhook(ctx context.Context, id string) error {
	return m.tell(ctx, http.MethodDelete, webhooks+"/"+id, struct{}{}, nil)
}

// TestWebhook has MLflow call a webhook with an example; without an event, of the first of its events.
func (m *MLflow) TestWebhook(ctx context.Context, id string, event *WebhookEvent) (WebhookTrial, error) {
	var answer struct {
		Result WebhookTrial `json:"result"`
	}
	err := m.tell(ctx, http.MethodPost, webhooks+"/"+id+"/test", struct {
		Event *WebhookEvent `json:"event,omitempty"`
	}{event}, &answer)
	return answer.Result, err
}

func (m *MLflow) webhook(ctx context.Context, method, path string, body any) (Webhook, error) {
	var answer struct {
		Webhook Webhook `json:"webhook"`
	}
	err := m.tell(ctx, method, webhooks+path, body, &answer)
	return answer.Webhook, err
}

// tell sends a body and reads the answer, if one is wanted.
func (m *MLflow) tell(ctx context.Context, method, path string, body, into any) error {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return err
		}
	}
	raw, err := m.call(ctx, method, path, nil, sent, lookupLimit)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	return nil
}

package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

type webhook struct {
	ID          string   `json:"webhook_id"`
	Name        string   `json:"name"`
	URL         string   `json:"url"`
	Events      []string `json:"events"`
	Description *string  `json:"description" nullable:"true"`
	Status      string   `json:"status"`
	CreatedAt   int64    `json:"creation_timestamp"`
	UpdatedAt   int64    `json:"last_updated_timestamp"`
}

type webhookList struct {
	Webhooks []webhook `json:"webhooks"`
	Next     *string   `json:"next_page_token" nullable:"true"`
}

type webhookTrial struct {
	Success      bool    `json:"success"`
	Status       *int    `json:"response_status" nullable:"true"`
	Body         *string `json:"response_body" nullable:"true"`
	ErrorMessage *string `json:"error_message" nullable:"true"`
}

type webhookListing struct {
	Paging
	Most  string `query:"max_results" pattern:"^[0-9]+$" maxLength:"4" doc:"MLflow's own pages, where none of limit and search is given"`
	Token string `query:"page_token" maxLength:"1024"`
}

// WebhookPath names a webhook.
type WebhookPath struct {
	ID string `path:"webhook_id" maxLength:"255"`
}

type newWebhook struct {
	Body struct {
		Name        string   `json:"name" minLength:"1" maxLength:"256"`
		URL         string   `json:"url" maxLength:"2048" doc:"https, without user and password"`
		Events      []string `json:"events" minItems:"1" doc:"such as model_version.created"`
		Description *string  `json:"description,omitempty" nullable:"true" maxLength:"500"`
		Secret      *string  `json:"secret,omitempty" nullable:"true"`
		Status      *string  `json:"status,omitempty" nullable:"true" doc:"ACTIVE or DISABLED"`
	}
}

type webhookChange struct {
	WebhookPath
	Body struct {
		Name        *string   `json:"name,omitempty" nullable:"true" minLength:"1" maxLength:"256"`
		URL         *string   `json:"url,omitempty" nullable:"true" maxLength:"2048"`
		Events      *[]string `json:"events,omitempty" nullable:"true"`
		Description *string   `json:"description,omitempty" nullable:"true" maxLength:"500"`
		Secret      *string   `json:"secret,omitempty" nullable:"true"`
		Status      *string   `json:"status,omitempty" nullable:"true"`
	}
}

type webhookTest struct {
	WebhookPath
	Body *struct {
		Event *string `json:"event_type,omitempty" nullable:"true"`
	} `required:"false"`
}

const webhooksAt = "/oidc/webhook"

// webhooks are those of MLflow's model registry, which has no notion of who may: they are for administrators.
func (a *API) webhooks(r *registrar) {
	addPagedIn(r, webhooksAt, "Webhooks of the model registry", a.listWebhooks)
	add(r, http.MethodPost, webhooksAt, 200, "Make a webhook", func(ctx context.Context, s *identity.Subject, in *newWebhook) (webhook, error) {
		b := in.Body
		wanted := upstream.WebhookChange{Name: &b.Name, URL: &b.URL, Description: b.Description, Secret: b.Secret, Status: b.Status}
		return a.putWebhook(ctx, s, &audit.Event{Name: audit.WebhookMade}, wanted, &b.Events, a.MLflow.CreateWebhook)
	})
	add(r, http.MethodGet, webhooksAt+"/{webhook_id}", 200, "One webhook", func(ctx context.Context, s *identity.Subject, in *WebhookPath) (webhook, error) {
		if err := in.named(s); err != nil {
			return webhook{}, err
		}
		w, err := a.MLflow.Webhook(ctx, in.ID)
		return shownWebhook(w), err
	})
	add(r, http.MethodPut, webhooksAt+"/{webhook_id}", 200, "Change a webhook", func(ctx context.Context, s *identity.Subject, in *webhookChange) (webhook, error) {
		if err := in.named(s); err != nil {
			return webhook{}, err
		}
		b := in.Body
		wanted := upstream.WebhookChange{Name: b.Name, URL: b.URL, Description: b.Description, Secret: b.Secret, Status: b.Status}
		event := audit.Event{Name: audit.WebhookChanged}
		return a.putWebhook(ctx, s, &event, wanted, b.Events, func(ctx context.Context, w upstream.WebhookChange) (upstream.Webhook, error) {
			event.Before = a.webhookState(ctx, in.ID)
			return a.MLflow.ChangeWebhook(ctx, in.ID, w)
		})
	})
	add(r, http.MethodDelete, webhooksAt+"/{webhook_id}", 200, "Delete a webhook", func(ctx context.Context, s *identity.Subject, in *WebhookPath) (message, error) {
		if err := in.named(s); err != nil {
			return message{}, err
		}
		before := a.webhookState(ctx, in.ID)
		err := a.MLflow.DeleteWebhook(ctx, in.ID)
		return message{Message: "Webhook " + in.ID + " has been deleted"},
			a.done(ctx, err, s, audit.Event{Name: audit.WebhookDeleted, Route: webhooksAt + "/" + in.ID, Kind: "webhook", Resource: in.ID, Before: before})
	})
	add(r, http.MethodPost, webhooksAt+"/{webhook_id}/test", 200, "Have MLflow call a webhook with an example", a.testWebhook)
}

// named lets administrators through to what can be the id of a webhook: another character could mean something in a path.
func (p *WebhookPath) named(s *identity.Subject) error {
	if err := administrator(s); err != nil {
		return err
	}
	if strings.ContainsFunc(p.ID, func(r rune) bool {
		return r != '-' && !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	}) {
		return errs.New(errs.NotFound, "there is no such webhook")
	}
	return nil
}

func (a *API) listWebhooks(ctx context.Context, s *identity.Subject, in *webhookListing) (listing[webhook], func([]webhook) webhookList, error) {
	var next *string
	all := listing[webhook]{name: func(w webhook) string { return w.Name }}
	within := func(rows []webhook) webhookList { return webhookList{rows, next} }
	if err := administrator(s); err != nil {
		return all, within, err
	}
	whole := in.Limit > 0 || in.Search != ""
	most, token := in.Most, in.Token
	if whole {
		most, token = "1000", ""
	}
	for {
		rows, after, err := a.MLflow.Webhooks(ctx, most, token)
		if err != nil {
			return all, within, err
		}
		for _, w := range rows {
			all.rows = append(all.rows, shownWebhook(w))
		}
		if !whole {
			next = some(after)
		}
		if !whole || after == "" {
			return all, within, nil
		}
		token = after
	}
}

// putWebhook makes or changes a webhook. Where it is called is checked here too: MLflow's own check is a setting of it.
func (a *API) putWebhook(ctx context.Context, s *identity.Subject, event *audit.Event, wanted upstream.WebhookChange, events *[]string,
	put func(context.Context, upstream.WebhookChange) (upstream.Webhook, error)) (webhook, error) {
	if err := administrator(s); err != nil {
		return webhook{}, err
	}
	if wanted.URL != nil && !callable(*wanted.URL) {
		return webhook{}, huma.Error422UnprocessableEntity("url must begin with https://, name a host, and have no user and password in it")
	}
	if wanted.Status != nil && *wanted.Status != "ACTIVE" && *wanted.Status != "DISABLED" {
		return webhook{}, huma.Error422UnprocessableEntity("status must be ACTIVE or DISABLED")
	}
	if events != nil {
		for _, text := range *events {
			event, ok := webhookEvent(text)
			if !ok {
				return webhook{}, huma.Error422UnprocessableEntity("an event is such as model_version.created")
			}
			wanted.Events = append(wanted.Events, event)
		}
		if len(wanted.Events) == 0 {
			return webhook{}, huma.Error422UnprocessableEntity("events must not be empty")
		}
	}
	made, err := put(ctx, wanted)
	shown := shownWebhook(made)
	event.Route, event.Kind, event.Resource, event.After = webhooksAt+"/"+made.ID, "webhook", made.ID, shown.state()
	return shown, a.done(ctx, err, s, *event)
}

// webhookState is what may be recorded of a webhook that is there; nothing where MLflow does not say it.
func (a *API) webhookState(ctx context.Context, id string) audit.State {
	w, err := a.MLflow.Webhook(ctx, id)
	if err != nil {
		return nil
	}
	return shownWebhook(w).state()
}

// state is what may be recorded of a webhook. Its address is not: many have a secret in it.
func (w webhook) state() audit.State {
	return audit.State{"webhook_name": w.Name, "events": strings.Join(w.Events, " "), "status": w.Status}
}

func (a *API) testWebhook(ctx context.Context, s *identity.Subject, in *webhookTest) (webhookTrial, error) {
	if err := in.named(s); err != nil {
		return webhookTrial{}, err
	}
	var event *upstream.WebhookEvent
	if in.Body != nil && in.Body.Event != nil && *in.Body.Event != "" {
		e, ok := webhookEvent(*in.Body.Event)
		if !ok {
			return webhookTrial{}, huma.Error422UnprocessableEntity("an event is such as model_version.created")
		}
		event = &e
	}
	trial, err := a.MLflow.TestWebhook(ctx, in.ID, event)
	return webhookTrial{trial.Success, trial.Status, trial.Body, trial.ErrorMessage}, err
}

// callable tells whether a text is an address that a webhook may have.
func callable(text string) bool {
	u, err := url.Parse(text)
	return err == nil && !strings.ContainsFunc(text, unicode.IsSpace) && strings.EqualFold(u.Scheme, "https") && u.Hostname() != "" && u.User == nil
}

// happenings are the events that MLflow 3.17.2 knows (mlflow/entities/webhook.py, VALID_ENTITY_ACTIONS).
var happenings = []string{"registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
	"model_version_alias.created", "model_version_alias.deleted", "prompt.created", "prompt_version.created", "prompt_tag.set",
	"prompt_tag.deleted", "prompt_version_tag.set", "prompt_version_tag.deleted", "prompt_alias.created", "prompt_alias.deleted",
	"budget_policy.exceeded"}

// webhookEvent reads an event as MLflow's clients and the plugin write it.
func webhookEvent(text string) (upstream.WebhookEvent, bool) {
	entity, action, _ := strings.Cut(text, ".")
	return upstream.WebhookEvent{Entity: strings.ToUpper(entity), Action: strings.ToUpper(action)}, slices.Contains(happenings, text)
}

func shownWebhook(w upstream.Webhook) webhook {
	shown := webhook{ID: w.ID, Name: w.Name, URL: w.URL, Events: []string{}, Description: some(w.Description), Status: w.Status, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt}
	for _, e := range w.Events {
		shown.Events = append(shown.Events, strings.ToLower(e.Entity+"."+e.Action))
	}
	return shown
}

package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Ending is the part of a body that says until when something is given.
type Ending struct {
	ExpiresAt Expiry `json:"expires_at,omitempty"`
}

// Expiry is a time that may be left out, which changes nothing, or null, which is no end.
type Expiry struct {
	Given bool
	At    time.Time
}

// UnmarshalJSON reads a time in RFC 3339, or null.
func (e *Expiry) UnmarshalJSON(data []byte) error {
	e.Given = true
	if err := json.Unmarshal(data, &e.At); err != nil {
		return err
	}
	if e.At.IsZero() && string(data) != "null" { // which is no end else
		return errs.New(errs.Invalid, "expires_at is in the past; take the permission away instead, or send null for no end")
	}
	return nil
}

// Schema tells the OpenAPI document of it (huma.SchemaProvider).
func (Expiry) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true, Description: "until when this is given, in RFC 3339; null: it has no end. Left out, a change leaves it as it is"}
}

// until gives the end that a body asks for: nil where it is left out, the zero time for none.
func (a *API) until(e Ending) (*time.Time, error) {
	at := e.ExpiresAt.At
	if !e.ExpiresAt.Given {
		return nil, nil
	}
	if !at.IsZero() && !at.After(a.Now()) {
		return nil, errs.New(errs.Invalid, "expires_at is in the past: %s; take the permission away instead", at.Format(time.RFC3339))
	}
	return &at, nil
}

// untilOf is until for the fields of MLflow's API.
func (a *API) untilOf(in params) (*time.Time, error) {
	text, err := in.optional("expires_at")
	if err != nil || text == nil {
		return nil, err
	}
	at, err := time.Parse(time.RFC3339, *text)
	if err != nil || at.IsZero() {
		return nil, errs.New(errs.Invalid, "expires_at must be a time in RFC 3339, such as 2027-01-31T18:00:00Z")
	}
	return a.until(Ending{Expiry{Given: true, At: at}})
}

// lasting adds the end to an object of an answer, where there is one.
func lasting(r row, end time.Time) row {
	if text := shownEnd(end); text != "" {
		r["expires_at"] = text
	}
	return r
}

// shownEnd writes an end as answers do; "" where there is none.
func shownEnd(end time.Time) string {
	if end.IsZero() {
		return ""
	}
	return end.UTC().Format(time.RFC3339)
}

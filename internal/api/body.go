package api

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// format is JSON with one meaning. Unknown fields are left out of account, as the Python plugin does.
var format = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}

// unmarshal reads a body strictly. encoding/json takes IS_ADMIN for is_admin, which is another field to everybody else; such
// keys are unknown ones here.
func unmarshal(body []byte, into any) error {
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		body = []byte("{}") // no field is given
	}
	if _, err := httpx.ParseObject(body); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return err
	}
	for key := range fields {
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" {
			delete(fields, key)
		}
	}
	known, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(known, into)
}

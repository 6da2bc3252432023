package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// maxEntries bounds a file of providers or workloads, in bytes.
const maxEntries = 1 << 20

// entriesFile takes the name of a file with a list of objects, and reads it.
func entriesFile(name string) setter {
	return func(c *Config, v string) (err error) {
		if v != "" {
			c.entries[name], err = readEntries(v)
		}
		return err
	}
}

// entriesHere takes a list of objects.
func entriesHere(name string) setter {
	return func(c *Config, v string) (err error) {
		if v != "" {
			c.entries[name], err = parseEntries([]byte(v))
		}
		return err
	}
}

// readEntries reads a file with a list of objects.
func readEntries(path string) ([]json.RawMessage, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxEntries {
		return nil, errors.New("it is too large")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseEntries(text)
}

// parseEntries reads a list of objects, none of which has a field twice.
func parseEntries(text []byte) ([]json.RawMessage, error) {
	if _, err := httpx.ParseObject([]byte(`{"list":` + string(text) + `}`)); err != nil {
		return nil, fmt.Errorf("it is no list in JSON: %w", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errors.New("it must be a list of objects")
	}
	return list, nil
}

// parseEntry reads one object. A field that is not known is an error: what it was to restrict would not be restricted.
func parseEntry(raw json.RawMessage, into any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return errors.New("it must be an object")
	}
	for name := range fields {
		if strings.ToLower(name) != name { // encoding/json would take it for the field in small letters
			return fmt.Errorf("unknown field %q", name)
		}
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// needs tells of fields that are needed and empty.
func needs(fields map[string]string) []error {
	var wrong []error
	for _, name := range sortedKeys(fields) {
		if strings.TrimSpace(fields[name]) == "" {
			wrong = append(wrong, fmt.Errorf("%s must not be empty", name))
		}
	}
	return wrong
}

// addresses tells of fields that are there and no address of a provider.
func addresses(fields map[string]string) []error {
	var wrong []error
	for _, name := range sortedKeys(fields) {
		var kept string
		if err := providerURL(func(*Config) *string { return &kept })(nil, fields[name]); err != nil {
			wrong = append(wrong, fmt.Errorf("%s is %q: %w", name, fields[name], err))
		}
	}
	return wrong
}

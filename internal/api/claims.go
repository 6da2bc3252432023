package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

const (
	mostOfValue = 1000 // bytes of a claim's value as JSON
	mostOfName  = 100
	leftOut     = "(left out: a credential)"
)

// credential are names of claims, and of fields in them, that may hold one. The hashes of tokens (at_hash, rt_hash) are none.
var credential = regexp.MustCompile(`(?i)token|secret|passw|assertion|credential|private|api_?key|authorization|cookie|^code$|^jwt$|otp`)

// jwtLike is a JWT, or a good part of one.
var jwtLike = regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]+`)

// claimsOf are claims as an administrator may see them, by name: without what somebody could sign in with.
func claimsOf(claims map[string]any, from string, secrets []string) []Claim {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" })
	var all []Claim
	for _, name := range slices.SortedFunc(maps.Keys(claims), cmp.Compare[string]) {
		var value bytes.Buffer
		to := json.NewEncoder(&value)
		to.SetEscapeHTML(false) // who shows it escapes it
		if to.Encode(harmless(name, claims[name], secrets)) != nil {
			value.WriteString("(it cannot be shown)")
		}
		all = append(all, Claim{Name: shortTo(mostOfName, harmlessText(name, secrets)), Value: shortTo(mostOfValue, strings.TrimSpace(value.String())), From: from})
	}
	return all
}

// harmless is a value without credentials, however deep they are.
func harmless(name string, value any, secrets []string) any {
	if credential.MatchString(name) {
		return leftOut
	}
	switch v := value.(type) {
	case string:
		return harmlessText(v, secrets)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = harmless("", item, secrets)
		}
		return list
	case json.Number:
		return harmlessNumber(v, secrets)
	case map[string]any:
		object := map[string]any{}
		for field, item := range v {
			object[harmlessText(field, secrets)] = harmless(field, item, secrets)
		}
		return object
	}
	return value
}

func harmlessText(text string, secrets []string) string {
	if jwtLike.MatchString(text) || identity.Ours(text) || slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(text, s) }) {
		return leftOut
	}
	return text
}

func harmlessNumber(n json.Number, secrets []string) any {
	if shown := harmlessText(n.String(), secrets); shown != n.String() {
		return shown
	}
	return n
}

// shortTo cuts a text between characters.
func shortTo(most int, text string) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

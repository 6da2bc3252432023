package graphql

import (
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/rewrite"
)

// hiding follows one mention through an answer, whose keys the operation has chosen.
type hiding struct {
	*policy.Mention
	see rewrite.See
}

// from follows the mention from a step on, and tells whether what holds the value goes. What was not asked for cannot be
// decided: where what it decides about was asked for, that goes.
func (h hiding) from(fields []*field, value any, at int) bool {
	if at == len(h.Steps) {
		_, gone := rewrite.Follow(h.Mention, value, at, h.see)
		return gone
	}
	object, ok := value.(map[string]any)
	if !ok {
		return value != nil || h.Named && at > h.Gone
	}
	asked, gone := false, false
	for _, f := range fields {
		if httpx.Snake(f.name) != h.Steps[at].Name {
			continue
		}
		asked = true
		inner, up := h.member(f, object[f.key], at+1)
		object[f.key] = inner
		if up && at <= h.Gone {
			object[f.key], up = nil, false
			h.along(fields, object)
		}
		gone = gone || up
	}
	if !asked && at == h.Gone {
		h.along(fields, object)
	}
	return gone || !asked && h.Named && at > h.Gone
}

// along takes out what goes along with the mention.
func (h hiding) along(fields []*field, object map[string]any) {
	for _, f := range fields {
		for _, beside := range h.With {
			if httpx.Snake(f.name) == beside {
				object[f.key] = nil
			}
		}
	}
}

// member follows the mention into what one field holds.
func (h hiding) member(f *field, value any, at int) (any, bool) {
	if value == nil {
		return nil, h.Named && at > h.Gone+1
	}
	if at == len(h.Steps) {
		return value, h.from(nil, value, at)
	}
	switch h.Steps[at].Kind {
	case policy.Member:
		return value, h.from(f.fields, value, at)
	case policy.Item:
		list, ok := value.([]any)
		kept := []any{}
		for _, item := range list {
			up := h.from(f.fields, item, at+1)
			if up && at > h.Gone {
				return value, true
			}
			if !up {
				kept = append(kept, item)
			}
		}
		return kept, !ok
	case policy.Pair:
		list, ok := value.([]any)
		return h.pairs(f.fields, list, at), !ok
	}
	return rewrite.Follow(h.Mention, value, at, h.see)
}

// pairs takes out of a list of {key, value} those that have the key and go. Whether one has it is not known where the key
// was not asked for: then the values are kept from the caller.
func (h hiding) pairs(fields []*field, list []any, at int) []any {
	key := ""
	for _, f := range fields {
		if f.name == "key" {
			key = f.key
		}
	}
	kept := []any{}
	for _, item := range list {
		pair, _ := item.(map[string]any)
		gone := false
		for _, f := range fields {
			switch {
			case f.name != "value":
			case key == "":
				pair[f.key] = nil
			case pair[key] == h.Steps[at].Name:
				var up bool
				pair[f.key], up = rewrite.Follow(h.Mention, pair[f.key], at+1, h.see)
				gone = gone || up
			}
		}
		if !gone {
			kept = append(kept, item)
		}
	}
	return kept
}

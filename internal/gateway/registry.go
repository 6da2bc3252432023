package gateway

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

var prompt, _ = kind.Of(kind.Prompt)

// singles is how many names of the model registry one request asks MLflow about one by one; for more, all prompts are listed.
const singles = 16

// registered gives what a name of the model registry names: a registered model, or a prompt. Only patterns and scopes tell
// them apart, and so MLflow is asked only where it makes a difference to the caller.
func (c *call) registered(ctx context.Context, name string) (authz.Resource, error) {
	model := authz.Resource{Kind: kind.RegisteredModel, ID: name, Name: name}
	if c.subject.Admin || c.subject.Scope.Everything() && !c.grants.NeedsName(kind.RegisteredModel) {
		return model, nil
	}
	as := model
	as.Kind = kind.Prompt
	if c.gateway.Rules.Alike(c.decider(), c.grants, model, as) {
		return model, nil
	}
	var err error
	model.Kind, err = c.kindOf(ctx, name)
	return model, err
}

// registry is what MLflow has said in one request of names of the model registry. What an answer names is decided several at
// once.
type registry struct {
	sync.Mutex
	kinds map[string]kind.Name
}

func (known *registry) get(name string) (kind.Name, bool, int) {
	known.Lock()
	defer known.Unlock()
	k, ok := known.kinds[name]
	return k, ok, len(known.kinds)
}

func (known *registry) set(name string, k kind.Name) {
	known.Lock()
	defer known.Unlock()
	if known.kinds == nil {
		known.kinds = map[string]kind.Name{}
	}
	known.kinds[name] = k
}

// kindOf asks MLflow what a name of the model registry names, once in a request: what was decided on is what follows.
func (c *call) kindOf(ctx context.Context, name string) (kind.Name, error) {
	k, ok, asked := c.kinds.get(name)
	if ok {
		return k, nil
	}
	var err error
	if asked < singles {
		k, err = c.gateway.MLflow.Registered(ctx, name)
	} else {
		k = kind.RegisteredModel
		var prompts map[string]bool
		if prompts, err = c.gateway.MLflow.Prompts(ctx); prompts[name] {
			k = kind.Prompt
		}
	}
	if err == nil {
		c.kinds.set(name, k)
	}
	return k, err
}

// reads tells whether the caller may read what a row of an answer says is in the model registry. What is gone meanwhile is
// not shown.
func (c *call) reads(ctx context.Context, name string) (bool, error) {
	on, err := c.registered(ctx, name)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil && c.gateway.Rules.Decide(c.decider(), c.grants, on, kind.Read).Allowed, err
}

// rowKind tells a row of a search of the registry by its own tags.
func rowKind(row json.RawMessage) (kind.Name, error) {
	var said struct {
		Tags []struct{ Key, Value string } `json:"tags"`
	}
	if err := json.Unmarshal(row, &said); err != nil {
		return "", errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	for _, tag := range said.Tags {
		if tag.Key == prompt.Tag && prompt.Tagged(tag.Value) {
			return kind.Prompt, nil
		}
	}
	return kind.RegisteredModel, nil
}

// taggedKind gives the kind that the tags of a body make of what it creates. The tag must be there once, in MLflow's own
// spelling: MLflow takes the last of several, its search takes "TRUE" for no prompt and the rest of it does, and some
// databases take other spellings of the key for the same.
func (c *call) taggedKind() (kind.Name, error) {
	made := kind.RegisteredModel
	list, given := c.read.Body.Get("tags")
	if !given || list == nil {
		return made, nil
	}
	tags, err := objects(list, "tags")
	if err != nil {
		return "", err
	}
	seen := false
	for _, tag := range tags {
		key, _, err := tag.Text("key")
		if err != nil {
			return "", err
		}
		if !prompt.IsTag(key) {
			continue
		}
		value, _, err := tag.Text("value")
		if err != nil {
			return "", err
		}
		if seen || key != prompt.Tag || value != "true" && value != "false" {
			return "", errs.New(errs.Invalid, "the tag %s is given once at most, and is true or false", prompt.Tag)
		}
		if seen = true; value == "true" {
			made = kind.Prompt
		}
	}
	return made, nil
}

// promptTag refuses to turn a model into a prompt or back: other patterns would apply to it. The same tag of a version hides
// all versions of a model from MLflow's search (3.17.2, measured).
func (c *call) promptTag() error {
	key, _, err := c.read.Body.Text("key")
	if err == nil && prompt.IsTag(key) {
		err = errs.New(errs.Denied, "the tag %s says what kind of thing this is, and may be changed by administrators only", prompt.Tag)
	}
	return err
}

// placeholders are what MLflow's clients give as the source of a prompt's version, which has no artifacts
// (mlflow/prompt/constants.py).
var placeholders = map[string]bool{"dummy-source": true, "prompt-template": true}

// promptVersion tells whether a body makes a version of a prompt. Its tags must not say so of a model: MLflow would take no
// note of where the version comes from.
func (c *call) promptVersion() (bool, error) {
	k, err := c.taggedKind()
	if err != nil || k != kind.Prompt {
		return false, err
	}
	name, _, err := c.read.Body.Text("name")
	if err != nil {
		return false, err
	}
	if k, err = c.kindOf(c.r.Context(), name); err != nil {
		return false, err
	}
	if k != kind.Prompt {
		return false, errs.New(errs.Denied, "the registered model %q is no prompt, and so has no versions of one", name)
	}
	return true, nil
}

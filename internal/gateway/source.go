package gateway

import (
	"net/url"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// source resolves a model version's source to what governs the bytes that it names. MLflow serves them later to whoever may
// read the model version, so the one who registers them must be able to read them (MLflow 3.17.2 does not ask).
func (c *call) source(source string) ([]authz.Resource, error) {
	u, err := url.Parse(source)
	if err != nil || strings.ContainsAny(source, "\\\x00") {
		return nil, errs.New(errs.Invalid, "source is not a URI")
	}
	switch u.Scheme {
	case "runs", "models":
		return c.reference(u, source)
	case "mlflow-artifacts":
		path := strings.TrimPrefix(u.Path, "/")
		if u.Host != "" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || u.RawPath != "" || path == "" {
			return nil, errs.New(errs.Invalid, "source %q is not a plain path of the artifact store", source)
		}
		return c.resolve(extract.Target{Ref: policy.ArtifactTree, Value: path})
	}
	return nil, nil // any other address is decided by knownSource
}

// reference resolves runs:/ and models:/ by MLflow's own reading of them (mlflow/store/artifact/utils/models.py,
// _parse_model_uri): nothing is decoded, "#" belongs to the name, and an alias begins at the last "@" of what names no
// version. What a URI's parser would take off a name, so that another model were decided on than is read, is refused.
func (c *call) reference(u *url.URL, source string) ([]authz.Resource, error) {
	if u.Host != "" || u.Opaque != "" || strings.ContainsAny(source, "%#?") {
		return nil, errs.New(errs.Invalid, "source %q must be a plain reference, without a host, %%, # and ?", source)
	}
	name, rest, more := strings.Cut(strings.TrimLeft(u.Path, "/"), "/")
	if u.Scheme == "runs" {
		return c.resolve(extract.Target{Ref: policy.Run, Value: name})
	}
	aliased := false
	if at := strings.LastIndexByte(name, '@'); at >= 0 && !more {
		name, aliased = name[:at], true
	}
	if strings.HasPrefix(name, "m-") && !more && !aliased {
		return c.resolve(extract.Target{Ref: policy.LoggedModel, Value: name})
	}
	if name == "" || strings.Contains(rest, "/") {
		return nil, errs.New(errs.Invalid, "source %q names no model", source)
	}
	on, err := c.registered(c.r.Context(), name)
	return []authz.Resource{on}, err
}

// knownSource lets a source in storage of its own (s3://…, a path of the server) pass only where it lies in the artifacts
// of the run or logged model that the request names, which the caller may read. Anything else would be fetched with the
// server's own credentials.
func (c *call) knownSource() error {
	source, _, err := c.read.Body.Text("source")
	if err != nil {
		return err
	}
	u, err := url.Parse(source)
	if err != nil {
		return errs.New(errs.Invalid, "source is not a URI")
	}
	switch u.Scheme {
	case "runs", "models", "mlflow-artifacts":
		return nil
	}
	if placeholders[source] {
		if prompts, err := c.promptVersion(); err != nil || prompts {
			return err
		}
	}
	roots, err := c.artifactRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		rest, ok := strings.CutPrefix(source, strings.TrimSuffix(root, "/"))
		if root == "" || !ok || (rest != "" && !strings.HasPrefix(rest, "/")) {
			continue
		}
		if httpx.RelativePath(strings.TrimPrefix(rest, "/")) == nil {
			return nil
		}
	}
	return errs.New(errs.Denied, "source must lie in the artifacts of the run_id or model_id that the request names")
}

func (c *call) artifactRoots() ([]string, error) {
	var roots []string
	for field, ref := range map[string]policy.Ref{"run_id": policy.Run, "model_id": policy.LoggedModel} {
		id, _, err := c.read.Body.Text(field)
		if err != nil {
			return nil, err
		}
		if id == "" {
			continue
		}
		owned, err := c.gateway.MLflow.Owned(c.r.Context(), ref, id)
		if err != nil {
			return nil, err
		}
		roots = append(roots, owned.Artifacts)
	}
	return roots, nil
}

package declared

import (
	"go.yaml.in/yaml/v3"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// role reads a role with all that it has, or, with an owner in place of a name, what somebody is given directly.
func (r *reader) role(n *yaml.Node) {
	o := r.object(n, "a role", "name", "owner", "workspace", "description", "permissions", "assignments")
	k, before := Key{What: Role, Workspace: kind.DefaultWorkspace}, len(r.wrong)
	if place := o.place(kind.Kind{}, false); place != "" {
		k.Workspace = place
	}
	if o.fields["owner"] != nil {
		for _, field := range []string{"name", "description", "assignments"} {
			if at := o.fields[field]; at != nil {
				r.fail(at, "what an owner is given directly has no %s", field)
			}
		}
		k.User = o.username("owner")
	} else {
		k.Role = o.required("name")
		if k.Role != "" {
			r.check(o.fields["name"], directory.CheckRoleName(k.Role))
		}
		description := o.prose("description")
		r.check(o.fields["description"], directory.CheckRoleDescription(&description))
		if len(r.wrong) == before {
			r.put(n, k, Value{Description: description})
		}
	}
	if len(r.wrong) > before { // what it has would be nobody's
		return
	}
	for _, item := range o.list("permissions") {
		r.permission(item, k)
	}
	for _, item := range o.list("assignments") {
		r.assignment(item, k)
	}
}

// opaque are the kinds that MLflow's API names by ids which nothing but MLflow can tell.
var opaque = map[kind.Name]bool{kind.GatewaySecret: true, kind.GatewayEndpoint: true, kind.GatewayModel: true}

func (r *reader) permission(n *yaml.Node, of Key) {
	o := r.object(n, "a permission", "type", "resource", "mlflow_id", "level")
	k, before := of, len(r.wrong)
	k.What, k.Kind = Permission, o.required("type")
	held, id := o.required("resource"), o.optional("mlflow_id")
	level := o.level(func(level string) error { return directory.CheckPermission(kind.Name(k.Kind), level) })
	if len(r.wrong) > before {
		return
	}
	var err error
	if k.Resource, err = inMLflow(kind.Name(k.Kind), held, id); err != nil {
		r.fail(o.fields["resource"], "%v", err)
		return
	}
	r.put(n, k, Value{Level: level, Held: held})
}

// inMLflow gives a resource as MLflow's API names it.
func inMLflow(of kind.Name, held, id string) (string, error) {
	k, ok := kind.Of(of)
	switch {
	case held == authz.Everything && id == "":
		return held, nil
	case !ok || of == kind.Workspace:
		return "", errs.New(errs.Invalid, "a permission on the type %s is on all of it: resource must be \"*\"", of)
	case opaque[of] != (id != "") || held == authz.Everything:
		return "", errs.New(errs.Invalid, "mlflow_id is the id that MLflow has for one of gateway_secret, gateway_endpoint or gateway_model_definition, beside the name as resource")
	case len(id) > 255 || len(held) > 255:
		return "", errs.New(errs.Invalid, "resource and mlflow_id must not be longer than 255 bytes")
	}
	if err := extract.Held(k, held); err != nil {
		return "", err
	}
	switch {
	case id != "":
		return id, nil
	case k.Parent != "":
		parent, name := kind.Parts(held)
		return parent + "/" + extract.Quote(name), nil
	}
	return held, extract.NameOf(of, "resource", held)
}

func (r *reader) assignment(n *yaml.Node, of Key) {
	o := r.object(n, "an assignment", "user", "expires_at")
	k, before := of, len(r.wrong)
	k.What, k.User = Assignment, o.username("user")
	v := Value{Expires: o.expires()}
	if len(r.wrong) == before {
		r.put(n, k, v)
	}
}

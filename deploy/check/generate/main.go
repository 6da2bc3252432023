// Command generate writes the schemas of the kinds that the chart makes, out of what Kubernetes and the Prometheus operator
// publish in their modules: go run ./generate, in deploy/check.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	kubernetes = "k8s.io/kubernetes@v1.37.2"
	operator   = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
)

// kinds are the definitions that the chart's objects have, by apiVersion and kind.
var kinds = map[string]string{
	"apps/v1/Deployment":                     "io.k8s.api.apps.v1.Deployment",
	"v1/Service":                             "io.k8s.api.core.v1.Service",
	"v1/ServiceAccount":                      "io.k8s.api.core.v1.ServiceAccount",
	"v1/PersistentVolumeClaim":               "io.k8s.api.core.v1.PersistentVolumeClaim",
	"networking.k8s.io/v1/Ingress":           "io.k8s.api.networking.v1.Ingress",
	"networking.k8s.io/v1/NetworkPolicy":     "io.k8s.api.networking.v1.NetworkPolicy",
	"policy/v1/PodDisruptionBudget":          "io.k8s.api.policy.v1.PodDisruptionBudget",
	"autoscaling/v2/HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
}

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func write() error {
	text, err := published(kubernetes, "api/openapi-spec/swagger.json")
	if err != nil {
		return err
	}
	var api struct{ Definitions map[string]any }
	if err := json.Unmarshal(text, &api); err != nil {
		return err
	}
	kept, index := map[string]any{}, map[string]any{}
	for kind, name := range kinds {
		if err := keep(name, api.Definitions, kept); err != nil {
			return err
		}
		index[kind] = map[string]any{"$ref": "#/definitions/" + name}
	}
	if text, err = published(operator, "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"); err != nil {
		return err
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema any }
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return err
	}
	monitor := strict(crd.Spec.Versions[0].Schema.OpenAPIV3Schema).(map[string]any)
	properties := monitor["properties"].(map[string]any)
	properties["metadata"] = map[string]any{"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
	index["monitoring.coreos.com/v1/ServiceMonitor"] = monitor
	for _, kind := range index { // what the API server asks for, and the published definitions do not
		if reference, ok := kind.(map[string]any)["$ref"].(string); ok {
			definition := kept[strings.TrimPrefix(reference, "#/definitions/")].(map[string]any)
			asked := []any{"apiVersion", "kind", "metadata"}
			if definition["properties"].(map[string]any)["spec"] != nil {
				asked = append(asked, "spec")
			}
			definition["required"] = asked
		}
	}
	out, err := json.MarshalIndent(map[string]any{"$comment": "From " + kubernetes + " and " + operator + ", both under the Apache License 2.0; descriptions left out, and nothing allowed that is not named.",
		"definitions": kept, "kinds": index}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("chart", "schemas", "kubernetes.json"), append(out, '\n'), 0o644)
}

// published reads a file of a module that is no dependency.
func published(module, path string) ([]byte, error) {
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	if err != nil {
		return nil, fmt.Errorf("downloading %s: %w: %s", module, err, out)
	}
	var at struct{ Dir string }
	if err := json.Unmarshal(out, &at); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(at.Dir, path))
}

// keep takes a definition, and all that it names.
func keep(name string, from, kept map[string]any) error {
	if kept[name] != nil {
		return nil
	}
	if from[name] == nil {
		return fmt.Errorf("there is no definition %s", name)
	}
	kept[name] = strict(from[name])
	for _, other := range names(kept[name]) {
		if err := keep(other, from, kept); err != nil {
			return err
		}
	}
	return nil
}

func names(of any) []string {
	var all []string
	switch of := of.(type) {
	case map[string]any:
		for key, value := range of {
			if reference, ok := value.(string); ok && key == "$ref" {
				all = append(all, strings.TrimPrefix(reference, "#/definitions/"))
				continue
			}
			all = append(all, names(value)...)
		}
	case []any:
		for _, value := range of {
			all = append(all, names(value)...)
		}
	}
	return all
}

// strict gives a schema without what is said to people, in which an object has the named properties alone.
func strict(of any) any {
	switch of := of.(type) {
	case map[string]any:
		if of["format"] == "int-or-string" || of["x-kubernetes-int-or-string"] == true {
			return map[string]any{"type": []any{"integer", "string"}}
		}
		out := map[string]any{}
		for key, value := range of {
			if _, text := value.(string); (text && (key == "description" || key == "format")) || strings.HasPrefix(key, "x-kubernetes") {
				continue
			}
			out[key] = strict(value)
		}
		if _, named := of["properties"].(map[string]any); named && of["additionalProperties"] == nil && of["x-kubernetes-preserve-unknown-fields"] == nil {
			out["additionalProperties"] = false
		}
		return out
	case []any:
		all := make([]any, len(of))
		for i, value := range of {
			all[i] = strict(value)
		}
		return all
	}
	return of
}

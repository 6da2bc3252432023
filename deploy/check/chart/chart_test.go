package chart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const dir = "../../helm/mlflow-oidc-auth"

func valuesOf(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "ci", file+"-values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// change sets what is at a path of values.
func change(values map[string]any, to any, keys ...string) map[string]any {
	within := values
	for _, key := range keys[:len(keys)-1] {
		next, ok := within[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			within[key] = next
		}
		within = next
	}
	within[keys[len(keys)-1]] = to
	return values
}

func render(t *testing.T, values map[string]any) []Object {
	t.Helper()
	objects, _, err := Render(dir, values)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// one gives the object of a kind and name, which has to be there.
func one(t *testing.T, objects []Object, kind, name string) Object {
	t.Helper()
	i := slices.IndexFunc(objects, func(o Object) bool { return o["kind"] == kind && o.Name() == name })
	if i < 0 {
		t.Fatalf("there is no %s %s", kind, name)
	}
	return objects[i]
}

// env gives the plain environment of a deployment, and the names that come from secrets.
func env(deployment Object) (plain map[string]string, secret map[string]string) {
	plain, secret = map[string]string{}, map[string]string{}
	all, _ := At(deployment, "spec", "template", "spec", "containers", 0, "env").([]any)
	for _, entry := range all {
		if from := Text(entry, "valueFrom", "secretKeyRef", "name"); from != "" {
			secret[Text(entry, "name")] = from + "/" + Text(entry, "valueFrom", "secretKeyRef", "key")
			continue
		}
		plain[Text(entry, "name")] = Text(entry, "value")
	}
	return plain, secret
}

func TestChartRendersWhatKubernetesTakes(t *testing.T) {
	for file, kinds := range map[string]string{
		"small":      "Deployment Deployment Ingress NetworkPolicy NetworkPolicy PersistentVolumeClaim PersistentVolumeClaim Service Service Service ServiceAccount",
		"ha":         "Deployment HorizontalPodAutoscaler Ingress NetworkPolicy NetworkPolicy PodDisruptionBudget Service Service ServiceAccount ServiceMonitor",
		"workspaces": "Deployment Deployment NetworkPolicy NetworkPolicy PodDisruptionBudget Service Service Service ServiceAccount",
	} {
		t.Run(file, func(t *testing.T) {
			values := valuesOf(t, file)
			if err := Lint(dir, values); err != nil {
				t.Errorf("helm lint: %v", err)
			}
			objects := render(t, values)
			var made []string
			for _, o := range objects {
				made = append(made, o["kind"].(string))
				if err := Check(o); err != nil {
					t.Error(err)
				}
			}
			if slices.Sort(made); strings.Join(made, " ") != kinds {
				t.Errorf("made are %s, and not %s", made, kinds)
			}
		})
	}
}

// What the check of schemas is for: each of these is taken by a YAML reader, and refused or lost by Kubernetes.
func TestCheckNoticesWhatKubernetesWouldNotTake(t *testing.T) {
	for name, spoil := range map[string]func(d Object){
		"an unknown field": func(d Object) { At(d, "spec").(map[string]any)["replicaCount"] = 1 },
		"an unknown field, deeper": func(d Object) {
			At(d, "spec", "template", "spec", "containers", 0).(map[string]any)["enviroment"] = []any{}
		},
		"a wrong type": func(d Object) { At(d, "spec").(map[string]any)["replicas"] = "3" },
		"a wrong type, deeper": func(d Object) {
			At(d, "spec", "template", "spec", "containers", 0, "env", 0).(map[string]any)["value"] = true
		},
		"a missing field":         func(d Object) { delete(At(d, "spec").(map[string]any), "selector") },
		"a missing field, deeper": func(d Object) { delete(At(d, "spec", "template", "spec", "containers", 0).(map[string]any), "name") },
		"no specification":        func(d Object) { delete(d, "spec") },
		"no name":                 func(d Object) { delete(At(d, "metadata").(map[string]any), "name") },
		"an unknown kind":         func(d Object) { d["kind"] = "Deploymint" },
		"an old version":          func(d Object) { d["apiVersion"] = "extensions/v1beta1" },
	} {
		d := one(t, render(t, valuesOf(t, "ha")), "Deployment", "mlflow-mlflow-oidc-auth")
		if err := Check(d); err != nil {
			t.Fatal(err)
		}
		if spoil(d); Check(d) == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
	monitor := one(t, render(t, valuesOf(t, "ha")), "ServiceMonitor", "mlflow-mlflow-oidc-auth")
	for name, spoil := range map[string]func(spec map[string]any){
		"an unknown field": func(spec map[string]any) { spec["endpoint"] = []any{} },
		"a wrong type":     func(spec map[string]any) { spec["endpoints"] = "metrics" },
		"a missing field":  func(spec map[string]any) { delete(spec, "selector") },
	} {
		spec := At(monitor, "spec").(map[string]any)
		kept := map[string]any{}
		for key, value := range spec {
			kept[key] = value
		}
		if spoil(kept); Check(Object{"apiVersion": monitor["apiVersion"], "kind": monitor["kind"], "metadata": monitor["metadata"], "spec": kept}) == nil {
			t.Errorf("%s of a ServiceMonitor is not noticed", name)
		}
	}
}

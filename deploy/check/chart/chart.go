// Package chart renders the Helm chart as Helm does, and holds what comes out against the schemas of Kubernetes.
package chart

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

// Object is one of what the chart makes.
type Object map[string]any

// Kind is its apiVersion and kind, such as apps/v1/Deployment.
func (o Object) Kind() string { return fmt.Sprintf("%v/%v", o["apiVersion"], o["kind"]) }

// Name is its name.
func (o Object) Name() string { return Text(o, "metadata", "name") }

// At gives what is at a path inside; nil where nothing is. A number leads into a list.
func At(of any, keys ...any) any {
	for _, key := range keys {
		switch within := of.(type) {
		case Object:
			of = within[fmt.Sprint(key)]
		case map[string]any:
			of = within[fmt.Sprint(key)]
		case []any:
			i, ok := key.(int)
			if !ok || i >= len(within) {
				return nil
			}
			of = within[i]
		default:
			return nil
		}
	}
	return of
}

// Text is the text at a path inside; empty where none is.
func Text(of any, keys ...any) string {
	text, _ := At(of, keys...).(string)
	return text
}

// Render gives the objects of helm template with the release's name "mlflow", and the notes.
func Render(dir string, values map[string]any) ([]Object, string, error) {
	loaded, err := loader.Load(dir)
	if err != nil {
		return nil, "", err
	}
	capabilities := *chartutil.DefaultCapabilities
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.37.0", Major: "1", Minor: "37"}
	all, err := chartutil.ToRenderValues(loaded, values, chartutil.ReleaseOptions{Name: "mlflow", Namespace: "ml", IsInstall: true}, &capabilities)
	if err != nil {
		return nil, "", err
	}
	texts, err := engine.Render(loaded, all)
	if err != nil {
		return nil, "", err
	}
	var objects []Object
	notes := ""
	for name, text := range texts {
		if path.Base(name) == "NOTES.txt" {
			notes = text
			continue
		}
		for document := range strings.SplitSeq("\n"+text, "\n---\n") {
			var o Object
			if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil { // with a key that is there twice, the last would count
				return nil, "", fmt.Errorf("%s: %w", name, err)
			}
			if len(o) > 0 {
				objects = append(objects, o)
			}
		}
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Kind()+a.Name(), b.Kind()+b.Name()) })
	return objects, notes, nil
}

// Lint gives what helm lint --strict finds.
func Lint(dir string, values map[string]any) error {
	var all []error
	for _, message := range lint.AllWithKubeVersion(dir, values, "ml", &chartutil.KubeVersion{Version: "v1.37.0", Major: "1", Minor: "37"}).Messages {
		if message.Severity >= support.WarningSev {
			all = append(all, message)
		}
	}
	return errors.Join(all...)
}

package app_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/release"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/kept"
)

const chart = root + "/deploy/helm/mlflow-oidc-auth"

// chartsOwn are the settings that the chart sets by itself, for its ports, its MLflow and its full mode, which it has not.
var chartsOwn = []string{"LISTEN_ADDR", "METRICS_ADDR", "MLFLOW_UPSTREAM", "MLFLOW_COMMAND"}

// The chart refuses a setting with a wrong name, and a secret where whoever may read a Deployment would see it.
func TestDocsChartKnowsTheSettings(t *testing.T) {
	plain, all := []string{}, []string{}
	for o := range config.All() {
		if slices.Contains(chartsOwn, o.Name) {
			continue
		}
		all = append(all, o.Name)
		if !o.Secret {
			plain = append(plain, o.Name)
		}
	}
	path := filepath.Join(chart, "values.schema.json")
	want := readFile(t, path)
	for name, names := range map[string][]string{"setting": plain, "secret": all} {
		lines, err := json.MarshalIndent(names, "      ", "  ")
		if err != nil {
			t.Fatal(err)
		}
		place := regexp.MustCompile(`("` + name + `": \{\s*"enum": )\[[^\]]*\]`)
		if len(place.FindAllString(want, -1)) != 1 {
			t.Fatalf("%s has no definition of %s", path, name)
		}
		want = place.ReplaceAllString(want, "${1}"+string(lines))
	}
	kept.File(t, own, path, want)
}

// chartValues are the parts of a values file that are about settings.
type chartValues struct {
	Settings       map[string]any
	ExistingSecret struct{ Keys []string } `yaml:"existingSecret"`
}

func TestChartsValueFilesAreSettings(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(chart, "ci", "*.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("value files: %v, %v", files, err)
	}
	ca, _ := certificate(t, "redis")
	secrets := map[string]string{"SECRET_KEY": "k3Jd8sLq0vXz7RtYw2Bn", "OIDC_CLIENT_SECRET": "any", "OIDC_USERS_DB_URI": "postgresql://u:p@db/auth", "REDIS_PASSWORD": "any"}
	for _, file := range append(files, filepath.Join(chart, "values.yaml")) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var values chartValues
			for _, layer := range []string{filepath.Join(chart, "values.yaml"), file} { // a map keeps what the next does not say
				if err := yaml.Unmarshal([]byte(readFile(t, layer)), &values); err != nil {
					t.Fatal(err)
				}
			}
			known := map[string]bool{}
			for o := range config.All() {
				known[o.Name] = true
			}
			env := map[string]string{}
			for name, value := range values.Settings {
				text, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				env[name] = strings.Trim(string(text), `"`)
				if strings.HasSuffix(name, "_CA_FILE") {
					env[name] = ca // mounted in a cluster
				}
			}
			for _, key := range values.ExistingSecret.Keys {
				env[key] = secrets[key]
			}
			for name := range env {
				if !known[name] {
					t.Errorf("%s is no setting", name)
				}
			}
			settings, err := config.Load(func(name string) (string, bool) { v, ok := env[name]; return v, ok }, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(file, "-values.yaml") {
				if err := settings.CheckServe(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestChartIsOfThisVersion(t *testing.T) {
	var about struct {
		Version    string
		AppVersion string `yaml:"appVersion"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(chart, "Chart.yaml"))), &about); err != nil {
		t.Fatal(err)
	}
	if about.Version != release.Version || about.AppVersion != release.Version {
		t.Errorf("Chart.yaml has the versions %s and %s, and the program is %s", about.Version, about.AppVersion, release.Version)
	}
}

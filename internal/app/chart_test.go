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

// inTemplate is a setting that a template looks at.
var inTemplate = regexp.MustCompile(`[sS]ettings(?:\.| ")([A-Z][A-Z_]+)`)

// chartGoesBy are the settings by whose values the chart decides what it makes. In a Secret it would not see them. The users database may
// be in one for all that: the chart then takes it for a server.
func chartGoesBy(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		for _, found := range inTemplate.FindAllStringSubmatch(readFile(t, file), -1) {
			names = append(names, found[1])
		}
	}
	for _, name := range []string{"SESSION_TYPE", "TLS_CERT_FILE", "PUBLIC_URL"} {
		if !slices.Contains(names, name) {
			t.Errorf("no template is found to look at %s", name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "OIDC_USERS_DB_URI" })
}

// The chart refuses a setting with a wrong name, a secret where whoever may read a Deployment would see it, and what it goes by where it
// cannot read it.
func TestDocsChartKnowsTheSettings(t *testing.T) {
	plain, inSecret, goesBy := []string{}, []string{}, chartGoesBy(t)
	for o := range config.All() {
		if slices.Contains(chartsOwn, o.Name) {
			continue
		}
		if !slices.Contains(goesBy, o.Name) {
			inSecret = append(inSecret, o.Name)
		}
		if !o.Secret {
			plain = append(plain, o.Name)
		}
	}
	path := filepath.Join(chart, "values.schema.json")
	want := readFile(t, path)
	for name, names := range map[string][]string{"setting": plain, "secret": inSecret} {
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

package app_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/release"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/kept"
)

// The table of values is that of the file, with its own words.
func TestDocsShowTheChartsValues(t *testing.T) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(chart, "values.yaml"))), &document); err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	table.WriteString("| value | default | |\n|---|---|---|\n")
	valueRows(&table, "", document.Content[0])
	kept.Page(t, own, filepath.Join(root, "docs", "helm.md"), table.String())
}

// valueRows writes a row for each value below a node. What is said above a group stands in a row of its own.
func valueRows(table *bytes.Buffer, path string, node *yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		var said []string
		for line := range strings.Lines(key.HeadComment) {
			said = append(said, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#")))
		}
		meaning := strings.ReplaceAll(strings.Join(said, " "), "|", `\|`)
		name := path + key.Value
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 && value.Style != yaml.FlowStyle && name != "settings" {
			if meaning != "" {
				fmt.Fprintf(table, "| `%s` | | %s |\n", name, meaning)
			}
			valueRows(table, name+".", value)
			continue
		}
		var text any
		_ = value.Decode(&text) // it was read
		shown := fmt.Sprintf("`%v`", flow(value))
		if text == "" || shown == "`[]`" || shown == "`{}`" {
			shown = "–"
		}
		fmt.Fprintf(table, "| `%s` | %s | %s |\n", name, shown, meaning)
	}
}

// flow is a value as it can stand in one line of YAML.
func flow(value *yaml.Node) string {
	node := *value
	node.Style, node.HeadComment = node.Style|yaml.FlowStyle, ""
	text, err := yaml.Marshal(&node)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

// setting is how the name of one looks, to find those that somebody misspelt.
var setting = regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)

// notOurs are what files for deployment set beside settings: whom Go trusts.
var notOurs = map[string]bool{"SSL_CERT_DIR": true, "PATH": true}

func TestFilesForDeploymentNameSettings(t *testing.T) {
	known := map[string]bool{}
	for o := range config.All() {
		known[o.Name] = true
	}
	var compose struct {
		Services map[string]struct {
			Image       string
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, root+"/deploy/compose/compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	named := map[string][]string{}
	for name := range compose.Services["gateway"].Environment {
		named["compose.yaml"] = append(named["compose.yaml"], name)
	}
	for _, line := range regexp.MustCompile(`(?m)^#?([A-Z][A-Z0-9_]+)=`).FindAllStringSubmatch(readFile(t, root+"/deploy/debian/env"), -1) {
		named["debian/env"] = append(named["debian/env"], line[1])
	}
	for _, line := range regexp.MustCompile(`(?s)cat >secrets.new/gateway.env <<ENV\n(.*?)\nENV`).FindAllStringSubmatch(readFile(t, root+"/deploy/compose/setup.sh"), -1) {
		for one := range strings.Lines(line[1]) {
			name, _, _ := strings.Cut(one, "=")
			named["setup.sh"] = append(named["setup.sh"], name)
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^(?:ENV|   ) ([A-Z_]+)=`).FindAllStringSubmatch(readFile(t, root+"/deploy/container/Dockerfile"), -1) {
		named["Dockerfile"] = append(named["Dockerfile"], line[1])
		if line[1] != "PATH" && line[1] != "LISTEN_ADDR" {
			t.Errorf("the image sets %s, which a .env in its folder could not change", line[1])
		}
	}
	for _, file := range []string{"compose.yaml", "debian/env", "setup.sh", "Dockerfile"} {
		if len(named[file]) < 2 {
			t.Errorf("%s names %v", file, named[file])
		}
		for _, name := range named[file] {
			if !setting.MatchString(name) || (!known[name] && !notOurs[name]) {
				t.Errorf("%s names %s, which is no setting", file, name)
			}
		}
	}
	if got := compose.Services["gateway"].Image; got != "mlflow-oidc-auth:"+release.Version {
		t.Errorf("compose.yaml runs %s, and this is %s", got, release.Version)
	}
	if got := compose.Services["mlflow"].Image; got != "mlflow:"+policy.Version {
		t.Errorf("compose.yaml runs %s, and the routes are those of %s", got, policy.Version)
	}
}

func TestPackagesBringTheMLflowWhoseRoutesAreKnown(t *testing.T) {
	for file, says := range map[string]string{
		"container/Dockerfile.full":                   " mlflow==" + policy.Version + " ",
		"helm/mlflow-oidc-auth/values.yaml":           `tag: "` + policy.Version + `"`,
		"helm/mlflow-oidc-auth/templates/mlflow.yaml": `"tag" "` + policy.Version + `"`,
	} {
		if !strings.Contains(readFile(t, root+"/deploy/"+file), says) {
			t.Errorf("%s does not say %q", file, says)
		}
	}
	if toolchain := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readFile(t, root+"/go.mod")); !strings.Contains(readFile(t, root+"/deploy/container/Dockerfile"), " golang:"+toolchain[1]+".") {
		t.Errorf("the image is not built by Go %s", toolchain[1])
	}
}

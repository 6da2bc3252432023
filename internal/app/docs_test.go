package app_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/kept"
)

const root = "../.."

// own is this package, whose tests write what is generated.
const own = "./internal/app"

func TestDocsShowTheTablesOfTheSource(t *testing.T) {
	for _, page := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"settings.md", config.Markdown},
		{"audit.md", audit.Markdown},
		{"authorization.md", app.MarkdownRoutes},
		{"observability.md", app.MarkdownTelemetry},
	} {
		t.Run(page.name, func(t *testing.T) {
			var table bytes.Buffer
			if err := page.write(&table); err != nil {
				t.Fatal(err)
			}
			kept.Page(t, own, filepath.Join(root, "docs", page.name), table.String())
		})
	}
}

func TestMarkdownRoutesLeaveOutNothingButTwins(t *testing.T) {
	var table bytes.Buffer
	if err := app.MarkdownRoutes(&table); err != nil {
		t.Fatal(err)
	}
	for _, route := range policy.Routes() {
		row := "| " + route.Method + " | `" + route.Path + "` |"
		twin := strings.Replace(row, "/ajax-api/", "/api/", 1)
		if n := strings.Count(table.String(), row) + strings.Count(table.String(), twin); n == 0 || (row == twin && n != 2) {
			t.Errorf("%s is in the table %d times", route.Pattern(), n)
		}
	}
}

// pages are README.md and all that is in docs/, by their paths.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"README.md": readFile(t, filepath.Join(root, "README.md"))}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			all[strings.TrimPrefix(path, root+"/")] = readFile(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// dotenvBlock is a fenced example of a .env file.
var dotenvBlock = regexp.MustCompile("(?s)```dotenv\n(.*?)```")

// A reader copies these into a file: each must load, and name no setting that does not exist.
func TestExamplesOfDotenvLoad(t *testing.T) {
	var names []string
	for option := range config.All() {
		names = append(names, option.Name)
	}
	nothing := func(string) (string, bool) { return "", false }
	examples := 0
	for page, text := range pages(t) {
		for _, example := range dotenvBlock.FindAllStringSubmatch(text, -1) {
			examples++
			values, err := config.ParseDotenv(example[1], nothing)
			if err != nil {
				t.Errorf("%s: %v in:\n%s", page, err, example[1])
			}
			for name := range values {
				if !slices.Contains(names, name) {
					t.Errorf("%s: there is no setting %s, which is in:\n%s", page, name, example[1])
				}
			}
			path := filepath.Join(t.TempDir(), ".env")
			if err := os.WriteFile(path, []byte(example[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(nothing, path, nil); err != nil {
				t.Errorf("%s: %v in:\n%s", page, err, example[1])
			}
		}
	}
	if examples < 10 {
		t.Errorf("there are %d examples of a .env file", examples)
	}
}

// fenced gives the blocks of a language that a page has.
func fenced(t *testing.T, page, language string) []string {
	t.Helper()
	var all []string
	for _, block := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(readFile(t, filepath.Join(root, page)), -1) {
		all = append(all, block[1])
	}
	if len(all) == 0 {
		t.Fatalf("%s has no %s", page, language)
	}
	return all
}

// The files that settings name are examples too, with a secret in place of the one that a reader has.
func TestExamplesOfFilesLoad(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of-the-reader\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for page, setting := range map[string]string{"docs/providers/several.md": "OIDC_PROVIDERS_FILE", "docs/workloads.md": "WORKLOAD_IDENTITY_FILE"} {
		for _, example := range fenced(t, page, "json") {
			file := filepath.Join(t.TempDir(), "example.json")
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(example, "/run/secrets/keycloak", secret)), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(func(name string) (string, bool) { return file, name == setting }, filepath.Join(t.TempDir(), "absent"), nil)
			if err != nil || len(c.Providers)+len(c.Workloads) < 2 {
				t.Errorf("%s: %v in:\n%s", page, err, example)
			}
		}
	}
}

// dex is what Dex reads of its configuration, as far as the recipe has it (dexidp.io/docs).
type dex struct {
	Issuer  string
	Storage struct {
		Type   string
		Config struct{ File string }
	}
	Web        struct{ HTTP string }
	Connectors []struct {
		Type, ID, Name string
		Config         struct {
			ClientID      string `yaml:"clientID"`
			ClientSecret  string `yaml:"clientSecret"`
			RedirectURI   string `yaml:"redirectURI"`
			TeamNameField string `yaml:"teamNameField"`
			Orgs          []struct{ Name string }
		}
	}
	StaticClients []struct {
		ID, Name, Secret string
		RedirectURIs     []string `yaml:"redirectURIs"`
	} `yaml:"staticClients"`
}

// Dex is set up for the client that the gateway is, and for itself at GitHub; and nobody reaches it past its proxy.
func TestDexFitsTheGateway(t *testing.T) {
	const page = "docs/providers/github.md"
	var d dex
	decoder := yaml.NewDecoder(strings.NewReader(fenced(t, page, "yaml")[0]))
	decoder.KnownFields(true)
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	values, err := config.ParseDotenv(fenced(t, page, "dotenv")[0], func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Connectors) != 1 || len(d.StaticClients) != 1 || len(d.Connectors[0].Config.Orgs) != 1 {
		t.Fatalf("%+v", d)
	}
	github, client := d.Connectors[0].Config, d.StaticClients[0]
	for what, right := range map[string]bool{
		"discovery":    values["OIDC_DISCOVERY_URL"] == d.Issuer+"/.well-known/openid-configuration",
		"client":       values["OIDC_CLIENT_ID"] == client.ID && values["OIDC_CLIENT_SECRET"] == client.Secret,
		"our callback": slices.Equal(client.RedirectURIs, []string{"https://mlflow.example.com/callback"}),
		"Dex's":        github.RedirectURI == d.Issuer+"/callback" && strings.Contains(readFile(t, filepath.Join(root, page)), "`"+github.RedirectURI+"`"),
		"groups":       strings.HasPrefix(values["OIDC_GROUP_NAME"], github.Orgs[0].Name+":"),
		"loopback":     strings.HasPrefix(d.Web.HTTP, "127.0.0.1:"),
	} {
		if !right {
			t.Errorf("%s: %+v does not fit %v", what, d, values)
		}
	}
}

// Other examples in YAML are read as such.
func TestExamplesOfYAMLParse(t *testing.T) {
	examples := 0
	for page, text := range pages(t) {
		if !strings.Contains(text, "```yaml\n") {
			continue
		}
		for _, example := range fenced(t, page, "yaml") {
			examples++
			decoder := yaml.NewDecoder(strings.NewReader(example))
			for {
				var document map[string]any
				err := decoder.Decode(&document)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Errorf("%s: %v in:\n%s", page, err, example)
					break
				}
			}
		}
	}
	if examples < 5 {
		t.Errorf("there are %d examples in YAML", examples)
	}
}

// A message that somebody searches for has to be there as the program says it: every one that the page has in a table is, but for what differs.
func TestTroubleshootingQuotesTheSource(t *testing.T) {
	var source strings.Builder
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, _ os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go") {
			source.WriteString(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	said := strings.NewReplacer(`\\`, `\`, `" +`+"\n\t\t", "", `"+`+"\n\t\t", "").Replace(source.String())
	_, tables, found := strings.Cut(readFile(t, filepath.Join(root, "docs", "troubleshooting.md")), "\n## The server does not start\n")
	if !found {
		t.Fatal("the page has no such chapter")
	}
	quotes := 0
	for line := range strings.Lines(tables) {
		cell, ok := strings.CutPrefix(line, "| `")
		if !ok {
			continue
		}
		cell, _, _ = strings.Cut(cell, " | ")
		for _, quote := range spans("`" + cell) {
			quotes++
			for part := range strings.SplitSeq(quote, "…") {
				if !strings.Contains(said, strings.Trim(part, " :")) { // errors are put together at colons
					t.Errorf("nothing says %q, which is in %q", part, quote)
				}
			}
		}
	}
	if quotes < 40 {
		t.Errorf("there are %d messages", quotes)
	}
}

// What pages say is shown by tests that they name, which have to be there.
func TestPagesNameTestsThatAreThere(t *testing.T) {
	there := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, found := range declared.FindAllStringSubmatch(readFile(t, path), -1) {
				there[found[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+)[`/]")
	for page, text := range pages(t) {
		names := named.FindAllStringSubmatch(text, -1)
		if least := map[string]int{"docs/security.md": 20, "docs/high-availability.md": 10}[page]; len(names) < least {
			t.Errorf("%s names %d tests", page, len(names))
		}
		for _, name := range names {
			if !there[name[1]] {
				t.Errorf("there is no %s, which %s names", name[1], page)
			}
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package app_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mlflow-oidc/mlflow-oidc-auth/"

// arrows are the imports inside the project that each package may have. They point inward: what decides knows nothing of
// HTTP, storage or MLflow, and what stores or reaches MLflow knows nothing of the pipeline that uses it.
var arrows = map[string][]string{
	"cmd/mlflow-oidc-auth": {"internal/app", "internal/client", "internal/config", "internal/operate", "internal/release"},

	"internal/release":  {},
	"internal/client":   {},
	"internal/errs":     {},
	"internal/kind":     {},
	"internal/identity": {"internal/authz"},
	"internal/policy":   {"internal/kind"},
	"internal/authz":    {"internal/kind"},

	"internal/workspace": {"internal/errs", "internal/kind"},
	"internal/attach":    {"internal/errs", "internal/kind"},

	"internal/httpx":    {"internal/errs"},
	"internal/graphql":  {"internal/errs", "internal/extract", "internal/httpx", "internal/kind", "internal/policy", "internal/rewrite"},
	"internal/extract":  {"internal/errs", "internal/httpx", "internal/kind", "internal/policy", "internal/workspace"},
	"internal/rewrite":  {"internal/authz", "internal/errs", "internal/httpx", "internal/kind", "internal/policy"},
	"internal/database": {},
	"internal/config":   {"internal/assertion", "internal/authz", "internal/database", "internal/httpx", "internal/kind"},

	"internal/assertion": {},
	"internal/metrics":   {},
	"internal/tracing":   {},

	"internal/audit":           {"internal/httpx"},
	"internal/limit":           {"internal/errs", "internal/httpx"},
	"internal/limit/redis":     {},
	"internal/limit/limittest": {"internal/limit"},

	"internal/directory":           {"internal/authz", "internal/errs", "internal/kind", "internal/workspace"},
	"internal/session":             {"internal/errs"},
	"internal/session/filesystem":  {"internal/errs", "internal/session"},
	"internal/session/redis":       {"internal/errs", "internal/session"},
	"internal/session/sessiontest": {"internal/session"},
	"internal/declared":            {"internal/attach", "internal/authz", "internal/directory", "internal/errs", "internal/extract", "internal/kind", "internal/workspace"},
	"internal/store":               {"internal/attach", "internal/audit", "internal/authz", "internal/database", "internal/declared", "internal/directory", "internal/errs", "internal/kind", "internal/session", "internal/takeover", "internal/workspace"},
	"internal/takeover":            {},
	"internal/importer":            {"internal/attach", "internal/authz", "internal/database", "internal/directory", "internal/kind", "internal/store", "internal/takeover"},
	"internal/jwt":                 {"internal/errs", "internal/httpx"},
	"internal/workload":            {"internal/config", "internal/directory", "internal/errs", "internal/jwt"},
	"internal/token":               {"internal/audit", "internal/directory", "internal/errs", "internal/identity", "internal/jwt", "internal/session"},
	"internal/upstream":            {"internal/errs", "internal/httpx", "internal/kind", "internal/policy", "internal/workspace"},
	"internal/supervise":           {},

	"internal/login":      {"internal/audit", "internal/directory", "internal/errs", "internal/httpx", "internal/identity", "internal/jwt", "internal/session"},
	"internal/terminal":   {"internal/audit", "internal/authz", "internal/directory", "internal/errs", "internal/httpx", "internal/identity", "internal/kind", "internal/login", "internal/token"},
	"internal/login/oidc": {"internal/assertion", "internal/config", "internal/directory", "internal/errs", "internal/jwt"},
	"internal/gateway": {"internal/audit", "internal/authz", "internal/errs", "internal/extract", "internal/graphql", "internal/httpx", "internal/identity", "internal/kind",
		"internal/policy", "internal/rewrite", "internal/upstream", "internal/workspace"},
	"internal/api": {"internal/attach", "internal/audit", "internal/authz", "internal/directory", "internal/errs", "internal/extract", "internal/httpx", "internal/identity",
		"internal/kind", "internal/policy", "internal/session", "internal/store", "internal/token", "internal/upstream", "internal/workspace"},
	"internal/app": {"internal/api", "internal/attach", "internal/audit", "internal/authz", "internal/config", "internal/directory", "internal/errs", "internal/gateway", "internal/httpx", "internal/identity", "internal/takeover", "internal/kind", "internal/importer", "internal/database", "internal/limit", "internal/limit/redis",
		"internal/login", "internal/login/oidc", "internal/metrics", "internal/operate", "internal/policy", "internal/release", "internal/session", "internal/session/filesystem",
		"internal/session/redis", "internal/store", "internal/supervise", "internal/terminal", "internal/token", "internal/tracing", "internal/ui", "internal/upstream", "internal/workload", "internal/workspace"},

	"internal/ui": {},
	"internal/operate": {"internal/api", "internal/attach", "internal/audit", "internal/authz", "internal/config", "internal/declared", "internal/directory", "internal/errs", "internal/identity",
		"internal/kind", "internal/session", "internal/store", "internal/token", "internal/upstream", "internal/workspace"},

	"internal/devidp":          {},
	"internal/devserver":       {"internal/devidp"},
	"cmd/mlflow-oidc-auth-dev": {"internal/devserver"},
	"internal/test/dbtest":     {"internal/database"},
	"internal/test/kept":       {},
	"internal/test/mlflowtest": {"internal/supervise"},
	"internal/test/otlptest":   {},
	"internal/test/storetest":  {"internal/database", "internal/store", "internal/test/dbtest"},
	"internal/test/world":      {"internal/app", "internal/config", "internal/devidp", "internal/policy", "internal/test/mlflowtest", "internal/test/storetest"},
	"internal/bench":           {"internal/app", "internal/config", "internal/devidp", "internal/directory", "internal/kind", "internal/policy", "internal/store", "internal/token"},
	"scripts/bench":            {"internal/bench"},
	"scripts/testcount":        {},
}

// standardOnly are the packages that everything stands on: nothing outside the standard library, and no I/O of any kind.
var standardOnly = []string{"internal/errs", "internal/kind", "internal/identity", "internal/policy", "internal/authz"}

// forTests are the packages that the server may not contain: a provider that signs anybody in, and suites of behaviour.
var forTests = []string{"internal/bench", "internal/devidp", "internal/devserver", "internal/limit/limittest", "internal/session/sessiontest", "internal/test/dbtest", "internal/test/kept", "internal/test/mlflowtest", "internal/test/otlptest", "internal/test/storetest", "internal/test/world"}

// refused are names that say nothing, under which anything collects.
var refused = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib"}

type pkg struct {
	ImportPath    string
	Standard      bool
	Imports, Deps []string
}

// name is the package's path inside the module.
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// inside keeps the imports of the project itself.
func inside(imports []string) []string {
	var own []string
	for _, path := range imports {
		if name, ok := strings.CutPrefix(path, module); ok {
			own = append(own, name)
		}
	}
	return own
}

func list(t *testing.T) map[string]pkg {
	t.Helper()
	command := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", module+"...")
	output, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	all := map[string]pkg{}
	for d := json.NewDecoder(strings.NewReader(string(output))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	return all
}

func TestArrowsPointInward(t *testing.T) {
	all := list(t)
	for _, p := range all {
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		allowed, known := arrows[p.name()]
		if !known {
			t.Errorf("%s is not in the table of arrows", p.name())
			continue
		}
		for _, to := range inside(p.Imports) {
			if !slices.Contains(allowed, to) {
				t.Errorf("%s must not import %s", p.name(), to)
			}
		}
		for _, to := range allowed {
			if !slices.Contains(inside(p.Imports), to) {
				t.Errorf("the arrow from %s to %s is not needed; take it out of the table", p.name(), to)
			}
		}
		for part := range strings.SplitSeq(p.name(), "/") {
			if slices.Contains(refused, part) {
				t.Errorf("%s has a name that says nothing", p.name())
			}
		}
	}
	for name := range arrows {
		if _, there := all[module+name]; !there {
			t.Errorf("%s is in the table of arrows, and does not exist", name)
		}
	}
}

// The table itself must not allow what the design forbids: an arrow added to it in passing is still an error.
func TestTableOfArrowsIsSound(t *testing.T) {
	for from, allowed := range arrows {
		// apart is a program beside the server, or what only such programs and tests are made of
		apart := slices.Contains(forTests, from) || strings.HasPrefix(from, "scripts/") || strings.HasPrefix(from, "cmd/") && from != "cmd/mlflow-oidc-auth"
		for _, to := range allowed {
			inner := from == "internal/store" || from == "internal/upstream" || strings.HasPrefix(from, "internal/login")
			if inner && (to == "internal/gateway" || to == "internal/api") {
				t.Errorf("%s may import %s, which uses it", from, to)
			}
			if slices.Contains(forTests, to) && !apart {
				t.Errorf("%s may import %s, which is for tests", from, to)
			}
			if to == "internal/app" && !apart && from != "cmd/mlflow-oidc-auth" {
				t.Errorf("%s may import %s, which wires it", from, to)
			}
			if strings.HasPrefix(to, "cmd/") || strings.HasPrefix(to, "scripts/") {
				t.Errorf("%s may import the program %s", from, to)
			}
		}
	}
}

func TestCoreStandsOnTheStandardLibrary(t *testing.T) {
	all := list(t)
	for _, name := range standardOnly {
		for _, dep := range all[module+name].Deps {
			own, inside := strings.CutPrefix(dep, module)
			if inside && !slices.Contains(standardOnly, own) || !inside && !all[dep].Standard {
				t.Errorf("%s depends on %s", name, dep)
			}
			if slices.Contains([]string{"net", "net/http", "database/sql", "os/exec"}, dep) {
				t.Errorf("%s depends on %s, and so can do more than decide", name, dep)
			}
		}
	}
}

// The development provider signs in whoever asks; a server that contains it is one switch away from letting everybody in.
func TestServerContainsNothingForTests(t *testing.T) {
	deps := list(t)[module+"cmd/mlflow-oidc-auth"].Deps
	if !slices.Contains(deps, module+"internal/gateway") {
		t.Fatal("the server's dependencies are not known")
	}
	for _, name := range forTests {
		if slices.Contains(deps, module+name) {
			t.Errorf("the server contains %s", name)
		}
	}
	for _, path := range []string{"testing", "net/http/httptest"} {
		if slices.Contains(deps, path) {
			t.Errorf("the server contains %s", path)
		}
	}
}

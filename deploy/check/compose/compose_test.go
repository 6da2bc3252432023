// Package compose holds deploy/compose to what it is for: MLflow behind the gateway, and no secret that everybody knows.
package compose

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

const dir = "../../compose"

// copied gives a folder with the files of deploy/compose, without what setup.sh may have made in it.
func copied(t *testing.T) string {
	t.Helper()
	at := t.TempDir()
	for _, name := range []string{"compose.yaml", "setup.sh", "keycloak/realm.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(at, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return at
}

func setUp(t *testing.T, at string, hosts ...string) {
	t.Helper()
	command := exec.Command(filepath.Join(at, "setup.sh"), hosts...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("setup.sh: %v: %s", err, out)
	}
}

// load reads the project as docker compose does, with .env of its folder and without the environment of this machine.
func load(at string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(at, "compose.yaml")}, cli.WithWorkingDirectory(at), cli.WithEnvFiles(), cli.WithDotEnv)
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func loaded(t *testing.T) (*types.Project, string) {
	t.Helper()
	at := copied(t)
	setUp(t, at, "mlflow.example.com", "sso.example.com")
	project, err := load(at)
	if err != nil {
		t.Fatal(err)
	}
	return project, at
}

// The attack: reach MLflow past the gateway, from another container, from outside, or as anybody on the host.
func TestOnlyTheGatewayAndTheDatabaseShareANetworkWithMLflow(t *testing.T) {
	project, _ := loaded(t)
	var near []string
	for network := range project.Services["mlflow"].Networks {
		if !project.Networks[network].Internal {
			t.Errorf("MLflow's network %s leads outside", network)
		}
		if mode := project.Networks[network].DriverOpts["com.docker.network.bridge.gateway_mode_ipv4"]; mode != "isolated" {
			t.Errorf("the host has an address in MLflow's network %s, whose mode is %q", network, mode)
		}
		for name, service := range project.Services {
			if _, shared := service.Networks[network]; shared && name != "mlflow" {
				near = append(near, name)
			}
		}
	}
	if slices.Sort(near); !slices.Equal(near, []string{"gateway", "postgres"}) {
		t.Errorf("MLflow shares a network with %v", near)
	}
	for name, service := range project.Services {
		for _, port := range service.Ports {
			if name != "gateway" && name != "keycloak" || port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s:%s", name, port.HostIP, port.Published)
			}
		}
		if service.NetworkMode != "" || service.Privileged {
			t.Errorf("%s is not kept apart: %q, %v", name, service.NetworkMode, service.Privileged)
		}
	}
}

// A name that MLflow does not know it refuses, with 403: the gateway's for it, and the one by which its own jobs call the server back.
func TestMLflowKnowsItsNames(t *testing.T) {
	project, _ := loaded(t)
	allowed := project.Services["mlflow"].Environment["MLFLOW_SERVER_ALLOWED_HOSTS"]
	upstream := project.Services["gateway"].Environment["MLFLOW_UPSTREAM"]
	if allowed == nil || upstream == nil {
		t.Fatal("MLflow's names, or the gateway's for it, are not set")
	}
	for _, name := range []string{strings.TrimPrefix(*upstream, "http://"), "0.0.0.0:5000"} {
		if !slices.Contains(strings.Split(*allowed, ","), name) {
			t.Errorf("MLflow knows %s, and not %s", *allowed, name)
		}
	}
}

// Docker kills what has not ended after ten seconds; the gateway promises thirty to requests in flight.
func TestTheGatewayMayFinishWhatIsInFlight(t *testing.T) {
	project, _ := loaded(t)
	gateway := project.Services["gateway"]
	if _, changed := gateway.Environment["SHUTDOWN_GRACE_SECONDS"]; changed {
		t.Fatal("compare with what is set")
	}
	if grace := gateway.StopGracePeriod; grace == nil || time.Duration(*grace) < 40*time.Second {
		t.Errorf("the gateway is killed after %v", grace)
	}
}

// The attack: use the password that is in the repository.
func TestNothingStartsBeforeSecretsAreMade(t *testing.T) {
	at := copied(t)
	if _, err := load(at); err == nil || !strings.Contains(err.Error(), "run ./setup.sh first") {
		t.Errorf("without setup.sh: %v", err)
	}
	setUp(t, at)
	if out, err := exec.Command(filepath.Join(at, "setup.sh")).CombinedOutput(); err == nil {
		t.Errorf("setup.sh made everything anew: %s", out)
	}
	first, second := secretsOf(t, at), copied(t)
	setUp(t, second)
	for name, value := range secretsOf(t, second) {
		if len(value) < 32 || first[name] == value {
			t.Errorf("%s is %q, and was %q before", name, value, first[name])
		}
	}
	if info, err := os.Stat(filepath.Join(at, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of secrets: %v, %v", info.Mode(), err)
	}
}

// secretsOf gives what setup.sh made that nobody may know: the values of the files of settings, and whole files.
func secretsOf(t *testing.T, at string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"gateway.env", "keycloak.env", "mlflow.env", "postgres", "redis.conf", "gateway.key", "keycloak.key", "ca.key"} {
		text, err := os.ReadFile(filepath.Join(at, "secrets", name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, ".env") {
			all[name] = strings.TrimSpace(string(text))
			continue
		}
		for line := range strings.Lines(string(text)) {
			if key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key != "KC_BOOTSTRAP_ADMIN_USERNAME" {
				all[name+" "+key] = value
			}
		}
	}
	return all
}

// What is in the environment of a container is shown by docker inspect.
func TestTheGatewaysSecretsAreNotInItsEnvironment(t *testing.T) {
	project, at := loaded(t)
	shown, err := yaml.Marshal(project.Services["gateway"])
	if err != nil || !strings.Contains(string(shown), "OIDC_CLIENT_ID") {
		t.Fatalf("the gateway's part is %s, %v", shown, err)
	}
	for name, value := range secretsOf(t, at) {
		if strings.HasPrefix(name, "gateway") && strings.Contains(string(shown), value) {
			t.Errorf("%s is shown", name)
		}
	}
	gateway := project.Services["gateway"]
	if !gateway.ReadOnly || !slices.Equal(gateway.CapDrop, []string{"ALL"}) || !slices.Equal(gateway.SecurityOpt, []string{"no-new-privileges:true"}) {
		t.Errorf("the gateway is not restricted: %v, %v, %v", gateway.ReadOnly, gateway.CapDrop, gateway.SecurityOpt)
	}
	for name, want := range map[string]string{"PUBLIC_URL": "https://mlflow.example.com:8443",
		"OIDC_DISCOVERY_URL": "https://sso.example.com:8444/realms/mlflow/.well-known/openid-configuration"} {
		if got := gateway.Environment[name]; got == nil || *got != want {
			t.Errorf("%s is not %s", name, want)
		}
	}
}

func TestAFieldThatIsNoneIsNoticed(t *testing.T) {
	for from, to := range map[string]string{"read_only: true": "readonly: true", "internal: true": "internal: perhaps", "condition: service_healthy": "condition: healthy"} {
		at := copied(t)
		setUp(t, at)
		path := filepath.Join(at, "compose.yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), from, to)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := load(at); err == nil {
			t.Errorf("%q is not noticed", to)
		}
	}
}

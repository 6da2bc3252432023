package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// endpoint is the address that traces are sent to, with what is put behind it.
func endpoint(behind string) setting {
	return setting{field: func(c *Config) any { return c.Traces.Address() }, unset: "",
		right: map[string]any{"": "", "http://otel:4318": "http://otel:4318" + behind, "https://otel/x": "https://otel/x" + behind},
		wrong: []string{"otel:4318", "grpc://otel:4317", "http://", "https://user:password@otel", "http://otel?token=x"}, message: "it must be http://host:4318 or https://host"}
}

// listed are names with their values.
func listed(field func(c *Config) any) setting {
	return setting{field: field, unset: map[string]string(nil), right: map[string]any{"": map[string]string(nil), "a=b, c = d%2Ce=": map[string]string{"a": "b", "c": "d,e="}},
		wrong: []string{"a", "=b", "a=%zz", "a=b%0d%0aX: y"}, message: "it must be name=value, comma-separated"}
}

func TestTracesAreSentByHTTPAlone(t *testing.T) {
	good := map[string]string{"SECRET_KEY": "Zr8vX2q-LmT0yWc4uKpA", "OIDC_DISCOVERY_URL": "https://idp/.well-known/openid-configuration", "OIDC_CLIENT_ID": "me", "OIDC_CLIENT_SECRET": "s"}
	for _, c := range []struct {
		endpoint, protocol string
		wrong              bool
	}{
		{"", "grpc", false}, // for the other programs of a machine
		{"http://otel:4317", "grpc", true}, {"http://otel:4318", "http/json", true}, {"http://otel:4318", "http/protobuf", false}, {"http://otel:4318", "", false},
	} {
		good["OTEL_EXPORTER_OTLP_ENDPOINT"], good["OTEL_EXPORTER_OTLP_PROTOCOL"] = c.endpoint, c.protocol
		settings, err := with(t, good)
		if err != nil {
			t.Fatal(err)
		}
		if err := settings.CheckServe(); (err != nil) != c.wrong || err != nil && !strings.Contains(err.Error(), "http/protobuf alone") {
			t.Errorf("%s by %q: %v", c.endpoint, c.protocol, err)
		}
	}
	good["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = "key.pem"
	settings, err := with(t, good)
	if err != nil {
		t.Fatal(err)
	}
	if err := settings.CheckServe(); err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY are set together") {
		t.Errorf("a key alone: %v", err)
	}
}

// Whoever has OpenTelemetry set up for all programs of a machine hears of what this one does not heed, but not of what makes no difference.
func TestUnheededSettingsOfTracesAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("OTEL_EXPORTER_OTLP_TIMEOUT=5000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_SDK_DISABLED": "", "OTEL_METRICS_EXPORTER": "otlp"}
	for endpoint, want := range map[string][]string{"": nil, "http://otel:4318": {"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_TRACES_EXPORTER"}} {
		env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
		c, err := Load(lookup(env), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.Unheeded()); diff != "" {
			t.Errorf("with traces sent to %q: %s", endpoint, diff)
		}
	}
}

func TestNameOfWhoSendsTraces(t *testing.T) {
	for _, c := range []struct{ name, attributes, want string }{
		{"", "", "mlflow-oidc-auth"},
		{"", "service.name=ours,service.namespace=ml", "ours"},
		{"named", "service.name=ours", "named"},
		{"named", "", "named"},
	} {
		settings, err := with(t, map[string]string{"OTEL_SERVICE_NAME": c.name, "OTEL_RESOURCE_ATTRIBUTES": c.attributes})
		if err != nil || settings.Traces.Name() != c.want {
			t.Errorf("%q with %q is %q, want %q (%v)", c.name, c.attributes, settings.Traces.Name(), c.want, err)
		}
	}
}

func TestHeadersOfTracesAreTheirOwn(t *testing.T) {
	c, err := with(t, map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "a=all", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=traces"})
	if err != nil || c.Traces.Sent()["a"] != "traces" {
		t.Errorf("%v, %v", c.Traces.Sent(), err)
	}
	c, err = with(t, map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "a=all", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318/", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"})
	if err != nil || c.Traces.Sent()["a"] != "all" || c.Traces.Address() != "http://otel:4318/v1/traces" || c.Traces.Ratio() != 0.5 {
		t.Errorf("%+v, %v", c.Traces, err)
	}
}

package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Traces are the settings of OpenTelemetry, under the names that its specification gives them.
type Traces struct {
	Base, Endpoint      string // whom they are sent to; Endpoint is the whole address
	Protocol            string
	Headers, OwnHeaders map[string]string
	CAFile              string
	CertFile, KeyFile   string // that are shown to the receiver
	Compress            bool   // by gzip
	FollowsClient       bool   // a trace that a client has begun is sent as the client says
	Sampler             string // of all others
	Argument            float64
	Service             string // see Name
	Attributes          map[string]string
}

// Address is whom traces are sent to; "" for nobody.
func (t Traces) Address() string {
	if t.Endpoint != "" || t.Base == "" {
		return t.Endpoint
	}
	return strings.TrimSuffix(t.Base, "/") + "/v1/traces"
}

// Sent are the headers with which they are sent.
func (t Traces) Sent() map[string]string {
	if len(t.OwnHeaders) > 0 {
		return t.OwnHeaders
	}
	return t.Headers
}

// Ratio is the part of traces that is sent, where no client decides.
func (t Traces) Ratio() float64 {
	switch t.Sampler {
	case "always_on":
		return 1
	case "always_off":
		return 0
	}
	return t.Argument
}

// serviceName is the attribute that says what sends traces.
const serviceName = "service.name"

// Name is what the sender of traces is called. OTEL_SERVICE_NAME comes before the attribute (OpenTelemetry SDK environment variables).
func (t Traces) Name() string {
	return cmp.Or(t.Service, t.Attributes[serviceName], "mlflow-oidc-auth")
}

// check finds what cannot be. These are often set for all programs of a machine, and matter where traces are sent alone.
func (t Traces) check() []error {
	if t.Address() == "" {
		return nil
	}
	var wrong []error
	if t.Protocol != "" && t.Protocol != "http/protobuf" {
		wrong = append(wrong, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q; traces are sent by http/protobuf alone, which receivers take at port 4318", t.Protocol))
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		wrong = append(wrong, errors.New("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY are set together or not at all"))
	}
	return wrong
}

// unheededOfTraces are settings of OpenTelemetry's that are not heeded, with the value that changes nothing. Some of them would have no
// traces sent, or by another way.
var unheededOfTraces = map[string]string{
	"OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_CONFIG_FILE": "",
	"OTEL_BSP_MAX_QUEUE_SIZE": "", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "", "OTEL_BSP_EXPORT_TIMEOUT": "",
	"OTEL_EXPORTER_OTLP_TIMEOUT": "", "OTEL_EXPORTER_OTLP_INSECURE": "", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "", "OTEL_EXPORTER_OTLP_TRACES_INSECURE": "",
	"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "",
	"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": "", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "",
}

// unheeded gives those that are set. Where no traces are sent they are for other programs.
func (t Traces) unheeded(lookup func(name string) string) []string {
	var names []string
	if t.Address() == "" {
		return nil
	}
	for name, same := range unheededOfTraces {
		if value := lookup(name); value != "" && value != same {
			names = append(names, name)
		}
	}
	return names
}

// compression takes an empty value for none, as OpenTelemetry does.
func compression(c *Config, v string) error {
	switch v {
	case "", "none", "gzip":
		c.Traces.Compress = v == "gzip"
		return nil
	}
	return errors.New("it must be gzip or none")
}

func otlpEndpoint(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		if u, err := url.Parse(v); v != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "") {
			return errors.New("it must be http://host:4318 or https://host; credentials belong in OTEL_EXPORTER_OTLP_HEADERS")
		}
		*field(c) = v
		return nil
	}
}

// sampler and ratio take an empty value for none, as OpenTelemetry does.
func sampler(c *Config, v string) error {
	if v == "" {
		v = "parentbased_always_on"
	}
	c.Traces.Sampler, c.Traces.FollowsClient = strings.CutPrefix(v, "parentbased_")
	if oneOf(c.Traces.Sampler, "always_on", "always_off", "traceidratio") != nil {
		return errors.New("it must be always_on, always_off or traceidratio, or parentbased_ and one of them")
	}
	return nil
}

func ratio(c *Config, v string) error {
	if v == "" {
		v = "1"
	}
	part, err := strconv.ParseFloat(v, 64)
	if err != nil || !(part >= 0 && part <= 1) {
		return errors.New("it must be a number from 0 to 1")
	}
	c.Traces.Argument = part
	return nil
}

// pairs reads name=value, comma-separated, as OpenTelemetry writes it (W3C Baggage).
func pairs(field func(*Config) *map[string]string) setter {
	return func(c *Config, v string) error {
		all := map[string]string{}
		for _, item := range split(v, ",") {
			name, value, ok := strings.Cut(item, "=")
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
			decoded, err := url.PathUnescape(value)
			if !ok || name == "" || err != nil || strings.ContainsAny(decoded, "\r\n") {
				return errors.New("it must be name=value, comma-separated, with anything odd in a value percent-encoded")
			}
			all[name] = decoded
		}
		*field(c) = nil
		if len(all) > 0 {
			*field(c) = all
		}
		return nil
	}
}

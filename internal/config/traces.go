package config

import (
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
	FollowsClient       bool   // a trace that a client has begun is sent as the client says
	Sampler             string // of all others
	Argument            float64
	Service             string
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

// check finds what cannot be. The protocol is often set for all programs of a machine, and matters where traces are sent alone.
func (t Traces) check() []error {
	if t.Address() != "" && t.Protocol != "" && t.Protocol != "http/protobuf" {
		return []error{fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q; traces are sent by http/protobuf alone, which receivers take at port 4318", t.Protocol)}
	}
	return nil
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

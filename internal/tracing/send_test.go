package tracing

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/otlptest"
)

// receiver answers exports in a test whose clock is its own, and notes when they come.
type receiver struct {
	answers []answer // the last one again and again
	at      []time.Duration
	began   time.Time
}

type answer struct {
	status     int
	retryAfter string
	body       string
}

// RoundTrip answers a request (http.RoundTripper).
func (r *receiver) RoundTrip(*http.Request) (*http.Response, error) {
	says := r.answers[min(len(r.at), len(r.answers)-1)]
	r.at = append(r.at, time.Since(r.began))
	header := http.Header{}
	if says.retryAfter != "" {
		header.Set("Retry-After", says.retryAfter)
	}
	return &http.Response{StatusCode: says.status, Status: http.StatusText(says.status), Header: header, Body: io.NopCloser(strings.NewReader(says.body))}, nil
}

// A receiver that has too much says when it wants more.
func TestSendingAgainWhenTheReceiverAsks(t *testing.T) {
	const s = time.Second
	good := answer{status: 200}
	for name, c := range map[string]struct {
		answers []answer
		batches int
		at      []time.Duration
		failed  int
	}{
		"at once":                      {[]answer{good}, 2, []time.Duration{0, 0}, 0},
		"it says nothing of when":      {[]answer{{status: 503}, {status: 503}, good}, 2, []time.Duration{0, s, 3 * s, 3 * s}, 0},
		"it never takes them":          {[]answer{{status: 429}}, 2, []time.Duration{0, s, 3 * s, 3 * s, 4 * s, 6 * s}, 2},
		"in four seconds":              {[]answer{{503, "4", ""}, good}, 1, []time.Duration{0, 4 * s}, 0},
		"at once, which it cannot":     {[]answer{{503, "0", ""}, good}, 1, []time.Duration{0, s}, 0},
		"later than a batch can wait":  {[]answer{{503, "25", ""}, good}, 4, []time.Duration{0, 25 * s, 25 * s}, 2},
		"next year":                    {[]answer{{503, "31536000", ""}, good}, 7, []time.Duration{0, 60 * s}, 6},
		"with a number that is none":   {[]answer{{503, "99999999999999999999", ""}, good}, 1, []time.Duration{0, s}, 0},
		"with a time":                  {[]answer{{429, "Sat, 01 Jan 2000 00:00:05 GMT", ""}, good}, 1, []time.Duration{0, 5 * s}, 0}, // where a test's clock begins
		"it does not want them at all": {[]answer{{400, "4", ""}}, 2, []time.Duration{0, 0}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to, failed := &receiver{answers: c.answers, began: time.Now()}, 0
				sends := &sender{client: &http.Client{Transport: to}, endpoint: "http://otel/v1/traces"}
				for range c.batches {
					ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
					if err := sends.UploadTraces(ctx, nil); err != nil {
						failed++
					}
					cancel()
				}
				if failed != c.failed || len(to.at) != len(c.at) {
					t.Fatalf("%d fail, and they come at %v", failed, to.at)
				}
				for i, at := range c.at {
					if to.at[i] != at {
						t.Errorf("they come at %v, want %v", to.at, c.at)
					}
				}
			})
		})
	}
}

// A receiver says 200 also where it has not taken everything.
func TestSpansThatTheReceiverDoesNotTake(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		lost int64
		says string
	}{
		"all are taken":       {"", 0, ""},
		"all, with a warning": {"\x0a\x04\x12\x02hm", 0, ""},
		"some":                {"\x0a\x0a\x08\x03\x12\x06quota\n", 3, `"quota\n"`},
		"more than there are": {"\x0a\x03\x08\xff\x01", 255, "255"},
		"fewer than none":     {"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0, ""},
		"unknown fields":      {"\x12\x01x\x18\x05\x25\x00\x00\x00\x00\x0a\x02\x08\x02", 2, ""},
		"cut off":             {"\x0a\x0a\x08\x03", 0, ""},
		"no protobuf":         {"{}", 0, ""},
		"a page":              {"<!doctype html><p>ok", 0, ""},
		"another type":        {"\x0a\x02\x0a\x00\x08\x03", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := rejected([]byte(c.body))
			var found *rejection
			if errors.As(err, &found) != (c.lost > 0) || found != nil && (found.spans != c.lost || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v", err)
			}
		})
	}
}

func FuzzRejected(f *testing.F) {
	for _, seed := range []string{"", "\x0a\x0a\x08\x03\x12\x06quota\n", "\x0a\x0a\x08\x03", "<p>", "\x0b\x0b\x0c"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var found *rejection
		if err := rejected(answer); err != nil && (!errors.As(err, &found) || found.spans <= 0 || len(err.Error()) > 3000) {
			t.Errorf("%v", err)
		}
	})
}

func TestSpansThatAreTakenInPartAreCountedSo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\x0a\x02\x08\x03") }))
	defer server.Close()
	var log bytes.Buffer
	sent, lost := 0, 0
	tracer, err := New(t.Context(), Options{Endpoint: server.URL, Sampler: Sampler{Ratio: 1}, Service: "x", Log: slog.New(slog.NewTextHandler(&log, nil)), Sent: func(spans int, err error) {
		if err != nil {
			lost += spans
			return
		}
		sent += spans
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		tracer.Begin(httptest.NewRequest(http.MethodGet, "/", nil), time.Now()).End(Ending{}, time.Now())
	}
	if err := tracer.Close(); err != nil || sent != 7 || lost != 3 || !strings.Contains(log.String(), "does not take 3 of them") {
		t.Errorf("%d are sent and %d lost (%v): %s", sent, lost, err, log.String())
	}
}

func TestCompressedSpansAreTheSame(t *testing.T) {
	to := otlptest.New(t)
	sends := &sender{client: http.DefaultClient, endpoint: to.URL + "/v1/traces", compress: true}
	all := []*spans.ResourceSpans{{ScopeSpans: []*spans.ScopeSpans{{Spans: []*spans.Span{{Name: strings.Repeat("x", 5000)}}}}}}
	if body, err := sends.encoded(all); err != nil || len(body) > 500 {
		t.Errorf("it is %d bytes (%v)", len(body), err)
	}
	if err := sends.UploadTraces(t.Context(), all); err != nil || len(to.Spans()) != 1 || len(to.Spans()[0].Name) != 5000 || to.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%v, %v", err, to.Header())
	}
}

// A receiver that takes spans of those it knows alone is shown who sends them.
func TestReceiverSeesTheCertificate(t *testing.T) {
	shown := certificate(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	known := x509.NewCertPool()
	known.AddCert(shown.Leaf)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: known}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	sent := 0
	tracer, err := New(t.Context(), Options{Endpoint: server.URL, Roots: roots, Certificate: shown, Sampler: Sampler{Ratio: 1}, Service: "x", Log: slog.New(slog.DiscardHandler), Sent: func(spans int, err error) {
		if err == nil {
			sent += spans
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	tracer.Begin(httptest.NewRequest(http.MethodGet, "/", nil), time.Now()).End(Ending{}, time.Now())
	if err := tracer.Close(); err != nil || sent != 1 {
		t.Errorf("%d are sent (%v)", sent, err)
	}
}

func certificate(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	says := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, says, says, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

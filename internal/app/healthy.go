package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

// askFor is longer than the gateway itself waits for what it asks.
const askFor = 8 * time.Second

// Healthy asks the gateway that runs on this machine, or in this container, with the same settings whether it can serve
// requests. A container without a shell has nothing else to ask with.
func Healthy(ctx context.Context, c *config.Config, output io.Writer) error {
	address, err := ownAddress(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health/ready", nil)
	if err != nil {
		return err
	}
	// The certificate is of the name that people use, and not of this one. Nothing secret is sent, and no proxy asked.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}}} //nolint:gosec // as said
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the gateway does not answer at LISTEN_ADDR: %w", err)
	}
	defer answer.Body.Close()
	var says struct {
		Status string
		Checks map[string]bool
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<16)).Decode(&says); err != nil {
		return fmt.Errorf("what answers at LISTEN_ADDR is not the gateway: %w", err)
	}
	if answer.StatusCode == http.StatusOK && says.Status == "ready" {
		_, err := fmt.Fprintln(output, says.Status)
		return err
	}
	var missing []string
	for name, well := range says.Checks {
		if !well {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return errors.New("what answers at LISTEN_ADDR is not the gateway: " + answer.Status)
	}
	slices.Sort(missing)
	return fmt.Errorf("not ready: %s; the gateway's log says why, and mlflow-oidc-auth doctor what to do", strings.Join(missing, ", "))
}

// ownAddress is where the gateway of these settings is reached from the machine that it runs on.
func ownAddress(c *config.Config) (string, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", fmt.Errorf("LISTEN_ADDR: %w", err)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	if c.TLSCert != "" {
		return "https://" + net.JoinHostPort(host, port), nil
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

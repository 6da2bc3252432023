// Package devserver runs the gateway for development and for trying it out: the real binary in full mode, an OpenID provider that
// asks for no password, and sample people, experiments, models and permissions.
package devserver

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
)

// Options say what to run and where.
type Options struct {
	Gateway string // the gateway's binary
	MLflow  string // the mlflow command
	Dir     string // where data is kept from one start to the next
	Listen  string // the preferred address of the gateway; another port is taken when it is in use
	Output  io.Writer
}

const clientID = "mlflow-development"

// Run runs everything until the context ends or the gateway does.
func Run(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of the development data: %w", err)
	}
	secret, err := secretKey(filepath.Join(o.Dir, "secret_key"))
	if err != nil {
		return err
	}
	address, err := freeAddress(o.Listen)
	if err != nil {
		return err
	}
	if address != o.Listen {
		fmt.Fprintf(o.Output, "%s is in use; taking %s instead\n", o.Listen, address)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	prefix := os.Getenv("MLFLOW_STATIC_PREFIX") // MLflow reads it, and so the gateway has it as well
	provider, stopProvider, err := serveProvider(o, []string{"http://127.0.0.1:" + port + prefix, "http://localhost:" + port + prefix})
	if err != nil {
		return err
	}
	defer stopProvider()

	gateway, err := start(o, provider, address, secret)
	if err != nil {
		return err
	}
	url := "http://" + address + prefix
	ended := make(chan error, 1)
	go func() { ended <- gateway.Wait() }()
	seeding, stopSeeding := context.WithCancel(ctx)
	defer stopSeeding()
	seeded := make(chan error, 1)
	go func() { seeded <- introduce(seeding, o, url) }()
	for {
		select {
		case err := <-ended:
			return errors.Join(errors.New("the gateway has stopped"), err)
		case err := <-seeded:
			if seeded = nil; err != nil && ctx.Err() == nil {
				return errors.Join(fmt.Errorf("making the sample data: %w", err), stop(gateway, ended))
			}
		case <-ctx.Done():
			fmt.Fprintln(o.Output, "stopping")
			return stop(gateway, ended)
		}
	}
}

// secretKey gives the key that this installation made at its first start.
func secretKey(path string) (string, error) {
	kept, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(kept)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the development secret: %w", err)
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	secret := base64.RawURLEncoding.EncodeToString(random)
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping the development secret: %w", err)
	}
	return secret, nil
}

// freeAddress gives the preferred address, or one with a free port when that is taken.
func freeAddress(preferred string) (string, error) {
	host, _, err := net.SplitHostPort(preferred)
	if err != nil {
		return "", fmt.Errorf("the address %q must be host:port: %w", preferred, err)
	}
	listener, err := net.Listen("tcp", preferred)
	if err != nil {
		if listener, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
			return "", fmt.Errorf("finding a free port: %w", err)
		}
	}
	return listener.Addr().String(), listener.Close()
}

type provider struct{ issuer, secret string }

// sameAgain listens at the address of the last time, or at a free one of this machine. Accounts belong to the provider of their
// issuer, which is its address: at another one people could not sign in any more.
func sameAgain(o Options) (net.Listener, error) {
	file := filepath.Join(o.Dir, "provider_address")
	kept, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the address of the identity provider: %w", err)
	}
	if err == nil {
		listener, err := net.Listen("tcp", strings.TrimSpace(string(kept)))
		if err == nil {
			return listener, nil
		}
		fmt.Fprintf(o.Output, "the identity provider cannot be where it was (%v): people who have signed in before cannot, until it can; or use another -dir\n", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("finding a free port for the identity provider: %w", err)
	}
	if kept == nil {
		err = os.WriteFile(file, []byte(listener.Addr().String()+"\n"), 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the address of the identity provider: %w", err), listener.Close())
	}
	return listener, nil
}

// serveProvider serves the OpenID provider.
func serveProvider(o Options, gateways []string) (provider, func(), error) {
	listener, err := sameAgain(o)
	if err != nil {
		return provider{}, nil, err
	}
	return serveAt(listener, gateways)
}

// serveAt serves it for gateways that are at these addresses.
func serveAt(listener net.Listener, gateways []string) (provider, func(), error) {
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	p := provider{issuer: "http://" + listener.Addr().String(), secret: base64.RawURLEncoding.EncodeToString(random)}
	of := devidp.Options{Issuer: p.issuer, ClientID: clientID, ClientSecret: p.secret}
	for _, gateway := range gateways {
		of.RedirectURIs = append(of.RedirectURIs, gateway+"/callback")
	}
	for _, person := range people {
		of.People = append(of.People, person.provided())
	}
	idp, err := devidp.New(of)
	if err != nil {
		return provider{}, nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: idp.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with the Close below
	return p, func() { _ = server.Close() }, nil
}

// start starts the gateway in full mode, with the settings that somebody would write into .env.
func start(o Options, p provider, address, secret string) (*exec.Cmd, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder of the development data: %w", err)
	}
	binary, err := filepath.Abs(o.Gateway)
	if err != nil {
		return nil, fmt.Errorf("finding the gateway's binary: %w", err)
	}
	command := exec.Command(binary, "serve", "--", "--workers", "1", "--backend-store-uri", "sqlite:///"+filepath.Join(dir, "mlflow.db"),
		"--artifacts-destination", filepath.Join(dir, "artifacts"))
	command.Env = append(os.Environ(),
		"LISTEN_ADDR="+address, "MLFLOW_COMMAND="+o.MLflow, "MLFLOW_UPSTREAM=", "SECRET_KEY="+secret,
		"OIDC_USERS_DB_URI=sqlite:///"+filepath.Join(dir, "auth.db"), "SESSION_TYPE=filesystem", "SESSION_FILE_DIR="+filepath.Join(dir, "sessions"),
		"OIDC_DISCOVERY_URL="+p.issuer+"/.well-known/openid-configuration", "OIDC_CLIENT_ID="+clientID, "OIDC_CLIENT_SECRET="+p.secret,
		"OIDC_PROVIDER_DISPLAY_NAME=Sign in with the development provider", "OIDC_GROUP_NAME="+memberGroup, "OIDC_ADMIN_GROUP_NAME="+adminGroup)
	// A .env of the folder where this was started is not for the development server.
	command.Dir, command.Stdout, command.Stderr = dir, o.Output, o.Output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches it through us, once
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting the gateway: %w", err)
	}
	return command, nil
}

// stop ends the gateway, which ends MLflow.
func stop(gateway *exec.Cmd, ended <-chan error) error {
	_ = gateway.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Minute):
		_ = gateway.Process.Kill()
		return errors.New("the gateway did not stop within a minute and was killed")
	}
}

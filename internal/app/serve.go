package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/supervise"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Serve runs the gateway until the context ends: in front of the upstream that the settings name, or in full mode in front
// of an MLflow server of its own, which gets the arguments.
func Serve(ctx context.Context, c *config.Config, mlflowArgs []string, output io.Writer) error {
	if err := c.CheckServe(); err != nil {
		return err
	}
	log, scheme := Logger(c, output), "http://"
	for _, name := range c.Unheeded() {
		log.Warn("a setting has no effect in this version", "name", name)
	}
	if c.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			return fmt.Errorf("reading TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
		}
		scheme = "https://"
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listening on LISTEN_ADDR %s: %w", c.Listen, err)
	}
	defer listener.Close()
	var own *supervise.Server
	if c.Upstream == "" {
		if c.SocketPrefix, err = prefixOf(mlflowArgs); err != nil {
			return err
		}
		if c.Workspaces.Enabled {
			mlflowArgs = append(slices.Clone(mlflowArgs), "--enable-workspaces")
		}
		if own, err = supervise.Start(supervise.Options{Command: c.MLflowCommand, Args: mlflowArgs, Log: log, Output: output, Lines: linesOfMLflow(c, output), Grace: c.Grace}); err != nil {
			return err
		}
		defer func() {
			if err := own.Stop(); err != nil {
				log.Warn("MLflow's folder could not be removed", "error", err)
			}
		}()
		c.Upstream = own.Address()
	} else if len(mlflowArgs) > 0 {
		return errors.New("arguments after -- are for the MLflow server of full mode, and MLFLOW_UPSTREAM names another one; leave one of the two out")
	}
	a, err := newApp(ctx, c, own, log)
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // what making all this took, and is needed no more
	log.Info("serving", "address", scheme+listener.Addr().String()+a.MLflow.Prefix(), "upstream", c.Upstream)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	go a.readLists(reading)
	return errors.Join(a.Serve(ctx, listener), a.Close())
}

// readLists reads the experiments as soon as MLflow answers, so that whoever opens their list first does not wait while very many are read.
func (a *App) readLists(ctx context.Context) {
	if a.settings.Workspaces.Enabled {
		ctx = workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace})
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if _, err := a.MLflow.Listed(ctx, kind.Experiment); !errs.Is(err, errs.BadGateway) || ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// prefixOf gives the path under which the MLflow of full mode will serve everything.
func prefixOf(mlflowArgs []string) (string, error) {
	given := supervise.StaticPrefix(mlflowArgs, os.Getenv)
	prefix, err := httpx.ParsePrefix(given)
	if err != nil {
		return "", fmt.Errorf("--static-prefix is %q: %w", given, err)
	}
	return prefix, nil
}

// linesOfMLflow is where the lines of the MLflow of full mode go in a log of objects; nil in one of text. They have no level of ours, and so
// none is left out.
func linesOfMLflow(c *config.Config, output io.Writer) *slog.Logger {
	if !c.LogJSON {
		return nil
	}
	return slog.New(slog.NewJSONHandler(output, nil))
}

// Logger makes the log that the settings ask for.
func Logger(c *config.Config, output io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(output, options))
	}
	return slog.New(slog.NewTextHandler(output, options))
}

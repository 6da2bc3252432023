// Command mlflow-oidc-auth-dev runs the gateway with an identity provider and sample data, for development.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devserver"
)

func main() {
	o := devserver.Options{Output: os.Stdout}
	flag.StringVar(&o.Gateway, "gateway", "bin/mlflow-oidc-auth", "the gateway's binary")
	flag.StringVar(&o.MLflow, "mlflow", "mlflow", "the mlflow command")
	flag.StringVar(&o.Dir, "dir", ".dev", "folder in which data is kept from one start to the next")
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "preferred address of the gateway")
	provider := flag.String("provider", "", "run nothing but the identity provider, at this address, for a gateway of one's own at -public")
	public := flag.String("public", "http://127.0.0.1:8080", "the public address of that gateway")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	run := func() error { return devserver.Run(ctx, o) }
	if *provider != "" {
		run = func() error { return devserver.Provide(ctx, *provider, *public, os.Stdout) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mlflow-oidc-auth-dev:", err)
		os.Exit(1)
	}
}

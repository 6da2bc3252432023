package app

import (
	"context"
	"log/slog"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/tracing"
)

// correlated writes into each line about a request which one it is, and in which trace.
type correlated struct{ slog.Handler }

// Handle writes a line (slog.Handler).
func (c correlated) Handle(ctx context.Context, line slog.Record) error {
	request, trace := audit.RequestOf(ctx), ""
	if q := tracing.Of(ctx); q != nil {
		trace = q.ID()
	}
	line.Attrs(func(a slog.Attr) bool {
		if a.Key == "request" { // said already
			request = ""
		}
		return request != ""
	})
	if request != "" || trace != "" {
		line = line.Clone()
	}
	if request != "" {
		line.AddAttrs(slog.String("request", request))
	}
	if trace != "" {
		line.AddAttrs(slog.String("trace_id", trace))
	}
	return c.Handler.Handle(ctx, line)
}

// WithAttrs gives the handler of a log with more in each line (slog.Handler).
func (c correlated) WithAttrs(attrs []slog.Attr) slog.Handler {
	return correlated{c.Handler.WithAttrs(attrs)}
}

// WithGroup gives that of a log with what follows in a group (slog.Handler).
func (c correlated) WithGroup(name string) slog.Handler {
	return correlated{c.Handler.WithGroup(name)}
}

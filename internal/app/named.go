package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// transportSecurity keeps browsers from asking without TLS for a year (RFC 6797 §6.1). What other names of the domain do is theirs.
var transportSecurity = []string{"max-age=31536000"}

// arrived is a request that has its name, and the writer of its answer.
type arrived struct {
	http.ResponseWriter
	origin  *httpx.Origin
	request *http.Request
	id      [1]string
	secured bool // it came by TLS
	begun   bool // the answer is on its way
}

// named gives a request its name, has its events say where it came from, and browsers that came by TLS come so again. A panic ends no more
// than the request.
func named(origin *httpx.Origin, log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &arrived{ResponseWriter: w, origin: origin, request: r, secured: origin.TLS(r)} // without TLS nobody would know who says so (RFC 6797 §7.2)
		a.id[0] = origin.NameRequest(r)
		a.head()
		r.Header[httpx.RequestID] = a.id[:] // in place of what the client says: MLflow gets it as well
		ctx := audit.With(r.Context(), a.from)
		defer a.broken(ctx, log)
		next.ServeHTTP(a, r.WithContext(ctx))
	})
}

// head writes the headers of every answer.
func (a *arrived) head() {
	h := a.Header()
	h[httpx.RequestID] = a.id[:]
	if a.secured {
		h["Strict-Transport-Security"] = transportSecurity
	}
}

// from is where the request came from.
func (a *arrived) from() audit.Origin {
	r := a.request
	return audit.Origin{Client: a.origin.Client(r), Agent: r.UserAgent(), Request: a.id[0], Path: r.Method + " " + r.URL.Path}
}

// WriteHeader notes that the answer begins (http.ResponseWriter). What comes before an answer is none, but for another protocol, which is all
// that follows.
func (a *arrived) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		a.begun = true
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer begins (http.ResponseWriter).
func (a *arrived) Write(piece []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(piece)
}

// Unwrap gives the writer below (http.ResponseController).
func (a *arrived) Unwrap() http.ResponseWriter { return a.ResponseWriter }

var errPanic = errors.New("the handler panicked")

// broken ends a request whose handler has panicked: with an error as long as nothing was sent, else with the end of the connection, by which the
// client sees that the answer is not whole.
func (a *arrived) broken(ctx context.Context, log *slog.Logger) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) { // the answer is broken off on purpose
		panic(http.ErrAbortHandler)
	}
	log.ErrorContext(ctx, "a request panicked", "method", a.request.Method, "path", a.request.URL.Path, "request", a.id[0], "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if s := seenOf(ctx); s != nil {
		s.status = http.StatusInternalServerError // also of what began as another one
	}
	if a.begun {
		panic(http.ErrAbortHandler)
	}
	clear(a.Header()) // they are of an answer that there is not
	a.head()
	httpx.WriteJSON(a, http.StatusInternalServerError, httpx.BodyOf(errPanic))
}

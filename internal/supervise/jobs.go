package supervise

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"time"
)

// jobsUser is who MLflow's job workers say they are.
const jobsUser = "mlflow-jobs"

// jobs is where MLflow's job workers reach the AI gateway of their server, which they ask for what judges think. They do so over TCP
// alone, and would try 127.0.0.1:5000, where any program of the machine may listen and read what is judged (MLflow 3.17.2,
// server/__init__.py and genai/utils/gateway_utils.py). What comes here needs the password, which is made at each start and is in MLflow's
// environment alone, and gets no further than the AI gateway. Whether a judge's endpoint may be used was decided when its job was submitted.
type jobs struct {
	server   *http.Server
	port     string
	password string
}

// serveJobs listens on a free port of this machine until closed.
func serveJobs(socket string, log *slog.Logger) (*jobs, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for MLflow's jobs: %w", err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	j := &jobs{port: port, password: rand.Text()}
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "localhost"})
			r.Out.Header.Del("Authorization")
		},
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", socket)
		}},
		FlushInterval: -1, // models answer bit by bit
		ErrorLog:      errorLog,
	}
	j.server = &http.Server{Handler: j.guard(proxy), ReadHeaderTimeout: time.Minute, IdleTimeout: time.Minute, ErrorLog: errorLog}
	go func() {
		if err := j.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("MLflow's jobs cannot reach the AI gateway any more", "error", err)
		}
	}()
	return j, nil
}

// guard lets through what has the password, and that to the AI gateway alone.
func (j *jobs) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user != jobsUser || subtle.ConstantTimeCompare([]byte(password), []byte(j.password)) != 1:
			http.Error(w, "this is for MLflow's own jobs", http.StatusUnauthorized)
		case !strings.HasPrefix(r.URL.Path, "/gateway/") || path.Clean(r.URL.Path) != r.URL.Path || r.URL.RawPath != "":
			http.Error(w, "this is for the AI gateway alone", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// environment is what tells MLflow of it: the address, and whom job workers say they are (utils/credentials.py).
func (j *jobs) environment() []string {
	return []string{"MLFLOW_GATEWAY_URI=http://127.0.0.1:" + j.port, "MLFLOW_TRACKING_USERNAME=" + jobsUser, "MLFLOW_TRACKING_PASSWORD=" + j.password}
}

// arguments are for versions before MLFLOW_GATEWAY_URI, whose job workers call the host and port that the server was given: it listens on
// its socket all the same.
func (j *jobs) arguments() []string { return []string{"--host", "127.0.0.1", "--port", j.port} }

func (j *jobs) close() error { return j.server.Close() }

// Package supervise starts and watches `mlflow server` in full mode, on a unix socket that only this user reaches.
package supervise

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
)

// Options say what to start.
type Options struct {
	Command string   // the mlflow command
	Args    []string // for `mlflow server`, as given after --
	Log     *slog.Logger
	Output  io.Writer    // where MLflow's own lines go, behind "mlflow | "
	Lines   *slog.Logger // where they go in place of that; nil: to Output
	Grace   time.Duration
}

// Server is a supervised MLflow server.
type Server struct {
	Options
	dir   string
	stop  context.CancelFunc
	done  chan struct{}
	jobs  *jobs
	pause func(context.Context, time.Duration) // waits before the next start

	restarts atomic.Int64
}

const (
	firstDelay = 500 * time.Millisecond
	mostDelay  = 30 * time.Second
	settled    = time.Minute // a server that lived this long is started again at once
)

// drained is how long the output of a server that is gone may take to be read.
const drained = 2 * time.Second

// ours are options that decide where and as what MLflow listens, which only we may.
var ours = []string{"--host", "-h", "--port", "-p", "--uvicorn-opts", "--gunicorn-opts", "--waitress-opts", "--app-name", "--dev"}

// longestSocket is how many bytes the path of a socket can have on every system (sockaddr_un).
const longestSocket = 103

// Start starts the server and keeps it running until Stop. It does not wait until the server answers.
func Start(o Options) (*Server, error) { return start(o, pause) }

func start(o Options, pause func(context.Context, time.Duration)) (*Server, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	for _, arg := range o.Args {
		if name := option(arg); slices.Contains(ours, name) {
			return nil, fmt.Errorf("%s cannot be given: the gateway decides where MLflow listens; use LISTEN_ADDR for the gateway's own address", name)
		}
	}
	if _, err := exec.LookPath(o.Command); err != nil {
		return nil, fmt.Errorf("the command %q was not found; run pip install mlflow, set MLFLOW_COMMAND, or name a running server with MLFLOW_UPSTREAM: %w", o.Command, err)
	}
	// The socket itself gets mode 0666 from uvicorn; its folder (mode 0700) is what keeps others out.
	dir, err := os.MkdirTemp("", "mlo-")
	if err != nil {
		return nil, fmt.Errorf("making the folder of MLflow's socket: %w", err)
	}
	s := &Server{Options: o, dir: dir, done: make(chan struct{}), pause: pause}
	if len(s.socket()) > longestSocket {
		return nil, errors.Join(fmt.Errorf("the path of MLflow's socket, %s, is too long; set TMPDIR to a shorter folder", s.socket()), os.Remove(dir))
	}
	if s.jobs, err = serveJobs(s.socket(), o.Log); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.keep(ctx)
	return s, nil
}

// option gives an argument's option in any spelling that click takes: --port=1, -p 1, -p1.
func option(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	if strings.HasPrefix(name, "-") && !strings.HasPrefix(name, "--") && len(name) > 2 {
		name = name[:2]
	}
	return name
}

// StaticPrefix gives the path under which MLflow will serve everything, by its own reading of its arguments and environment:
// the last of several options counts, and an option more than the environment.
func StaticPrefix(args []string, getenv func(string) string) string {
	prefix := getenv("MLFLOW_STATIC_PREFIX")
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		switch {
		case name != "--static-prefix":
		case joined:
			prefix = value
		case i+1 < len(args):
			prefix = args[i+1]
		}
	}
	return prefix
}

func pause(ctx context.Context, delay time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(delay):
	}
}

// Address is the server's address in the form of MLFLOW_UPSTREAM.
func (s *Server) Address() string { return "unix://" + s.socket() }

func (s *Server) socket() string { return filepath.Join(s.dir, "mlflow.sock") }

// Restarts counts how often the server has ended by itself and was started again.
func (s *Server) Restarts() int64 { return s.restarts.Load() }

// Stop ends the server and all its workers.
func (s *Server) Stop() error {
	s.stop()
	<-s.done
	return errors.Join(s.jobs.close(), os.RemoveAll(s.dir))
}

func (s *Server) keep(ctx context.Context) {
	defer close(s.done)
	delay := firstDelay
	for {
		started := time.Now()
		err := s.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > settled {
			delay = firstDelay
		}
		s.Log.Error("MLflow has stopped and is started again", "after", time.Since(started).Round(time.Millisecond), "in", delay, "error", err)
		if s.pause(ctx, delay); ctx.Err() != nil {
			return
		}
		s.restarts.Add(1)
		delay = min(2*delay, mostDelay)
	}
}

// arguments are those of `mlflow server`. Ours come last, where nothing that was given can take them back.
func (s *Server) arguments() []string {
	args := append([]string{"server"}, s.Args...)
	named := slices.ContainsFunc(s.Args, func(arg string) bool { return slices.Contains([]string{"--workers", "-w"}, option(arg)) })
	if !named && os.Getenv("MLFLOW_WORKERS") == "" {
		args = append(args, "--workers", "2")
	}
	return append(append(args, s.jobs.arguments()...), "--uvicorn-opts", "--uds "+s.socket())
}

// run runs the server once, in a process group of its own, and takes the whole group down at the end.
func (s *Server) run(ctx context.Context) error {
	if err := os.Remove(s.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the old socket: %w", err)
	}
	command := exec.Command(s.Command, s.arguments()...)
	command.Env = append(environment(os.Environ()), s.jobs.environment()...)
	lead(command)
	output, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("starting MLflow: %w", err)
	}
	defer output.Close()
	command.Stdout, command.Stderr = theirs, theirs
	err = command.Start()
	if err = errors.Join(err, theirs.Close()); err != nil {
		return fmt.Errorf("starting MLflow: %w", err)
	}
	s.Log.Info("MLflow is starting", "command", s.Command, "pid", command.Process.Pid)
	copied := make(chan struct{})
	go func() { defer close(copied); s.copy(output) }()
	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	return s.watch(ctx, command.Process.Pid, exited, copied, output)
}

// watch waits until the server exits or has to. Workers can outlive it; they end with it, for they hold the old socket.
func (s *Server) watch(ctx context.Context, pid int, exited <-chan error, copied <-chan struct{}, output *os.File) error {
	var err error
	select {
	case err = <-exited:
	case <-ctx.Done():
		tell(pid, syscall.SIGTERM)
		select {
		case <-copied: // nobody is left to write
		case <-time.After(s.Grace):
		}
		tell(pid, syscall.SIGKILL) // before it is waited for: until then the group's number is its own
		err = <-exited
	}
	tell(pid, syscall.SIGKILL)                          // what is left of the group
	_ = output.SetReadDeadline(time.Now().Add(drained)) // what left the group may hold the pipe for ever
	<-copied
	return err
}

// longestLine is how many bytes of a line are passed on as one.
const longestLine = 64 << 10

func (s *Server) copy(from io.Reader) {
	lines := bufio.NewReaderSize(from, longestLine)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			s.pass(bytes.TrimRight(line, "\r\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// pass passes on a line. Clients have a say in what MLflow writes, and so no character may move what a terminal shows.
func (s *Server) pass(line []byte) {
	line = bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, line)
	if s.Lines != nil {
		s.Lines.Info(string(line), "source", "mlflow")
		return
	}
	fmt.Fprintf(s.Output, "mlflow | %s\n", line)
}

// withheld are what MLflow does not get: the gateway's own settings, for MLflow runs code of its users, who must not read
// them; what decides where it listens, and by which names it is called, which is localhost alone; and MLFLOW_TRACKING_…, with
// which job workers call the server back, and which must not lead anywhere else, as MLFLOW_GATEWAY_URI (see jobs). OTEL_… are the gateway's: by them MLflow's own
// tracing would send prompts and answers to where the gateway's traces go, in place of keeping them (mlflow/tracing/utils/otlp.py).
var withheld = []string{"SECRET_KEY", "OIDC_", "AUTH_PROVIDERS", "IMPORT_DB_URI", "SESSION_", "REDIS_", "LISTEN_ADDR", "METRICS_ADDR", "OTEL_", "MLFLOW_UPSTREAM", "PUBLIC_URL", "TLS_",
	"MLFLOW_TRACKING_", "MLFLOW_GATEWAY_URI=", "MLFLOW_HOST=", "MLFLOW_PORT=", "MLFLOW_UVICORN_OPTS=", "MLFLOW_GUNICORN_OPTS=", "MLFLOW_SERVER_ALLOWED_HOSTS="}

func environment(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(entry string) bool {
		return slices.ContainsFunc(withheld, func(prefix string) bool { return strings.HasPrefix(entry, prefix) })
	})
}

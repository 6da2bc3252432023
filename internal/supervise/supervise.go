// Package supervise starts and watches `mlflow server` in full mode, on a unix socket that only this user reaches.
package supervise

import (
	"bufio"
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
	"sync"
	"syscall"
	"time"
)

// Options say what to start.
type Options struct {
	Command string   // the mlflow command
	Args    []string // for `mlflow server`, as given after --
	Log     *slog.Logger
	Output  io.Writer // where MLflow's own log goes
	Grace   time.Duration
}

// Server is a supervised MLflow server.
type Server struct {
	Options
	dir  string
	stop context.CancelFunc
	done chan struct{}
}

const (
	firstDelay = 500 * time.Millisecond
	mostDelay  = 30 * time.Second
	settled    = time.Minute // a server that lived this long is started again at once
)

// ours are options that decide where MLflow listens, which only we may.
var ours = []string{"--host", "-h", "--port", "-p", "--uvicorn-opts", "--gunicorn-opts", "--waitress-opts", "--app-name", "--dev", "--workers", "-w"}

// Start starts the server and keeps it running until Stop. It does not wait until the server answers.
func Start(o Options) (*Server, error) {
	for _, arg := range o.Args {
		name, _, _ := strings.Cut(arg, "=")
		if slices.Contains(ours, name) && name != "--workers" && name != "-w" {
			return nil, fmt.Errorf("%s cannot be given: the gateway decides where MLflow listens; use LISTEN_ADDR for the gateway's own address", name)
		}
	}
	if _, err := exec.LookPath(o.Command); err != nil {
		return nil, fmt.Errorf("the command %q was not found; run pip install mlflow, set MLFLOW_COMMAND, or name a running server with MLFLOW_UPSTREAM: %w", o.Command, err)
	}
	// The socket itself gets mode 0666 from uvicorn; its folder (mode 0700) is what keeps others out. A socket's path has
	// at most 104 bytes, so the folder is a short one.
	dir, err := os.MkdirTemp("", "mlo-")
	if err != nil {
		return nil, fmt.Errorf("making the folder of MLflow's socket: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{Options: o, dir: dir, stop: stop, done: make(chan struct{})}
	go s.keep(ctx)
	return s, nil
}

// Address is the server's address in the form of MLFLOW_UPSTREAM.
func (s *Server) Address() string { return "unix://" + s.socket() }

func (s *Server) socket() string { return filepath.Join(s.dir, "mlflow.sock") }

// Stop ends the server and all its workers.
func (s *Server) Stop() error {
	s.stop()
	<-s.done
	return os.RemoveAll(s.dir)
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
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
		delay = min(2*delay, mostDelay)
	}
}

// run runs the server once, in a process group of its own, and takes the whole group down at the end.
func (s *Server) run(ctx context.Context) error {
	if err := os.Remove(s.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the old socket: %w", err)
	}
	args := append([]string{"server"}, s.Args...)
	if !slices.ContainsFunc(s.Args, func(a string) bool { return strings.HasPrefix(a, "--workers") || a == "-w" }) {
		args = append(args, "--workers", "2")
	}
	args = append(args, "--uvicorn-opts", "--uds "+s.socket())
	command := exec.Command(s.Command, args...)
	command.Env = environment(os.Environ())
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting MLflow: %w", err)
	}
	s.Log.Info("MLflow is starting", "command", s.Command, "pid", command.Process.Pid)
	var copied sync.WaitGroup
	copied.Go(func() { s.copy(output) })
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			s.end(command.Process.Pid, ended)
		case <-ended:
		}
	}()
	copied.Wait()
	err = command.Wait()
	close(ended)
	_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // what is left of the group; none is the usual case
	return err
}

func (s *Server) end(pid int, ended <-chan struct{}) {
	_ = syscall.Kill(-pid, syscall.SIGTERM) // it may be gone already
	select {
	case <-ended:
	case <-time.After(s.Grace):
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

func (s *Server) copy(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			fmt.Fprintf(s.Output, "mlflow | %s\n", strings.TrimRight(line, "\r\n"))
		}
		if err != nil {
			return
		}
	}
}

var secretPrefixes = []string{"SECRET_KEY", "OIDC_", "SESSION_", "REDIS_", "LISTEN_ADDR", "MLFLOW_UPSTREAM", "PUBLIC_URL", "TLS_"}

// environment leaves out the gateway's own settings: MLflow runs code of its users, who must not read them. What calls the
// server back (job workers) uses MLFLOW_TRACKING_URI, which must not lead anywhere else.
func environment(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(entry string) bool {
		for _, prefix := range secretPrefixes {
			if strings.HasPrefix(entry, prefix) {
				return true
			}
		}
		return strings.HasPrefix(entry, "MLFLOW_TRACKING_")
	})
}

package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
)

// Server is a database server of its own folder, which no other process uses.
type Server struct {
	engine  database.Engine
	port    uint16
	folder  string
	process *exec.Cmd
	ended   chan struct{}
	killed  atomic.Bool
	as      *syscall.Credential // who the server runs as; nil: as the test
}

// kinds are the programs by engine: what makes the data, what serves them, whose packages they are of, who they run as, and
// which database each has by itself.
var kinds = map[database.Engine]struct {
	make, serve, places []string // names, of which the first that is there is taken
	install             string
	account, master     string
	own                 string
}{
	database.PostgreSQL: {[]string{"initdb"}, []string{"postgres"}, []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"}, "postgresql", "postgres", "gw", "postgres"},
	database.MySQL:      {[]string{"mariadb-install-db"}, []string{"mariadbd"}, []string{"/usr/sbin", "/usr/libexec"}, "mariadb-server", "mysql", "root", "mysql"},
}

type programs struct{ make, serve string }

func find(engine database.Engine) (programs, error) {
	kind := kinds[engine]
	look := func(names []string) string {
		for _, name := range names {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
			for _, place := range kind.places {
				found, _ := filepath.Glob(filepath.Join(place, name)) // the pattern is good
				if len(found) > 0 {
					slices.Sort(found)
					return found[len(found)-1]
				}
			}
		}
		return ""
	}
	p := programs{look(kind.make), look(kind.serve)}
	if p.make == "" || p.serve == "" {
		return p, fmt.Errorf("no server of %s is installed: it is in the package %s; scripts/test.sh installs it", engine, kind.install)
	}
	return p, nil
}

// Start starts a server for one test alone, which may kill it.
func Start(t testing.TB, engine database.Engine) *Server {
	t.Helper()
	need(t, engine)
	server, err := start(engine)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

func start(engine database.Engine) (*Server, error) {
	p, err := find(engine)
	if err != nil {
		return nil, err
	}
	s := &Server{engine: engine}
	if s.folder, err = os.MkdirTemp("", "dbtest"); err != nil {
		return nil, err
	}
	if err := errors.Join(s.own(), s.initialize(p.make), s.Restart()); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// own gives the folder to the server's account where the test is root, as whom no server runs.
func (s *Server) own() error {
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup(kinds[s.engine].account)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(account.Uid) // they are numbers
	gid, _ := strconv.Atoi(account.Gid)
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.folder, uid, gid)
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func (s *Server) initialize(program string) error {
	arguments := []string{"-D", s.data(), "-A", "trust", "-U", kinds[s.engine].master, "-E", "UTF8", "--locale=C", "--no-sync"}
	if s.engine == database.MySQL {
		arguments = []string{"--no-defaults", "--datadir=" + s.data(), "--auth-root-authentication-method=normal", "--skip-test-db"}
	}
	command := s.command(program, arguments...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, output)
	}
	return nil
}

func (s *Server) command(program string, arguments ...string) *exec.Cmd {
	command := exec.Command(program, arguments...)
	command.Dir = s.folder
	command.Env = append(os.Environ(), "HOME="+s.folder, "TZ=Asia/Kolkata", "PGTZ=") // who rests on the zone of a machine is found out
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return command
}

// Restart starts the server, again if it was killed, at the same address.
func (s *Server) Restart() error {
	p, err := find(s.engine)
	if err != nil {
		return err
	}
	if s.port == 0 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.port = uint16(listener.Addr().(*net.TCPAddr).Port) // it is one of TCP
		_ = listener.Close()
	}
	// What is written reaches the kernel with each commit, so that it outlives the process, though not the machine.
	arguments := []string{"-D", s.data(), "-p", strconv.Itoa(int(s.port)), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + s.folder,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "autovacuum=off", "-c", "timezone=Asia/Kolkata", "-c", "standard_conforming_strings=off"}
	if s.engine == database.MySQL {
		arguments = []string{"--no-defaults", "--datadir=" + s.data(), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(int(s.port)), "--socket=" + filepath.Join(s.folder, "s"),
			"--pid-file=" + filepath.Join(s.folder, "pid"), "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=64M",
			"--innodb-log-file-size=16M", "--skip-innodb-doublewrite", "--skip-name-resolve", "--max-connections=200", "--character-set-server=latin1", "--sql-mode=ANSI_QUOTES"}
	}
	deadline := time.Now().Add(30 * time.Second)
	for { // what a killed one has left behind may hold the folder for a moment
		if err = s.serve(p.serve, arguments, deadline); err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *Server) serve(program string, arguments []string, deadline time.Time) error {
	var said bytes.Buffer
	command := s.command(program, arguments...)
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	s.process, s.ended = command, ended
	for {
		select {
		case <-ended:
			return fmt.Errorf("%s ended: %s", filepath.Base(program), said.String())
		case <-time.After(20 * time.Millisecond):
		}
		err := s.Exec("SELECT 1")
		if err == nil {
			s.killed.Store(false)
			return nil
		}
		if time.Now().After(deadline) {
			s.Kill()
			return fmt.Errorf("%s does not answer: %w", filepath.Base(program), err)
		}
	}
}

// Kill ends the server as a crash does (kill -9).
func (s *Server) Kill() {
	s.killed.Store(true)
	if s.process != nil {
		_ = s.process.Process.Kill()
		<-s.ended
	}
}

// Stop kills the server and removes its folder.
func (s *Server) Stop() {
	s.Kill()
	for range 100 { // PostgreSQL's other processes notice, and write no more
		if os.RemoveAll(s.folder) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

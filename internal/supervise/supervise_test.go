package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// standIn is the variable that makes this test binary play `mlflow`; its value says how it behaves.
const standIn = "SUPERVISE_STAND_IN"

func TestMain(m *testing.M) {
	if how := os.Getenv(standIn); how != "" {
		play(how)
		return
	}
	os.Exit(m.Run())
}

// play is `mlflow server ... --uvicorn-opts "--uds PATH"`: it listens there, tells of itself in lines on its output, and
// answers until it is ended.
func play(how string) {
	socket := strings.TrimPrefix(os.Args[len(os.Args)-1], "--uds ")
	if slices.Contains([]string{"worker", "stubborn worker"}, how) {
		socket = ""
	}
	if strings.HasPrefix(how, "stubborn") {
		signal.Ignore(syscall.SIGTERM)
	}
	if how == "dies" {
		fmt.Println("dying")
		os.Exit(3)
	}
	if strings.HasPrefix(how, "with ") { // a process of its own, as uvicorn's workers are
		worker := exec.Command(os.Args[0], "-test.run=^$")
		worker.Env = append(os.Environ(), standIn+"="+strings.TrimPrefix(how, "with "))
		worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
		if err := worker.Start(); err != nil {
			panic(err)
		}
	}
	if socket == "" {
		fmt.Println("worker", os.Getpid())
	}
	if how == "long line" {
		fmt.Println(strings.Repeat("x", 3*longestLine))
		fmt.Fprintln(os.Stderr, "on stderr")
	}
	if socket != "" {
		listener, err := net.Listen("unix", socket)
		if err != nil {
			panic(err)
		}
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec,errcheck // a stand-in
			if r.URL.Path == "/environment" {
				fmt.Fprint(w, strings.Join(os.Environ(), "\n"))
				return
			}
			fmt.Fprint(w, strings.Join(os.Args[1:], "\n"))
		}))
		fmt.Println("serving", os.Getpid())
	}
	for { // where nothing can happen any more, Go ends a program that has no C in it
		time.Sleep(time.Hour)
	}
}

// output collects the lines that the supervisor passes on.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	select {
	case o.grown <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits for the nth line that starts with the word, and gives the rest of it.
func (o *output) await(t *testing.T, word string, nth int) string {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		found := 0
		for line := range strings.Lines(o.String()) {
			if rest, ok := strings.CutPrefix(line, "mlflow | "+word); ok && strings.HasSuffix(line, "\n") {
				if found++; found == nth {
					return strings.TrimSpace(rest)
				}
			}
		}
		select {
		case <-o.grown:
		case <-limit:
			t.Fatalf("no line %d of %q in:\n%s", nth, word, o.String())
		}
	}
}

// pid waits for a line that ends in a process id.
func (o *output) pid(t *testing.T, word string, nth int) int {
	t.Helper()
	pid, err := strconv.Atoi(o.await(t, word, nth))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// pauses records how long the supervisor would wait before a start, and lets it go on at once.
type pauses struct {
	mu   sync.Mutex
	all  []time.Duration
	most int           // after so many, it waits for the end
	full chan struct{} // closed then; may be nil
}

func (p *pauses) pause(ctx context.Context, delay time.Duration) {
	p.mu.Lock()
	p.all = append(p.all, delay)
	full := len(p.all) >= p.most
	p.mu.Unlock()
	if full {
		if p.full != nil {
			close(p.full)
		}
		<-ctx.Done()
	}
}

func supervised(t *testing.T, how string, p *pauses, args ...string) (*Server, *output) {
	t.Helper()
	t.Setenv(standIn, how)
	out := &output{grown: make(chan struct{}, 1)}
	s, err := start(Options{Command: os.Args[0], Args: args, Log: slog.New(slog.DiscardHandler), Output: out, Grace: 300 * time.Millisecond}, p.pause)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s, out
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Stop did not come back")
	}
}

func ask(t *testing.T, s *Server, path string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(s.Address(), "unix://"))
	}}}
	answer, err := client.Get("http://mlflow" + path)
	if err != nil {
		t.Fatal(err)
	}
	return said(t, answer)
}

// said reads an answer to its end.
func said(t *testing.T, answer *http.Response) string {
	t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// gone waits until a process exists no more, or is only a name that its parent has not yet asked about.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return
		}
		if _, rest, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(rest, "Z") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}

func TestServesOnASocketThatOnlyThisUserReaches(t *testing.T) {
	s, out := supervised(t, "serves", &pauses{most: 1}, "--backend-store-uri", "sqlite:///x.db")
	out.await(t, "serving", 1)
	want := []string{"server", "--backend-store-uri", "sqlite:///x.db", "--workers", "2", "--host", "127.0.0.1", "--port", s.jobs.port,
		"--uvicorn-opts", "--uds " + s.socket()}
	if diff := cmp.Diff(want, strings.Split(ask(t, s, "/"), "\n")); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(s.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	stop(t, s)
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left behind: %v", err)
	}
}

func TestWorkersAsGiven(t *testing.T) {
	for _, tc := range []struct {
		name, variable string
		args           []string
		want           int
	}{
		{"ours", "", nil, 1},
		{"long", "", []string{"--workers", "5"}, 1},
		{"long with =", "", []string{"--workers=5"}, 0},
		{"short", "", []string{"-w5"}, 0},
		{"by the environment", "5", nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("MLFLOW_WORKERS", tc.variable)
			s := &Server{Options: Options{Args: tc.args}, jobs: &jobs{port: "5000"}}
			count := 0
			for _, arg := range s.arguments() {
				if arg == "--workers" {
					count++
				}
			}
			if count != tc.want {
				t.Errorf("%q", s.arguments())
			}
		})
	}
}

func TestForbiddenArguments(t *testing.T) {
	for _, args := range [][]string{
		{"--host", "0.0.0.0"}, {"--host=0.0.0.0"}, {"-h", "0.0.0.0"}, {"-h0.0.0.0"}, {"--port", "1"}, {"-p1"}, {"-p", "1"},
		{"--uvicorn-opts", "--host 0.0.0.0"}, {"--gunicorn-opts=-b 0.0.0.0:1"}, {"--waitress-opts", "x"}, {"--app-name", "basic-auth"},
		{"--workers", "1", "--dev"},
	} {
		_, err := Start(Options{Command: os.Args[0], Args: args})
		if err == nil || !strings.Contains(err.Error(), "the gateway decides where MLflow listens") {
			t.Errorf("%q gave %v", args, err)
		}
	}
}

func TestMissingCommandSaysWhatToDo(t *testing.T) {
	_, err := Start(Options{Command: "mlflow-that-is-not-there"})
	if err == nil {
		t.Fatal("a command that is not there was started")
	}
	for _, part := range []string{`"mlflow-that-is-not-there"`, "pip install mlflow", "MLFLOW_COMMAND", "MLFLOW_UPSTREAM"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func TestSocketPathThatIsTooLong(t *testing.T) {
	dir := t.TempDir() + "/" + strings.Repeat("x", 100)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	if _, err := Start(Options{Command: os.Args[0]}); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("start gave %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The attack: code that MLflow runs for its users reads the gateway's secrets from its environment.
func TestAttackSecretsInTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{"SECRET_KEY": "leak", "OIDC_CLIENT_SECRET": "leak", "OIDC_USERS_DB_URI": "leak", "REDIS_PASSWORD": "leak",
		"AUTH_PROVIDERS": "leak", "AUTH_PROVIDERS_FILE": "leak", "IMPORT_DB_URI": "leak", "MLFLOW_SERVER_ALLOWED_HOSTS": "leak",
		"SESSION_FILE_DIR": "leak", "METRICS_ADDR": "leak", "OTEL_EXPORTER_OTLP_HEADERS": "leak", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "leak",
		"MLFLOW_TRACKING_URI": "leak", "MLFLOW_GATEWAY_URI": "leak", "MLFLOW_TRACKING_PASSWORD": "leak", "MLFLOW_GUNICORN_OPTS": "leak",
		"MLFLOW_HOST": "leak", "AWS_REGION": "passed", "MLFLOW_BACKEND_STORE_URI": "passed"} {
		t.Setenv(name, value)
	}
	s, out := supervised(t, "serves", &pauses{most: 1})
	out.await(t, "serving", 1)
	var leaked, passed []string
	for line := range strings.Lines(ask(t, s, "/environment")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch value {
		case "leak":
			leaked = append(leaked, name)
		case "passed":
			passed = append(passed, name)
		}
	}
	slices.Sort(passed)
	if diff := cmp.Diff([]string{"AWS_REGION", "MLFLOW_BACKEND_STORE_URI"}, passed); diff != "" || leaked != nil {
		t.Errorf("leaked %q; passed %s", leaked, diff)
	}
}

func TestStartsAgainLaterAndLater(t *testing.T) {
	p := &pauses{most: 9, full: make(chan struct{})}
	_, out := supervised(t, "dies", p)
	<-p.full
	out.await(t, "dying", 9)
	second := time.Second
	want := []time.Duration{second / 2, second, 2 * second, 4 * second, 8 * second, 16 * second, 30 * second, 30 * second, 30 * second}
	if diff := cmp.Diff(want, p.all); diff != "" {
		t.Error(diff)
	}
}

func TestStartsAgainAfterACrash(t *testing.T) {
	s, out := supervised(t, "serves", &pauses{most: 2})
	before := s.Restarts()
	if err := syscall.Kill(out.pid(t, "serving", 1), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out.await(t, "serving", 2)
	if n := s.Restarts(); before != 0 || n != 1 {
		t.Errorf("it was started again %d times before the crash, and %d after it", before, n)
	}
	if ask(t, s, "/") == "" {
		t.Error("no answer after the new start")
	}
}

// A server that dies may leave workers that hold its output open, and answer on a socket that nobody watches.
func TestWorkersDoNotOutliveTheirServer(t *testing.T) {
	_, out := supervised(t, "with worker", &pauses{most: 2})
	worker := out.pid(t, "worker", 1)
	if err := syscall.Kill(out.pid(t, "serving", 1), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, worker)
	out.await(t, "serving", 2)
}

func TestStopTakesTheWholeGroup(t *testing.T) {
	for _, how := range []string{"with worker", "with stubborn worker", "stubborn"} {
		t.Run(how, func(t *testing.T) {
			s, out := supervised(t, how, &pauses{most: 1})
			pids := []int{out.pid(t, "serving", 1)}
			if strings.HasPrefix(how, "with") {
				pids = append(pids, out.pid(t, "worker", 1))
			}
			began := time.Now()
			stop(t, s)
			for _, pid := range pids {
				gone(t, pid)
			}
			if stubborn := strings.Contains(how, "stubborn"); stubborn != (time.Since(began) >= s.Grace) {
				t.Errorf("stopped after %v with a grace of %v", time.Since(began), s.Grace)
			}
		})
	}
}

func TestOutputIsPassedOnLineByLine(t *testing.T) {
	_, out := supervised(t, "long line", &pauses{most: 1})
	out.await(t, "on stderr", 1)
	x := 0
	for line := range strings.Lines(out.String()) {
		if len(line) > longestLine+len("mlflow | \n") {
			t.Errorf("a line of %d bytes", len(line))
		}
		x += strings.Count(line, "x")
	}
	if x != 3*longestLine {
		t.Errorf("%d of %d bytes of the long line were passed on", x, 3*longestLine)
	}
}

// The attack: a line of MLflow's, which says what a client has sent, looks like another one of the log, or hides those before it.
func TestAttackLinesThatMoveATerminal(t *testing.T) {
	const said = "a\tb\r\ntime=now\rmsg=forged\x1b[2J\x9b\u009b\x00é\n\n\x7flast"
	var text, objects bytes.Buffer
	(&Server{Options: Options{Output: &text}}).copy(strings.NewReader(said))
	if want := "mlflow | a\tb\nmlflow | time=now\ufffdmsg=forged\ufffd[2J\ufffd\ufffd\ufffdé\nmlflow | \nmlflow | \ufffdlast\n"; text.String() != want {
		t.Errorf("passed on is %q, want %q", text.String(), want)
	}
	(&Server{Options: Options{Output: &text, Lines: slog.New(slog.NewJSONHandler(&objects, nil))}}).copy(strings.NewReader(said))
	var lines []string
	for line := range strings.Lines(objects.String()) {
		var one struct{ Msg, Source string }
		if err := json.Unmarshal([]byte(line), &one); err != nil || one.Source != "mlflow" || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl) {
			t.Errorf("%q is no object (%v)", line, err)
		}
		lines = append(lines, one.Msg)
	}
	if want := []string{"a\tb", "time=now\ufffdmsg=forged\ufffd[2J\ufffd\ufffd\ufffdé", "", "\ufffdlast"}; !slices.Equal(lines, want) {
		t.Errorf("passed on are %q, want %q", lines, want)
	}
}

func TestStaticPrefixIsReadAsMLflowReadsIt(t *testing.T) {
	for name, c := range map[string]struct {
		args        []string
		environment string
		want        string
	}{
		"none":                      {[]string{"--workers", "1"}, "", ""},
		"an option":                 {[]string{"--static-prefix", "/x", "--workers", "1"}, "", "/x"},
		"joined":                    {[]string{"--static-prefix=/x"}, "", "/x"},
		"the last one":              {[]string{"--static-prefix=/x", "--static-prefix", "/y"}, "", "/y"},
		"the environment":           {nil, "/z", "/z"},
		"more than the environment": {[]string{"--static-prefix=/x"}, "/z", "/x"},
		"an empty option":           {[]string{"--static-prefix="}, "/z", ""},
		"without its value":         {[]string{"--static-prefix"}, "", ""},
	} {
		getenv := func(name string) string { return map[string]string{"MLFLOW_STATIC_PREFIX": c.environment}[name] }
		if got := StaticPrefix(c.args, getenv); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

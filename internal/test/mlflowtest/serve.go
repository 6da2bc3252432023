package mlflowtest

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Serve starts the environment's MLflow on a loopback port, as somebody would who has nothing of ours, and gives its address
// and the folder of its data. It is stopped with the test.
func (e Environment) Serve(t testing.TB, args ...string) (address, dir string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	_, port, _ := net.SplitHostPort(host)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	output, err := os.Create(filepath.Join(dir, "mlflow.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	command := exec.Command(e.Command("python"), append([]string{"-W", "ignore", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///" + filepath.Join(dir, "mlflow.db"), "--artifacts-destination", filepath.Join(dir, "artifacts")}, args...)...)
	command.Env = append(os.Environ(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "HOME="+dir) // gunicorn writes there
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); _ = command.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // its workers too; it may be gone already
		<-exited
	})
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		// any answer will do: not every version has the health check below the prefix
		if answer, err := http.Get("http://" + host + "/health"); err == nil {
			_ = answer.Body.Close()
			return "http://" + host, dir
		}
		select {
		case <-exited:
			deadline = time.Time{}
		default:
		}
	}
	said, _ := os.ReadFile(output.Name())
	t.Fatalf("MLflow did not become healthy; its log:\n%s", said)
	return "", ""
}

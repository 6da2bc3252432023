package sessiontest

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Port stands for a free port among the arguments of Redis.
const Port = "{port}"

// Redis starts a real Redis on a free port, and gives its address and what kills it.
func Redis(t *testing.T, arguments ...string) (string, func()) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is needed on PATH; scripts/test.sh installs it")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address) // it is one
	for i, argument := range arguments {
		arguments[i] = strings.ReplaceAll(argument, Port, port)
	}
	command := exec.Command("redis-server", append(arguments, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() { _ = command.Process.Kill(); _ = command.Wait() }
	t.Cleanup(stop)
	Eventually(t, "redis-server starts", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return address, stop
}

// Eventually waits for what another process does, and fails the test when it does not within half a minute.
func Eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for: " + what)
		}
	}
}

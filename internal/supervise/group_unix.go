//go:build !windows

package supervise

import (
	"os/exec"
	"syscall"
)

// supported says why there is no full mode on this system; nil where there is one.
func supported() error { return nil }

// lead gives the command a process group of its own.
func lead(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// tell sends a signal to everybody in the group that a process leads. That nobody is left is the usual case.
func tell(leader int, s syscall.Signal) { _ = syscall.Kill(-leader, s) }

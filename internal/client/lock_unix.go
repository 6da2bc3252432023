//go:build !windows

package client

import (
	"os"
	"syscall"
)

// hold waits for the lock of a file; it goes with the file's closing.
func hold(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}

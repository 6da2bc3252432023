//go:build !windows

package filesystem

import (
	"errors"
	"os"
	"syscall"
)

// Supported says why sessions cannot be kept in files on this system; nil where they can.
func Supported() error { return nil }

// hold waits for the lock of a folder; it goes with the folder's closing.
func hold(dir *os.File) error {
	var err error = syscall.EINTR
	for errors.Is(err, syscall.EINTR) {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX)
	}
	return err
}

package client

import (
	"os"

	"golang.org/x/sys/windows"
)

// hold waits for the lock of a file's first byte, as Python's msvcrt.locking does; it goes with the file's closing.
func hold(file *os.File) error {
	return windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
}

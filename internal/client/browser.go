package client

import (
	"os"
	"os/exec"
	"runtime"
	"time"
)

// settled is how long opening a browser may take to fail.
const settled = 2 * time.Second

// OpenBrowser opens an address in the person's own browser. Over SSH, and on a machine without a screen, there is none.
func OpenBrowser(address string) error {
	command := exec.Command("xdg-open", address)
	switch runtime.GOOS {
	case "darwin":
		command = exec.Command("open", address)
	case "windows":
		command = exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	default:
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return errNoBrowser
		}
	}
	if os.Getenv("SSH_CONNECTION") != "" {
		return errNoBrowser
	}
	if err := command.Start(); err != nil {
		return errNoBrowser
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(settled): // some wait until the browser is closed
		return nil
	}
}

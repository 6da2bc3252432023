package supervise

import (
	"errors"
	"os/exec"
	"syscall"
)

// supported refuses: MLflow would listen on a port that every program of the machine reaches, past the gateway.
func supported() error {
	return errors.New("on Windows the gateway starts no MLflow of its own; name a running server with MLFLOW_UPSTREAM")
}

func lead(*exec.Cmd) {}

func tell(int, syscall.Signal) {}

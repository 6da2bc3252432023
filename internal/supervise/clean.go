package supervise

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
)

// MLflow's own command, mlflow gc, deletes more than it is told to: with runs alone it also empties the trash of experiments.
//
//go:embed clean.py
var cleaning string

// Clean runs clean.py with the Python and the arguments of the server. What is wanted and done are JSON objects.
func (s *Server) Clean(ctx context.Context, wanted, done any) error {
	python, err := python(s.Command)
	if err != nil {
		return err
	}
	args := s.Args
	if args == nil {
		args = []string{}
	}
	asked, err := json.Marshal(map[string]any{"wanted": wanted, "server": args})
	if err != nil {
		return err
	}
	var said, errors bytes.Buffer
	command := exec.CommandContext(ctx, python, "-c", cleaning)
	command.Env = environment(command.Environ())
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(asked), &said, &errors
	err = command.Run()
	s.Log.Debug("the trash was cleaned", "output", errors.String())
	if err != nil {
		return fmt.Errorf("deleting what is in the trash: %w: %s", err, last(errors.String(), 2000))
	}
	if err := json.Unmarshal(said.Bytes(), done); err != nil {
		return fmt.Errorf("reading what was deleted: %w", err)
	}
	return nil
}

// python finds the Python of the mlflow command: the one beside it.
func python(mlflow string) (string, error) {
	path, err := exec.LookPath(mlflow)
	if err != nil {
		return "", err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	for _, name := range []string{"python3", "python"} {
		if found, err := exec.LookPath(filepath.Join(filepath.Dir(path), name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("there is no python3 beside %s", path)
}

func last(text string, n int) string { return text[max(0, len(text)-n):] }

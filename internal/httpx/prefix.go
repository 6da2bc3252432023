package httpx

import (
	"errors"
	"strings"
)

// ParsePrefix reads the path under which MLflow serves all of its own: "" for none, else plain segments, such as /ml/flow.
// They are compared as they are sent, and so hold nothing that can be written in two ways.
func ParsePrefix(path string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "", nil
	}
	rest, rooted := strings.CutPrefix(path, "/")
	for segment := range strings.SplitSeq(rest, "/") {
		plain := !strings.ContainsFunc(segment, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.~", r))
		})
		if !rooted || !plain || segment == "" || segment == "." || segment == ".." {
			return "", errors.New("the path must be plain words behind slashes, such as /mlflow")
		}
	}
	return path, nil
}

package app

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// serverLog takes what net/http says of connections. Most of it is of clients that hang up, or speak another protocol, and anybody can have it
// said; the rest must not be lost among it.
func serverLog(to *slog.Logger) *log.Logger { return log.New(serverLines{to}, "", 0) }

type serverLines struct{ to *slog.Logger }

// loud are the beginnings of lines that are of no client's making.
var loud = []struct {
	begins string
	level  slog.Level
}{
	{"http: Accept error:", slog.LevelWarn}, // nobody can come: there are too many open files, for instance
	{"http: panic serving", slog.LevelError},
	{"http2: panic serving", slog.LevelError},
}

// Write writes a line into the log (io.Writer).
func (s serverLines) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	for _, one := range loud {
		if bytes.HasPrefix(line, []byte(one.begins)) {
			level = one.level
		}
	}
	s.to.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	return len(line), nil
}

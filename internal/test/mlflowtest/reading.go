package mlflowtest

import (
	"bufio"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// Reading is how the installed MLflow reads the bytes of a connection.
type Reading struct {
	Calls  []HandlerCall `json:"calls"`
	Status []int         `json:"status"` // of each answer; 200 where a handler was reached
	Said   string        `json:"said"`   // the end of the answers
}

// HandlerCall is a handler of MLflow's with what it is given.
type HandlerCall struct {
	Method string              `json:"method"`
	Rule   string              `json:"rule"` // a parameter is {name}
	Args   map[string]string   `json:"args"` // of the path
	Query  map[string][]string `json:"query"`

	// Where the handler reads a message of protobuf: what it holds, by the fields' names; and whether that is all of the
	// request. MLflow goes on with what its parser has read until it found a wrong type.
	Message map[string]any `json:"message"`
	Whole   bool           `json:"whole"`
	JSON    any            `json:"json"`    // the body, where there is no message
	Refused string         `json:"refused"` // why the handler does nothing

	Fields []ResolvedField `json:"fields"` // of GraphQL

	Spans      []ReceivedSpan `json:"spans"`
	Experiment string         `json:"experiment"`
	Run        string         `json:"run"`
}

// ResolvedField is a field of GraphQL that MLflow would resolve.
type ResolvedField struct {
	Of        string         `json:"of"`
	Field     string         `json:"field"`
	Arguments map[string]any `json:"arguments"`
}

// ReceivedSpan is a span that MLflow would store.
type ReceivedSpan struct {
	Trace    string   `json:"trace"`
	Keys     []string `json:"keys"`     // of its attributes
	Resource []string `json:"resource"` // the keys of its resource's attributes
}

//go:embed reading.py
var readRequests string

// reader is the one process with MLflow's servers, without stores, that this test process asks. It ends with it: its input
// is closed then.
var reader struct {
	once  sync.Once
	mu    sync.Mutex
	ask   io.Writer
	reply *bufio.Reader
	err   error
}

func startReader() error {
	pinned, err := pinned()
	if err != nil {
		return err
	}
	command := exec.Command(pinned.Command("python"), "-W", "ignore", "-c", readRequests)
	command.Stderr = os.Stderr
	ask, err := command.StdinPipe()
	if err != nil {
		return err
	}
	reply, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	reader.ask, reader.reply = ask, bufio.NewReaderSize(reply, 1<<20)
	return command.Start()
}

// Read says how MLflow reads the bytes of a connection: which handlers are reached, with what.
func Read(t testing.TB, connection []byte) Reading {
	t.Helper()
	var said Reading
	if err := ask(base64.StdEncoding.EncodeToString(connection), &said); err != nil {
		t.Fatalf("asking MLflow how it reads %q: %v", connection, err)
	}
	return said
}

// Field is a field of a message of protobuf.
type Field struct {
	Name     string  `json:"name"`
	JSONName string  `json:"json_name"`
	Type     string  `json:"type"` // string, bool, integer, float, enum, bytes, message, map, or the name of one of protobuf's own messages
	Many     bool    `json:"many"`
	Fields   []Field `json:"fields"` // of a message
}

// Messages gives the fields of the message that each rule's handler reads, by method and rule.
func Messages(t testing.TB) map[string][]Field {
	t.Helper()
	var said map[string][]Field
	if err := ask("", &said); err != nil {
		t.Fatalf("asking MLflow for its messages: %v", err)
	}
	return said
}

func ask(line string, into any) error {
	reader.once.Do(func() { reader.err = startReader() })
	if reader.err != nil {
		return reader.err
	}
	reader.mu.Lock()
	defer reader.mu.Unlock()
	if _, err := fmt.Fprintln(reader.ask, line); err != nil {
		return err
	}
	said, err := reader.reply.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(said, into)
}

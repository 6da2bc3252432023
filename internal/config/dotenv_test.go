package config

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// environment is what the test's files see beside themselves.
var environment = map[string]string{"HELD": "by the environment", "EMPTY": "", "UMLAUT": "ä", "TWICE": "${HELD}"}

func lookup(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// oracle asks the real python-dotenv. It says of each file what it sets, or that it left a line out.
const oracle = `
import io, json, os, sys
from dotenv.main import DotEnv
from dotenv.parser import parse_stream
asked = json.load(sys.stdin)
os.environ.clear()
os.environ.update(asked["environment"])
answers = []
for text in asked["files"]:
    text = io.StringIO(text, newline=None).getvalue()
    if any(b.error for b in parse_stream(io.StringIO(text))):
        answers.append(None)
        continue
    values = DotEnv(None, stream=io.StringIO(text), override=False).dict()
    answers.append({k: v for k, v in values.items() if v is not None})
json.dump(answers, sys.stdout)
`

// python finds an interpreter that has python-dotenv.
func python(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("MLFLOW_PYTHON"); path != "" {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	path := filepath.Join(dir, ".venv", "bin", "python")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no Python with python-dotenv: run scripts/test.sh once, which makes .venv, or name one in MLFLOW_PYTHON (%v)", err)
	}
	return path
}

// asPython gives what python-dotenv reads in each file: nil where it cannot read a line.
func asPython(t *testing.T, files []string) []map[string]string {
	t.Helper()
	question, err := json.Marshal(map[string]any{"files": files, "environment": environment})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python(t), "-c", oracle)
	command.Stdin = strings.NewReader(string(question))
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("python-dotenv: %v\n%s", err, stderr.String())
	}
	var answers []map[string]string
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(files) {
		t.Fatalf("python-dotenv answered for %d of %d files", len(answers), len(files))
	}
	return answers
}

func compareWithPython(t *testing.T, files []string) {
	t.Helper()
	read, wrong := 0, 0
	for i, want := range asPython(t, files) {
		got, err := ParseDotenv(files[i], lookup(environment))
		switch {
		case want == nil && err == nil:
			t.Errorf("%q: python-dotenv leaves a line out; this gave %v without an error", files[i], got)
		case want == nil:
			wrong++
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Errorf("%q: the error does not name the line: %v", files[i], err)
			}
		case err != nil:
			t.Errorf("%q: %v; python-dotenv gives %v", files[i], err, want)
		default:
			read++
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q (-python-dotenv +this):\n%s", files[i], diff)
			}
		}
	}
	if read < len(files)/10 || wrong == 0 {
		t.Errorf("of %d files %d were read and %d refused: the cases prove too little", len(files), read, wrong)
	}
}

func TestDotenvReadsAsPythonDoes(t *testing.T) {
	compareWithPython(t, []string{
		"", "\n\n", "A=1", "A=1\n", "A=1\r\nB=2\rC=3", "\ufeffA=1", "  A = 1  ", "\tA\t=\t1\t", "A=", "A= ", "A", "A\nB=1", "A=1\nA", "A\nA=1",
		"export A=1", "export\tA=1", "export  =1", "export=1", "export", "export A", "exportA=1", "export # nothing", "export\nA=1", "EXPORT A=1",
		"# only a comment", "  # behind blanks", "A=1 # comment", "A=1# text", "A=#text", "A= # comment", "A=\t#comment", "A=a#b", "A=a #b #c", "A=a\t#b", "A # comment", "A# comment", "A=  #",
		"A='1'", `A="1"`, "A='1' # c", `A="1"# c`, `A="1" x`, `A='1'x`, `A="1`, `A='1`, `A="1'`, `A=1"`, `A=a"b"c`, `A=a 'b'`, `A= "1"`, `A=""`, `A=''`, `A="" # c`,
		`A="a\nb"`, `A='a\nb'`, `A=a\nb`, `A="\\\'\"\a\b\f\n\r\t\v\x\0\u00e4"`, `A='\\\'\"\n'`, `A="\\"`, `A="\\\\n"`, `A="\"`, `A='\'`, `A='it\'s'`, `A="\\" # c`, `A="a\\\"b"`,
		"A=\"one\ntwo\"\nB=1", "A='one\ntwo'", "A=\"one\r\ntwo\"", "A=\"one\\\ntwo\"", "A=one\\\ntwo=2",
		"A=$HELD", "A=${HELD}", "A='${HELD}'", `A="${HELD}"`, "A=${MISSING}", "A=${MISSING:-x}", "A=${HELD:-x}", "A=${EMPTY:-x}", "A=${MISSING-x}", "A=${MISSING:x}", "A=${MISSING:-a:-b}", "A=${MISSING:-${HELD}}",
		"A=${", "A=${}", "A=${:-x}", "#\nA=${:-x}", "A=}", "A=${${HELD}}", "A=${A:${HELD}}", "A=$${HELD}", "A=\\${HELD}", "A=${HELD}${HELD}", "A=${TWICE}",
		"A=1\nB=${A}", "B=${A}\nA=1", "HELD=file\nB=${HELD}", "A=1\nA=${A}2", "A\nB=${A:-x}", "A=1\nA\nB=${A:-x}", "A=${B:-${C:-d}}", "A=\"${MISSING:-a\nb}\"",
		"'A'=1", "'A b'=1", "'A=1'=2", "''=1", "'A=1", "'A\nB'=1", "\"A\"=1", "A'B=1", "'A'B=1", "A.B-C=1", "A B=1", "A==1", "A=b=c", "=1", "A:1", "Ä=ä", "A=\u00a01\u00a0", "A=1\u2003# c", "A=1\u2028# c", "A=a\x1c#b", "A=a\x1f", "\x1dA=1", "A\u0085=1", "A=a\u200b#b", "A=1\v", "A=1\f# c",
		"SECRET_KEY=a$b$$c", "SECRET_KEY='a#b'", "SECRET_KEY=a!b@c%d^e&f*g(h)", "URL=postgresql://u:p%40@h/d?x=1#y", "A=`b`", "A=$(b)",
	})
}

// pieces are what files are made of at random: all that means something to the parser, and some that does not.
var pieces = []string{"A", "B", "HELD", "EMPTY", "MISSING", "export", "export ", "=", "=", "=", " ", "\t", "\n", "\n", "\n", "\r\n", "\r", "#", " #", "'", "'", `"`, `"`, `\`, `\\`, `\n`, `\'`, `\"`,
	"$", "${", "${A}", "${B}", "${HELD}", "${MISSING:-", "}", ":-", ":", "1", "text", "ä", "\u00a0", "\u2028", "\u0085", "\x1c", "\v", "\f", "\ufeff", "-", "."}

func TestDotenvReadsRandomFilesAsPythonDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 14))
	files := make([]string, 20_000)
	for i := range files {
		var b strings.Builder
		if i%2 == 0 { // otherwise hardly any file has a good line
			b.WriteString("A=")
		}
		for range random.IntN(12) + 1 {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		files[i] = b.String()
	}
	compareWithPython(t, files)
}

func TestDotenvNamesTheBrokenLine(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\n\n=2\n":                  "line 3: a name is missing before =",
		"A=1\nB=\"2\nC=3\n":            "line 2: a quoted value does not end",
		"A=\"1\n2\"\nB='3' 4\n":        "line 3: there is something behind the value",
		"# c\r\n'A=1":                  "line 2: a quoted name is empty or does not end",
		"A B=1":                        "line 1: there is something behind the value",
		"A=\xff":                       "it is not UTF-8 text",
		"A=1\x00":                      "it is not UTF-8 text",
		"A='" + strings.Repeat("x", 9): "line 1: a quoted value does not end",
	} {
		values, err := ParseDotenv(text, lookup(nil))
		if err == nil || err.Error() != want || values != nil {
			t.Errorf("%q gave %v, %v; want the error %q", text, values, err, want)
		}
	}
}

// Whatever a value is, written in quotes as shells do it is read again; and whatever a file is, all of it was read or none.
func FuzzParseDotenv(f *testing.F) {
	for _, seed := range []string{"A=1", "export A='b' # c", "A=\"${B:-c}\\n\"", "=", "'A b'=\"\n\"", "A=$b$$c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := ParseDotenv(text, lookup(nil))
		if err != nil && values != nil {
			t.Fatalf("%q gave values beside the error %v", text, err)
		}
		for name := range values {
			if name == "" || !strings.Contains(text, name) && !strings.Contains(text, "\r") {
				t.Fatalf("%q sets %q, which it does not name", text, name)
			}
		}
		quoted := fmt.Sprintf("A='%s'", strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text))
		again, quotedErr := ParseDotenv(quoted+"\n"+text, lookup(nil))
		if (err == nil) != (quotedErr == nil) && !strings.HasPrefix(text, "\ufeff") {
			t.Fatalf("%q gives %v alone and %v behind another line", text, err, quotedErr)
		}
		if _, given := values["A"]; given || quotedErr != nil || strings.Contains(text, "A") || strings.Contains(text, "${") {
			return
		}
		if want := newlines.Replace(text); again["A"] != want {
			t.Fatalf("%q was read as %q", quoted, again["A"])
		}
	})
}

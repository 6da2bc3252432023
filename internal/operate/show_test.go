package operate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// The attack: have a name that does something to the terminal of whoever lists it.
func TestAttackTerminalOfAnOperator(t *testing.T) {
	const name = "\x1b]0;x\a\u009b2J\u202eann\u2028\x7f\U000e0001ä \u00e9"
	var text bytes.Buffer
	if err := printJSON(&text, []string{name}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\a\u009b\u202e\u2028\x7f\U000e0001") {
		t.Errorf("%q", text.String())
	}
	var back []string
	if err := json.Unmarshal(text.Bytes(), &back); err != nil || len(back) != 1 || back[0] != name {
		t.Errorf("it is %q, %v", back, err)
	}
	if got := clean(name); strings.ContainsAny(got, "\x1b\a\u009b\u202e\u2028\x7f") || !strings.Contains(got, "ann") {
		t.Errorf("%q", got)
	}
}

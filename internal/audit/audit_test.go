package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

// The attack: send a name or a user agent that looks like another line of the log, or hides one.
func FuzzAttackForgedEvents(f *testing.F) {
	f.Add("x\ntime=2027-01-01 level=INFO msg=sign_in_succeeded audit=true by=root")
	f.Add("x\r\n\x1b[2K\u2028\u202e\x00\"} {\"msg\":\"sign_in_succeeded\"")
	f.Add(strings.Repeat("a", 100_000))
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, value string) {
		var text, object bytes.Buffer
		ctx := With(context.Background(), func() Origin { return Origin{Client: value, Agent: value, Request: "7"} })
		e := Event{Name: CredentialRefused, By: value, Account: value, Reason: value}
		NewLog(slog.New(slog.NewTextHandler(&text, nil))).Record(ctx, e)
		NewLog(slog.New(slog.NewJSONHandler(&object, nil))).Record(ctx, e)
		for _, line := range []string{text.String(), object.String()} {
			if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\r\x00\x1b\u2028\u202e") || len(line) > 20_000 {
				t.Errorf("%d bytes: %.300q", len(line), line)
			}
		}
		var said map[string]any
		if err := json.Unmarshal(object.Bytes(), &said); err != nil || said["msg"] != "credential_refused" || said["audit"] != true || said["request"] != "7" {
			t.Errorf("%v, %v", said, err)
		}
		if account, _ := said["account"].(string); utf8.RuneCountInString(account) > most+1 {
			t.Errorf("%d characters", utf8.RuneCountInString(account))
		}
	})
}

func TestEveryNameHasAMeaning(t *testing.T) {
	known := map[Name]bool{}
	for _, m := range meanings {
		if known[m.name] || m.meaning == "" || strings.ToLower(string(m.name)) != string(m.name) || strings.ContainsAny(string(m.name), " -") {
			t.Errorf("%q is there twice, or without a meaning, or not in snake case", m.name)
		}
		known[m.name] = true
	}
}

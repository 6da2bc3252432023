package upstream

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// The rest of an answer is sent by the stub only after the client has its beginning, so an answer that is held back never ends.
func TestAnswersAreNotHeldBack(t *testing.T) {
	const begun = 1 << 10
	for _, test := range []struct {
		name   string
		length int // 0: unknown
	}{{"known length", 2*begun + onePiece}, {"unknown length", 0}} {
		t.Run(test.name, func(t *testing.T) {
			seen := make(chan struct{})
			stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if test.length > 0 {
					w.Header().Set("Content-Length", strconv.Itoa(test.length))
				}
				_, _ = w.Write(make([]byte, begun))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-seen:
					_, _ = w.Write(make([]byte, max(test.length-begun, 1)))
				case <-r.Context().Done():
				}
			}))
			defer stub.Close()
			mlflow, err := New(Options{Address: stub.URL, ConnectTimeout: time.Second, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer mlflow.Close()
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mlflow.Forward(w, mlflow.Prepare(r, httpx.Path{Decoded: "/"}, url.Values{}, "192.0.2.1"), nil)
			}))
			defer front.Close()
			client := &http.Client{Timeout: 5 * time.Second}
			answer, err := client.Get(front.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if _, err := io.ReadFull(answer.Body, make([]byte, begun)); err != nil {
				t.Fatalf("the beginning of the answer was held back: %v", err)
			}
			close(seen)
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				t.Errorf("the rest of the answer: %v", err)
			}
		})
	}
}

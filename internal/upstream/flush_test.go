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
			front, client := forwarding(t, stub.URL)
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

// MLflow may answer before an upload is over, as when it refuses it; and what it answers to one that has just ended must not
// be lost because the end of the request was not read from the client yet.
func TestAnswerBeforeTheUploadIsOver(t *testing.T) {
	const long = 256 << 10
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = r.Body.Read(make([]byte, 1))
		_, _ = w.Write(make([]byte, long))
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, long))
	}))
	defer stub.Close()
	front, client := forwarding(t, stub.URL)
	for range 20 {
		answer, err := client.Post(front.URL, "application/octet-stream", io.LimitReader(zeros{}, 8<<20))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, answer.Body); err != nil || n != 2*long {
			t.Fatalf("%d bytes of the answer came, and %v", n, err)
		}
		_ = answer.Body.Close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// forwarding is a server that forwards everything to the address, and a client of it.
func forwarding(t *testing.T, address string) (*httptest.Server, *http.Client) {
	t.Helper()
	mlflow, err := New(Options{Address: address, ConnectTimeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mlflow.Close)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mlflow.Forward(w, mlflow.Prepare(r, httpx.Path{Decoded: "/"}, url.Values{}, "192.0.2.1"), nil)
	}))
	t.Cleanup(front.Close)
	return front, &http.Client{Timeout: 5 * time.Second}
}

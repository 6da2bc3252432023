package gateway

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// A body that breaks off is its client's doing, and not that MLflow cannot be reached. One that ends, or is too large, stays what it is.
func TestBodyThatBreaksOffIsTheClients(t *testing.T) {
	tooLarge := &http.MaxBytesError{Limit: 7}
	for name, c := range map[string]struct {
		err  error
		ours bool
	}{"it ends": {io.EOF, false}, "it is too large": {tooLarge, false}, "it breaks off": {io.ErrUnexpectedEOF, true}, "the connection is lost": {errors.New("reset by peer"), true}} {
		t.Run(name, func(t *testing.T) {
			s := &stream{call: &call{began: time.Now()}}
			s.next.Store(int64(time.Hour))
			_, err := (&followedBody{io.NopCloser(iotest.ErrReader(c.err)), s}).Read(make([]byte, 8))
			if !errors.Is(err, c.err) || errs.Is(err, errs.Invalid) != c.ours || !c.ours && err != c.err { //nolint:errorlint // readers are held to io.EOF itself
				t.Errorf("it gives %v", err)
			}
		})
	}
}

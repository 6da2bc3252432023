package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// lookAgain is how long what streams goes on without being decided again. What was revoked ends within it.
const lookAgain = time.Second

// toRead is the time that a client has to read why its upload ended.
const toRead = time.Second

// stream decides a request again while its body or its answer is under way. It does so when there is something to pass on, and
// so needs no goroutine: a stream in which nothing happens passes nothing on either.
type stream struct {
	call *call
	next atomic.Int64 // when it is decided again, in nanoseconds since the beginning

	mu      sync.Mutex // body and answer may both come to it
	refused error
}

// allowed tells whether the request would still be allowed.
func (s *stream) allowed() error {
	since := time.Since(s.call.began)
	if int64(since) < s.next.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil && int64(since) >= s.next.Load() {
		if s.refused = s.call.again(); s.refused == nil {
			s.next.Store(int64(since + lookAgain))
		}
	}
	return s.refused
}

// again decides the request anew: is the credential still good, and may the subject still do this.
func (c *call) again() error {
	subject, err := c.gateway.Auth.Still(c.credential, c.subject)
	if err != nil {
		return err
	}
	again := &call{gateway: c.gateway, r: c.r, match: c.match, read: c.read, subject: c.gateway.eased(subject), targets: c.targets}
	if again.grants, err = c.gateway.Grants.Of(c.r.Context(), subject.UserID); err == nil {
		err = again.member()
	}
	if err == nil {
		err = again.authorize()
	}
	if errs.Is(err, errs.Denied) || errs.Is(err, errs.NotFound) {
		c.gateway.Audit.Record(c.r.Context(), c.refusal(subject, "no longer allowed: "+err.Error()))
	}
	return err
}

// follow has the request decided again while it streams, for as long as it does. What has an effect comes to its end: half of it would be
// worse than what was allowed a moment before.
func (c *call) follow(out *http.Request, effect func(*http.Response) error) (http.ResponseWriter, func(*http.Response) error) {
	route := c.match.Route
	if route.Effect != "" || route.Creates != "" || route.Method == http.MethodDelete {
		return c.w, effect
	}
	c.stream.call = c
	c.stream.next.Store(int64(time.Since(c.began) + lookAgain))
	if out.Body != nil && out.Body != http.NoBody {
		out.Body = &followedBody{out.Body, &c.stream}
	}
	answer := &followedAnswer{ResponseWriter: c.w, stream: &c.stream}
	return answer, then(effect, func(*http.Response) error { answer.mlflows = true; return nil })
}

type followedBody struct {
	io.ReadCloser
	stream *stream
}

// Read reads what still may be passed on.
func (b *followedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if refused := b.stream.allowed(); refused != nil {
		_ = http.NewResponseController(b.stream.call.w).SetReadDeadline(time.Now().Add(toRead)) // the server would wait for the rest of the body
		return 0, refused
	}
	return n, brokenOff(err)
}

// brokenOff says of a body that does not come to its end that this is the client's doing: else MLflow would seem not to answer.
func brokenOff(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return err
	}
	return errs.Wrap(errs.Invalid, err, "the body broke off before its end")
}

type followedAnswer struct {
	http.ResponseWriter
	stream  *stream
	mlflows bool // it is MLflow's answer, and not the error with which the request ends
}

// Write writes what still may be passed on. Its error makes the proxy drop the connection: the client sees that the answer is
// not whole.
func (a *followedAnswer) Write(piece []byte) (int, error) {
	if a.mlflows {
		if refused := a.stream.allowed(); refused != nil {
			return 0, refused
		}
	}
	return a.ResponseWriter.Write(piece)
}

// Unwrap gives the writer below (http.ResponseController).
func (a *followedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

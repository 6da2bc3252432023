package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

type form struct {
	status int
	code   string
}

// forms says how each code is shown: MLflow's error codes (mlflow/protos/databricks.proto) where it has one.
var forms = map[errs.Code]form{
	errs.Internal:        {http.StatusInternalServerError, "INTERNAL_ERROR"},
	errs.Invalid:         {http.StatusBadRequest, "INVALID_PARAMETER_VALUE"},
	errs.Unauthenticated: {http.StatusUnauthorized, "UNAUTHENTICATED"},
	errs.Denied:          {http.StatusForbidden, "PERMISSION_DENIED"},
	errs.NotFound:        {http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST"},
	errs.Conflict:        {http.StatusConflict, "RESOURCE_ALREADY_EXISTS"},
	errs.TooLarge:        {http.StatusRequestEntityTooLarge, "INVALID_PARAMETER_VALUE"},
	errs.Limited:         {http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED"},
	errs.Unavailable:     {http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE"},
	errs.BadGateway:      {http.StatusBadGateway, "TEMPORARILY_UNAVAILABLE"},
}

// Status gives the HTTP status of an error.
func Status(err error) int { return forms[errs.CodeOf(err)].status }

// ErrorBody is the JSON of an error: MLflow's two fields, and the field that clients of the Python plugin read.
type ErrorBody struct {
	ErrorCode string `json:"error_code"`
	Message   string `json:"message"`
	Detail    string `json:"detail"`
}

// BodyOf gives the JSON of an error. The text of an internal error is hidden: only the log has it.
func BodyOf(err error) ErrorBody {
	message := "internal error; the server's log says more"
	var coded *errs.Error
	if errors.As(err, &coded) && coded.Code != errs.Internal {
		message = coded.Message
	}
	return ErrorBody{forms[errs.CodeOf(err)].code, message, message}
}

// HungUp tells whether a request failed since its client hung up: what was asked for it was given up then, and so there is no failure of
// MLflow's or of a database's. What was decided stays decided, and a fault of ours stays one.
func HungUp(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.Canceled) && (errors.Is(err, context.Canceled) || errs.Is(err, errs.Unavailable) || errs.Is(err, errs.BadGateway))
}

// Failure says how a failure of a request stands in the log.
func Failure(ctx context.Context, err error) (slog.Level, string) {
	if HungUp(ctx, err) {
		return slog.LevelInfo, "the client hung up"
	}
	return slog.LevelError, "request failed"
}

// WriteError answers an error in MLflow's JSON form; it is the only place that does. Failures of ours go to the log. A client that has hung up
// is answered too: if nothing were written, the server would answer 200, and somebody may read that who has closed one direction alone.
func WriteError(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	status := Status(err)
	if status >= http.StatusInternalServerError {
		level, what := Failure(r.Context(), err)
		log.Log(r.Context(), level, what, "method", r.Method, "path", r.URL.Path, "status", status, "request", w.Header().Get(RequestID), "error", err)
	}
	RetryAfter(w, err)
	WriteJSON(w, status, BodyOf(err))
}

// RetryAfter has an answer say how long to wait, where the error knows (RFC 9110 §10.2.3).
func RetryAfter(w http.ResponseWriter, err error) {
	var coded *errs.Error
	if errors.As(err, &coded) && coded.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(coded.After.Seconds()))))
	}
}

// WriteJSON answers a value as JSON that no cache keeps.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, `{"error_code":"INTERNAL_ERROR","message":"the answer could not be encoded"}`, http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

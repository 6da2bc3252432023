package extract

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// maxTraces bounds how many traces one export names: each is looked up. OpenTelemetry's exporters send 512 spans at once.
const maxTraces = 1024

// traceTag is what the attributes of a root span begin with that MLflow makes tags of the trace
// (mlflow/store/tracking/sqlalchemy_store.py, log_spans).
const traceTag = "mlflow.traceTag."

// Spans is an export of spans in OpenTelemetry's protocol.
type Spans struct {
	Body   []byte   // uncompressed
	Traces []string // MLflow's ids of the traces, each once
	Tags   []string // the keys of what MLflow makes tags of the traces

	seen map[string]bool
}

// ReadSpans reads an export as MLflow does (mlflow/server/otel_api.py): protobuf, or JSON with ids in hexadecimal. The limit
// bounds the body as it came, and what it is uncompressed.
func ReadSpans(r *http.Request, limit int64) (*Spans, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(r.Header.Values("Content-Type")) > 1 {
		return nil, errs.New(errs.Invalid, "the request needs one header Content-Type")
	}
	body, err := httpx.ReadLimited(r.Body, limit)
	if err != nil {
		return nil, err
	}
	if body, err = uncompress(body, r.Header.Values("Content-Encoding"), limit); err != nil {
		return nil, err
	}
	s := &Spans{Body: body, seen: map[string]bool{}}
	switch mediaType {
	case "application/x-protobuf":
		err = s.readProtobuf(body)
	case "application/json":
		err = s.readJSON(body)
	default:
		err = errs.New(errs.Invalid, "spans come as application/x-protobuf or application/json")
	}
	if err != nil {
		return nil, err
	}
	if len(s.Traces) == 0 {
		return nil, errs.New(errs.Invalid, "the request has no span")
	}
	return s, nil
}

func uncompress(body []byte, encodings []string, limit int64) ([]byte, error) {
	if len(encodings) > 1 {
		return nil, errs.New(errs.Invalid, "the request has several Content-Encoding headers")
	}
	encoding := ""
	if len(encodings) == 1 {
		encoding = strings.ToLower(encodings[0])
	}
	var reader io.Reader
	var err error
	switch encoding {
	case "":
		return body, nil
	case "gzip":
		reader, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate": // with zlib's frame, or without
		if reader, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			reader, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	default:
		return nil, errs.New(errs.Invalid, "the request's Content-Encoding %q is not supported here", encoding)
	}
	if err != nil {
		return nil, errs.New(errs.Invalid, "the body is not %s", encoding)
	}
	return httpx.ReadLimited(reader, limit)
}

// trace notes the trace of a span. MLflow reads the bytes as a number; only with sixteen of them is there one way to write it.
func (s *Spans) trace(id []byte) error {
	if len(id) != 16 {
		return errs.New(errs.Invalid, "a span's trace id must have 16 bytes")
	}
	name := "tr-" + hex.EncodeToString(id)
	if s.seen[name] {
		return nil
	}
	if len(s.Traces) == maxTraces {
		return errs.New(errs.TooLarge, "the request has spans of more than %d traces", maxTraces)
	}
	s.seen[name] = true
	s.Traces = append(s.Traces, name)
	return nil
}

// attribute notes what becomes a tag: what a span says so of, and every attribute of a resource.
func (s *Spans) attribute(key string, ofSpan bool) {
	rest, tag := strings.CutPrefix(key, traceTag)
	switch {
	case !ofSpan:
		s.Tags = append(s.Tags, key)
	case tag:
		s.Tags = append(s.Tags, rest)
	}
}

// readJSON reads the spelling of OpenTelemetry alone: MLflow takes protobuf's other one too, where ids are base64.
func (s *Spans) readJSON(body []byte) error {
	export, err := httpx.ParseObject(body)
	if err != nil {
		return err
	}
	return members(export, "resourceSpans", func(of *httpx.Object) error {
		if resource, ok := of.Get("resource"); ok && resource != nil {
			object, ok := resource.(*httpx.Object)
			if !ok {
				return errs.New(errs.Invalid, "field %q must be an object", "resource")
			}
			if err := s.readAttributes(object, false); err != nil {
				return err
			}
		}
		return members(of, "scopeSpans", func(of *httpx.Object) error {
			return members(of, "spans", s.readSpan)
		})
	})
}

func (s *Spans) readSpan(span *httpx.Object) error {
	text, _, err := span.Text("trace_id")
	if err != nil {
		return err
	}
	id, err := hex.DecodeString(text)
	if err != nil || !slices.Contains(span.Keys(), "traceId") {
		return errs.New(errs.Invalid, "a span needs its traceId, in hexadecimal")
	}
	if err := s.trace(id); err != nil {
		return err
	}
	return s.readAttributes(span, true)
}

func (s *Spans) readAttributes(of *httpx.Object, ofSpan bool) error {
	return members(of, "attributes", func(attribute *httpx.Object) error {
		key, _, err := attribute.Text("key")
		s.attribute(key, ofSpan)
		return err
	})
}

// members visits each object of a list. The list may be missing; in another spelling than this one it is refused.
func members(of *httpx.Object, key string, visit func(*httpx.Object) error) error {
	value, given := of.Get(httpx.Snake(key))
	if !given {
		return nil
	}
	list, ok := value.([]any)
	if !ok || !slices.Contains(of.Keys(), key) {
		return errs.New(errs.Invalid, "field %q must be a list, in this spelling", key)
	}
	for _, item := range list {
		object, ok := item.(*httpx.Object)
		if !ok {
			return errs.New(errs.Invalid, "field %q must be a list of objects", key)
		}
		if err := visit(object); err != nil {
			return err
		}
	}
	return nil
}

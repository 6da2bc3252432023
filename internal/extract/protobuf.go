package extract

import (
	"encoding/binary"
	"math"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

var errProtobuf = errs.New(errs.Invalid, "the body is not protobuf")

// The fields of OpenTelemetry's messages that are read (opentelemetry/proto/trace/v1/trace.proto).
const (
	resourceSpans     = 1 // of an export
	resource          = 1 // of resource spans
	scopeSpans        = 2
	spans             = 2 // of scope spans
	traceID           = 1 // of a span
	spanAttributes    = 9
	resourceAttribute = 1 // of a resource
	attributeKey      = 1 // of an attribute
)

func (s *Spans) readProtobuf(export []byte) error {
	return fields(export, map[uint64]visit{resourceSpans: func(of []byte) error {
		return fields(of, map[uint64]visit{
			resource: func(of []byte) error {
				return fields(of, map[uint64]visit{resourceAttribute: s.protobufAttribute(false)})
			},
			scopeSpans: func(of []byte) error {
				return fields(of, map[uint64]visit{spans: s.protobufSpan})
			},
		})
	}})
}

func (s *Spans) protobufSpan(span []byte) error {
	var id []byte
	err := fields(span, map[uint64]visit{
		traceID: func(value []byte) error {
			if id != nil {
				return errs.New(errs.Invalid, "a span has two trace ids")
			}
			id = value
			return s.trace(value)
		},
		spanAttributes: s.protobufAttribute(true),
	})
	if err == nil && id == nil {
		err = s.trace(nil)
	}
	return err
}

func (s *Spans) protobufAttribute(ofSpan bool) visit {
	return func(attribute []byte) error {
		return fields(attribute, map[uint64]visit{attributeKey: func(key []byte) error {
			s.attribute(string(key), ofSpan)
			return nil
		}})
	}
}

type visit func(value []byte) error

// fields visits the fields of a message that are known, each of which must be of the type with a length. What a parser
// could take for another field is refused: numbers that do not fit, and groups.
func fields(message []byte, known map[uint64]visit) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 || tag > math.MaxUint32 || tag>>3 == 0 {
			return errProtobuf
		}
		message = message[n:]
		size, lengthy := uint64(0), false
		switch tag & 7 {
		case 0:
			_, n = binary.Uvarint(message)
			if n <= 0 {
				return errProtobuf
			}
			size = uint64(n)
		case 1:
			size = 8
		case 2:
			if size, n = binary.Uvarint(message); n <= 0 {
				return errProtobuf
			}
			message, lengthy = message[n:], true
		case 5:
			size = 4
		default:
			return errProtobuf
		}
		if size > uint64(len(message)) {
			return errProtobuf
		}
		if visit := known[tag>>3]; visit != nil {
			if !lengthy {
				return errProtobuf
			}
			if err := visit(message[:size]); err != nil {
				return err
			}
		}
		message = message[size:]
	}
	return nil
}

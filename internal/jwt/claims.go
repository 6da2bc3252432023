package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// maxDepth bounds the nesting of claims.
const maxDepth = 32

// Object reads a JSON object that has one meaning: no name twice, at any depth (RFC 7519 §4), and nothing behind it.
// Numbers keep their digits: an identifier of 64 bits must not be rounded to another person's.
func Object(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	read, err := value(decoder, 0)
	if err != nil {
		return nil, err
	}
	object, ok := read.(map[string]any)
	if !ok {
		return nil, errors.New("it is no object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind the object")
	}
	return object, nil
}

func value(decoder *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("it is nested too deeply")
	}
	next, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch next {
	case json.Delim('{'):
		return members(decoder, depth)
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			item, err := value(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err := decoder.Token()
		return list, err
	}
	return next, nil
}

func members(decoder *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		text, ok := name.(string)
		if _, twice := object[text]; !ok || twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		if object[text], err = value(decoder, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token()
	return object, err
}

// Moment gives a time among the claims (RFC 7519 §2, NumericDate). What is no such time is an error, and never "absent".
func Moment(claims map[string]any, name string) (at time.Time, present bool, err error) {
	value, present := claims[name]
	if !present {
		return time.Time{}, false, nil
	}
	number, ok := value.(json.Number)
	seconds, err := number.Float64()
	if !ok || err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, true, errors.New(name + " is not a time")
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// audience gives whom a token is for: one or several (RFC 7519 §4.1.3).
func audience(claims map[string]any) ([]string, bool) {
	switch given := claims["aud"].(type) {
	case string:
		return []string{given}, true
	case []any:
		all := make([]string, 0, len(given))
		for _, item := range given {
			text, ok := item.(string)
			if !ok {
				return nil, false
			}
			all = append(all, text)
		}
		return all, true
	}
	return nil, false
}

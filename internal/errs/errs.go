// Package errs holds the coded errors that every other package returns and that the one HTTP mapper understands.
package errs

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure an error is, independent of how it is shown.
type Code uint8

// The codes, each with one meaning for the caller.
const (
	Internal        Code = iota // our fault; the text is never shown
	Invalid                     // the request is malformed or ambiguous
	Unauthenticated             // no credential, or not a valid one
	Denied                      // known, but not allowed
	NotFound                    // does not exist, or may not be seen to exist
	Conflict                    // exists already, or changed meanwhile
	TooLarge                    // a body or header beyond its limit
	Limited                     // too many attempts; try later
	Unavailable                 // something this needs (database, provider) cannot be reached
	BadGateway                  // MLflow cannot be reached or answered nonsense
)

// Error is an error with a code and a message that may be shown to the caller.
type Error struct {
	Code    Code
	Message string
	Cause   error
	After   time.Duration // of errs.Limited: how long to wait; 0: unknown
	Reason  Reason        // "": there is nothing special to do
}

// Error gives the message, then the cause, for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes a coded error whose message may be shown to the caller.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap codes a cause; the message may be shown, the cause is only logged.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// Later makes the error of too many attempts, which says how long to wait.
func Later(after time.Duration, format string, args ...any) *Error {
	return &Error{Code: Limited, Message: fmt.Sprintf(format, args...), After: after}
}

// CodeOf gives the code of the first coded error in the chain, Internal without one.
func CodeOf(err error) Code {
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return Internal
}

// Is tells whether the error carries the code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }

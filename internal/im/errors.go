package im

import (
	"context"
	"errors"
	"time"
)

// Code says why a request failed, in words that every door (HTTP, frames, gRPC)
// translates by a table of its own. The zero value is Internal. The list is
// append-only: numbers cross processes of different versions. A Code is itself
// an error, so errors.Is(err, im.NotFound) asks any *Error for its code.
type Code uint8

const (
	Internal        Code = iota // our fault; outcome unknown
	Invalid                     // the request is wrong; the text says where
	Unauthenticated             // no token, or one that proves nothing
	Forbidden                   // not the asker's to do
	NotFound                    // no such thing, or none that the asker may see
	AlreadyExists               // there is one already
	TooLarge                    // a text, data or list over its limit
	RateLimited                 // too often; this attempt did nothing
	Overloaded                  // the server sheds load; this attempt did nothing
	Unavailable                 // a store or service is away; outcome unknown
	Unsupported                 // a frame type or content kind that is not known
	Conflict                    // the state has moved on

	// CodeCount is how many codes there are; tables are tested against it.
	CodeCount = int(Conflict) + 1
)

// String is the code's name in lower case, as the gate's problem documents give it.
func (c Code) String() string {
	names := [...]string{
		"internal", "invalid", "unauthenticated", "forbidden", "not_found", "already_exists",
		"too_large", "rate_limited", "overloaded", "unavailable", "unsupported", "conflict",
	}
	if int(c) < len(names) {
		return names[c]
	}
	return "internal"
}

// Error makes a bare code usable as an error.
func (c Code) Error() string { return c.String() }

// Definite says that a request which failed so did nothing and never will.
func (c Code) Definite() bool { return c != Internal && c != Unavailable }

// Error is a failure that a person may read: what is wrong and what to do.
// Wrapping an Error keeps its code; the wrapping text stays in logs.
type Error struct {
	Code       Code
	Text       string        // English, a sentence without a full stop at its end
	RetryAfter time.Duration // 0: no advice
}

func (e *Error) Error() string { return e.Code.String() + ": " + e.Text }

// Is makes errors.Is(err, im.NotFound) true for an Error of that code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// Fail returns an *Error of this code with this text.
func Fail(c Code, text string) *Error { return &Error{Code: c, Text: text} }

// FailAfter is Fail with a time to come back.
func FailAfter(c Code, text string, retry time.Duration) *Error {
	return &Error{Code: c, Text: text, RetryAfter: retry}
}

// Explain is the only place that makes text for people out of any error. What
// is not an *Error or a Code is Internal, or Unavailable if a deadline passed;
// its own words are for the log alone.
func Explain(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	var c Code
	switch {
	case errors.As(err, &c):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		c = Unavailable
	}
	texts := [CodeCount]string{
		Internal:        "something went wrong on the server; it is unknown whether the request took effect",
		Invalid:         "the request is not valid",
		Unauthenticated: "log in first",
		Forbidden:       "you may not do this",
		NotFound:        "there is no such thing, or none that you may see",
		AlreadyExists:   "it exists already",
		TooLarge:        "it is too large",
		RateLimited:     "too many requests; try again later",
		Overloaded:      "the server is busy; try again later",
		Unavailable:     "a part of the server is away; it is unknown whether the request took effect, so repeat it",
		Unsupported:     "this is not supported",
		Conflict:        "the state has changed in the meantime",
	}
	return &Error{Code: c, Text: texts[c]}
}

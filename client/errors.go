package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// Code says why a request failed. It is an error itself, so that
// errors.Is(err, client.NotFound) asks any error of this package for its code.
type Code string

// The codes of the contract. A code that this version does not know reads as Internal.
const (
	Internal        Code = "internal"        // the server's fault; outcome unknown
	Invalid         Code = "invalid"         // the request is wrong; the text says where
	Unauthenticated Code = "unauthenticated" // no login, or one that ended
	Forbidden       Code = "forbidden"       // not yours to do
	NotFound        Code = "not_found"       // no such thing, or none that you may see
	AlreadyExists   Code = "already_exists"
	TooLarge        Code = "too_large"    // a text, data or list over its limit
	RateLimited     Code = "rate_limited" // come back after RetryAfter; nothing was done
	Overloaded      Code = "overloaded"   // as RateLimited, but for everybody
	Unavailable     Code = "unavailable"  // a part of the way is away
	Unsupported     Code = "unsupported"  // the server does not know this
	Conflict        Code = "conflict"     // the state has moved on
)

func (c Code) Error() string { return string(c) }

// Error is a failed request.
type Error struct {
	Code       Code
	Text       string        // for people, in English
	RetryAfter time.Duration // 0: no advice

	unknown bool
	cause   error
}

func (e *Error) Error() string {
	if e.Text == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Text
}

// Unwrap gives what is underneath, such as a context's or the network's error.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the error's Code.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// Unknown reports whether the request may have taken effect all the same. If
// not, it did nothing and never will.
func (e *Error) Unknown() bool { return e.unknown }

// Unknown reports whether err leaves open if the request took effect: it is an
// *Error that says so, or an error that did not come from this package. It is
// false for nil and for definite errors.
func Unknown(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.unknown
	}
	return err != nil
}

// fail makes a definite error: the request did nothing.
func fail(c Code, text string) *Error { return &Error{Code: c, Text: text} }

// codeOf reads a code's name as the gate writes it.
func codeOf(name string) Code {
	c := Code(name)
	switch c {
	case Internal, Invalid, Unauthenticated, Forbidden, NotFound, AlreadyExists, TooLarge,
		RateLimited, Overloaded, Unavailable, Unsupported, Conflict:
		return c
	}
	return Internal
}

// refused is the answer ERROR as an error.
func refused(e *clientpb.Error) *Error {
	c := codeOf(strings.ToLower(e.GetCode().String()))
	return &Error{
		Code:       c,
		Text:       e.GetText(),
		RetryAfter: time.Duration(e.GetRetryAfterMs()) * time.Millisecond,
		unknown:    c == Internal || c == Unavailable,
	}
}

// notSent is the error of a request that never left: its context ended first.
func notSent(ctx context.Context) *Error {
	return &Error{Code: Unavailable, Text: "not sent: " + context.Cause(ctx).Error(), cause: context.Cause(ctx)}
}

// unanswered is the error of a request whose context ended while it was on its way.
func unanswered(ctx context.Context) *Error {
	return &Error{Code: Unavailable, Text: "no answer yet: " + context.Cause(ctx).Error(), unknown: true, cause: context.Cause(ctx)}
}

// errBroken is what calls get whose connection ended before their answer.
var errBroken = &Error{Code: Unavailable, Text: "the connection ended before the answer", unknown: true}

// errClosed is what calls get once the Client is closed or has ended.
var errClosed = fail(Unavailable, "the client is closed")

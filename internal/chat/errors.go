package chat

import (
	"errors"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// codes is the one table from the domain's codes to the wire's. A test holds it
// to every code there is.
var codes = [im.CodeCount]clientpb.Code{
	im.Internal:        clientpb.Code_INTERNAL,
	im.Invalid:         clientpb.Code_INVALID,
	im.Unauthenticated: clientpb.Code_UNAUTHENTICATED,
	im.Forbidden:       clientpb.Code_FORBIDDEN,
	im.NotFound:        clientpb.Code_NOT_FOUND,
	im.AlreadyExists:   clientpb.Code_ALREADY_EXISTS,
	im.TooLarge:        clientpb.Code_TOO_LARGE,
	im.RateLimited:     clientpb.Code_RATE_LIMITED,
	im.Overloaded:      clientpb.Code_OVERLOADED,
	im.Unavailable:     clientpb.Code_UNAVAILABLE,
	im.Unsupported:     clientpb.Code_UNSUPPORTED,
	im.Conflict:        clientpb.Code_CONFLICT,
}

// wireError is what a client is told of a failure.
func wireError(e *im.Error) *clientpb.Error {
	code := clientpb.Code_INTERNAL
	if int(e.Code) < len(codes) {
		code = codes[e.Code]
	}
	return &clientpb.Error{Code: code, Text: e.Text, RetryAfterMs: millis(e.RetryAfter)}
}

// millis rounds a time to come back up, so that who keeps to it is not early.
func millis(d time.Duration) uint32 {
	const day = 24 * time.Hour
	d = min(max(d, 0), day)
	return uint32((d + time.Millisecond - 1) / time.Millisecond)
}

// isRefusal says whether err is one that a person may read: the others are ours,
// and belong into the log.
func isRefusal(err error) bool {
	if e, ok := errors.AsType[*im.Error](err); ok {
		return e.Code != im.Internal
	}
	var c im.Code
	return errors.As(err, &c) && c != im.Internal
}

// tooLarge is what a body gets that wire would not build.
func tooLarge(err error) error {
	if errors.Is(err, wire.ErrTooLarge) {
		return im.Fail(im.TooLarge, "the body holds too many or too deep values")
	}
	return err
}

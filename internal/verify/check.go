package verify

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/liao-im/liao/internal/im"
)

// errWrong is the one answer to every code that does not do, whatever the reason.
func errWrong() error {
	return im.Fail(im.Forbidden, "the code is wrong, used or no longer valid; after five tries ask for a new one")
}

// CheckCode counts a try and uses the code up if it is right.
func (s *Service) CheckCode(ctx context.Context, c im.CodeCheck) error {
	err := s.check(ctx, c)
	switch {
	case err == nil:
		s.metrics.checked.WithLabelValues("ok").Inc()
		s.audit.InfoContext(ctx, "code used", "purpose", string(c.Purpose), "email", c.Email, "request", printable(c.Request))
	case errors.Is(err, im.Forbidden):
		s.metrics.checked.WithLabelValues("wrong").Inc()
		s.audit.WarnContext(ctx, "code refused", "purpose", string(c.Purpose), "email", c.Email, "request", printable(c.Request))
	default:
		s.metrics.checked.WithLabelValues("error").Inc()
	}
	return err
}

func (s *Service) check(ctx context.Context, c im.CodeCheck) error {
	stored, err := s.codes.TakeCodeTry(ctx, c.Request, s.tries)
	if errors.Is(err, im.Forbidden) || errors.Is(err, im.NotFound) {
		return errWrong()
	}
	if err != nil {
		return fmt.Errorf("count a try: %w", err)
	}
	mac := s.mac(c.Request, c.Purpose, c.Email, c.Code)
	if subtle.ConstantTimeCompare(mac[:], stored.MAC[:]) != 1 {
		return errWrong()
	}
	first, err := s.codes.UseCode(ctx, c.Request)
	if err != nil {
		return fmt.Errorf("use a code: %w", err)
	}
	if !first {
		return errWrong()
	}
	return nil
}

// ReturnCode gives back a code that was used up for something that definitely did
// not happen, and the try that it took.
func (s *Service) ReturnCode(ctx context.Context, request string) error {
	if err := s.codes.ReturnCode(ctx, request); err != nil {
		return fmt.Errorf("return a code: %w", err)
	}
	s.audit.InfoContext(ctx, "code returned", "request", printable(request))
	return nil
}

// printable is a request id as it may be logged: what a stranger sends in its place
// can be anything.
func printable(request string) string {
	if len(request) > 64 {
		return request[:64]
	}
	return request
}

package verify

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// busyFor is when to ask again after the queue was full: its workers send a few
// mails a second.
const busyFor = 10 * time.Second

// IssueCode mails a code, or what stands in its place: to register an address that
// has an account a notice that it has one, to reset one that has none nothing. The
// answer and the work until it are the same.
func (s *Service) IssueCode(ctx context.Context, r im.CodeRequest) (im.CodeIssued, error) {
	email, err := im.CheckEmail(r.Email)
	if err != nil {
		return im.CodeIssued{}, err
	}
	if r.Purpose != im.Register && r.Purpose != im.Reset {
		return im.CodeIssued{}, im.Fail(im.Invalid, "purpose must be register or reset")
	}
	code, err := newCode()
	if err != nil {
		return im.CodeIssued{}, err
	}
	request := im.NewID()
	mac := s.mac(request, r.Purpose, email, code)
	told := r.Known == (r.Purpose == im.Reset)
	if !told {
		// A code that nobody is told must not be there to be guessed.
		_, _ = rand.Read(mac[:]) // never fails: crypto/rand ends the process instead
	}

	// The place in the queue comes first: a code whose mail cannot go would count
	// against its owner's limits.
	if !s.queue.reserve() {
		s.metrics.issued.WithLabelValues(string(r.Purpose), "busy").Inc()
		return im.CodeIssued{}, im.FailAfter(im.Overloaded, "too many mails wait to be sent; try again in a moment", busyFor)
	}
	if err := s.codes.AddCode(ctx, im.NewCode{
		Request: request, Purpose: r.Purpose, Email: email, IP: r.IP, MAC: mac, Expires: s.expires, Limits: s.limits,
	}); err != nil {
		s.queue.release()
		return im.CodeIssued{}, s.refused(ctx, r, err)
	}
	s.queue.put(s.letter(r, email, code, told))
	s.metrics.issued.WithLabelValues(string(r.Purpose), "ok").Inc()
	s.audit.InfoContext(ctx, "code issued", "purpose", string(r.Purpose), "email", email, "ip", r.From, "request", request)
	return im.CodeIssued{Request: request, Expires: s.expires, Resend: s.resend()}, nil
}

// letter is the mail of a request, or an empty one, which a worker drops.
func (s *Service) letter(r im.CodeRequest, email, code string, told bool) letter {
	l := letter{to: email, lang: s.speak(r.Lang), until: time.Now().Add(s.expires)}
	switch {
	case told && r.Purpose == im.Register:
		l.kind = mailRegister
	case told:
		l.kind = mailReset
	case r.Purpose == im.Register:
		l.kind = mailKnown
	default:
		l.kind = mailNone
	}
	l.words = s.words
	l.facts = facts{Code: code, Minutes: int(s.expires / time.Minute)}
	return l
}

func (s *Service) refused(ctx context.Context, r im.CodeRequest, err error) error {
	if im.Explain(err).Code == im.RateLimited {
		s.metrics.issued.WithLabelValues(string(r.Purpose), "limited").Inc()
		s.audit.WarnContext(ctx, "code refused, over a limit", "purpose", string(r.Purpose), "email", r.Email, "ip", r.From)
		return err
	}
	s.metrics.issued.WithLabelValues(string(r.Purpose), "error").Inc()
	return fmt.Errorf("store a code: %w", err)
}

// resend is how long a client should wait before it offers to send another code.
func (s *Service) resend() time.Duration {
	if s.limits.EmailMinute <= 0 {
		return time.Minute
	}
	return time.Minute / time.Duration(s.limits.EmailMinute)
}

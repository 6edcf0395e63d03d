package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// noticeLife is how long a notice is tried: after an hour it is no news.
const noticeLife = time.Hour

// Notify queues a mail to the owner of an account. It does not wait; a full queue
// is im.Overloaded, and the notice is lost.
func (s *Service) Notify(_ context.Context, n im.Notice) error {
	email, err := im.CheckEmail(n.Email)
	if err != nil {
		return err
	}
	l := letter{to: email, lang: s.speak(n.Lang), until: time.Now().Add(noticeLife), words: s.words}
	switch n.Kind {
	case im.NoticePasswordReset:
		l.kind = mailPasswordReset
	case im.NoticeNewDevice:
		l.kind = mailNewDevice
	default:
		return fmt.Errorf("verify: there is no notice %q", n.Kind)
	}
	l.facts = facts{
		Device:   n.Device.Name,
		Platform: n.Device.Platform,
		At:       n.At.Time().Format("2006-01-02 15:04 UTC"),
	}
	if !s.queue.reserve() {
		s.metrics.mails.WithLabelValues(string(l.kind), "busy").Inc()
		return im.FailAfter(im.Overloaded, "too many mails wait to be sent", busyFor)
	}
	s.queue.put(l)
	return nil
}

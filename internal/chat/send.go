package chat

import (
	"errors"
	"time"

	"github.com/liao-im/liao/internal/batch"
	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// Who is refused because much waits comes back after about this.
const overloadRetry = time.Second

// send is one SEND of a turn: a draft, or why it is none.
type send struct {
	id    uint32
	draft im.Draft
	err   error
}

// take decodes, checks and admits one SEND. What is refused keeps its place, so that
// answers come in the order of the sends. False: it was a breach, and said so.
func (s *session) take(sends []send, f wire.Frame) ([]send, bool) {
	one := send{id: f.ID}
	var m clientpb.Send
	if err := f.Codec.Unmarshal(f.Body, &m); err != nil {
		if v, ok := errors.AsType[*wire.Violation](err); ok {
			s.breach(v.Detail())
			return sends, false
		}
		one.err = tooLarge(err)
		return append(sends, one), true
	}
	one.draft, one.err = s.draft(&m)
	if one.err == nil {
		if wait := s.account.sends.take(s.v.now(), s.v.sendRate); wait > 0 {
			one.err = im.FailAfter(im.RateLimited, "too many messages; slow down", wait)
		}
	}
	return append(sends, one), true
}

func (s *session) draft(m *clientpb.Send) (im.Draft, error) {
	made := fault.Now()
	content, err := fromContent(m.GetContent())
	var d im.Draft
	if err == nil {
		d, err = im.NewDraft(s.user, im.ConvID(m.GetConv()), m.GetKey(), content, made)
	}
	if err != nil {
		// The key may be that of an entry all the same, which then is the answer.
		if d, err = im.NewRepeat(s.user, im.ConvID(m.GetConv()), m.GetKey(), err, made); err != nil {
			return im.Draft{}, err //nolint:wrapcheck // for the user as it is
		}
	}
	if s.v.poison.has(d) {
		return im.Draft{}, im.Fail(im.Internal, "this message broke the server before and is not tried again for now")
	}
	return d, nil
}

// commit has drafts written, answers every send in order, and pushes what was
// stored. It returns when all of that is done, whatever became of the connection.
func (s *session) commit(sends []send) {
	if len(sends) == 0 {
		return
	}
	drafts := make([]im.Draft, 0, len(sends))
	for i := range sends {
		if sends[i].err == nil {
			drafts = append(drafts, sends[i].draft)
		}
	}
	results, err := s.v.appends.Do(drafts)
	if err != nil {
		err = s.whyNotCommitted(err)
	}
	posts := make([]im.Post, 0, len(results))
	for i := range sends {
		one := &sends[i]
		switch {
		case one.err != nil:
		case err != nil:
			one.err = err
		default:
			r := &results[0]
			results = results[1:]
			if one.err = r.Err; r.Err == nil {
				s.acknowledge(one.id, r)
				posts = append(posts, r.Post)
				continue
			}
		}
		e := s.explain(one.err, clientpb.Type_SEND)
		s.v.met.refused[e.Code].Inc()
		s.fail(one.id, e)
	}
	s.v.deliver(posts, s)
}

// whyNotCommitted is what becomes of every draft of a batch that failed as a whole.
func (s *session) whyNotCommitted(err error) error {
	switch {
	case errors.Is(err, batch.ErrFull):
		return im.FailAfter(im.Overloaded, "the server is busy; try again in a moment", jitter(overloadRetry))
	case errors.Is(err, batch.ErrClosed):
		return im.FailAfter(im.Overloaded, "this node is leaving; send again at another", jitter(overloadRetry))
	}
	// Nothing is known of the drafts. Most often the store is away.
	s.v.trouble().Warn("a batch of sends failed", "err", err)
	if _, ok := errors.AsType[*batch.PanicError](err); ok {
		return im.Internal
	}
	return im.Unavailable
}

func (s *session) acknowledge(id uint32, r *im.Appended) {
	s.v.met.sent.Inc()
	if r.Again {
		s.v.met.again.Inc()
	}
	err := s.answer(id, clientpb.Type_SENT, &clientpb.Sent{
		Conv: uint64(r.Entry.Conv), Key: r.Entry.Key, Seq: uint32(r.Entry.Seq), AtMs: int64(r.Entry.At), Again: r.Again,
	})
	if err != nil {
		s.v.trouble().Warn("an answer could not be encoded", "type", clientpb.Type_SENT.String(), "err", err)
	}
}

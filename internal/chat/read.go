package chat

import (
	"context"
	"errors"
	"fmt"

	"github.com/liao-im/liao/internal/batch"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// read moves the own watermark; OK comes after the commit. Watermarks of many users
// are written together, as sends are.
func (s *session) read(id uint32, m *clientpb.Read) error {
	conv, err := checkConv(m.GetConv())
	if err != nil {
		return err
	}
	results, err := s.v.reads.Do([]im.ReadMark{{User: s.user, Conv: conv, Seq: im.Seq(m.GetSeq())}})
	switch {
	case errors.Is(err, batch.ErrFull), errors.Is(err, batch.ErrClosed):
		return im.FailAfter(im.Overloaded, "the server is busy; try again in a moment", jitter(overloadRetry))
	case err != nil:
		return fmt.Errorf("mark read: %w", err)
	}
	mark := results[0]
	if mark.Err != nil {
		return mark.Err
	}
	if err := s.answer(id, clientpb.Type_OK, nil); err != nil {
		return err
	}
	if !mark.Moved {
		return nil
	}
	l := &letter{kind: clientpb.Type_RECEIPT, body: &clientpb.Receipt{
		Conv: m.GetConv(), User: uint64(s.user), Seq: uint32(mark.Seq),
	}}
	s.v.post(l, s.user, s)
	if mark.Peer != 0 {
		s.v.post(l, mark.Peer, nil)
	}
	return nil
}

// writeReads is what batch calls for the READs of many connections.
func (v *Service) writeReads(ctx context.Context, marks []im.ReadMark) ([]im.Marked, error) {
	results, err := v.store.MarkRead(ctx, marks)
	if err != nil {
		return nil, fmt.Errorf("mark %d read: %w", len(marks), err)
	}
	return results, nil
}

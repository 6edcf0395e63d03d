package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/liao-im/liao/internal/im"
)

// MarkRead moves read watermarks, all in one transaction. The watermark of a direct
// conversation is seen by both, so the conversation moves; of others only the
// member does.
func (s *Store) MarkRead(ctx context.Context, marks []im.ReadMark) ([]im.Marked, error) {
	var results []im.Marked
	err := s.write(ctx, "mark read", func(ctx context.Context, x *tx) error {
		results = make([]im.Marked, len(marks))
		convs := make([]im.ConvID, len(marks))
		for i, m := range marks {
			convs[i] = m.Conv
		}
		l, err := openLedger(ctx, x, convs)
		if err != nil {
			return err
		}
		readers, err := readReaders(ctx, x, marks)
		if err != nil {
			return err
		}
		for i, m := range marks {
			results[i] = l.mark(m, readers[memberKey{m.Conv, m.User}])
		}
		return l.writeReaders(ctx, readers)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// reader is a member whose watermark may move, and in a direct conversation the
// other one.
type reader struct {
	memberKey
	left, read im.Seq
	moved      im.Micros
	peer       im.UserID // who is to be told: 0 if nobody
	marked     bool      // read is new
}

// mark moves a watermark in memory, if the rules allow it. A reader who is nil is
// no member.
func (l *ledger) mark(m im.ReadMark, r *reader) im.Marked {
	f := im.SendFacts{EverMember: r != nil}
	if c := l.convs[m.Conv]; c != nil && r != nil {
		f.Head = c.head
		if r.left > 0 {
			f.Head = r.left
		}
	}
	if err := im.JudgeRead(f, m.Seq); err != nil {
		return im.Marked{Err: err}
	}
	if m.Seq <= r.read {
		return im.Marked{Seq: r.read}
	}
	r.read, r.marked = m.Seq, true
	return im.Marked{Seq: r.read, Moved: true, Peer: r.peer}
}

// readReaders reads the watermarks of those who mark, and whom to tell: the other
// member of a direct conversation, unless one of the two blocked the other.
func readReaders(ctx context.Context, x *tx, marks []im.ReadMark) (map[memberKey]*reader, error) {
	readers := make(map[memberKey]*reader, len(marks))
	for part := range slices.Chunk(marks, maxList) {
		n := listSize(len(part))
		args := make([]any, 0, 2*n)
		for i := range n {
			m := part[min(i, len(part)-1)]
			args = append(args, m.Conv, m.User)
		}
		rows, err := collect(ctx, x, func(r scanner) (*reader, error) {
			m := new(reader)
			return m, r.Scan(&m.conv, &m.user, &m.left, &m.read, &m.moved, &m.peer)
		}, `SELECT m.conv_id, m.user_id, m.left_seq, m.read_seq, m.moved, COALESCE(o.user_id, 0)
			FROM members m JOIN conversations c ON c.id = m.conv_id
			LEFT JOIN members o ON c.kind = 'direct' AND o.conv_id = m.conv_id AND o.user_id <> m.user_id
				AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = m.user_id AND b.blocked_id = o.user_id)
				AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = o.user_id AND b.blocked_id = m.user_id)
			WHERE `+either(n, "(m.conv_id = ? AND m.user_id = ?)"), args...)
		if err != nil {
			return nil, fmt.Errorf("read watermarks: %w", err)
		}
		for _, r := range rows {
			readers[r.memberKey] = r
		}
	}
	return readers, nil
}

// writeReaders writes the watermarks that moved.
func (l *ledger) writeReaders(ctx context.Context, readers map[memberKey]*reader) error {
	var rows []watermark
	var shared []im.ConvID
	for _, r := range readers {
		if !r.marked {
			continue
		}
		rows = append(rows, watermark{r.memberKey, r.read, max(r.moved+1, l.now)})
		if l.convs[r.conv].kind == im.Direct {
			shared = append(shared, r.conv)
		}
	}
	if err := l.x.writeWatermarks(ctx, rows, "read_seq", "moved"); err != nil {
		return err
	}
	return l.move(ctx, shared)
}

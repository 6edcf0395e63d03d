package sqlstore

import (
	"context"
	"errors"
	"math"

	"github.com/liao-im/liao/internal/im"
)

// movedList is the inner half of Changes: places in a user's list, newest first. A
// conversation stands where it, or its member, moved last; for who has left only
// the member counts. It reads one row of two tables for each conversation of the
// user; the outer half joins the wide rows to those of the page alone.
const movedList = `SELECT * FROM (
	SELECT m.conv_id AS conv, m.joined_seq, m.left_seq, m.left_title, m.read_seq, m.may_send,
		c.kind, c.title, c.head, c.head_ms, c.member_count,
		CASE WHEN m.left_seq > 0 THEN m.left_seq ELSE c.head END AS last_seq,
		CASE WHEN m.left_seq > 0 OR m.moved > c.moved THEN m.moved ELSE c.moved END AS place
	FROM members m JOIN conversations c ON c.id = m.conv_id
	WHERE m.user_id = ?) d
	WHERE d.place > ? AND (d.place < ? OR (d.place = ? AND d.conv < ?))
	ORDER BY d.place DESC, d.conv DESC LIMIT ?`

// Changes returns which conversations of a user moved, newest first, with the
// database's clock, in one query: whoever reconnects asks it.
func (s *Store) Changes(ctx context.Context, q im.ChangesQuery) (p im.ChangesPage, err error) {
	before := q.Before
	if before == (im.ChangePos{}) {
		before.Moved = math.MaxInt64
	}
	clock, args := s.dialect.clock()
	args = append(args, q.User, q.Floor, before.Moved, before.Moved, before.Conv, q.Limit+1, q.User)
	rows, err := s.reads.query(ctx, `SELECT t.clock, COALESCE(v.conv, 0), COALESCE(v.place, 0), COALESCE(v.kind, ''),
			COALESCE(v.title, ''), COALESCE(v.left_title, ''), COALESCE(v.last_seq, 0), COALESCE(v.left_seq, 0),
			COALESCE(v.read_seq, 0), COALESCE(v.may_send, 0), COALESCE(v.head_ms, 0), COALESCE(v.member_count, 0),
			COALESCE(o.user_id, 0), COALESCE(o.read_seq, 0), `+userColumnsOrNone+`, `+entryColumnsOrNone+`
		FROM (SELECT `+clock+` AS clock) t LEFT JOIN (`+movedList+`) v ON 1 = 1
		LEFT JOIN members o ON v.kind = 'direct' AND o.conv_id = v.conv AND o.user_id <> ?
		LEFT JOIN users u ON u.id = o.user_id
		LEFT JOIN messages e ON e.conv_id = v.conv AND e.seq = v.last_seq
		ORDER BY v.place DESC, v.conv DESC`, args...)
	if err != nil {
		return p, s.explain("changes", err)
	}
	defer func() { err = s.explain("changes", errors.Join(err, rows.Close())) }()
	for size := 0; rows.Next(); {
		var r changedRow
		if err := rows.Scan(r.dest()...); err != nil {
			return p, err
		}
		p.Now = r.clock
		if r.ID == 0 {
			break // nothing moved: the row holds the clock alone
		}
		size += overhead + len(r.Title) + r.last.size() + userSize(&r.peer)
		if len(p.Conversations) == q.Limit || size > q.MaxBytes && len(p.Conversations) > 0 {
			p.More = true
			break
		}
		p.Conversations = append(p.Conversations, s.conversation(&r))
		p.Last = im.ChangePos{Moved: r.place, Conv: r.ID}
	}
	return p, rows.Err()
}

// changedRow is a row of Changes.
type changedRow struct {
	im.Conversation
	clock, place im.Micros
	leftTitle    string
	leftSeq      im.Seq
	maySend      bool
	other        im.UserID
	peer         im.User
	last         storedEntry
}

func (r *changedRow) dest() []any {
	d := []any{
		&r.clock, &r.ID, &r.place, &r.Kind, &r.Title, &r.leftTitle, &r.Head, &r.leftSeq,
		&r.Read, &r.maySend, &r.Updated, &r.Members, &r.other, &r.PeerRead,
	}
	return append(append(d, userDest(&r.peer)...), r.last.dest()...)
}

// conversation is the row as its member sees it.
func (s *Store) conversation(r *changedRow) im.Conversation {
	c := r.Conversation
	c.Left = r.leftSeq > 0
	c.Closed = im.JudgeSender(im.SendFacts{EverMember: true, Member: !c.Left, MaySend: r.maySend, Kind: c.Kind}) != nil
	if c.Left {
		c.Title, c.Updated = r.leftTitle, r.last.At
	}
	if c.Left || c.Kind != im.Group {
		c.Members = 0
	}
	if r.other != 0 {
		r.peer.ID = r.other
		c.Peer = &r.peer
	}
	if c.Head > 0 {
		r.last.Conv, r.last.Seq = c.ID, c.Head
		last := s.entry(&r.last) // a row that is gone matches no checksum
		c.Last = &last
	}
	return c
}

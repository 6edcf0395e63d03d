package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/liao-im/liao/internal/im"
)

// view is the part of a conversation that a member may see.
type view struct {
	first im.Seq // entries before it are not this member's
	last  im.Seq // the head, or of who left the last entry as a member
}

// viewOf returns what user may see of conv. Never a member: im.NotFound.
func (s *Store) viewOf(ctx context.Context, user im.UserID, conv im.ConvID) (v view, err error) {
	err = s.reads.row(ctx, `SELECT m.joined_seq, CASE WHEN m.left_seq > 0 THEN m.left_seq ELSE c.head END
		FROM members m JOIN conversations c ON c.id = m.conv_id
		WHERE m.conv_id = ? AND m.user_id = ?`, conv, user).Scan(&v.first, &v.last)
	if errors.Is(err, sql.ErrNoRows) {
		return view{}, im.JudgeSender(im.SendFacts{})
	}
	return v, err
}

// History returns a page of what a member may see. Entries are dense, so how many
// there are beyond the page is known without a look.
func (s *Store) History(ctx context.Context, q im.HistoryQuery) (p im.HistoryPage, err error) {
	v, err := s.viewOf(ctx, q.User, q.Conv)
	if err != nil {
		return p, s.explain("history", err)
	}
	p.Head = v.last
	low, high := max(q.After, v.first-1), v.last // low < seq <= high
	order := "ASC"
	if q.Before > 0 {
		high = min(high, q.Before-1)
		order = "DESC"
	}
	if low >= high {
		return p, nil
	}
	if err := s.readPage(ctx, q, low, high, order, &p); err != nil {
		return im.HistoryPage{}, s.explain("history", err)
	}
	if q.Before > 0 {
		slices.Reverse(p.Entries)
		p.More = len(p.Entries) > 0 && p.Entries[0].Seq > low+1
	} else {
		p.More = len(p.Entries) > 0 && p.Entries[len(p.Entries)-1].Seq < high
	}
	return p, nil
}

// readPage reads entries with low < seq <= high in this order until the page is full.
func (s *Store) readPage(ctx context.Context, q im.HistoryQuery, low, high im.Seq, order string, p *im.HistoryPage) (err error) {
	rows, err := s.reads.query(ctx, `SELECT `+entryColumns+`, `+userColumnsOrNone+`
		FROM messages e LEFT JOIN users u ON u.id = e.sender_id
		WHERE e.conv_id = ? AND e.seq > ? AND e.seq <= ? ORDER BY e.seq `+order+` LIMIT ?`, q.Conv, low, high, q.Limit)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	known := make(map[im.UserID]bool)
	for size := 0; rows.Next(); {
		var e storedEntry
		var u im.User
		if err := rows.Scan(append(e.dest(), userDest(&u)...)...); err != nil {
			return err
		}
		entry := s.entry(&e)
		stranger := entry.From != 0 && !known[entry.From]
		size += e.size()
		if stranger {
			size += userSize(&u)
		}
		if size > q.MaxBytes && len(p.Entries) > 0 {
			break
		}
		p.Entries = append(p.Entries, entry)
		if stranger {
			known[entry.From] = true
			u.ID = entry.From
			p.Users = append(p.Users, u)
		}
	}
	return rows.Err()
}

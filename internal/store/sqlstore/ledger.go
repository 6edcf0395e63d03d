package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/liao-im/liao/internal/im"
)

// conversation is a row of conversations that a transaction has locked.
type conversation struct {
	id      im.ConvID
	kind    im.Kind
	head    im.Seq
	version uint64 // of its membership
	added   int    // entries that this transaction writes
}

// ledger numbers and writes entries in one transaction. It locks every
// conversation that it writes to when it is made, so that two of them cannot wait
// for each other; entries are gathered by add and written together by flush.
type ledger struct {
	x       *tx
	now     im.Micros // read once the locks were held
	convs   map[im.ConvID]*conversation
	entries []im.Entry
	stored  [][]byte // the content of each of entries, encoded
}

// openLedger locks conversations, by id. Those that do not exist are left out.
func openLedger(ctx context.Context, x *tx, ids []im.ConvID) (*ledger, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	l := &ledger{x: x, convs: make(map[im.ConvID]*conversation, len(ids))}
	for part := range slices.Chunk(ids, maxList) {
		rows, err := collect(ctx, x, scanConversation,
			`SELECT id, kind, head, member_version FROM conversations
			 WHERE id IN (`+marks(listSize(len(part)))+`) ORDER BY id`+x.s.dialect.forUpdate(), idList(part)...)
		if err != nil {
			return nil, err
		}
		for _, c := range rows {
			l.convs[c.id] = c
		}
	}
	var err error
	l.now, err = x.now(ctx)
	return l, err
}

func scanConversation(r scanner) (*conversation, error) {
	c := new(conversation)
	return c, r.Scan(&c.id, &c.kind, &c.head, &c.version)
}

// add numbers an entry and returns it as it will be stored. The key is empty for
// what the server writes.
func (l *ledger) add(conv im.ConvID, from im.UserID, key string, c im.Content) (im.Entry, error) {
	stored, err := encodeContent(c)
	if err != nil {
		return im.Entry{}, err
	}
	row := l.convs[conv]
	if row == nil {
		return im.Entry{}, fmt.Errorf("conversation %d is not there", conv)
	}
	row.added++
	e := im.Entry{
		Conv: conv, Seq: row.head + im.Seq(row.added), From: from, Key: key, //nolint:gosec // a batch is small
		At: l.now.Millis(), Content: c,
	}
	l.entries = append(l.entries, e)
	l.stored = append(l.stored, stored)
	return e, nil
}

// headOf is the head of a conversation, what was added included.
func (l *ledger) headOf(c *conversation) im.Seq {
	return c.head + im.Seq(c.added) //nolint:gosec // a batch is small
}

// flush writes the entries, the heads, and how far those who sent them have read.
func (l *ledger) flush(ctx context.Context) error {
	if len(l.entries) == 0 {
		return nil
	}
	if err := l.writeHeads(ctx); err != nil {
		return err
	}
	if err := l.writeEntries(ctx); err != nil {
		return err
	}
	return l.writeSendersRead(ctx)
}

// writeHeads moves the conversations that got entries, all that got as many with
// one statement: most batches hold one entry for each.
func (l *ledger) writeHeads(ctx context.Context) error {
	byAdded := make(map[int][]im.ConvID)
	for id, c := range l.convs {
		if c.added > 0 {
			byAdded[c.added] = append(byAdded[c.added], id)
		}
	}
	query := `UPDATE conversations SET head = head + ?, head_ms = ?, moved = ` +
		l.x.s.dialect.greatest("moved + 1", "?") + ` WHERE id IN (`
	for _, added := range slices.Sorted(maps.Keys(byAdded)) {
		for part := range slices.Chunk(byAdded[added], maxList) {
			args := append([]any{added, l.now.Millis(), l.now}, idList(part)...)
			if _, err := l.x.exec(ctx, query+marks(listSize(len(part)))+`)`, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *ledger) writeEntries(ctx context.Context) error {
	const cols = 8
	at := 0
	for _, n := range parts(len(l.entries)) {
		args := make([]any, 0, n*cols)
		for i := at; i < at+n; i++ {
			e := &l.entries[i]
			var key any // NULL: unique keys do not compare it
			if e.Key != "" {
				key = e.Key
			}
			args = append(args, e.Conv, e.Seq, e.From, key, e.Content.Kind, l.stored[i], e.At, e.Checksum(l.stored[i]))
		}
		if _, err := l.x.exec(ctx, `INSERT INTO messages
			(conv_id, seq, sender_id, send_key, kind, content, at_ms, checksum) VALUES `+tuples(n, cols), args...); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// writeSendersRead moves the read watermark of each sender to the last entry of
// theirs. Their members.moved stays, because the conversation has moved.
func (l *ledger) writeSendersRead(ctx context.Context) error {
	last := make(map[memberKey]im.Seq, len(l.entries))
	for _, e := range l.entries {
		if e.From != 0 {
			last[memberKey{e.Conv, e.From}] = e.Seq
		}
	}
	rows := make([]watermark, 0, len(last))
	for k, seq := range last {
		rows = append(rows, watermark{memberKey: k, read: seq})
	}
	return l.x.writeWatermarks(ctx, rows, "read_seq")
}

// move says that conversations changed without a new entry.
func (l *ledger) move(ctx context.Context, convs []im.ConvID) error {
	for part := range slices.Chunk(convs, maxList) {
		args := append([]any{l.now}, idList(part)...)
		if _, err := l.x.exec(ctx, `UPDATE conversations SET moved = `+l.x.s.dialect.greatest("moved + 1", "?")+
			` WHERE id IN (`+marks(listSize(len(part)))+`)`, args...); err != nil {
			return err
		}
	}
	return nil
}

// memberKey names a member of a conversation.
type memberKey struct {
	conv im.ConvID
	user im.UserID
}

// watermark is how far a member has read, and when that changed.
type watermark struct {
	memberKey
	read  im.Seq
	moved im.Micros
}

// writeWatermarks writes these columns of members that exist: the insert is only a
// way to write a different value into each row with one statement.
func (x *tx) writeWatermarks(ctx context.Context, list []watermark, columns ...string) error {
	slices.SortFunc(list, func(a, b watermark) int {
		return cmp.Or(cmp.Compare(a.conv, b.conv), cmp.Compare(a.user, b.user))
	})
	for _, n := range parts(len(list)) {
		args := make([]any, 0, n*4)
		for _, w := range list[:n] {
			args = append(args, w.conv, w.user, w.read, w.moved)
		}
		list = list[n:]
		if _, err := x.exec(ctx, `INSERT INTO members (conv_id, user_id, read_seq, moved, may_send, joined_seq, since_at)
			VALUES `+repeated(n, "(?, ?, ?, ?, 0, 0, 0)")+x.s.dialect.upsert("conv_id, user_id", columns...), args...); err != nil {
			return fmt.Errorf("write watermarks: %w", err)
		}
	}
	return nil
}

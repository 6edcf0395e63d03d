package chat

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	syncDefault = 100
	syncMost    = 200

	// The next run begins so long before this one did, by the database's clock: more
	// than a transaction that moves something may stay open (10 s) plus what that
	// clock may step back (10 s).
	syncOverlap = im.Micros(30 * time.Second / time.Microsecond)
)

// sync answers SYNC with CHANGES.
func (s *session) sync(ctx context.Context, id uint32, m *clientpb.Sync) error {
	limit, err := checkLimit(m.GetLimit(), syncDefault, syncMost)
	if err != nil {
		return err
	}
	epoch, err := s.v.epoch(ctx)
	if err != nil {
		return err
	}
	at, reset := s.resume(m.GetCursor(), epoch)
	page, rows, err := s.changes(ctx, at, limit)
	if err == nil && at.beyond(page.Now) { // from a future that this history does not have
		at, reset = s.begin(epoch), true
		page, rows, err = s.changes(ctx, at, limit)
	}
	if err != nil {
		return err
	}
	next, more := at.after(page, s.connName())
	return s.answer(id, clientpb.Type_CHANGES, &clientpb.Changes{
		Conversations: rows, Cursor: next.String(), More: more, Reset_: reset,
	})
}

// resume is where a client that gives text goes on, and whether that is the
// beginning although it gave a cursor.
func (s *session) resume(text, epoch string) (at cursor, reset bool) {
	if text == "" {
		return s.begin(epoch), false
	}
	at, err := parseCursor(text)
	if err != nil || at.epoch != epoch {
		return s.begin(epoch), true
	}
	if !at.inRun() {
		at.conn = s.connName()
	}
	return at, false
}

// begin is the start of a client's first run.
func (s *session) begin(epoch string) cursor { return cursor{epoch: epoch, conn: s.connName()} }

// beyond says that the cursor knows of a time that the database has not reached.
func (c cursor) beyond(now im.Micros) bool { return c.floor > now || c.until > now }

// after is the cursor behind a page, and whether to ask again at once.
func (c cursor) after(page im.ChangesPage, conn uint64) (next cursor, more bool) {
	if !c.inRun() {
		// Now was read before the first row of this, the run's first page.
		c.until = page.Now - syncOverlap
	}
	if page.More {
		c.pos = page.Last
		return c, true
	}
	// A run that another connection began was cut off: what was pushed in between
	// reached nobody, so a fresh run follows.
	return cursor{epoch: c.epoch, floor: c.until}, c.conn != conn
}

// changes reads one page that has room in a frame.
func (s *session) changes(ctx context.Context, at cursor, limit int) (im.ChangesPage, []*clientpb.Conversation, error) {
	for {
		page, err := s.v.store.Changes(ctx, im.ChangesQuery{
			User: s.user, Floor: at.floor, Before: at.pos, Limit: limit, MaxBytes: pageBytes,
		})
		if err != nil {
			return im.ChangesPage{}, nil, fmt.Errorf("read changes: %w", err)
		}
		rows := make([]*clientpb.Conversation, len(page.Conversations))
		for i, c := range page.Conversations {
			rows[i] = toConversation(c, s.user)
		}
		n := fitting(s.frameForm(), rows, pageBytes)
		if n == len(rows) {
			return page, rows, nil
		}
		limit = n // seldom: what is sent is far larger than what is stored
	}
}

// connName tells this connection from every other one, of other nodes and boots too.
func (s *session) connName() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.v.boot))
	return h.Sum64() + s.id
}

package sqlstore

import (
	"github.com/liao-im/liao/internal/im"
)

// entryColumns are what scanEntry reads, of the table messages as e.
const entryColumns = "e.conv_id, e.seq, e.sender_id, COALESCE(e.send_key, ''), e.kind, e.content, e.at_ms, e.checksum"

// entryColumnsOrNone and userColumnsOrNone are the same for outer joins, with zero
// values where there is no row.
const (
	entryColumnsOrNone = "COALESCE(e.conv_id, 0), COALESCE(e.seq, 0), COALESCE(e.sender_id, 0), COALESCE(e.send_key, ''), " +
		"COALESCE(e.kind, ''), e.content, COALESCE(e.at_ms, 0), COALESCE(e.checksum, 0)"
	userColumnsOrNone = "COALESCE(u.id, 0), COALESCE(CASE WHEN u.deleted_at = 0 THEN u.handle END, ''), " +
		"COALESCE(u.name, ''), COALESCE(u.avatar, ''), COALESCE(u.bio, '')"
)

// storedEntry is a row of messages.
type storedEntry struct {
	im.Entry
	kind     string
	content  []byte
	checksum int64
}

func (e *storedEntry) dest() []any {
	return []any{&e.Conv, &e.Seq, &e.From, &e.Key, &e.kind, &e.content, &e.At, &e.checksum}
}

func scanStored(r scanner) (e storedEntry, err error) {
	err = r.Scan(e.dest()...)
	return e, err
}

// entry checks a row against its checksum and returns what it says. One that does
// not match is reported, and nothing of it is shown but its place.
func (s *Store) entry(e *storedEntry) im.Entry {
	e.Content.Kind = e.kind
	if int64(e.Checksum(e.content)) == e.checksum {
		if c, err := decodeContent(e.kind, e.content); err == nil {
			e.Content = c
			return e.Entry
		}
	}
	s.metrics.damaged.Inc()
	s.log.Error("an entry does not match its checksum", "conv", e.Conv, "seq", e.Seq)
	return im.Damaged(e.Conv, e.Seq)
}

// Pages are bounded in bytes. What a row costs beside its texts (names of fields,
// ids, times, a key) is counted as overhead.
const overhead = 160

func (e *storedEntry) size() int { return overhead + len(e.kind) + len(e.content) }

func userSize(u *im.User) int { return overhead + len(u.Handle) + len(u.Name) + len(u.Bio) }

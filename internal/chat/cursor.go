package chat

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/liao-im/liao/internal/im"
)

// cursor is a place in a client's question "what moved since?". Clients keep it as
// an opaque string.
//
// A run of pages begins at Floor and goes, newest first, through everything that
// moved after it. What moves during the run lies above Until, and comes in the next
// run, whose floor is Until.
type cursor struct {
	epoch string    // of the history that it belongs to
	floor im.Micros // everything that moved at or before it is known
	until im.Micros // the floor of the next run; 0 between runs
	// Within a run: the last conversation given, and which connection began the run.
	pos  im.ChangePos
	conn uint64
}

// inRun says that the cursor stands between two pages of a run.
func (c cursor) inRun() bool { return c.pos != im.ChangePos{} }

// cursorForm is the first byte; another layout gets another number.
const cursorForm = 1

var errCursor = errors.New("not a cursor of ours")

// String is the cursor as clients keep it.
func (c cursor) String() string {
	b := make([]byte, 0, 64)
	b = append(b, cursorForm, byte(len(c.epoch))) //nolint:gosec // the store's epochs have 32 letters
	b = append(b, c.epoch...)
	b = binary.AppendVarint(b, int64(c.floor))
	b = binary.AppendVarint(b, int64(c.until))
	b = binary.AppendVarint(b, int64(c.pos.Moved))
	b = binary.AppendUvarint(b, uint64(c.pos.Conv))
	b = binary.AppendUvarint(b, c.conn)
	// A sum, not a signature: who forges a cursor only misleads himself.
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor is String's other half. Anything that String did not make is refused.
func parseCursor(s string) (cursor, error) {
	const longest = 512
	if len(s) > longest {
		return cursor{}, errCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < 6 || b[0] != cursorForm {
		return cursor{}, errCursor
	}
	b, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	n := 2 + int(b[1])
	if crc32.ChecksumIEEE(b) != sum || len(b) < n {
		return cursor{}, errCursor
	}
	r := reader{b: b[n:]}
	c := cursor{
		epoch: string(b[2:n]),
		floor: im.Micros(r.varint()),
		until: im.Micros(r.varint()),
		pos:   im.ChangePos{Moved: im.Micros(r.varint()), Conv: im.ConvID(r.uvarint())},
		conn:  r.uvarint(),
	}
	if r.bad || len(r.b) > 0 {
		return cursor{}, errCursor
	}
	return c, nil
}

// reader takes numbers off bytes; bad says that one was not there.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) varint() int64 {
	n, k := binary.Varint(r.b)
	return n * r.took(k)
}

func (r *reader) uvarint() uint64 {
	n, k := binary.Uvarint(r.b)
	return n * uint64(r.took(k)) //nolint:gosec // 0 or 1
}

// took moves past k bytes; it is 0 if there was no number, and 1 otherwise.
func (r *reader) took(k int) int64 {
	if k <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[k:]
	return 1
}

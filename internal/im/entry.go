package im

import (
	"encoding/binary"
	"hash/crc32"
)

// Entry is one numbered thing in a conversation's log. Once committed it never
// changes its number.
type Entry struct {
	Conv    ConvID
	Seq     Seq
	From    UserID // 0: the server
	Key     string // the sender's; empty for what the server wrote
	At      Millis // the database's clock at the append
	Content Content
}

// Post is a committed entry and to whom it is to be pushed.
type Post struct {
	Entry   Entry
	Members []UserID // shared with the store's cache: read only
}

// Appended is what became of one draft. Exactly one of Err and Post.Entry.Seq is set.
type Appended struct {
	Post
	Again bool  // the key was stored before: Entry is the original
	Err   error // an *Error if the draft was refused; anything else leaves the outcome unknown
}

// KindDamaged stands for an entry whose stored bytes do not match their checksum:
// it keeps its number and shows nothing of what is left of it.
const KindDamaged = "damaged"

// Damaged returns what is shown in place of an entry that does not match its checksum.
func Damaged(conv ConvID, seq Seq) Entry {
	return Entry{Conv: conv, Seq: seq, Content: Content{
		Kind: KindDamaged,
		Text: "This message is damaged in the server's store and cannot be shown.",
	}}
}

// castagnoli has hardware support on the processors that servers have.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is CRC-32C over everything that the entry says, its place included. A
// store keeps it beside the entry and compares it at each read, so that a flipped
// bit is reported and never delivered. The argument is the content as it is stored.
func (e Entry) Checksum(content []byte) uint32 {
	b := make([]byte, 0, 128+len(content))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Conv))
	b = binary.BigEndian.AppendUint32(b, uint32(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.From))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At))       //nolint:gosec // the bits count, not the number
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Key))) //nolint:gosec // at most 64
	b = append(b, e.Key...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Content.Kind))) //nolint:gosec // at most 64
	b = append(b, e.Content.Kind...)
	b = append(b, content...)
	return crc32.Checksum(b, castagnoli)
}

package transport

import "sync"

// Sizes of the borrowed buffers in bytes. The larger holds a turn of pipelined sends; it is lent only
// from when bytes are there to when they are used. The smaller is for connections that can only be
// read by waiting inside the read, which keep it as long as a frame is incomplete.
const (
	chunkLen = 16 << 10
	smallLen = 4 << 10
)

type (
	chunk [chunkLen]byte
	small [smallLen]byte
)

// The pools hold nothing but memory for reuse, and hand it to every connection of the process.
var (
	chunks = sync.Pool{New: func() any { return new(chunk) }}
	smalls = sync.Pool{New: func() any { return new(small) }}
)

// loan is a borrowed buffer, or none.
type loan struct {
	large *chunk
	small *small
}

func borrowLarge() loan { return loan{large: chunks.Get().(*chunk)} } //nolint:forcetypeassert // New's type
func borrowSmall() loan { return loan{small: smalls.Get().(*small)} } //nolint:forcetypeassert // New's type

func (l loan) lent() bool { return l.large != nil || l.small != nil }

func (l loan) bytes() []byte {
	switch {
	case l.large != nil:
		return l.large[:]
	case l.small != nil:
		return l.small[:]
	}
	return nil
}

// giveBack ends the loan; nothing may use its bytes any more.
func (l *loan) giveBack() {
	if l.large != nil {
		chunks.Put(l.large)
	}
	if l.small != nil {
		smalls.Put(l.small)
	}
	*l = loan{}
}

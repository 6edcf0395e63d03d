package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// Magic is the first byte of every binary frame, 'L': a stranger that speaks something else is
// recognised by the first byte it sends.
const Magic = 0x4C

// Sizes in bytes. A body's length never counts the header.
const (
	HeaderLen     = 12
	MaxHelloBody  = 4 << 10   // from client to server before WELCOME
	MaxBody       = 128 << 10 // from client to server after WELCOME
	MaxServerBody = 256 << 10 // from server to client, and the most that any frame may carry
)

// Type says what a frame is and which message its body holds. Its values are clientpb.Type_HELLO and
// so on. The header has 16 bits for it, so a frame may bear a number that has no name here.
type Type = clientpb.Type

// Frame is one whole frame. Body is still encoded; Codec says how.
type Frame struct {
	Codec Codec
	Type  Type
	ID    uint32 // the asker's number for a request and its answer; 0 where nobody waits for one
	Body  []byte
}

// Header is the first 12 bytes of a frame, checked.
type Header struct {
	Codec Codec
	Type  Type
	ID    uint32
	Len   int // of the body, at most the limit that ParseHeader was given
}

// ParseHeader reads the header at the start of b, which may hold less or more than one. It refuses as
// early as the bytes allow: a wrong magic in the first byte, an unknown codec in the second, a body
// longer than maxBody in the twelfth. If what is there is right but not whole, ok is false and the
// error nil. The error is a *Violation.
func ParseHeader(b []byte, maxBody int) (h Header, ok bool, err error) {
	if len(b) > 0 && b[0] != Magic {
		return Header{}, false, &Violation{Text: "this is not a liao frame: the first byte must be 0x4C"}
	}
	if len(b) > 1 && !Codec(b[1]).valid() {
		return Header{}, false, &Violation{Text: "unknown codec: 1 is JSON, 2 is protobuf"}
	}
	if len(b) < HeaderLen {
		return Header{}, false, nil
	}
	n := binary.BigEndian.Uint32(b[8:])
	// Compared before the conversion, so that no length can turn negative on a 32-bit machine.
	if uint64(n) > uint64(max(maxBody, 0)) {
		return Header{}, false, &Violation{
			Codec: Codec(b[1]),
			Text:  fmt.Sprintf("a body of %d bytes is over the limit of %d", n, maxBody),
		}
	}
	return Header{
		Codec: Codec(b[1]),
		Type:  Type(binary.BigEndian.Uint16(b[2:])),
		ID:    binary.BigEndian.Uint32(b[4:]),
		Len:   int(n),
	}, true, nil
}

// ParseFrame reads the one frame that b is: no byte less, none more. The frame's body lies in b. The
// error is a *Violation.
func ParseFrame(b []byte, maxBody int) (Frame, error) {
	h, ok, err := ParseHeader(b, maxBody)
	if err != nil {
		return Frame{}, err
	}
	if !ok {
		v := &Violation{Text: fmt.Sprintf("a frame has at least %d bytes, this has %d", HeaderLen, len(b))}
		if len(b) > 1 {
			v.Codec = Codec(b[1])
		}
		return Frame{}, v
	}
	if len(b)-HeaderLen != h.Len {
		return Frame{}, &Violation{
			Codec: h.Codec,
			Text:  fmt.Sprintf("the header declares a body of %d bytes, here are %d", h.Len, len(b)-HeaderLen),
		}
	}
	return Frame{Codec: h.Codec, Type: h.Type, ID: h.ID, Body: b[HeaderLen:]}, nil
}

// AppendFrame appends the bytes of f to dst. Its body is taken as it is.
func AppendFrame(dst []byte, f Frame) []byte {
	dst = appendHeader(dst, f.Codec, f.Type, f.ID)
	putLen(dst[len(dst)-HeaderLen:], len(f.Body))
	return append(dst, f.Body...)
}

func appendHeader(dst []byte, c Codec, t Type, id uint32) []byte {
	//nolint:gosec // every Type of the protocol fits in the header's 16 bits.
	kind := uint16(t)
	dst = append(dst, Magic, byte(c))
	dst = binary.BigEndian.AppendUint16(dst, kind)
	dst = binary.BigEndian.AppendUint32(dst, id)
	return append(dst, 0, 0, 0, 0)
}

func putLen(header []byte, n int) {
	//nolint:gosec // callers hold bodies far below 4 GiB; Encode checks against MaxServerBody.
	binary.BigEndian.PutUint32(header[8:], uint32(n))
}

// Violation is a breach of the protocol after which the connection must be closed with
// GOAWAY(PROTOCOL).
type Violation struct {
	Codec Codec  // of the offending frame; 0 if it could not be told, and then JSON answers
	Text  string // for the peer's developer; holds nothing of the frame's body
	Err   error  // what the decoder said, or nil. It may quote the body: it goes to the peer, never to a log
}

// Error is the text alone, which is safe to log.
func (v *Violation) Error() string { return v.Text }

// Detail is the text with what the decoder said, for the peer. It may quote the body that the peer
// sent, so it does not belong in a log.
func (v *Violation) Detail() string {
	if v.Err == nil {
		return v.Text
	}
	const enough = 300 // bytes: a position and a reason, not a copy of the body
	s := v.Text + ": " + v.Err.Error()
	return s[:min(len(s), enough)]
}

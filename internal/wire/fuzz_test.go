package wire_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// FuzzParseHeader: what is refused is refused whatever follows, and what is taken is what was sent.
func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{}, 4096)
	f.Add([]byte("\x4c\x01\x00\x10\x00\x00\x00\x07\x00\x00\x00\x02{}"), 4096)
	f.Add([]byte("\x4c\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), wire.MaxBody)
	f.Add([]byte("GET / HTTP/1.1"), 0)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		h, ok, err := wire.ParseHeader(b, limit)
		if err != nil {
			if !errors.As(err, new(*wire.Violation)) {
				t.Errorf("%v is no violation", err)
			}
			if _, _, err := wire.ParseHeader(append(slices.Clip(b), 0), limit); err == nil {
				t.Error("one more byte makes it right")
			}
			return
		}
		if ok != (len(b) >= wire.HeaderLen) {
			t.Fatalf("%d bytes, and ok is %v", len(b), ok)
		}
		if !ok {
			return
		}
		if h.Len < 0 || h.Len > limit {
			t.Errorf("length %d is outside 0..%d", h.Len, limit)
		}
		if len(b) < wire.HeaderLen+h.Len {
			return
		}
		whole := b[:wire.HeaderLen+h.Len]
		frame, err := wire.ParseFrame(whole, limit)
		if err != nil {
			t.Fatal(err)
		}
		if again := wire.AppendFrame(nil, frame); !bytes.Equal(again, whole) {
			t.Errorf("got % x, want % x", again, whole)
		}
	})
}

// FuzzParseText: a text frame that is taken means the same when it is written again.
func FuzzParseText(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Text))
	}
	for _, v := range invalidText {
		f.Add([]byte(v.Text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := wire.ParseText(b, wire.MaxBody)
		if err != nil {
			if !errors.As(err, new(*wire.Violation)) {
				t.Errorf("%v is no violation", err)
			}
			return
		}
		m, ok := wire.NewBody(frame.Type)
		if !ok || frame.Codec.Unmarshal(frame.Body, m) != nil {
			return
		}
		text, err := wire.AppendText(nil, frame.Type, frame.ID, m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := wire.ParseText(text, 2*wire.MaxServerBody)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if again.Type != frame.Type || again.ID != frame.ID {
			t.Errorf("got %v %d, want %v %d", again.Type, again.ID, frame.Type, frame.ID)
		}
		sameBody(t, again, m)
	})
}

// FuzzBody: any bytes as the body of any type in either codec. What is taken comes back equal through
// both codecs, and the second encoding is the first.
func FuzzBody(f *testing.F) {
	for _, v := range vectors(f) {
		for _, b := range [][]byte{v.JSON, v.Protobuf} {
			f.Add(uint16(v.Number), b[1], b[wire.HeaderLen:])
		}
	}
	f.Fuzz(func(t *testing.T, typ uint16, codec uint8, body []byte) {
		m, ok := wire.NewBody(wire.Type(typ))
		if !ok || len(body) > wire.MaxServerBody {
			return
		}
		err := wire.Codec(codec).Unmarshal(body, m)
		if err != nil {
			if !errors.Is(err, wire.ErrTooLarge) && !errors.As(err, new(*wire.Violation)) {
				t.Errorf("%v is neither too large nor a violation", err)
			}
			return
		}
		for _, c := range codecs {
			first, err := c.Append(nil, m)
			if err != nil {
				if c == wire.JSON && hasNoJSON(m) {
					continue
				}
				t.Fatalf("%v: %v", c, err)
			}
			sameBody(t, wire.Frame{Codec: c, Type: wire.Type(typ), Body: first}, m)
			if second, err := c.Append(nil, m); err != nil || !bytes.Equal(first, second) {
				t.Errorf("%v: two encodings differ: %q, %q, %v", c, first, second, err)
			}
		}
	})
}

// hasNoJSON: protobuf can say a few things that its JSON mapping cannot, and all of them are in data:
// numbers that are infinite or none, and values of no kind. A rule refuses them in a Send.
func hasNoJSON(m proto.Message) bool {
	switch m.(type) {
	case *clientpb.Send, *clientpb.Message, *clientpb.Page, *clientpb.Changes:
		return true
	}
	return false
}

// sameBody wants f's body to mean m.
func sameBody(t *testing.T, f wire.Frame, m proto.Message) {
	t.Helper()
	out := m.ProtoReflect().New().Interface()
	if err := f.Codec.Unmarshal(f.Body, out); err != nil {
		t.Fatalf("%v does not take its own output back: %v: %q", f.Codec, err, f.Body)
	}
	if f.Codec == wire.JSON && proto.Equal(normal(t, out), normal(t, m)) {
		return
	}
	equal(t, out, m)
}

// normal is m as JSON tells it: an empty message is present there as well as in protobuf, but a data
// that is null is absent.
func normal(t *testing.T, m proto.Message) proto.Message {
	t.Helper()
	b, err := wire.JSON.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	out := m.ProtoReflect().New().Interface()
	if err := wire.JSON.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

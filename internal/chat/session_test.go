package chat_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

func TestPing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d := r.join(1, 1)
		d.send(clientpb.Type_PING, 99, nil)
		f := d.next("PONG", func(f wire.Frame) bool { return f.Type == clientpb.Type_PONG })
		if f.ID != 99 {
			t.Errorf("PONG has id %d, want 99", f.ID)
		}
	})
}

// Whatever a frame without a number is, it is refused, but for what has no answer.
func TestIDZero(t *testing.T) {
	t.Parallel()
	silent := []wire.Type{clientpb.Type_TYPING, clientpb.Type_PONG}
	for n := range clientpb.Type_name {
		kind := wire.Type(n)
		if kind == clientpb.Type_HELLO || kind == clientpb.Type_TYPE_UNSPECIFIED {
			continue
		}
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				d := r.join(1, 1)
				d.send(kind, 0, nil)
				if slices.Contains(silent, kind) {
					synctest.Wait()
					if rest := d.rest(); len(rest) != 0 {
						t.Errorf("got %v, want silence", rest)
					}
					return
				}
				f := d.next("ERROR", func(f wire.Frame) bool { return f.Type == clientpb.Type_ERROR })
				wantError(t, f, clientpb.Code_INVALID)
				if f.ID != 0 {
					t.Errorf("ERROR has id %d, want 0", f.ID)
				}
			})
		})
	}
}

// Every type that is not a client's to send, or not known yet, or not known at all,
// is UNSUPPORTED, and the connection stays.
func TestUnsupportedTypes(t *testing.T) {
	t.Parallel()
	all := []wire.Type{0, 9, 63, 64, 1000, 65535}
	for n := range clientpb.Type_name {
		if kind := wire.Type(n); !slices.Contains(chat.Requests(), kind) {
			all = append(all, kind)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d := r.join(1, 1)
		for _, kind := range all {
			head := wire.AppendFrame(nil, wire.Frame{Codec: d.codec, Type: kind, ID: 1000 + uint32(kind), Body: []byte{0xff}})
			d.write(head)
			f := d.next("ERROR", func(f wire.Frame) bool { return f.ID == 1000+uint32(kind) })
			wantError(t, f, clientpb.Code_UNSUPPORTED)
		}
		if f := d.ask(clientpb.Type_PING, nil); f.Type != clientpb.Type_PONG {
			t.Errorf("PING is answered by %v", f.Type)
		}
	})
}

func TestRequestsListsEveryServedType(t *testing.T) {
	t.Parallel()
	want := []wire.Type{
		clientpb.Type_HELLO, clientpb.Type_PING, clientpb.Type_PONG,
		clientpb.Type_SEND, clientpb.Type_HISTORY, clientpb.Type_SYNC, clientpb.Type_READ, clientpb.Type_TYPING,
		clientpb.Type_FIND_USERS, clientpb.Type_REQUEST_FRIEND, clientpb.Type_ANSWER_FRIEND, clientpb.Type_FRIENDS,
		clientpb.Type_REMOVE_FRIEND, clientpb.Type_BLOCK, clientpb.Type_UNBLOCK, clientpb.Type_REMARK,
	}
	if got := chat.Requests(); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestBreachesAfterWelcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		codec, frame wire.Codec
		kind         wire.Type
		body         string
	}{
		"second HELLO":             {wire.Protobuf, wire.Protobuf, clientpb.Type_HELLO, ""},
		"JSON after protobuf":      {wire.Protobuf, wire.JSON, clientpb.Type_PING, ""},
		"protobuf after JSON":      {wire.JSON, wire.Protobuf, clientpb.Type_SEND, ""},
		"a body that is no JSON":   {wire.JSON, wire.JSON, clientpb.Type_HISTORY, "{"},
		"a SEND that is no JSON":   {wire.JSON, wire.JSON, clientpb.Type_SEND, "nope"},
		"a PING that is no JSON":   {wire.JSON, wire.JSON, clientpb.Type_PING, "nope"},
		"a TYPING that is no JSON": {wire.JSON, wire.JSON, clientpb.Type_TYPING, "]"},
		"a wrong type in JSON":     {wire.JSON, wire.JSON, clientpb.Type_READ, `{"conv":{"$gt":""}}`},
		"no protobuf":              {wire.Protobuf, wire.Protobuf, clientpb.Type_SYNC, "\xff\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				d := r.dial()
				d.codec = c.codec
				d.hello(r.token(1, 1))
				d.write(wire.AppendFrame(nil, wire.Frame{Codec: c.frame, Type: c.kind, ID: 7, Body: []byte(c.body)}))
				f := d.pushed(clientpb.Type_GOAWAY)
				if f.Codec != c.codec {
					t.Errorf("GOAWAY in codec %v, want HELLO's", f.Codec)
				}
				if g := body[clientpb.Goaway](t, f); g.GetReason() != clientpb.Reason_PROTOCOL {
					t.Errorf("GOAWAY(%v), want PROTOCOL", g.GetReason())
				}
				if n := r.count("liao_chat_connections_ended_total", "protocol"); n != 1 {
					t.Errorf("%v connections ended for a breach, want 1", n)
				}
			})
		})
	}
}

func TestAPartialFrameWaitsTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d := r.join(1, 1)
		start := time.Now()
		d.write([]byte{0x4C, 2, 0, 3})
		if bye := d.goodbye(); bye.GetReason() != clientpb.Reason_PROTOCOL {
			t.Errorf("GOAWAY(%v), want PROTOCOL", bye.GetReason())
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("after %v, want 10 s", took)
		}
	})
}

func TestBodiesUpToTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d := r.dial()
		d.codec = wire.JSON
		d.hello(r.token(1, 1))
		full := []byte(`{"cursor":"` + strings.Repeat("x", wire.MaxBody-13) + `"}`)
		d.write(wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SYNC, ID: 50, Body: full}))
		if f := d.next("CHANGES", func(f wire.Frame) bool { return f.ID == 50 }); f.Type != clientpb.Type_CHANGES {
			t.Errorf("a body of %d bytes is answered by %v", len(full), f.Type)
		}
		go d.write(wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SYNC, ID: 51, Body: append(full, ' ')}))
		if g := body[clientpb.Goaway](t, d.pushed(clientpb.Type_GOAWAY)); g.GetReason() != clientpb.Reason_PROTOCOL {
			t.Errorf("GOAWAY(%v), want PROTOCOL", g.GetReason())
		}
	})
}

// An empty body may be zero bytes, or an empty message, in either codec.
func TestEmptyBodies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		codec wire.Codec
		body  string
	}{"json, none": {wire.JSON, ""}, "json, {}": {wire.JSON, "{}"}, "protobuf": {wire.Protobuf, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				d := r.dial()
				d.codec = c.codec
				d.hello(r.token(1, 1))
				for kind, want := range map[wire.Type]wire.Type{
					clientpb.Type_PING: clientpb.Type_PONG, clientpb.Type_SYNC: clientpb.Type_CHANGES,
					clientpb.Type_FRIENDS: clientpb.Type_FRIEND_LIST, clientpb.Type_SEND: clientpb.Type_ERROR,
				} {
					d.write(wire.AppendFrame(nil, wire.Frame{Codec: c.codec, Type: kind, ID: uint32(kind) + 100, Body: []byte(c.body)}))
					if f := d.next("answer", func(f wire.Frame) bool { return f.ID == uint32(kind)+100 }); f.Type != want {
						t.Errorf("%v is answered by %v, want %v", kind, f.Type, want)
					}
				}
			})
		})
	}
}

// Requests that come in one packet are answered, each kind in its order.
func TestPipelining(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.converse(5, im.Direct, 1, 2)
		d := r.join(1, 1)
		var packet []byte
		var sends, others []uint32
		for i := range uint32(200) {
			id := 100 + i
			switch {
			case i%7 == 3:
				packet = append(packet, d.frame(clientpb.Type_PING, id, nil)...)
				others = append(others, id)
			case i%11 == 5: // refused, in its place
				packet = append(packet, d.frame(clientpb.Type_SEND, id, text(5, "short", "x"))...)
				sends = append(sends, id)
			default:
				packet = append(packet, d.frame(clientpb.Type_SEND, id, text(5, "key-"+strings.Repeat("k", int(i)%40+4)+string(rune('0'+i/40)), "x"))...)
				sends = append(sends, id)
			}
		}
		go d.write(packet)
		var gotSends, gotOthers []uint32
		lastSeq := uint32(0)
		for range 200 {
			f := d.next("answer", func(f wire.Frame) bool { return f.ID >= 100 })
			if f.Type == clientpb.Type_PONG {
				gotOthers = append(gotOthers, f.ID)
				continue
			}
			gotSends = append(gotSends, f.ID)
			if f.Type == clientpb.Type_SENT {
				if seq := body[clientpb.Sent](t, f).GetSeq(); seq != lastSeq+1 {
					t.Errorf("send %d got seq %d after %d", f.ID, seq, lastSeq)
				}
				lastSeq++
				continue
			}
			wantError(t, f, clientpb.Code_INVALID)
		}
		if !slices.Equal(gotSends, sends) {
			t.Errorf("sends were answered in the order %v", gotSends)
		}
		if !slices.Equal(gotOthers, others) {
			t.Errorf("other requests were answered in the order %v", gotOthers)
		}
	})
}

func TestRequestsAreLimitedByTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits = chat.Limits{RequestsPerSecond: 10, RequestBurst: 3} })
		phone, laptop := r.join(1, 1), r.join(1, 2)
		for i, d := range []*device{phone, laptop, phone} {
			if f := d.ask(clientpb.Type_PING, nil); f.Type != clientpb.Type_PONG {
				t.Fatalf("request %d is answered by %v", i, f.Type)
			}
		}
		e := wantError(t, laptop.ask(clientpb.Type_SYNC, nil), clientpb.Code_RATE_LIMITED)
		if e.GetRetryAfterMs() != 100 {
			t.Errorf("retryAfterMs is %d, want 100", e.GetRetryAfterMs())
		}
		<-time.After(100 * time.Millisecond)
		if f := laptop.ask(clientpb.Type_SYNC, nil); f.Type != clientpb.Type_CHANGES {
			t.Errorf("after the wait SYNC is answered by %v", f.Type)
		}
		// A new connection is no new beginning.
		phone.conn.Close()
		laptop.conn.Close()
		synctest.Wait()
		wantError(t, r.join(1, 1).ask(clientpb.Type_PING, nil), clientpb.Code_RATE_LIMITED)
	})
}

// What panics over one frame ends that connection, and no other.
func TestAPanicEndsOneConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.onHistory = func(im.HistoryQuery) (im.HistoryPage, error) {
			panic("a bad page") //nolint:forbidigo // the point of the test
		}
		poor, other := r.join(1, 1), r.join(2, 1)
		poor.send(clientpb.Type_HISTORY, 9, &clientpb.History{Conv: 5})
		if bye := poor.goodbye(); bye.GetReason() != clientpb.Reason_REASON_UNSPECIFIED {
			t.Errorf("GOAWAY(%v), want none in particular", bye.GetReason())
		}
		if f := other.ask(clientpb.Type_PING, nil); f.Type != clientpb.Type_PONG {
			t.Errorf("another connection's PING is answered by %v", f.Type)
		}
		if n := r.count("liao_chat_panics_total"); n != 1 {
			t.Errorf("%v panics were counted, want 1", n)
		}
	})
}

func TestHalfClosedClientsGetTheirAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	conn := r.dialTCP()
	d := &device{t: t, conn: conn, codec: wire.JSON}
	d.listen()
	d.hello(r.token(1, 1))
	d.send(clientpb.Type_PING, 5, nil)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if f := d.next("PONG", func(f wire.Frame) bool { return f.ID == 5 }); f.Type != clientpb.Type_PONG {
		t.Errorf("got %v, want PONG", f.Type)
	}
}

func TestErrorsKeepOurWordsInside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.onHistory = func(im.HistoryQuery) (im.HistoryPage, error) {
			return im.HistoryPage{}, errSecret
		}
		e := wantError(t, r.join(1, 1).ask(clientpb.Type_HISTORY, &clientpb.History{Conv: 5}), clientpb.Code_INTERNAL)
		if proto.Size(e) == 0 || strings.Contains(e.GetText(), "hunter2") {
			t.Errorf("the client reads %q", e.GetText())
		}
	})
}

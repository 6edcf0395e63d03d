package chat_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/memstore"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// BenchmarkSend is a SEND from the socket to SENT and to the peer's MESSAGE, with a
// store that costs next to nothing: what the room itself takes.
func BenchmarkSend(b *testing.B) {
	store, mem := newLedger(), memstore.New(memstore.Options{})
	v, err := chat.New(chat.Options{
		Log: forgetful{store}, People: store, Tokens: store, Routes: mem, Limiter: mem, Status: leases{mem}, Node: "n", Boot: "b",
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := v.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- transport.Serve(ctx, ln, transport.ServeOptions{Handle: v.Serve}) }()
	defer func() {
		v.Close()
		cancel()
		<-served
	}()
	store.converse(5, im.Direct, 1, 2)
	var conns [2]net.Conn
	for i := range conns {
		user := im.UserID(i + 1)
		var d net.Dialer
		if conns[i], err = d.DialContext(b.Context(), "tcp", ln.Addr().String()); err != nil {
			b.Fatal(err)
		}
		defer conns[i].Close()
		hello, err := wire.FormProtobuf.Encode(nil, clientpb.Type_HELLO, 1, &clientpb.Hello{Token: store.login(user, im.LoginID(user), fmt.Sprint(user))})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conns[i].Write(hello); err != nil {
			b.Fatal(err)
		}
		if f, err := readFrame(conns[i]); err != nil || f.Type != clientpb.Type_WELCOME {
			b.Fatalf("HELLO is answered by %v, %v", f.Type, err)
		}
	}
	frame, err := wire.FormProtobuf.Encode(nil, clientpb.Type_SEND, 7, text(5, "key-00001", "sixty-four bytes of text are about what people send each other."))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conns[0].Write(frame); err != nil {
			b.Fatal(err)
		}
		for i, want := range []wire.Type{clientpb.Type_SENT, clientpb.Type_MESSAGE} {
			if f, err := readFrame(conns[i]); err != nil || f.Type != want {
				b.Fatalf("got %v, %v; want %v", f.Type, err, want)
			}
		}
	}
}

// forgetful is a ledger that keeps no entry.
type forgetful struct{ *ledger }

func (f forgetful) Append(_ context.Context, drafts []im.Draft) ([]im.Appended, error) {
	out := make([]im.Appended, len(drafts))
	for i, d := range drafts {
		out[i].Entry = im.Entry{Conv: d.Conv(), Seq: 1, From: d.From(), Key: d.Key(), Content: d.Content()}
		out[i].Members = f.convs[d.Conv()].members
	}
	return out, nil
}

package chat_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

func TestSendReachesEveryOtherDevice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.converse(5, im.Direct, 1, 2)
		phone, laptop := r.join(1, 1), r.join(1, 2)
		peer, stranger := r.join(2, 1), r.join(3, 1)

		f := phone.ask(clientpb.Type_SEND, text(5, "key-00001", "hello"))
		sent := body[clientpb.Sent](t, f)
		if f.Type != clientpb.Type_SENT || sent.GetSeq() != 1 || sent.GetConv() != 5 || sent.GetKey() != "key-00001" || sent.GetAgain() {
			t.Fatalf("SEND was answered by %v %v", f.Type, sent)
		}
		for name, c := range map[string]struct {
			d   *device
			key string
		}{"own other device": {laptop, "key-00001"}, "peer": {peer, ""}} {
			m := body[clientpb.Message](t, c.d.pushed(clientpb.Type_MESSAGE))
			if m.GetSeq() != 1 || m.GetFrom() != 1 || m.GetContent().GetText() != "hello" || m.GetAtMs() != sent.GetAtMs() {
				t.Errorf("%s got %v", name, m)
			}
			if m.GetKey() != c.key {
				t.Errorf("%s sees key %q, want %q", name, m.GetKey(), c.key)
			}
		}
		synctest.Wait()
		for name, d := range map[string]*device{"sender": phone, "own": laptop, "peer": peer, "stranger": stranger} {
			if n := d.restOf(clientpb.Type_MESSAGE); n != 0 {
				t.Errorf("%s got %d further messages", name, n)
			}
		}
	})
}

// Sender and reader may speak different codecs; data arrives as it was sent.
func TestDataCrossesCodecs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.converse(5, im.Direct, 1, 2)
		sender := r.join(1, 1)
		reader := r.dial()
		reader.codec = wire.JSON
		reader.hello(r.token(2, 1))
		data, err := structpb.NewStruct(map[string]any{"list": []any{1.5, "two", nil, true}, "big": "9007199254740993"})
		if err != nil {
			t.Fatal(err)
		}
		sender.ask(clientpb.Type_SEND, &clientpb.Send{
			Conv: 5, Key: "key-00001", Content: &clientpb.Content{Kind: "x-app", Text: "see", Data: data},
		})
		m := body[clientpb.Message](t, reader.pushed(clientpb.Type_MESSAGE))
		got, want := fmt.Sprint(m.GetContent().GetData().AsMap()), fmt.Sprint(data.AsMap())
		if got != want {
			t.Errorf("data arrived as %s, want %s", got, want)
		}
	})
}

func TestSendRefused(t *testing.T) {
	t.Parallel()
	content := &clientpb.Content{Kind: "text", Text: "x"}
	nan, infinite := &structpb.Struct{Fields: map[string]*structpb.Value{"n": structpb.NewNumberValue(nan())}},
		&structpb.Struct{Fields: map[string]*structpb.Value{"n": {}}}
	deep := structpb.NewNumberValue(1)
	for range 100 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep}})
	}
	for name, c := range map[string]struct {
		send *clientpb.Send
		code clientpb.Code
	}{
		"nothing":            {&clientpb.Send{}, clientpb.Code_INVALID},
		"no conv":            {&clientpb.Send{Key: "key-00001", Content: content}, clientpb.Code_INVALID},
		"conv too large":     {&clientpb.Send{Conv: 1 << 60, Key: "key-00001", Content: content}, clientpb.Code_INVALID},
		"key too short":      {&clientpb.Send{Conv: 5, Key: "k", Content: content}, clientpb.Code_INVALID},
		"no content":         {&clientpb.Send{Conv: 5, Key: "key-00001"}, clientpb.Code_INVALID},
		"unknown kind":       {&clientpb.Send{Conv: 5, Key: "key-00001", Content: &clientpb.Content{Kind: "poll", Text: "x"}}, clientpb.Code_UNSUPPORTED},
		"the server's kind":  {&clientpb.Send{Conv: 5, Key: "key-00001", Content: &clientpb.Content{Kind: "friend.started", Text: "x"}}, clientpb.Code_FORBIDDEN},
		"text too long":      {text(5, "key-00001", string(make([]byte, 20<<10))), clientpb.Code_TOO_LARGE},
		"data not a number":  {&clientpb.Send{Conv: 5, Key: "key-00001", Content: &clientpb.Content{Kind: "x-a", Data: nan}}, clientpb.Code_INVALID},
		"data without value": {&clientpb.Send{Conv: 5, Key: "key-00001", Content: &clientpb.Content{Kind: "x-a", Data: infinite}}, clientpb.Code_INVALID},
		"data too deep": {&clientpb.Send{Conv: 5, Key: "key-00001", Content: &clientpb.Content{
			Kind: "x-a", Data: &structpb.Struct{Fields: map[string]*structpb.Value{"d": deep}},
		}}, clientpb.Code_TOO_LARGE},
		"no such conversation": {text(6, "key-00001", "x"), clientpb.Code_NOT_FOUND},
		"closed":               {text(7, "key-00001", "x"), clientpb.Code_FORBIDDEN},
		"an inbox":             {text(8, "key-00001", "x"), clientpb.Code_FORBIDDEN},
		"reply to the future":  {&clientpb.Send{Conv: 5, Key: "key-00001", Content: &clientpb.Content{Kind: "text", Text: "x", ReplyTo: 9}}, clientpb.Code_INVALID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.store.converse(5, im.Direct, 1, 2)
				r.store.converse(7, im.Direct, 1, 2)
				r.store.convs[7].closed = true
				r.store.converse(8, im.Inbox, 1)
				d := r.join(1, 1)
				wantError(t, d.ask(clientpb.Type_SEND, c.send), c.code)
				if f := d.ask(clientpb.Type_SEND, text(5, "key-00002", "fine")); f.Type != clientpb.Type_SENT {
					t.Errorf("the next SEND is answered by %v", f.Type)
				}
			})
		})
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// A retry of the same key gets the original answer, and pushes again.
func TestSendAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.converse(5, im.Direct, 1, 2)
		d, peer := r.join(1, 1), r.join(2, 1)
		first := body[clientpb.Sent](t, d.ask(clientpb.Type_SEND, text(5, "key-00001", "one")))
		peer.pushed(clientpb.Type_MESSAGE)
		second := body[clientpb.Sent](t, d.ask(clientpb.Type_SEND, text(5, "key-00001", "other")))
		if !second.GetAgain() || second.GetSeq() != first.GetSeq() || second.GetAtMs() != first.GetAtMs() {
			t.Errorf("the retry got %v after %v", second, first)
		}
		if m := body[clientpb.Message](t, peer.pushed(clientpb.Type_MESSAGE)); m.GetContent().GetText() != "one" {
			t.Errorf("the retry pushed %v", m)
		}
	})
}

// The sends of a turn, and those of many connections, are written together.
func TestSendsMeetInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		const users = 20
		gate := make(chan struct{})
		r.store.onAppend = func(context.Context, []im.Draft) error { <-gate; return nil }
		var all []*device
		for u := range im.UserID(users) {
			r.store.converse(im.ConvID(u+1), im.Direct, u+1, 1000)
			all = append(all, r.join(u+1, 1))
		}
		for i, d := range all {
			var packet []byte
			for n := range uint32(3) {
				packet = append(packet, d.frame(clientpb.Type_SEND, 50+n, text(im.ConvID(i+1), fmt.Sprintf("key-%05d", n), "x"))...)
			}
			d.write(packet)
		}
		synctest.Wait()
		close(gate)
		for _, d := range all {
			for n := range uint32(3) {
				f := d.next("SENT", func(f wire.Frame) bool { return f.ID == 50+n })
				if seq := body[clientpb.Sent](t, f).GetSeq(); seq != n+1 {
					t.Errorf("send %d got seq %d", n, seq)
				}
			}
		}
		// What is there when the committer wakes goes first; all that comes meanwhile second.
		if got := r.store.batches; len(got) > 2 || sum(got) != users*3 {
			t.Errorf("batches of %v, want all %d in at most two", got, users*3)
		}
	})
}

// One turn takes at most 64 frames, so that one connection does not fill a batch.
func TestATurnIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.converse(5, im.Direct, 1, 2)
		d := r.join(1, 1)
		var packet []byte
		const n = 150
		for i := range uint32(n) {
			packet = append(packet, d.frame(clientpb.Type_SEND, 100+i, text(5, fmt.Sprintf("key-%05d", i), "x"))...)
		}
		d.write(packet)
		for i := range uint32(n) {
			d.next("SENT", func(f wire.Frame) bool { return f.ID == 100+i })
		}
		if m := slices.Max(r.store.batches); m != 64 {
			t.Errorf("the largest batch of one connection had %d sends, want 64", m)
		}
	})
}

func TestAFailedBatchIsUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail error
		code clientpb.Code
	}{
		"store away":        {errSecret, clientpb.Code_UNAVAILABLE},
		"deadline":          {context.DeadlineExceeded, clientpb.Code_UNAVAILABLE},
		"store unavailable": {im.Fail(im.Unavailable, "the database is away"), clientpb.Code_UNAVAILABLE},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.store.converse(5, im.Direct, 1, 2)
				r.store.onAppend = func(context.Context, []im.Draft) error { return c.fail }
				d := r.join(1, 1)
				wantError(t, d.ask(clientpb.Type_SEND, text(5, "key-00001", "x")), c.code)
				r.store.onAppend = nil
				if s := body[clientpb.Sent](t, d.ask(clientpb.Type_SEND, text(5, "key-00001", "x"))); s.GetSeq() != 1 {
					t.Errorf("the retry got %v", s)
				}
			})
		})
	}
}

func TestAFullQueueIsOverloaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.CommitQueue = 1 })
		r.store.converse(5, im.Direct, 1, 2, 3)
		gate := make(chan struct{})
		r.store.onAppend = func(context.Context, []im.Draft) error { <-gate; return nil }
		writing, waiting, refused := r.join(1, 1), r.join(2, 1), r.join(3, 1)
		writing.send(clientpb.Type_SEND, 9, text(5, "key-00001", "x"))
		synctest.Wait()
		waiting.send(clientpb.Type_SEND, 9, text(5, "key-00002", "x"))
		synctest.Wait()
		e := wantError(t, refused.ask(clientpb.Type_SEND, text(5, "key-00003", "x")), clientpb.Code_OVERLOADED)
		if e.GetRetryAfterMs() == 0 {
			t.Error("OVERLOADED without a time to come back")
		}
		close(gate)
		for _, d := range []*device{writing, waiting} {
			if f := d.next("SENT", func(f wire.Frame) bool { return f.ID == 9 }); f.Type != clientpb.Type_SENT {
				t.Errorf("got %v, want SENT", f.Type)
			}
		}
		for _, e := range r.store.convs[5].entries {
			if e.Key == "key-00003" {
				t.Error("what was refused was written")
			}
		}
	})
}

func TestSendsAreLimitedByTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits = chat.Limits{SendsPerSecond: 20, SendBurst: 60} })
		r.store.converse(5, im.Direct, 1, 2)
		all := []*device{r.join(1, 1), r.join(1, 2)}
		for i := range 60 {
			if f := all[i%2].ask(clientpb.Type_SEND, text(5, fmt.Sprintf("key-%05d", i), "x")); f.Type != clientpb.Type_SENT {
				t.Fatalf("send %d is answered by %v", i, f.Type)
			}
		}
		e := wantError(t, all[0].ask(clientpb.Type_SEND, text(5, "key-over1", "x")), clientpb.Code_RATE_LIMITED)
		if e.GetRetryAfterMs() != 50 {
			t.Errorf("retryAfterMs is %d, want 50", e.GetRetryAfterMs())
		}
		<-time.After(50 * time.Millisecond)
		if f := all[1].ask(clientpb.Type_SEND, text(5, "key-over1", "x")); f.Type != clientpb.Type_SENT {
			t.Errorf("after the wait SEND is answered by %v", f.Type)
		}
	})
}

// What is in a batch is written and pushed, whatever became of who sent it.
func TestASenderThatLeavesTakesNothingAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.converse(5, im.Direct, 1, 2)
		gate := make(chan struct{})
		r.store.onAppend = func(ctx context.Context, _ []im.Draft) error { <-gate; return ctx.Err() }
		d, peer := r.join(1, 1), r.join(2, 1)
		d.send(clientpb.Type_SEND, 9, text(5, "key-00001", "still here"))
		synctest.Wait()
		d.conn.Close()
		synctest.Wait()
		close(gate)
		if m := body[clientpb.Message](t, peer.pushed(clientpb.Type_MESSAGE)); m.GetContent().GetText() != "still here" {
			t.Errorf("the peer got %v", m)
		}
	})
}

// A draft that makes the store panic costs itself alone, and is not tried again.
func TestAPoisonedDraft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.converse(5, im.Direct, 1, 2)
		tries := 0
		r.store.onAppend = func(_ context.Context, drafts []im.Draft) error {
			for _, d := range drafts {
				if d.Key() == "key-poison" {
					tries++
					panic("a draft that nobody foresaw") //nolint:forbidigo // the point of the test
				}
			}
			return nil
		}
		d := r.join(1, 1)
		var packet []byte
		for i, key := range []string{"key-00001", "key-poison", "key-00002"} {
			packet = append(packet, d.frame(clientpb.Type_SEND, uint32(50+i), text(5, key, "x"))...)
		}
		d.write(packet)
		for i, want := range []wire.Type{clientpb.Type_SENT, clientpb.Type_ERROR, clientpb.Type_SENT} {
			f := d.next("answer", func(f wire.Frame) bool { return f.ID == uint32(50+i) })
			if f.Type != want {
				t.Errorf("send %d is answered by %v, want %v", i, f.Type, want)
			}
			if want == clientpb.Type_ERROR {
				wantError(t, f, clientpb.Code_INTERNAL)
			}
		}
		if tries != 2 {
			t.Fatalf("the store saw the poison %d times, want once with others and once alone", tries)
		}
		for range 5 {
			wantError(t, d.ask(clientpb.Type_SEND, text(5, "key-poison", "x")), clientpb.Code_INTERNAL)
		}
		if tries != 2 {
			t.Errorf("retries reached the store %d times more", tries-2)
		}
		<-time.After(11 * time.Minute)
		synctest.Wait()
		late := r.join(1, 2)
		wantError(t, late.ask(clientpb.Type_SEND, text(5, "key-poison", "x")), clientpb.Code_INTERNAL)
		if tries != 3 {
			t.Errorf("after its time the poison was tried %d times more, want once", tries-2)
		}
	})
}

func TestPushFromOutside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d := r.join(1, 1)
		r.chat.Push(t.Context(), []im.Post{{
			Entry: im.Entry{Conv: 9, Seq: 3, Content: im.LoginNew(im.Device{Name: "phone"}, 5)}, Members: []im.UserID{1},
		}})
		m := body[clientpb.Message](t, d.pushed(clientpb.Type_MESSAGE))
		if m.GetContent().GetKind() != im.KindLoginNew || m.GetContent().GetData().AsMap()["device"] != "phone" {
			t.Errorf("got %v", m)
		}
	})
}

// A push that fails on our side is a hint to ask: nobody waits for a message that
// never comes.
func TestAPushThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d := r.join(1, 1)
		r.chat.Push(t.Context(), []im.Post{{
			Entry: im.Entry{Conv: 9, Seq: 3, Content: im.Content{Kind: "text", Text: "\xff"}}, Members: []im.UserID{1},
		}})
		d.pushed(clientpb.Type_RESYNC)
		if n := r.count("liao_chat_drops_total", "encode"); n != 1 {
			t.Errorf("%v drops were counted, want 1", n)
		}
	})
}

func TestNewWantsItsNeeds(t *testing.T) {
	t.Parallel()
	if _, err := chat.New(chat.Options{}); err == nil {
		t.Error("New without needs succeeds")
	}
	store := newLedger()
	store.epoch = ""
	o := chat.Options{Log: brokenLog{store}, People: store, Tokens: store, Routes: &flakyRoutes{}, Limiter: countless{}, Status: leases{}, Node: "n", Boot: "b"}
	v, err := chat.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := v.Start(t.Context()); !errors.Is(err, errSecret) {
		t.Errorf("Start with a store that is away: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

type brokenLog struct{ *ledger }

func (brokenLog) Epoch(context.Context) (string, error) { return "", errSecret }

type countless struct{}

func (countless) Take(context.Context, string, int, time.Duration) (time.Duration, error) {
	return 0, nil
}

func sum(all []int) (n int) {
	for _, one := range all {
		n += one
	}
	return n
}

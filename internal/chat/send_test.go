package chat_test

import (
	"testing"
	"testing/synctest"

	"github.com/liao-im/liao/internal/im"
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

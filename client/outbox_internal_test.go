package client

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// takeSend reads the next SEND.
func (p *peer) takeSend() (*clientpb.Send, uint32) {
	p.t.Helper()
	var s clientpb.Send
	id := p.next(clientpb.Type_SEND, &s)
	return &s, id
}

func (p *peer) sent(s *clientpb.Send, id, seq uint32) {
	p.t.Helper()
	p.send(clientpb.Type_SENT, id, &clientpb.Sent{Conv: s.GetConv(), Key: s.GetKey(), Seq: seq, AtMs: 5000})
}

func mustPost(t *testing.T, c *Client, conv uint64, text string) string {
	t.Helper()
	key, err := c.Post(conv, Text(text))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSendIsStored(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		go func() {
			m, id := p.takeSend()
			p.sent(m, id, 2)
		}()
		got, err := c.Send(t.Context(), theConv, Text("hi"))
		if err != nil {
			t.Fatal(err)
		}
		if got.Seq != 2 || got.Conv != theConv || len(got.Key) != 32 || got.At.UnixMilli() != 5000 {
			t.Errorf("sent %+v, want seq 2 with a key", got)
		}
		own := await[Arrived](t, c)
		if own.Seq != 2 || own.From != 1 || own.Key != got.Key || own.Content.Text != "hi" {
			t.Errorf("entry %+v, want the own message as entry 2", own)
		}
		if v, _ := c.Conversation(theConv); v.Head != 2 || v.Read != 2 {
			t.Errorf("head %d, read %d; want 2 and 2: who sends has read", v.Head, v.Read)
		}
	})
}

func TestSendsOfAConversationWaitForEachOther(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1), conversation(8))
		mustPost(t, c, theConv, "1")
		mustPost(t, c, theConv, "2")
		mustPost(t, c, 8, "other")

		first, firstID := p.takeSend()
		other, otherID := p.takeSend()
		if first.GetContent().GetText() != "1" || other.GetContent().GetText() != "other" {
			t.Fatalf("on their way: %q and %q, want 1 and other", first.GetContent().GetText(), other.GetContent().GetText())
		}
		p.quiet(time.Second)
		p.sent(other, otherID, 2)
		p.quiet(time.Second)
		p.sent(first, firstID, 2)
		if m, _ := p.takeSend(); m.GetContent().GetText() != "2" {
			t.Errorf("then came %q, want 2", m.GetContent().GetText())
		}
	})
}

func TestRefusalsOfOneAttempt(t *testing.T) {
	for _, code := range []clientpb.Code{
		clientpb.Code_RATE_LIMITED, clientpb.Code_OVERLOADED, clientpb.Code_UNAVAILABLE, clientpb.Code_INTERNAL,
	} {
		t.Run(code.String(), func(t *testing.T) {
			play(t, func(t *testing.T, s *script) {
				c := s.open(Options{})
				p := s.accept().greet(direct(1))
				mustPost(t, c, theConv, "1")
				mustPost(t, c, theConv, "2")
				m, id := p.takeSend()
				p.refuse(id, code, 3*time.Second)
				p.quiet(2600 * time.Millisecond)
				again, id := p.takeSend()
				if again.GetKey() != m.GetKey() {
					t.Errorf("then came %q with key %q, want the same message with its key", again.GetContent().GetText(), again.GetKey())
				}
				p.sent(again, id, 2)
				if next, _ := p.takeSend(); next.GetContent().GetText() != "2" {
					t.Errorf("then came %q, want 2", next.GetContent().GetText())
				}
			})
		})
	}
}

func TestWhatSettles(t *testing.T) {
	tests := []struct {
		code           clientpb.Code
		alone, unknown bool // settles a send that was never in doubt; one that was
	}{
		{clientpb.Code_FORBIDDEN, true, true},
		{clientpb.Code_NOT_FOUND, true, true},
		{clientpb.Code_INVALID, true, true},
		{clientpb.Code_TOO_LARGE, true, true},
		{clientpb.Code_UNSUPPORTED, true, true},
		{clientpb.Code_CONFLICT, true, false},
		{clientpb.Code_ALREADY_EXISTS, true, false},
		{clientpb.Code_UNAUTHENTICATED, true, false},
		{clientpb.Code_RATE_LIMITED, false, false},
		{clientpb.Code_OVERLOADED, false, false},
		{clientpb.Code_UNAVAILABLE, false, false},
		{clientpb.Code_INTERNAL, false, false},
		{clientpb.Code_CODE_UNSPECIFIED, false, false},
	}
	for _, tt := range tests {
		for _, doubt := range []bool{false, true} {
			t.Run(tt.code.String()+" doubt="+strconv.FormatBool(doubt), func(t *testing.T) {
				play(t, func(t *testing.T, s *script) {
					c := s.open(Options{})
					p := s.accept().greet(direct(1))
					mustPost(t, c, theConv, "1")
					want := tt.alone
					if doubt {
						want = tt.unknown
						_, id := p.takeSend()
						p.refuse(id, clientpb.Code_UNAVAILABLE, 0)
					}
					_, id := p.takeSend()
					p.refuse(id, tt.code, 0)
					synctest.Wait()
					if got := len(c.Unsettled()) == 0; got != want {
						t.Fatalf("settled: %v, want %v", got, want)
					}
					if want {
						got := await[Settled](t, c)
						if got.Err == nil || Unknown(got.Err) {
							t.Errorf("outcome is %v, want a definite error", got.Err)
						}
					}
				})
			})
		}
	}
}

func TestBrokenLineKeepsKeysAndOrder(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		keys := []string{mustPost(t, c, theConv, "1"), mustPost(t, c, theConv, "2")}
		p.takeSend()
		p.conn.end()

		p = s.accept()
		p.welcome()
		var first clientpb.Send
		_, id := p.resume("c2", &first, direct(2)) // it had been stored
		p.send(clientpb.Type_SENT, id, &clientpb.Sent{Conv: theConv, Key: first.GetKey(), Seq: 2, AtMs: 1, Again: true})
		second, id := p.takeSend()
		p.sent(second, id, 3)
		if diff := cmp.Diff(keys, []string{first.GetKey(), second.GetKey()}); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		for i, want := range []uint32{2, 3} {
			got := await[Settled](t, c)
			if got.Err != nil || got.Sent.Seq != want || got.Sent.Key != keys[i] || got.Sent.Again != (i == 0) {
				t.Errorf("settled %+v, want key %s at %d", got, keys[i], want)
			}
		}
	})
}

func TestSendWhoseContextEnds(t *testing.T) {
	t.Run("before it left", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			c := s.open(Options{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := c.Send(ctx, theConv, Text("hi")) // nobody has said WELCOME
			if err == nil || Unknown(err) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want a definite error of the context", err)
			}
			p := s.accept().greet(direct(1))
			p.quiet(time.Second)
		})
	})
	t.Run("behind another", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			c := s.open(Options{})
			p := s.accept().greet(direct(1))
			mustPost(t, c, theConv, "1")
			m, id := p.takeSend()
			p.refuse(id, clientpb.Code_OVERLOADED, 5*time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := c.Send(ctx, theConv, Text("2")); err == nil || Unknown(err) {
				t.Errorf("got %v, want a definite error", err)
			}
			p.quiet(3 * time.Second) // the first still waits as it was told
			again, id := p.takeSend()
			p.sent(again, id, 2)
			if again.GetKey() != m.GetKey() {
				t.Errorf("%q came again, want the first", again.GetContent().GetText())
			}
			p.quiet(5 * time.Second)
		})
	})
	t.Run("on its way", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			c := s.open(Options{})
			p := s.accept().greet(direct(1))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := c.Send(ctx, theConv, Text("hi"))
			if !Unknown(err) {
				t.Errorf("got %v, want an unknown outcome", err)
			}
			m, id := p.takeSend()
			p.sent(m, id, 2)
			if got := await[Settled](t, c); got.Err != nil || got.Sent.Seq != 2 {
				t.Errorf("settled %+v, want stored at 2", got)
			}
		})
	})
}

// notedStore keeps in memory what a Store is told, and in which order.
type notedStore struct {
	mu    sync.Mutex
	kept  Kept
	notes []string
	fail  error
}

func (n *notedStore) note(s string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = append(n.notes, s)
	return n.fail
}

func (n *notedStore) Load() (Kept, error)           { return n.kept, nil }
func (n *notedStore) PutSend(u Unsettled) error     { return n.note("put " + u.Content.Text) }
func (n *notedStore) DropSend(uint64, string) error { return n.note("drop") }
func (n *notedStore) SaveProgress(p Progress) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(p.Changed) == 0 {
		p.Changed = n.kept.Progress.Changed
	}
	n.kept.Progress = p
	return n.fail
}

func TestSendsOutliveTheProcess(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		st := &notedStore{}
		st.kept.Sends = []Unsettled{{Conv: theConv, Key: "old-key-1", Content: Text("old")}}
		c := s.open(Options{Store: st})
		mustPost(t, c, theConv, "new")
		p := s.accept()
		p.welcome()
		var old clientpb.Send
		_, id := p.resume("c1", &old, direct(1))
		if old.GetKey() != "old-key-1" {
			t.Errorf("first came key %q, want the one of the last run", old.GetKey())
		}
		p.refuse(id, clientpb.Code_CONFLICT, 0) // no last word on a send that may have been stored
		m, id := p.takeSend()
		p.sent(m, id, 2)
		if got := await[Settled](t, c); got.Sent.Key != "old-key-1" || got.Err != nil {
			t.Errorf("settled %+v, want the old send", got)
		}
		if m, _ = p.takeSend(); m.GetContent().GetText() != "new" {
			t.Errorf("then came %q, want new", m.GetContent().GetText())
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		if diff := cmp.Diff([]string{"put new", "drop"}, st.notes); diff != "" {
			t.Errorf("store was told (-want +got):\n%s", diff)
		}
	})
}

func TestSendThatCannotBeKeptIsRefused(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		st := &notedStore{fail: errors.New("disk full")}
		c := s.open(Options{Store: st})
		p := s.accept().greet(direct(1))
		if _, err := c.Post(theConv, Text("hi")); err == nil || Unknown(err) {
			t.Errorf("got %v, want a definite error", err)
		}
		p.quiet(time.Second)
		st.mu.Lock()
		defer st.mu.Unlock()
		st.fail = nil // for Close
	})
}

func TestOutboxIsBounded(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{MaxUnsettled: 2})
		mustPost(t, c, theConv, "1")
		mustPost(t, c, theConv, "2")
		if _, err := c.Post(theConv, Text("3")); !errors.Is(err, Overloaded) || Unknown(err) {
			t.Errorf("got %v, want overloaded", err)
		}
	})
}

func TestSendTooLargeForAFrame(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		if _, err := c.Send(t.Context(), theConv, Text(string(make([]byte, 200<<10)))); !errors.Is(err, TooLarge) {
			t.Errorf("got %v, want too large", err)
		}
		p.quiet(time.Second)
		if n := len(c.Unsettled()); n != 0 {
			t.Errorf("%d sends are unsettled, want none", n)
		}
	})
}

func TestProgressIsSaved(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		st := &notedStore{}
		c := s.open(Options{Store: st})
		p := s.accept().greet(direct(1))
		p.push(2, 3, 4)
		arrived(t, c, 2) // the third is not taken
		<-time.After(2 * saveAfter)
		st.mu.Lock()
		got := st.kept.Progress
		st.mu.Unlock()
		if got.Epoch != "e1" || got.Cursor != "c1" || got.Partial || len(got.Changed) != 1 {
			t.Fatalf("saved %+v, want epoch, cursor and one conversation", got)
		}
		if h := got.Changed[0]; h.Head != 4 || h.Given != 3 {
			t.Errorf("saved head %d, given %d; want 4 and 3", h.Head, h.Given)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		p.gone()

		// The next run goes on after what was given.
		c = s.open(Options{Store: st})
		p = s.accept()
		p.welcome()
		if asked := p.changes("c2", false, direct(4)); asked != "c1" {
			t.Errorf("SYNC with cursor %q, want c1", asked)
		}
		if diff := cmp.Diff([]int{4}, arrived(t, c, 1)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

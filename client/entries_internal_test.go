package client

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

func TestEntriesComeInOrder(t *testing.T) {
	tests := []struct {
		name string
		push []uint32
		want []int
	}{
		{"as they were stored", []uint32{2, 3, 4}, count(2, 4)},
		{"overtaken", []uint32{3, 4, 2, 5}, count(2, 5)},
		{"twice", []uint32{2, 2, 1, 3, 2, 3}, count(2, 3)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, s *script) {
				c := s.open(Options{})
				p := s.accept().greet(direct(1))
				p.push(tt.push...)
				if diff := cmp.Diff(tt.want, arrived(t, c, len(tt.want))); diff != "" {
					t.Errorf("entries (-want +got):\n%s", diff)
				}
				noMore(t, c, time.Second)
				p.quiet(time.Second) // nothing had to be asked
			})
		})
	}
}

func TestGapIsFetchedAfterAMoment(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		began := time.Now()
		p.push(4, 5)
		h := p.page(5)
		if took := time.Since(began); took < 225*time.Millisecond || took > 375*time.Millisecond {
			t.Errorf("HISTORY came after %v, want 300 ms with jitter", took)
		}
		if h.GetConv() != theConv || h.GetAfter() != 1 || h.GetBefore() != 0 {
			t.Errorf("asked %v, want what comes after 1", h)
		}
		if diff := cmp.Diff(count(2, 5), arrived(t, c, 4)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		noMore(t, c, time.Second)
	})
}

func TestOneHistoryAtATime(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		p.push(3)
		var h clientpb.History
		id := p.next(clientpb.Type_HISTORY, &h)
		p.push(5, 7, 9)
		p.quiet(2 * time.Second)
		p.send(clientpb.Type_PAGE, id, &clientpb.Page{Conv: theConv, Head: 3, Messages: []*clientpb.Message{entry(2), entry(3)}})
		if h := p.page(9); h.GetAfter() != 3 {
			t.Errorf("asked after %d, want after 3", h.GetAfter())
		}
		if diff := cmp.Diff(count(2, 9), arrived(t, c, 8)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

func TestGapSizeDecides(t *testing.T) {
	t.Run("200 missing are fetched", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			c := s.open(Options{})
			p := s.accept().greet(direct(1))
			p.push(202)
			p.page(202)
			got := arrived(t, c, 200)
			p.page(202) // the first ended at 201, and no more found room
			if diff := cmp.Diff(count(2, 202), append(got, arrived(t, c, 1)...)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("201 missing are left out", func(t *testing.T) {
		play(t, func(t *testing.T, s *script) {
			c := s.open(Options{})
			p := s.accept().greet(direct(1))
			p.push(203, 204)
			if diff := cmp.Diff([]int{-203, 204}, arrived(t, c, 2)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			p.quiet(time.Second)
		})
	})
}

func TestNewTailDropsWhatWaited(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		p.push(2, 3, 5, 500)
		synctest.Wait()
		if diff := cmp.Diff([]int{-500}, arrived(t, c, 1)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		noMore(t, c, time.Second)
		p.quiet(time.Second)
	})
}

func TestFirstSightGivesNoEntries(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		s.accept().greet(direct(9))
		got := await[ConversationChanged](t, c)
		if got.Head != 9 || got.Unread() != 9 || got.Last == nil || got.Last.Seq != 9 {
			t.Errorf("conversation is %+v, want head 9 with its entry", got)
		}
		await[Synced](t, c)
		noMore(t, c, time.Second)
	})
}

func TestUnknownConversationIsSynced(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet()
		await[Synced](t, c)
		p.push(2)
		if asked := p.changes("c2", false, direct(2)); asked != "c1" {
			t.Errorf("SYNC with cursor %q, want c1", asked)
		}
		if diff := cmp.Diff([]int{-2}, arrived(t, c, 1)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		p.push(3)
		if diff := cmp.Diff([]int{3}, arrived(t, c, 1)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

func TestSyncFindsTheMissingTail(t *testing.T) {
	tests := []struct {
		name  string
		head  uint32
		fetch bool
		want  []int
	}{
		{"one entry comes with SYNC", 4, false, []int{4}},
		{"some are fetched at once", 9, true, count(4, 9)},
		{"many are left out", 900, false, []int{-900}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, s *script) {
				c := s.open(Options{})
				p := s.accept().greet(direct(3))
				p.send(clientpb.Type_RESYNC, 0, nil)
				p.changes("c2", false, direct(tt.head))
				if tt.fetch {
					began := time.Now()
					if h := p.page(tt.head); h.GetAfter() != 3 || time.Since(began) != 0 {
						t.Errorf("HISTORY after %d, %v late; want after 3 at once", h.GetAfter(), time.Since(began))
					}
				}
				if diff := cmp.Diff(tt.want, arrived(t, c, len(tt.want))); diff != "" {
					t.Errorf("entries (-want +got):\n%s", diff)
				}
				noMore(t, c, time.Second)
			})
		})
	}
}

func TestSyncRuns(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept()
		p.welcome()
		for i, want := range []string{"", "a", "b"} {
			next := string(rune('a' + i))
			if asked := p.changes(next, i < 2, conversation(uint64(20+i))); asked != want {
				t.Errorf("page %d was asked with cursor %q, want %q", i, asked, want)
			}
		}
		await[Synced](t, c)
		if got := len(c.Conversations()); got != 3 {
			t.Errorf("%d conversations, want 3", got)
		}

		// A hint during a run asks for one more run after it, not for two.
		p.send(clientpb.Type_RESYNC, 0, nil)
		id := p.next(clientpb.Type_SYNC, nil)
		p.send(clientpb.Type_RESYNC, 0, nil)
		p.send(clientpb.Type_RESYNC, 0, nil)
		p.quiet(time.Second)
		p.send(clientpb.Type_CHANGES, id, &clientpb.Changes{Cursor: "d"})
		if asked := p.changes("e", false); asked != "d" {
			t.Errorf("the run after it was asked with cursor %q, want d", asked)
		}
		p.quiet(time.Second)
	})
}

func TestSyncIsAskedAgainWhenRefused(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept()
		p.welcome()
		began := time.Now()
		p.refuse(p.next(clientpb.Type_SYNC, nil), clientpb.Code_OVERLOADED, 2*time.Second)
		p.changes("c1", false)
		if took := time.Since(began); took < 1800*time.Millisecond || took > 2200*time.Millisecond {
			t.Errorf("asked again after %v, want about 2 s", took)
		}
		await[Synced](t, c)
	})
}

func TestOtherEpochForgets(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(50))
		await[Synced](t, c)
		key, err := c.Post(theConv, Text("hi"))
		if err != nil {
			t.Fatal(err)
		}
		p.next(clientpb.Type_SEND, nil)
		s.epoch = "e2"
		p.conn.end()

		p = s.accept()
		p.welcome()
		await[Forgotten](t, c)
		var again clientpb.Send
		asked, id := p.resume("x1", &again, direct(4))
		if asked != "" {
			t.Errorf("SYNC with cursor %q of the old epoch, want none", asked)
		}
		if again.GetKey() != key {
			t.Errorf("sent with key %q, want the old one %q", again.GetKey(), key)
		}
		p.send(clientpb.Type_SENT, id, &clientpb.Sent{Conv: theConv, Key: key, Seq: 5, AtMs: 1})
		if got := await[Arrived](t, c); got.Seq != 5 || got.Skipped {
			t.Errorf("entry %d, skipped %v; want 5 right after the 4 of the new epoch", got.Seq, got.Skipped)
		}
	})
}

func TestResetCursorForgets(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(50))
		await[Synced](t, c)
		p.send(clientpb.Type_RESYNC, 0, nil)
		id := p.next(clientpb.Type_SYNC, nil)
		p.send(clientpb.Type_CHANGES, id, &clientpb.Changes{
			Cursor: "n1", Reset_: true, Conversations: []*clientpb.Conversation{direct(2)},
		})
		await[Forgotten](t, c)
		if got := await[ConversationChanged](t, c); got.Head != 2 {
			t.Errorf("head is %d, want the new 2", got.Head)
		}
	})
}

func TestSlowReaderLosesNothing(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		const head = 1500
		for seq := uint32(2); seq <= head; seq++ {
			p.push(seq)
		}
		synctest.Wait()
		c.mu.Lock()
		ready, queue := len(c.convs[theConv].ready), len(c.news.queue)
		c.mu.Unlock()
		if ready > maxReady || queue > 5 {
			t.Errorf("%d entries and %d topics wait for a reader, want at most %d and a few", ready, queue, maxReady)
		}
		go func() {
			for {
				f, err := p.conn.ReadFrame()
				if err != nil {
					return
				}
				var h clientpb.History
				if f.Type != clientpb.Type_HISTORY || f.Codec.Unmarshal(f.Body, &h) != nil {
					continue
				}
				page := &clientpb.Page{Conv: theConv, Head: head}
				for seq := h.GetAfter() + 1; seq <= head && len(page.GetMessages()) < int(h.GetLimit()); seq++ {
					page.Messages = append(page.Messages, entry(seq))
				}
				page.More = h.GetAfter()+h.GetLimit() < head
				p.send(clientpb.Type_PAGE, f.ID, page)
			}
		}()
		if diff := cmp.Diff(count(2, head), arrived(t, c, head-1)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

func TestEntriesThatMayNotBeSeenAreSkipped(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(1))
		p.push(10)
		id := p.next(clientpb.Type_HISTORY, nil)
		p.send(clientpb.Type_PAGE, id, &clientpb.Page{Conv: theConv, Head: 10, Messages: []*clientpb.Message{entry(8), entry(9), entry(10)}})
		if diff := cmp.Diff([]int{-8, 9, 10}, arrived(t, c, 3)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		p.quiet(time.Second)
	})
}

func TestReadStateIsOneWatermark(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(direct(5))
		await[Synced](t, c)
		p.send(clientpb.Type_RECEIPT, 0, &clientpb.Receipt{Conv: theConv, User: 1, Seq: 3})
		if got := await[ConversationChanged](t, c); got.Read != 3 || got.Unread() != 2 {
			t.Errorf("read %d, unread %d; want 3 and 2", got.Read, got.Unread())
		}
		p.send(clientpb.Type_RECEIPT, 0, &clientpb.Receipt{Conv: theConv, User: 1, Seq: 2})
		p.send(clientpb.Type_RECEIPT, 0, &clientpb.Receipt{Conv: theConv, User: 2, Seq: 4})
		synctest.Wait()
		if got, _ := c.Conversation(theConv); got.Read != 3 || got.PeerRead != 4 {
			t.Errorf("read %d, the other's %d; want 3 and 4", got.Read, got.PeerRead)
		}
	})
}

func TestInboxTellsOfContacts(t *testing.T) {
	play(t, func(t *testing.T, s *script) {
		c := s.open(Options{})
		p := s.accept().greet(&clientpb.Conversation{Id: 3, Kind: "inbox"})
		await[Synced](t, c)
		p.send(clientpb.Type_MESSAGE, 0, &clientpb.Message{
			Conv: 3, Seq: 1, Content: &clientpb.Content{Kind: "friend.requested", Text: "Bob would like to be your friend."},
		})
		await[ContactsChanged](t, c)
	})
}

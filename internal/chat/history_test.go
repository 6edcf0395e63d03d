package chat_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// wrote fills a conversation with n texts by turns.
func (r *rig) wrote(id im.ConvID, n int, members ...im.UserID) {
	r.t.Helper()
	r.store.converse(id, im.Direct, members...)
	for i := range n {
		d, err := im.NewDraft(members[i%len(members)], id, fmt.Sprintf("key-%05d", i), im.Content{Kind: "text", Text: "x"}, now())
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := r.store.Append(context.Background(), []im.Draft{d}); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask         *clientpb.History
		first, last uint32
		more        bool
	}{
		"from the start":    {&clientpb.History{Conv: 5}, 1, 50, true},
		"after":             {&clientpb.History{Conv: 5, After: 100, Limit: 200}, 101, 120, false},
		"after, a page":     {&clientpb.History{Conv: 5, After: 3, Limit: 5}, 4, 8, true},
		"before":            {&clientpb.History{Conv: 5, Before: 121, Limit: 10}, 111, 120, true},
		"before the middle": {&clientpb.History{Conv: 5, Before: 8, Limit: 10}, 1, 7, false},
		"between":           {&clientpb.History{Conv: 5, After: 10, Before: 14, Limit: 200}, 11, 13, false},
		"after the head":    {&clientpb.History{Conv: 5, After: 120}, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.wrote(5, 120, 1, 2)
				page := body[clientpb.Page](t, r.join(1, 1).ask(clientpb.Type_HISTORY, c.ask))
				var got []uint32
				for _, m := range page.GetMessages() {
					got = append(got, m.GetSeq())
					if wantKey := m.GetFrom() == 1; (m.GetKey() != "") != wantKey {
						t.Errorf("entry %d from %d has key %q", m.GetSeq(), m.GetFrom(), m.GetKey())
					}
				}
				var want []uint32
				for seq := c.first; seq <= c.last && seq > 0; seq++ {
					want = append(want, seq)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("entries (-want +got):\n%s", diff)
				}
				if page.GetMore() != c.more || page.GetHead() != 120 || page.GetConv() != 5 {
					t.Errorf("more %v, head %d, conv %d", page.GetMore(), page.GetHead(), page.GetConv())
				}
				if n := len(page.GetUsers()); n > 2 || n == 0 && len(got) > 0 {
					t.Errorf("%d users", n)
				}
			})
		})
	}
}

func TestHistoryRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask  *clientpb.History
		code clientpb.Code
	}{
		"no conversation":       {&clientpb.History{}, clientpb.Code_INVALID},
		"no id":                 {&clientpb.History{Conv: 1 << 53}, clientpb.Code_INVALID},
		"too many":              {&clientpb.History{Conv: 5, Limit: 201}, clientpb.Code_INVALID},
		"another's":             {&clientpb.History{Conv: 6}, clientpb.Code_NOT_FOUND},
		"one that is not there": {&clientpb.History{Conv: 7}, clientpb.Code_NOT_FOUND},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.wrote(5, 1, 1, 2)
				r.wrote(6, 1, 2, 3)
				wantError(t, r.join(1, 1).ask(clientpb.Type_HISTORY, c.ask), c.code)
			})
		})
	}
}

// A page ends at 128 KiB as it is sent: at its far end, whichever way was asked.
func TestHistoryPagesFitAFrame(t *testing.T) {
	t.Parallel()
	for _, codec := range []wire.Codec{wire.JSON, wire.Protobuf} {
		for name, before := range map[string]uint32{"after": 0, "before": 31} {
			t.Run(codec.String()+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, nil)
					r.store.onHistory = func(im.HistoryQuery) (im.HistoryPage, error) {
						var page im.HistoryPage
						for i := range im.Seq(30) { // quotes are twice as long in JSON
							page.Entries = append(page.Entries, im.Entry{
								Conv: 5, Seq: i + 1, From: im.UserID(i + 1),
								Content: im.Content{Kind: "text", Text: strings.Repeat(`"`, 16<<10)},
							})
							page.Users = append(page.Users, im.User{ID: im.UserID(i + 1)})
						}
						return page, nil
					}
					d := r.dial()
					d.codec = codec
					d.hello(r.token(1, 1))
					f := d.ask(clientpb.Type_HISTORY, &clientpb.History{Conv: 5, Before: before})
					if len(f.Body) > 130<<10 {
						t.Errorf("the page has %d bytes, want at most 128 KiB and its frame", len(f.Body))
					}
					page := body[clientpb.Page](t, f)
					all := page.GetMessages()
					if !page.GetMore() || len(all) < 2 {
						t.Fatalf("%d entries and more %v; want a part and more", len(all), page.GetMore())
					}
					if first, last := all[0].GetSeq(), all[len(all)-1].GetSeq(); before == 0 && first != 1 || before != 0 && last != 30 {
						t.Errorf("entries %d to %d", first, last)
					}
					if len(page.GetUsers()) != len(all) {
						t.Errorf("%d users for %d senders", len(page.GetUsers()), len(all))
					}
				})
			})
		}
	}
}

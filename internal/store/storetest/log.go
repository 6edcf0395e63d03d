package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

// logThemes are the promises of the log.
func logThemes() []theme {
	return []theme{
		{"AppendNumbersInOrder", testAppendNumbersInOrder},
		{"AppendKeepsContent", testAppendKeepsContent},
		{"AppendJudgesRights", testAppendJudgesRights},
		{"AppendJudgesReplies", testAppendJudgesReplies},
		{"AppendRefusesOldDrafts", testAppendRefusesOldDrafts},
		{"AppendOfManyAtOnce", testAppendOfManyAtOnce},
		{"OneKeyIsOneEntry", testOneKeyIsOneEntry},
		{"OneKeyAtOnceIsOneEntry", testOneKeyAtOnceIsOneEntry},
		{"AgainAfterTheRightIsGone", testAgainAfterTheRightIsGone},
		{"OrderIsDenseUnderConcurrency", testOrderIsDenseUnderConcurrency},
		{"TwoProcessesShareOneOrder", testTwoProcessesShareOneOrder},
		{"RestartKeepsEverything", testRestartKeepsEverything},
		{"HistoryPages", testHistoryPages},
		{"HistoryEndsAtBytes", testHistoryEndsAtBytes},
		{"HistoryIsForMembers", testHistoryIsForMembers},
		{"DamageIsShownAsDamage", testDamageIsShownAsDamage},
		{"ReadMarks", testReadMarks},
		{"ReadMarksTellThePeer", testReadMarksTellThePeer},
		{"ReadMarksMove", testReadMarksMove},
		{"Audience", testAudience},
		{"ChangesShowConversations", testChangesShowConversations},
		{"ChangesPage", testChangesPage},
		{"ChangesEndAtBytes", testChangesEndAtBytes},
		{"SyncMissesNothing", testSyncMissesNothing},
		{"WhoJoinsAndLeaves", testWhoJoinsAndLeaves},
	}
}

func testAppendNumbersInOrder(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	start := w.conversation(a.ID, conv).Head
	before := im.ToMillis(time.Now().Add(-time.Minute))
	got := w.append(
		w.draft(a.ID, conv, "key-0001", "one"),
		w.draft(b.ID, conv, "key-0001", "two"), // another sender's key is another key
		w.draft(a.ID, conv, "key-0002", "three"),
	)
	for i, r := range got {
		if r.Err != nil || r.Again {
			t.Fatalf("draft %d: err %v, again %v", i, r.Err, r.Again)
		}
		if want := start + im.Seq(i) + 1; r.Entry.Seq != want {
			t.Errorf("draft %d: seq %d, want %d", i, r.Entry.Seq, want)
		}
		if r.Entry.At < before || r.Entry.At > im.ToMillis(time.Now().Add(time.Minute)) {
			t.Errorf("draft %d: at %v, want about now", i, r.Entry.At.Time())
		}
		if d := cmp.Diff([]im.UserID{a.ID, b.ID}, slices.Sorted(slices.Values(r.Members))); d != "" {
			t.Errorf("draft %d: members to push to (-want +got):\n%s", i, d)
		}
	}
	want := []im.Entry{got[0].Entry, got[1].Entry, got[2].Entry}
	for _, u := range []im.UserID{a.ID, b.ID} {
		if d := cmp.Diff(want, w.log(u, conv)[start:]); d != "" {
			t.Errorf("what user %d reads is not what was acknowledged (-want +got):\n%s", u, d)
		}
	}
	if c := w.conversation(a.ID, conv); c.Read != start+3 || c.PeerRead != start+2 {
		t.Errorf("sending moved watermarks to %d and %d, want %d and %d", c.Read, c.PeerRead, start+3, start+2)
	}
}

func testAppendKeepsContent(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	contents := []im.Content{
		{Kind: im.KindText, Text: "plain"},
		{Kind: im.KindText, Text: "聊天 😀 <b>&amp;</b> \"quoted\" \u2028 it's 100%\n\ttabbed"},
		{Kind: im.KindText, Text: "a reply", ReplyTo: 1},
		{Kind: "x-poll", Text: "what to show", Data: []byte(`{"q":"<&>","n":1.50e3,"deep":{"a":[1,null,"\u00e9"]}}`)},
		{Kind: "x-nothing"},
		{Kind: im.KindText, Text: strings.Repeat("长", im.MaxText/3)},
		{Kind: "x-large", Data: []byte(`{"d":"` + strings.Repeat("d", im.MaxData-9) + `"}`)},
	}
	var drafts []im.Draft
	for i, c := range contents {
		drafts = append(drafts, w.draftOf(a.ID, conv, fmt.Sprintf("content-%d", i), c))
	}
	var want []im.Entry
	for i, r := range w.append(drafts...) {
		if r.Err != nil {
			t.Fatalf("content %d: %v", i, r.Err)
		}
		if d := cmp.Diff(contents[i], r.Entry.Content); d != "" {
			t.Errorf("content %d is acknowledged as another (-want +got):\n%s", i, d)
		}
		want = append(want, r.Entry)
	}
	log := w.log(b.ID, conv)
	if d := cmp.Diff(want, log[len(log)-len(want):]); d != "" {
		t.Errorf("read back (-want +got):\n%s", d)
	}
	for i, r := range w.append(drafts...) {
		if d := cmp.Diff(want[i], r.Entry); d != "" || !r.Again {
			t.Errorf("content %d, sent again: again %v, (-want +got):\n%s", i, r.Again, d)
		}
	}
	if d := cmp.Diff(&want[len(want)-1], w.conversation(b.ID, conv).Last); d != "" {
		t.Errorf("the last entry in the list (-want +got):\n%s", d)
	}
}

func testAppendJudgesRights(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	stranger := w.user("eve")
	var inbox im.ConvID
	for _, c := range w.changes(a.ID) {
		if c.Kind == im.Inbox {
			inbox = c.ID
		}
	}
	got := w.append(
		w.draft(a.ID, conv, "good-0001", "first"),
		w.draft(stranger.ID, conv, "bad-00001", "let me in"),
		w.draft(a.ID, 1<<52, "bad-00002", "nowhere"),
		w.draft(a.ID, inbox, "bad-00003", "a note to myself"),
		w.draft(stranger.ID, inbox, "bad-00004", "a note to another"),
		w.draft(b.ID, conv, "good-0002", "second"),
	)
	for i, want := range []im.Code{0, im.NotFound, im.NotFound, im.Forbidden, im.NotFound, 0} {
		if want == 0 {
			if got[i].Err != nil {
				t.Errorf("draft %d: %v", i, got[i].Err)
			}
			continue
		}
		wantCode(t, fmt.Sprintf("draft %d", i), got[i].Err, want)
		if got[i].Entry.Seq != 0 || got[i].Members != nil {
			t.Errorf("draft %d was refused and still has entry %d for %v", i, got[i].Entry.Seq, got[i].Members)
		}
	}
	if got[5].Entry.Seq != got[0].Entry.Seq+1 {
		t.Errorf("what was refused took a number: %d then %d", got[0].Entry.Seq, got[5].Entry.Seq)
	}
	// The two who do not see a conversation cannot tell whether there is one.
	if d := cmp.Diff(got[1].Err.Error(), got[2].Err.Error()); d != "" {
		t.Errorf("a foreign and a missing conversation answer differently:\n%s", d)
	}
	w.remove(b.ID, a.ID)
	for _, u := range []im.UserID{a.ID, b.ID} {
		wantCode(t, "send to a former friend", w.append(w.draft(u, conv, "late-0001", "hey"))[0].Err, im.Forbidden)
	}
	head := got[5].Entry.Seq
	if c := w.conversation(a.ID, conv); c.Head != head {
		t.Errorf("the head is %d after refusals, want %d", c.Head, head)
	}
}

func testAppendJudgesReplies(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, _, conv := w.pair("ann", "bob")
	head := w.conversation(a.ID, conv).Head
	reply := func(key string, to im.Seq) im.Draft {
		return w.draftOf(a.ID, conv, key, im.Content{Kind: im.KindText, Text: "re", ReplyTo: to})
	}
	got := w.append(
		reply("reply-001", head),
		reply("reply-002", head+1), // to the one before in the same call
		reply("reply-003", head+3), // to itself
		reply("reply-004", 4_000_000_000),
	)
	if got[0].Err != nil || got[1].Err != nil {
		t.Errorf("replies to what is there: %v, %v", got[0].Err, got[1].Err)
	}
	wantCode(t, "a reply to itself", got[2].Err, im.Invalid)
	wantCode(t, "a reply to nothing", got[3].Err, im.Invalid)
}

func testAppendRefusesOldDrafts(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	old, err := im.NewDraft(a.ID, conv, "old-00001", im.Content{Kind: im.KindText, Text: "late"}, time.Now().Add(-6*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	got := w.append(old, w.draft(b.ID, conv, "new-00001", "in time"))
	wantCode(t, "a draft of 6 s ago", got[0].Err, im.Overloaded)
	var e *im.Error
	if errors.As(got[0].Err, &e) && e.RetryAfter <= 0 {
		t.Error("an overloaded store must say when to come back")
	}
	if got[1].Err != nil {
		t.Errorf("the draft beside it: %v", got[1].Err)
	}
	// It did nothing, so its key is free.
	if r := w.append(w.draft(a.ID, conv, "old-00001", "again"))[0]; r.Err != nil || r.Again {
		t.Errorf("the refused key: err %v, again %v; want it to be new", r.Err, r.Again)
	}
}

// testAppendOfManyAtOnce has more conversations and drafts than any statement takes.
func testAppendOfManyAtOnce(t *testing.T, home Home) {
	w := newWorld(t, home)
	hub := w.user("hub")
	var drafts []im.Draft
	var convs []im.ConvID
	for i := range 70 {
		conv := w.befriend(w.user(fmt.Sprintf("user%d", i)).ID, hub.ID, "")
		convs = append(convs, conv)
		for n := range 1 + i%4 {
			drafts = append(drafts, w.draft(hub.ID, conv, fmt.Sprintf("key-%04d", n), fmt.Sprintf("%d.%d", i, n)))
		}
	}
	for range 2 { // the second time all of it is there already
		for i, r := range w.append(drafts...) {
			if r.Err != nil {
				t.Fatalf("draft %d: %v", i, r.Err)
			}
			if r.Entry.Conv != drafts[i].Conv() || r.Entry.Content.Text != drafts[i].Content().Text {
				t.Errorf("draft %d got the answer of another: %+v", i, r.Entry)
			}
		}
	}
	for i, conv := range convs {
		log := w.log(hub.ID, conv)
		if want := 1 + 1 + i%4; len(log) != want || log[want-1].Seq != im.Seq(want) {
			t.Errorf("conversation %d holds %d entries, want %d", i, len(log), want)
		}
	}
}

func testOneKeyIsOneEntry(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	other := w.befriend(a.ID, w.user("cyd").ID, "hi")
	first := w.send(a.ID, conv, "Same-Key", "original")

	again := w.append(
		w.draft(a.ID, conv, "Same-Key", "changed"),
		w.draft(a.ID, conv, "Fresh-key", "new"),
		w.draft(a.ID, conv, "Fresh-key", "twice in one call"),
	)
	if d := cmp.Diff(first, again[0].Entry); d != "" || !again[0].Again {
		t.Errorf("the key again: again %v, entry (-want +got):\n%s", again[0].Again, d)
	}
	if len(again[0].Members) != 2 {
		t.Errorf("a retry is to be pushed to %v, want both: the first push may be lost", again[0].Members)
	}
	if again[1].Again || !again[2].Again || again[2].Entry.Seq != again[1].Entry.Seq {
		t.Errorf("a key twice in one call: %+v, then %+v", again[1], again[2])
	}
	for _, d := range []im.Draft{
		w.draft(a.ID, conv, "same-key", "another by case"),
		w.draft(a.ID, conv, "SAME-KEY", "another by case"),
		w.draft(a.ID, conv, "Same-Key.", "another by its end"),
		w.draft(b.ID, conv, "Same-Key", "another sender's"),
		w.draft(a.ID, other, "Same-Key", "in another conversation"),
	} {
		if r := w.append(d)[0]; r.Err != nil || r.Again {
			t.Errorf("%s: err %v, again %v; want a new entry", d.Content().Text, r.Err, r.Again)
		}
	}
}

func testOneKeyAtOnceIsOneEntry(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, _, conv := w.pair("ann", "bob")
	head := w.conversation(a.ID, conv).Head
	const n = 50
	var results [n]im.Appended
	inParallel(n, func(i int) {
		got, err := w.Append(t.Context(), []im.Draft{w.draft(a.ID, conv, "the-one-key", fmt.Sprintf("by %d", i))})
		if err != nil {
			t.Errorf("call %d: %v", i, err)
			return
		}
		results[i] = got[0]
	})
	fresh := 0
	for i, r := range results {
		if r.Err != nil {
			t.Errorf("call %d: %v", i, r.Err)
			continue
		}
		if r.Entry.Seq != head+1 || r.Entry.Content.Text != results[0].Entry.Content.Text {
			t.Errorf("call %d got %d %q, want what all others got", i, r.Entry.Seq, r.Entry.Content.Text)
		}
		if !r.Again {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d calls were told that they were the first, want 1", fresh)
	}
	if got := w.conversation(a.ID, conv).Head; got != head+1 {
		t.Errorf("head %d, want %d", got, head+1)
	}
}

func testAgainAfterTheRightIsGone(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	first := w.send(a.ID, conv, "the-first", "hello")
	for _, end := range []struct {
		how string
		do  func()
	}{
		{"blocked", func() { w.block(b.ID, a.ID, true) }},
		{"removed", func() { w.block(b.ID, a.ID, false); w.remove(b.ID, a.ID) }},
	} {
		end.do()
		got := w.append(w.draft(a.ID, conv, "the-first", "hello"), w.draft(a.ID, conv, "the-second-"+end.how, "hello?"))
		if d := cmp.Diff(first, got[0].Entry); d != "" || !got[0].Again || got[0].Err != nil {
			t.Errorf("%s: err %v, again %v, entry (-want +got):\n%s", end.how, got[0].Err, got[0].Again, d)
		}
		if got[0].Members != nil {
			t.Errorf("%s: pushed again to %v, want nobody", end.how, got[0].Members)
		}
		wantCode(t, end.how, got[1].Err, im.Forbidden)
	}
}

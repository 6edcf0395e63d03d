package contract_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/liao-im/liao/test/liaotest"
)

type object = liaotest.Object

// text is the body of a SEND.
func text(conv, key, s string) object {
	return object{"conv": conv, "key": key, "content": object{"kind": "text", "text": s}}
}

// TestStory is the whole way from two strangers to two friends who talk, over a
// break of one's connection and a restart of the server.
func TestStory(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann, ben := s.SignUp("ann"), s.SignUp("ben")
	if got, want := liaotest.Text(ann.Login, "chat.tcp"), s.Chat; got != want {
		t.Errorf("the login names chat %q, want %q", got, want)
	}
	a, b := ann.Connect(), ben.Connect()
	for field, want := range map[string]string{"user.id": ann.ID, "user.handle": "ann", "deviceId": ann.Device} {
		if got := a.Welcome.Text(field); got != want {
			t.Errorf("WELCOME %s = %q, want %q", field, got, want)
		}
	}
	if a.Welcome.Text("epoch") == "" || a.Welcome.Text("serverTimeMs") == "" || a.Welcome.Number("heartbeatMs") != 30000 || a.Welcome.Number("maxBody") != 131072 {
		t.Errorf("WELCOME %v: want epoch, serverTimeMs, heartbeatMs 30000, maxBody 131072", a.Welcome.Body)
	}

	found := a.Ask("FIND_USERS", object{"query": "be"}).Want("USERS").Objects("users")
	if len(found) != 1 || liaotest.Text(found[0], "id") != ben.ID {
		t.Fatalf("FIND_USERS be = %v, want ben alone", found)
	}
	a.Ask("REQUEST_FRIEND", object{"user": ben.ID, "greeting": "hello from ann"}).Want("OK")
	event := b.Next("MESSAGE")
	if event.Text("content.kind") != "friend.requested" || event.Text("content.data.user.id") != ann.ID ||
		event.Text("content.data.greeting") != "hello from ann" {
		t.Fatalf("ben's inbox got %v, want friend.requested of ann", event.Body)
	}
	list := b.Ask("FRIENDS", nil).Want("FRIEND_LIST")
	if r := list.Objects("requests"); len(r) != 1 || liaotest.Text(r[0], "user.handle") != "ann" {
		t.Fatalf("ben's FRIENDS %v: want one request, of ann", list.Body)
	}
	conv := b.Ask("ANSWER_FRIEND", object{"user": ann.ID, "accept": true}).Want("ANSWERED").Text("conv")
	if conv == "" || conv == "0" {
		t.Fatal("ANSWERED names no conversation")
	}
	waitFor(t, a, "friend.accepted", func(f liaotest.Frame) bool {
		return f.Text("content.kind") == "friend.accepted" && f.Text("content.data.conv") == conv && f.Text("from") == ""
	})
	started := a.Ask("HISTORY", object{"conv": conv}).Want("PAGE").Objects("messages")
	if len(started) != 2 || liaotest.Text(started[0], "content.text") != "hello from ann" || liaotest.Text(started[0], "from") != ann.ID ||
		liaotest.Text(started[1], "content.kind") != "friend.started" {
		t.Fatalf("the conversation begins with %v, want the greeting and friend.started", started)
	}

	sent := a.Ask("SEND", text(conv, "key-ann-0001", "first")).Want("SENT")
	if sent.Number("seq") != 3 || sent.Text("conv") != conv || sent.Text("key") != "key-ann-0001" || sent.Text("atMs") == "" {
		t.Fatalf("SENT %v, want seq 3 and the key", sent.Body)
	}
	got := waitFor(t, b, "ann's message", func(f liaotest.Frame) bool { return f.Text("content.text") == "first" })
	if got.Number("seq") != 3 || got.Text("from") != ann.ID || got.Text("key") != "" || got.Text("atMs") != sent.Text("atMs") {
		t.Errorf("MESSAGE %v: want seq 3 from ann at the same time, and no key", got.Body)
	}

	b.Ask("READ", object{"conv": conv, "seq": 3}).Want("OK")
	if r := a.Next("RECEIPT"); r.Text("conv") != conv || r.Text("user") != ben.ID || r.Number("seq") != 3 {
		t.Errorf("RECEIPT %v, want ben at 3", r.Body)
	}
	if err := b.Write(liaotest.Encode(liaotest.Types["TYPING"], 0, object{"conv": conv})); err != nil {
		t.Fatal(err)
	}
	if f := a.Next("TYPING"); f.Text("conv") != conv || f.Text("user") != ben.ID {
		t.Errorf("TYPING %v, want ben", f.Body)
	}

	// Ben goes; Ann writes; the server is restarted; Ben comes back to what he missed.
	cursor := syncAll(t, b, "").cursor
	b.Close()
	for i := range 5 {
		a.Ask("SEND", text(conv, "key-missed-"+strconv.Itoa(i), "missed "+strconv.Itoa(i))).Want("SENT")
	}
	if code, took := s.Stop(); code != 0 || took.Seconds() > 10 {
		t.Errorf("SIGTERM: exit %d after %v, want 0 within 10 s\n%s", code, took, s.Log())
	}
	a.Gone("DRAINING")
	s.Run()
	s.WaitReady()

	b = ben.Connect()
	changes := syncAll(t, b, cursor)
	c := changes.conversations[conv]
	if c == nil || c["head"] != float64(8) || c["read"] != float64(3) || liaotest.Text(c, "last.content.text") != "missed 4" ||
		liaotest.Text(c, "kind") != "direct" || liaotest.Text(c, "peer.id") != ann.ID {
		t.Fatalf("SYNC gives %v, want head 8, read 3, ann as the peer", c)
	}
	page := b.Ask("HISTORY", object{"conv": conv, "after": 3}).Want("PAGE")
	for i, m := range page.Objects("messages") {
		if liaotest.Text(m, "content.text") != "missed "+strconv.Itoa(i) || m["seq"] != float64(4+i) {
			t.Errorf("entry %d is %v, want missed %d", i, m, i)
		}
	}
	if n := len(page.Objects("messages")); n != 5 || page.Number("head") != 8 || page.Body["more"] == true {
		t.Errorf("HISTORY: %d entries, head %d, more %v; want 5, 8, false", n, page.Number("head"), page.Body["more"])
	}
	if again := syncAll(t, b, changes.cursor); again.conversations[conv] != nil && again.conversations[conv]["head"] != float64(8) {
		t.Errorf("a further SYNC gives %v", again.conversations)
	}
}

// TestKillAfterSent kills the server right after an acknowledgement, again and
// again: what was acknowledged is there.
func TestKillAfterSent(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_SENDS_PER_SECOND=0"}})
	ann, ben := s.SignUp("ann"), s.SignUp("ben")
	conv := liaotest.Befriend(ann.Connect(), ben.Connect())
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	head := 1
	for i := range rounds {
		l := ann.Connect()
		key := "key-kill-" + strconv.Itoa(i)
		sent := l.Ask("SEND", text(conv, key, key)).Want("SENT")
		s.Kill()
		head++
		if sent.Number("seq") != head {
			t.Fatalf("round %d: SENT seq %d, want %d", i, sent.Number("seq"), head)
		}
		s.Run()
		s.WaitReady()
		m := ben.Connect().Ask("HISTORY", object{"conv": conv, "after": head - 1}).Want("PAGE").Objects("messages")
		if len(m) != 1 || liaotest.Text(m[0], "content.text") != key {
			t.Fatalf("round %d: after the kill the log holds %v, want %s", i, m, key)
		}
		again := ann.Connect().Ask("SEND", text(conv, key, "another text")).Want("SENT")
		if again.Number("seq") != head || again.Body["again"] != true || again.Text("atMs") != sent.Text("atMs") {
			t.Fatalf("round %d: the same key again gives %v, want the original's seq %d and time", i, again.Body, head)
		}
	}
}

// waitFor returns the next MESSAGE for which ok holds.
func waitFor(t *testing.T, l *liaotest.Line, what string, ok func(liaotest.Frame) bool) liaotest.Frame {
	t.Helper()
	for range 20 {
		if f := l.Next("MESSAGE"); ok(f) {
			return f
		}
	}
	t.Fatalf("20 messages came, none was %s", what)
	return liaotest.Frame{}
}

type synced struct {
	cursor        string
	conversations map[string]object
	reset         bool
}

// syncAll asks SYNC until there is no more.
func syncAll(t *testing.T, l *liaotest.Line, cursor string) synced {
	t.Helper()
	out := synced{cursor: cursor, conversations: map[string]object{}}
	for range 1000 {
		f := l.Ask("SYNC", object{"cursor": out.cursor}).Want("CHANGES")
		for _, c := range f.Objects("conversations") {
			out.conversations[liaotest.Text(c, "id")] = c
		}
		out.cursor = f.Text("cursor")
		out.reset = out.reset || f.Body["reset"] == true
		if f.Body["more"] != true {
			return out
		}
	}
	t.Fatal("SYNC says more for ever")
	return out
}

// TestCatalogue asks for what a client may rely on besides the frames.
func TestCatalogue(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	api := s.Call(http.MethodGet, "/v1/openapi.json", "", nil).Want(t, http.StatusOK)
	if v := api.String("openapi"); len(v) < 3 || v[:3] != "3.1" {
		t.Errorf("openapi %q, want 3.1", v)
	}
	paths, _ := api.Body["paths"].(object)
	for _, p := range []string{
		"/v1/codes", "/v1/accounts", "/v1/logins", "/v1/logins/refresh", "/v1/logins/{id}", "/v1/logins/current",
		"/v1/password-resets", "/v1/me/password", "/v1/nodes", "/v1/me", "/v1/me/avatar", "/v1/avatars/{sha256}",
	} {
		if paths[p] == nil {
			t.Errorf("the description lacks %s", p)
		}
	}
}

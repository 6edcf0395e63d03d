package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/sqlstore"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// newStory is a room on a real store, with n users of which the first two are friends.
func newStory(t *testing.T, n int) (*rig, *sqlstore.Store, []sqlstore.Seeded) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Options{Driver: "sqlite", Path: filepath.Join(t.TempDir(), "liao.db")})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { store.Close() })
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	var users []sqlstore.Seeded
	for _, o := range []sqlstore.SeedOptions{{Users: 2, Pairs: true}, {Users: n - 2}} {
		if err := store.Seed(t.Context(), o, func(s sqlstore.Seeded) error {
			users = append(users, s)
			return nil
		}); err != nil {
			t.Fatalf("seed: %v", err)
		}
	}
	r := newRig(t, func(o *chat.Options) {
		o.Log, o.People, o.Tokens, o.Limits = store, store, store, chat.DefaultLimits()
	})
	return r, store, users
}

// tcp connects over a real socket and says HELLO.
func (r *rig) tcp(codec wire.Codec, token string) *device {
	r.t.Helper()
	d := &device{t: r.t, conn: r.dialTCP(), codec: codec}
	d.listen()
	d.hello(token)
	return d
}

func TestTheStoryOnARealStore(t *testing.T) {
	t.Parallel()
	r, _, users := newStory(t, 3)
	ann, bob, carl := users[0], users[1], users[2]
	a, b, c := r.tcp(wire.JSON, ann.Token), r.tcp(wire.Protobuf, bob.Token), r.tcp(wire.JSON, carl.Token)

	sent := body[clientpb.Sent](t, a.ask(clientpb.Type_SEND, text(ann.Conv, "key-00001", "hello")))
	got := body[clientpb.Message](t, b.pushed(clientpb.Type_MESSAGE))
	if got.GetSeq() != sent.GetSeq() || got.GetContent().GetText() != "hello" || got.GetFrom() != uint64(ann.User.ID) {
		t.Errorf("bob got %v for %v", got, sent)
	}
	wantError(t, c.ask(clientpb.Type_SEND, text(ann.Conv, "key-00001", "let me in")), clientpb.Code_NOT_FOUND)
	wantError(t, c.ask(clientpb.Type_HISTORY, &clientpb.History{Conv: uint64(ann.Conv)}), clientpb.Code_NOT_FOUND)

	if f := b.ask(clientpb.Type_READ, &clientpb.Read{Conv: uint64(ann.Conv), Seq: sent.GetSeq()}); f.Type != clientpb.Type_OK {
		t.Errorf("READ is answered by %v", f.Type)
	}
	if m := body[clientpb.Receipt](t, a.pushed(clientpb.Type_RECEIPT)); m.GetSeq() != sent.GetSeq() || m.GetUser() != uint64(bob.User.ID) {
		t.Errorf("ann got %v", m)
	}
	again := body[clientpb.Sent](t, a.ask(clientpb.Type_SEND, text(ann.Conv, "key-00001", "other words")))
	if !again.GetAgain() || again.GetSeq() != sent.GetSeq() {
		t.Errorf("the retry got %v", again)
	}
	page := body[clientpb.Page](t, b.ask(clientpb.Type_HISTORY, &clientpb.History{Conv: uint64(ann.Conv)}))
	if n := len(page.GetMessages()); n == 0 || page.GetMessages()[n-1].GetSeq() != sent.GetSeq() || page.GetMore() {
		t.Errorf("history is %v", page)
	}
	changes := b.sync("", 0)
	found := false
	for _, conv := range changes.GetConversations() {
		found = found || conv.GetId() == uint64(ann.Conv) && conv.GetHead() == sent.GetSeq() && conv.GetRead() == sent.GetSeq()
	}
	if !found || changes.GetMore() {
		t.Errorf("SYNC gave %v", changes)
	}

	// Carl asks, ann accepts, and all of it is told.
	if f := c.ask(clientpb.Type_REQUEST_FRIEND, &clientpb.RequestFriend{User: uint64(ann.User.ID), Greeting: "it is carl"}); f.Type != clientpb.Type_OK {
		t.Fatalf("REQUEST_FRIEND is answered by %v %q", f.Type, f.Body)
	}
	if m := body[clientpb.Message](t, a.pushed(clientpb.Type_MESSAGE)); m.GetContent().GetKind() != im.KindFriendRequested {
		t.Errorf("ann got %v", m)
	}
	conv := body[clientpb.Answered](t, a.ask(clientpb.Type_ANSWER_FRIEND, &clientpb.AnswerFriend{User: uint64(carl.User.ID), Accept: true})).GetConv()
	if f := c.ask(clientpb.Type_SEND, text(im.ConvID(conv), "key-00002", "thanks")); f.Type != clientpb.Type_SENT {
		t.Errorf("the new friend's SEND is answered by %v", f.Type)
	}
	list := body[clientpb.FriendList](t, a.ask(clientpb.Type_FRIENDS, nil))
	if len(list.GetFriends()) != 2 || !list.GetFriends()[0].GetOnline() || !list.GetFriends()[1].GetOnline() {
		t.Errorf("ann's contacts are %v", list)
	}

	// Ann blocks carl: what he writes is refused, and he is told no more than that.
	if f := a.ask(clientpb.Type_BLOCK, &clientpb.UserRef{User: uint64(carl.User.ID)}); f.Type != clientpb.Type_OK {
		t.Fatalf("BLOCK is answered by %v", f.Type)
	}
	wantError(t, c.ask(clientpb.Type_SEND, text(im.ConvID(conv), "key-00003", "hey?")), clientpb.Code_FORBIDDEN)
	if f := c.ask(clientpb.Type_SEND, text(im.ConvID(conv), "key-00002", "thanks")); f.Type != clientpb.Type_SENT {
		t.Errorf("a key that is stored is answered by %v", f.Type)
	}
}

func TestARevocationInTheStoreEndsTheConnection(t *testing.T) {
	t.Parallel()
	r, store, users := newStory(t, 2)
	d := r.tcp(wire.Protobuf, users[0].Token)
	if _, err := store.RevokeAll(t.Context(), users[0].User.ID); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if bye := d.goodbye(); bye.GetReason() != clientpb.Reason_UNAUTHORIZED {
		t.Errorf("GOAWAY(%v), want UNAUTHORIZED", bye.GetReason())
	}
	t.Logf("closed %v after the revocation", time.Since(start))
	late := &device{t: t, conn: r.dialTCP(), codec: wire.Protobuf}
	late.listen()
	late.send(clientpb.Type_HELLO, 1, &clientpb.Hello{Token: users[0].Token})
	if bye := late.goodbye(); bye.GetReason() != clientpb.Reason_UNAUTHORIZED {
		t.Errorf("HELLO of a revoked login: GOAWAY(%v), want UNAUTHORIZED", bye.GetReason())
	}
}

// With a browser's console: text both ways.
func TestTextOverWebSocket(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.converse(5, im.Direct, 1, 2)
	srv := httptest.NewServer(transport.NewWebSocketHandler(transport.WebSocketOptions{Handle: r.chat.Serve}))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(srv.URL, "http"), &websocket.DialOptions{Subprotocols: []string{transport.Subprotocol}})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if res.Body != nil {
		res.Body.Close()
	}
	defer ws.CloseNow()
	say := func(s string) {
		t.Helper()
		if err := ws.Write(ctx, websocket.MessageText, []byte(s)); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	type message struct {
		Type string
		ID   uint32
		Body map[string]any
	}
	hear := func(want string, id uint32) map[string]any {
		t.Helper()
		kind, b, err := ws.Read(ctx)
		if err != nil {
			t.Fatalf("read %s: %v", want, err)
		}
		var m message
		if err := json.Unmarshal(b, &m); err != nil || kind != websocket.MessageText || m.Type != want || m.ID != id {
			t.Fatalf("heard %v %s, want %s with id %d", kind, b, want, id)
		}
		return m.Body
	}
	say(fmt.Sprintf(`{"type":"HELLO","id":1,"body":{"token":%q}}`, r.token(1, 1)))
	if node := hear("WELCOME", 1)["node"]; node != "node-1" {
		t.Errorf("node is %v", node)
	}
	say(`{"type":"SEND","id":2,"body":{"conv":"5","key":"key-00001","content":{"kind":"text","text":"hi"}}}`)
	if seq := hear("SENT", 2)["seq"]; seq != 1.0 {
		t.Errorf("seq is %v", seq)
	}
	say(`{"type":"DANCE","id":3}`)
	if code := hear("ERROR", 3)["code"]; code != "UNSUPPORTED" {
		t.Errorf("an unknown type is %v", code)
	}
	r.chat.Push(ctx, post(1, 3, 1))
	if conv := hear("MESSAGE", 0)["conv"]; conv != "9" {
		t.Errorf("a push is of conversation %v", conv)
	}
	if err := ws.Write(ctx, websocket.MessageBinary, wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_PING, ID: 4})); err != nil {
		t.Fatalf("write: %v", err)
	}
	if reason := hear("GOAWAY", 0)["reason"]; reason != "PROTOCOL" {
		t.Errorf("a binary message after text: GOAWAY(%v), want PROTOCOL", reason)
	}
}

package contract_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/test/liaotest"
)

func TestHelloRefusals(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_CHAT_HELLO_TIMEOUT=1s"}})
	ann := s.SignUp("ann")
	hello := func(body object) []byte { return liaotest.Encode(liaotest.Types["HELLO"], 1, body) }
	for _, tc := range []struct {
		name   string
		send   []byte
		code   string // of the ERROR before the GOAWAY; "" for none
		reason string
	}{
		{"no token", hello(object{}), "UNAUTHENTICATED", "UNAUTHORIZED"},
		{"nonsense for a token", hello(object{"token": "nonsense"}), "UNAUTHENTICATED", "UNAUTHORIZED"},
		{"a refresh token", hello(object{"token": ann.Refresh}), "UNAUTHENTICATED", "UNAUTHORIZED"},
		{"a token cut short", hello(object{"token": ann.Access[:len(ann.Access)-1]}), "UNAUTHENTICATED", "UNAUTHORIZED"},
		{"another frame first", liaotest.Encode(liaotest.Types["SYNC"], 1, object{}), "", "PROTOCOL"},
		{"an unknown type first", liaotest.Encode(999, 1, object{}), "", "PROTOCOL"},
		{"wrong magic", []byte("GET / HTTP/1.1\r\n\r\n"), "", "PROTOCOL"},
		{"a codec that does not exist", liaotest.EncodeRaw(3, 1, 1, nil), "", "PROTOCOL"},
		{"a body over 4 KiB", hello(object{"token": strings.Repeat("a", 5000)}), "", "PROTOCOL"},
		{"a length of 2^32-1", []byte{0x4c, 1, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, "", "PROTOCOL"},
		{"a body that is no JSON", liaotest.EncodeRaw(1, 1, 1, []byte("{")), "", "PROTOCOL"},
		{"nothing at all", nil, "", "PROTOCOL"},
		{"half a header", []byte{0x4c, 1, 0}, "", "PROTOCOL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := s.Dial()
			if err := l.Write(tc.send); err != nil {
				t.Fatal(err)
			}
			if tc.code != "" {
				l.Answer(1).Refused(tc.code)
			}
			l.Gone(tc.reason)
		})
	}
}

func TestViolationsAfterHello(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	header := func(codec byte, size uint32) []byte {
		return binary.BigEndian.AppendUint32([]byte{0x4c, codec, 0, 21, 0, 0, 0, 9}, size)
	}
	for name, raw := range map[string][]byte{
		"a second HELLO":         liaotest.Encode(liaotest.Types["HELLO"], 9, object{"token": ann.Access}),
		"one byte over maxBody":  header(1, 131073),
		"2^31":                   header(1, 1<<31),
		"2^32-1":                 header(1, math.MaxUint32),
		"wrong magic":            []byte("x"),
		"another codec":          header(2, 0),
		"no JSON":                liaotest.EncodeRaw(1, 21, 9, []byte("nonsense")),
		"JSON of another type":   liaotest.EncodeRaw(1, 21, 9, []byte(`{"cursor":5}`)),
		"an array":               liaotest.EncodeRaw(1, 21, 9, []byte(`[]`)),
		"a field twice":          liaotest.EncodeRaw(1, 21, 9, []byte(`{"cursor":"","cursor":""}`)),
		"text that is not UTF-8": liaotest.EncodeRaw(1, 21, 9, []byte("{\"cursor\":\"\xff\"}")),
	} {
		t.Run(name, func(t *testing.T) {
			l := ann.LogIn("d").Connect()
			if err := l.Write(raw); err != nil {
				t.Fatal(err)
			}
			l.Gone("PROTOCOL")
		})
	}
}

func TestRequestsThatAreOnlyErrors(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	a, b := s.SignUp("ann").Connect(), s.SignUp("ben").Connect()
	conv := liaotest.Befriend(a, b)
	inbox := ""
	for id, c := range syncAll(t, a, "").conversations {
		if c["kind"] == "inbox" {
			inbox = id
		}
	}
	if inbox == "" {
		t.Fatal("SYNC shows no inbox")
	}
	send := func(key string, content object) object {
		return object{"conv": conv, "key": key, "content": content}
	}
	nest := func(n int) object {
		o := object{}
		for range n - 1 {
			o = object{"a": o}
		}
		return o
	}
	for _, tc := range []struct {
		name, typ string
		body      any
		code      string
	}{
		{"short key", "SEND", text(conv, "short", "a"), "INVALID"},
		{"no content", "SEND", object{"conv": conv, "key": "key-00000001"}, "INVALID"},
		{"no conversation", "SEND", object{"key": "key-00000001", "content": object{"kind": "text", "text": "a"}}, "INVALID"},
		{"empty text", "SEND", text(conv, "key-00000001", ""), "INVALID"},
		{"control character", "SEND", text(conv, "key-00000001", "\x07"), "INVALID"},
		{"unknown kind", "SEND", send("key-00000001", object{"kind": "video", "text": "a"}), "UNSUPPORTED"},
		{"the server's kind", "SEND", send("key-00000001", object{"kind": "friend.started", "text": "a"}), "FORBIDDEN"},
		{"text of 16 KiB and one", "SEND", text(conv, "key-00000001", strings.Repeat("a", 16385)), "TOO_LARGE"},
		{"data of 17 deep", "SEND", send("key-00000001", object{"kind": "x-a", "data": nest(17)}), "TOO_LARGE"},
		{"10,000 objects deep", "SEND", nest(10_000), "TOO_LARGE"},
		{"data over 16 KiB", "SEND", send("key-00000001", object{"kind": "x-a", "data": object{"a": strings.Repeat("a", 16384)}}), "TOO_LARGE"},
		{"a reply to nothing", "SEND", send("key-00000001", object{"kind": "text", "text": "a", "replyTo": 99}), "INVALID"},
		{"into my inbox", "SEND", text(inbox, "key-00000001", "a"), "FORBIDDEN"},
		{"read above head", "READ", object{"conv": conv, "seq": 99}, "INVALID"},
		{"history of 201", "HISTORY", object{"conv": conv, "limit": 201}, "INVALID"},
		{"sync of 201", "SYNC", object{"limit": 201}, "INVALID"},
		{"friends of 501", "FRIENDS", object{"limit": 501}, "INVALID"},
		{"a friend who is nobody", "REMARK", object{"user": "9007199254740000", "remark": "x"}, "NOT_FOUND"},
		{"a remark too long", "REMARK", object{"user": b.Person.ID, "remark": strings.Repeat("r", 65)}, "TOO_LARGE"},
		{"groups are to come", "CREATE_GROUP", object{"title": "x"}, "UNSUPPORTED"},
		{"a type of the server's", "SENT", object{}, "UNSUPPORTED"},
	} {
		t.Run(tc.name, func(t *testing.T) { a.Ask(tc.typ, tc.body).Refused(tc.code) })
	}
	t.Run("unknown type", func(t *testing.T) {
		if err := a.Write(liaotest.Encode(4242, 777, object{})); err != nil {
			t.Fatal(err)
		}
		a.Answer(777).Refused("UNSUPPORTED")
	})
	t.Run("id 0", func(t *testing.T) {
		if err := a.Write(liaotest.Encode(liaotest.Types["SYNC"], 0, object{})); err != nil {
			t.Fatal(err)
		}
		if f := a.Next("ERROR"); f.Text("code") != "INVALID" {
			t.Errorf("a request with id 0: %v, want INVALID", f.Body)
		}
	})
	t.Run("a key that is stored, whatever comes with it", func(t *testing.T) {
		first := a.Ask("SEND", text(conv, "key-00000008", "the original")).Want("SENT")
		for name, content := range map[string]any{
			"other text": object{"kind": "text", "text": "another"}, "unknown kind": object{"kind": "video"}, "nothing": object{},
			"the server's kind": object{"kind": "login.new"}, "too large": object{"kind": "text", "text": strings.Repeat("a", 16385)},
			"a reply to nothing": object{"kind": "text", "text": "a", "replyTo": 99},
		} {
			f := a.Ask("SEND", object{"conv": conv, "key": "key-00000008", "content": content}).Want("SENT")
			if f.Body["again"] != true || f.Number("seq") != first.Number("seq") || f.Text("atMs") != first.Text("atMs") {
				t.Errorf("%s: %v, want the original's %v again", name, f.Body, first.Body)
			}
		}
	})
	t.Run("what is right", func(t *testing.T) {
		a.Ask("SEND", send("key-00000009", object{"kind": "x-poll", "text": "a poll", "data": nest(16), "replyTo": 1})).Want("SENT")
		a.Ask("SEND", text(conv, "key-00000010", strings.Repeat("a", 16384))).Want("SENT")
		a.Ask("PING", nil).Want("PONG")
		a.Ask("SYNC", object{"unknownField": 1}).Want("CHANGES")
	})
}

// TestPipelining sends a thousand messages without waiting: each is answered, in
// order, and the log has them in that order without gaps.
func TestPipelining(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_SENDS_PER_SECOND=0"}})
	a, b := s.SignUp("ann").Connect(), s.SignUp("ben").Connect()
	conv := liaotest.Befriend(a, b)
	const n = 1000
	var all bytes.Buffer
	for i := range n {
		all.Write(liaotest.Encode(liaotest.Types["SEND"], uint32(1000+i), text(conv, fmt.Sprintf("key-%08d", i), strconv.Itoa(i))))
	}
	done := make(chan error, 1)
	go func() { done <- a.Write(all.Bytes()) }()
	for i := range n {
		sent := a.Any("SENT", "ERROR")
		if sent.ID != uint32(1000+i) || sent.Type != "SENT" || sent.Number("seq") != i+2 {
			t.Fatalf("answer %d is %s %d %v, want SENT %d seq %d", i, sent.Type, sent.ID, sent.Body, 1000+i, i+2)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	seen := 0
	for seen < n {
		m := b.NextMessage(conv)
		if m.Text("content.text") != strconv.Itoa(m.Number("seq")-2) && m.Number("seq") > 1 {
			t.Fatalf("MESSAGE %v: text and number differ", m.Body)
		}
		if m.Number("seq") > 1 {
			seen++
		}
	}
}

func TestDevices(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann, ben := s.SignUp("ann"), s.SignUp("ben")
	a1, b := ann.Connect(), ben.Connect()
	conv := liaotest.Befriend(a1, b)

	// Another device of mine sees what I send, with its key; the sending one does not.
	phone := ann.LogIn("phone")
	a2 := phone.Connect()
	a1.Ask("SEND", text(conv, "key-00000001", "to both")).Want("SENT")
	if m := a2.NextMessage(conv); m.Text("key") != "key-00000001" || m.Text("from") != ann.ID {
		t.Errorf("my other device got %v, want my message with its key", m.Body)
	}
	if m := waitFor(t, b, "the message", func(f liaotest.Frame) bool { return f.Text("content.text") == "to both" }); m.Text("key") != "" {
		t.Errorf("the friend got the key %q", m.Text("key"))
	}
	a1.Silent("GOAWAY")

	// The same device again: the later connection stays.
	again := phone.Connect()
	a2.Gone("REPLACED")
	again.Ask("PING", nil).Want("PONG")

	// A read on one device reaches the other.
	b.Ask("SEND", text(conv, "key-00000002", "to ann")).Want("SENT")
	a1.Ask("READ", object{"conv": conv, "seq": 3}).Want("OK")
	if r := again.Next("RECEIPT"); r.Text("user") != ann.ID || r.Number("seq") != 3 {
		t.Errorf("RECEIPT on my other device %v, want mine at 3", r.Body)
	}
}

func TestTenConnectionsOfAUser(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	first := ann.Connect()
	for i := range 10 {
		ann.LogIn("d" + strconv.Itoa(i)).Connect()
	}
	first.Gone("REPLACED")
}

func TestHeartbeat(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_CHAT_HEARTBEAT=1s"}})
	ann := s.SignUp("ann")
	silent, alive := ann.Connect(), ann.LogIn("alive").Connect()
	begin := time.Now()
	stop := make(chan struct{})
	answered := make(chan error, 1)
	go func() {
		tick := time.NewTicker(700 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := alive.Write(liaotest.Encode(liaotest.Types["PING"], 5, nil)); err != nil {
					answered <- err
					return
				}
			case <-stop:
				answered <- nil
				return
			}
		}
	}()
	silent.Gone("IDLE")
	if took := time.Since(begin); took < 2*time.Second || took > 8*time.Second {
		t.Errorf("a silent connection ended after %v, want 2.5 heartbeats of 1 s", took)
	}
	close(stop)
	if err := <-answered; err != nil {
		t.Errorf("the connection with heartbeats broke: %v", err)
	}
	alive.Ask("SYNC", object{}).Want("CHANGES")
}

func TestRates(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_SENDS_PER_SECOND=2", "LIAO_LIMITS_SEND_BURST=5"}})
	a, b := s.SignUp("ann").Connect(), s.SignUp("ben").Connect()
	conv := liaotest.Befriend(a, b)
	var limited liaotest.Frame
	for i := range 20 {
		f := a.Ask("SEND", text(conv, fmt.Sprintf("key-%08d", i), "x"))
		if f.Type == "ERROR" {
			limited = f
			break
		}
	}
	if limited.Text("code") != "RATE_LIMITED" || limited.Number("retryAfterMs") == 0 {
		t.Errorf("20 sends at once: %v, want RATE_LIMITED with retryAfterMs", limited.Body)
	}
}

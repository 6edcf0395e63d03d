package security_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liao-im/liao/test/liaotest"
)

// rss is the resident memory of the server in bytes.
func rss(t *testing.T, s *liaotest.Server) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func header(codec byte, typ uint16, id, size uint32) []byte {
	b := []byte{0x4c, codec}
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint32(b, id)
	return binary.BigEndian.AppendUint32(b, size)
}

// TestDeclaredLengths: a length that is too large closes at once; one that is
// allowed waits for its bytes and costs nothing until they come.
func TestDeclaredLengths(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	for _, size := range []uint32{4097, 131072, 1 << 31, math.MaxUint32} {
		for _, codec := range []byte{1, 2} {
			l := s.Dial()
			if err := l.Write(header(codec, 1, 1, size)); err != nil {
				t.Fatal(err)
			}
			l.Closed()
		}
	}
	for _, size := range []uint32{131073, 1 << 31, math.MaxUint32} {
		l := ann.LogIn("d" + strconv.Itoa(int(size))).Connect()
		if err := l.Write(header(1, 21, 1, size)); err != nil {
			t.Fatal(err)
		}
		l.Gone("PROTOCOL")
	}

	// 500 connections that each declare the most they may and send no body.
	before := rss(t, s)
	for range 500 {
		if err := s.Dial().Write(header(1, 1, 1, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	a := ann.Connect()
	if err := a.Write(header(1, 21, 5, 131072)); err != nil {
		t.Fatal(err)
	}
	if grown := rss(t, s) - before; grown > 500*64<<10 {
		t.Errorf("500 half frames cost %d KiB each, want at most 64", grown/500>>10)
	}
	// What waited is complete when its bytes come.
	body := append([]byte(`{"cursor":""`), bytes.Repeat([]byte(" "), 131072-13)...)
	if err := a.Write(append(body, '}')); err != nil {
		t.Fatal(err)
	}
	a.Answer(5).Want("CHANGES")
}

// TestHalfFrames: what stays half is closed in time, and what comes byte by byte is
// understood.
func TestHalfFrames(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	whole := liaotest.Encode(liaotest.Types["HELLO"], 1, object{"token": ann.Access})
	slow := s.Dial()
	for i := range whole {
		if err := slow.Write(whole[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	slow.Answer(1).Want("WELCOME")

	begin := time.Now()
	half := ann.LogIn("half").Connect()
	if err := half.Write(header(1, 21, 1, 100)); err != nil {
		t.Fatal(err)
	}
	half.Closed()
	if took := time.Since(begin); took < 8*time.Second || took > 15*time.Second {
		t.Errorf("a partial frame was closed after %v, want 10 s", took)
	}
}

// TestRandomBytes: whatever strangers say, the server lives, answers others and
// does not grow.
func TestRandomBytes(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	a := ann.Connect()
	before := rss(t, s)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(worker)))
			for range 250 {
				noise := make([]byte, r.IntN(2000))
				for i := range noise {
					noise[i] = byte(r.Uint32())
				}
				if r.IntN(2) == 0 && len(noise) > 12 { // a header that makes sense, and then nonsense
					copy(noise, header(byte(1+r.IntN(2)), uint16(r.IntN(70)), r.Uint32(), uint32(r.IntN(4097))))
				}
				l := s.Dial()
				_ = l.Write(noise)
				l.Close()
			}
		})
	}
	wg.Wait()
	a.Ask("PING", nil).Want("PONG")
	if grown := rss(t, s) - before; grown > 64<<20 {
		t.Errorf("1,000 connections of noise grew the server by %d MiB", grown>>20)
	}
}

// TestPoison: bodies that are allowed but strange, through the whole path; the
// server neither dies nor loses the connection, and what it stores it gives back.
func TestPoison(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_SENDS_PER_SECOND=0"}})
	a, b := s.SignUp("ann").Connect(), s.SignUp("ben").Connect()
	conv := liaotest.Befriend(a, b)
	texts := []string{
		"\u202e reversed", strings.Repeat("👩‍👩‍👧‍👦", 300), "\ufeff", "\u0000x", "\x1b[31m", "%s%s%n", "'; DROP TABLE users; --", "<script>alert(1)</script>",
		"{{template}}", strings.Repeat("́", 4000), "\u2028\u2029", "null", "\"}],\"", strings.Repeat("\n", 16000), "\U0010ffff", "İ", "ﷺ",
	}
	head := 1
	for i, s := range texts {
		f := a.Ask("SEND", object{"conv": conv, "key": fmt.Sprintf("key-%08d", i), "content": object{"kind": "text", "text": s}})
		if f.Type == "ERROR" {
			if code := f.Text("code"); code != "INVALID" {
				t.Errorf("text %d: %v, want SENT or INVALID", i, f.Body)
			}
			continue
		}
		head++
		if m := b.NextMessage(conv); m.Number("seq") == head && m.Text("content.text") != s {
			t.Errorf("text %d came as %q, want %q", i, m.Text("content.text"), s)
		}
	}
	datas := []any{
		object{"": ""},
		object{"a": []any{nil, true, 1e308, -1.5, "x"}},
		object{"__proto__": object{"x": 1}},
		object{"$gt": ""},
		object{"n": 9007199254740993.0},
		object{strings.Repeat("k", 1000): "v"},
	}
	for i, d := range datas {
		a.Ask("SEND", object{"conv": conv, "key": fmt.Sprintf("data-%07d", i), "content": object{"kind": "x-data", "data": d}}).Want("SENT")
	}
	for _, raw := range []string{
		`{"conv":"1","conv":"2"}`, `{"conv":-1}`, `{"conv":1e400}`, `{"conv":"18446744073709551616"}`, `{"conv":{"$gt":""}}`, `{"conv":["1"]}`,
		`{"content":{"data":5}}`, `{"content":{"data":{"a":NaN}}}`, `{"key":null,"content":null}`,
	} {
		l := s.SignUp("p" + strconv.FormatUint(uint64(len(raw))*7919+uint64(raw[3])+uint64(raw[len(raw)-2]), 36)).Connect()
		if err := l.Write(liaotest.EncodeRaw(1, liaotest.Types["SEND"], 1, []byte(raw))); err != nil {
			t.Fatal(err)
		}
		if f := l.Any("ERROR", "GOAWAY"); f.Type == "ERROR" && f.Text("code") == "INTERNAL" {
			t.Errorf("%s: %v", raw, f.Body)
		}
	}
	a.Ask("PING", nil).Want("PONG")
	page := b.Ask("HISTORY", object{"conv": conv, "limit": 200}).Want("PAGE")
	if got := page.Number("head"); got != head+len(datas) {
		t.Errorf("head %d, want %d", got, head+len(datas))
	}
	if strings.Contains(s.Log(), "panic") {
		t.Errorf("a panic in the log:\n%s", s.Log())
	}
}

// TestOneNestedFrame: depth and number of keys are bounded, quickly.
func TestOneNestedFrame(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	before := rss(t, s)
	for name, body := range map[string]string{
		"10,000 deep": strings.Repeat(`{"content":`, 10_000) + "1" + strings.Repeat("}", 10_000),
		"many keys":   `{"content":{"data":{` + strings.Repeat(`"k":1,`, 20_000) + `"z":1}}}`,
		"deep arrays": `{"content":{"data":{"a":` + strings.Repeat("[", 60_000) + strings.Repeat("]", 60_000) + `}}}`,
	} {
		l := ann.LogIn(name).Connect()
		begin := time.Now()
		if err := l.Write(liaotest.EncodeRaw(1, liaotest.Types["SEND"], 7, []byte(body))); err != nil {
			t.Fatal(err)
		}
		l.Any("ERROR", "GOAWAY")
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s: answered after %v", name, took)
		}
	}
	if grown := rss(t, s) - before; grown > 64<<20 {
		t.Errorf("three nested frames grew the server by %d MiB", grown>>20)
	}
}

// TestFloodBeforeHello: strangers that hold connections open are bounded and do not
// keep others out.
func TestFloodBeforeHello(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_HANDSHAKES=2000"}})
	ann := s.SignUp("ann")
	before := rss(t, s)
	for range 1500 {
		if err := s.Dial().Write([]byte{0x4c}); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	ann.Connect().Ask("PING", nil).Want("PONG")
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("with 1,500 silent strangers HELLO took %v", took)
	}
	if grown := rss(t, s) - before; grown > 1500*64<<10 {
		t.Errorf("1,500 silent strangers cost %d KiB each", grown/1500>>10)
	}
}

// TestHandshakesOfOneAddress: sixty-four at once; the rest wait, and are told BUSY
// if it takes too long.
func TestHandshakesOfOneAddress(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{
		"LIAO_LIMITS_EXEMPT_LOOPBACK=false", "LIAO_LIMITS_HANDSHAKES_PER_IP=4", "LIAO_LIMITS_HANDSHAKE_WAIT=500ms", "LIAO_CHAT_HELLO_TIMEOUT=30s",
	}})
	lines := make([]*liaotest.Line, 5)
	for i := range lines {
		lines[i] = s.Dial()
	}
	busy := 0
	for _, l := range lines { // whichever of the five came to the door last
		f, err := l.Read(time.Second)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil || f.Text("reason") != "BUSY" || f.Number("retryAfterMs") == 0 {
			t.Errorf("a connection too many: %v %v, want GOAWAY(BUSY) with retryAfterMs", f.Body, err)
		}
		busy++
	}
	if busy != 1 {
		t.Errorf("%d of five connections were told BUSY, want one", busy)
	}
}

// TestAmplification: what one hostile message may cost others is bounded by its
// size, which is bounded.
func TestAmplification(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_SENDS_PER_SECOND=0"}})
	a, b := s.SignUp("ann").Connect(), s.SignUp("ben").Connect()
	conv := liaotest.Befriend(a, b)
	// Characters that JSON or HTML escaping would blow up are passed as they are.
	text := strings.Repeat("\u2028<&>", 2000)
	a.Ask("SEND", object{"conv": conv, "key": "key-00000001", "content": object{"kind": "text", "text": text}}).Want("SENT")
	a.Ask("SEND", object{"conv": conv, "key": "key-00000002", "content": object{
		"kind": "x-bomb", "text": strings.Repeat("@ben ", 3000), "data": object{"mentions": strings.Repeat("1,", 8000)},
	}}).Want("SENT")
	for range 3 {
		if m := b.NextMessage(conv); m.Number("seq") == 2 && m.Text("content.text") != text {
			t.Error("the text was changed")
		} else if m.Number("seq") == 3 {
			break
		}
	}
	// A page is bounded however large its entries are.
	for i := range 20 {
		a.Ask("SEND", object{"conv": conv, "key": fmt.Sprintf("large-%06d", i), "content": object{"kind": "text", "text": strings.Repeat("x", 16<<10)}}).Want("SENT")
	}
	page := b.Ask("HISTORY", object{"conv": conv, "limit": 200}).Want("PAGE")
	if n := len(page.Objects("messages")); n >= 20 || n == 0 || page.Body["more"] != true {
		t.Errorf("a page of %d entries of 16 KiB, more %v; want it to end at 128 KiB", n, page.Body["more"])
	}
}

package im_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
)

func nested(n int) json.RawMessage {
	return json.RawMessage(strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n))
}

func TestNewDraft(t *testing.T) {
	text := im.Content{Kind: "text", Text: "hello"}
	const ok = im.Code(255)
	for _, tc := range []struct {
		name string
		conv im.ConvID
		key  string
		c    im.Content
		want im.Code
	}{
		{"a text", 1, "12345678", text, ok},
		{"largest text", 1, "12345678", im.Content{Kind: "text", Text: strings.Repeat("a", 16<<10)}, ok},
		{"line feed and tab", 1, "12345678", im.Content{Kind: "text", Text: "a\n\tb"}, ok},
		{"application kind", 1, "12345678", im.Content{Kind: "x-poll.v1", Data: json.RawMessage(`{"a":[1,"}"]}`)}, ok},
		{"16 deep", 1, "12345678", im.Content{Kind: "x-a", Data: nested(16)}, ok},
		{"no conversation", 0, "12345678", text, im.Invalid},
		{"id past 2^53", 1 << 53, "12345678", text, im.Invalid},
		{"short key", 1, "1234567", text, im.Invalid},
		{"long key", 1, strings.Repeat("k", 65), text, im.Invalid},
		{"key with a space", 1, "1234 5678", text, im.Invalid},
		{"key past ASCII", 1, "1234567é", text, im.Invalid},
		{"no kind", 1, "12345678", im.Content{Text: "a"}, im.Invalid},
		{"unknown kind", 1, "12345678", im.Content{Kind: "image", Text: "a"}, im.Unsupported},
		{"kind x- alone", 1, "12345678", im.Content{Kind: "x-", Text: "a"}, im.Unsupported},
		{"the server's kind", 1, "12345678", im.Content{Kind: "friend.started", Text: "a"}, im.Forbidden},
		{"empty text", 1, "12345678", im.Content{Kind: "text", Text: " \n"}, im.Invalid},
		{"text too large", 1, "12345678", im.Content{Kind: "text", Text: strings.Repeat("a", 16<<10+1)}, im.TooLarge},
		{"control character", 1, "12345678", im.Content{Kind: "text", Text: "a\x1b[2J"}, im.Invalid},
		{"C1 control character", 1, "12345678", im.Content{Kind: "text", Text: "a\u009b"}, im.Invalid},
		{"no UTF-8", 1, "12345678", im.Content{Kind: "text", Text: "\xff"}, im.Invalid},
		{"data too large", 1, "12345678", im.Content{Kind: "x-a", Data: json.RawMessage(`{"a":"` + strings.Repeat("a", 16<<10) + `"}`)}, im.TooLarge},
		{"data 17 deep", 1, "12345678", im.Content{Kind: "x-a", Data: nested(17)}, im.TooLarge},
		{"data no object", 1, "12345678", im.Content{Kind: "x-a", Data: json.RawMessage(`[1]`)}, im.Invalid},
		{"data broken", 1, "12345678", im.Content{Kind: "x-a", Data: json.RawMessage(`{"a"`)}, im.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := im.NewDraft(7, tc.conv, tc.key, tc.c, time.Now())
			if tc.want == ok {
				if err != nil || d.From() != 7 || d.Key() != tc.key || !d.Content().Equal(tc.c) || d.Conv() != tc.conv {
					t.Fatalf("NewDraft = %+v, %v; want it as given", d, err)
				}
				return
			}
			if !errors.Is(err, tc.want) {
				t.Fatalf("NewDraft: %v, want %v", err, tc.want)
			}
		})
	}
}

func FuzzCheckContent(f *testing.F) {
	f.Add("text", "hi", []byte(`{"a":1}`))
	f.Add("x-a", "", []byte(`{"a":"\\\"{"}`))
	f.Fuzz(func(t *testing.T, kind, text string, data []byte) {
		if im.CheckContent(im.Content{Kind: kind, Text: text, Data: data}) != nil {
			return
		}
		if len(data) > 0 {
			var v map[string]any
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatalf("accepted data %q: %v", data, err)
			}
			if d := deep(v); d > 16 {
				t.Fatalf("accepted data %d deep", d)
			}
		}
	})
}

func deep(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n = max(n, deep(e))
		}
		return n + 1
	case []any:
		for _, e := range v {
			n = max(n, deep(e))
		}
		return n + 1
	}
	return 0
}

func TestChecksumSeesEveryField(t *testing.T) {
	e := im.Entry{Conv: 1, Seq: 2, From: 3, Key: "key-0001", At: 4, Content: im.Content{Kind: "text"}}
	stored := []byte(`{"text":"hello"}`)
	base := e.Checksum(stored)
	change := map[string]func(*im.Entry){
		"conv": func(e *im.Entry) { e.Conv++ }, "seq": func(e *im.Entry) { e.Seq++ }, "from": func(e *im.Entry) { e.From++ },
		"key": func(e *im.Entry) { e.Key = "key-0002" }, "at": func(e *im.Entry) { e.At++ }, "kind": func(e *im.Entry) { e.Content.Kind = "x-t" },
	}
	for name, f := range change {
		d := e
		f(&d)
		if d.Checksum(stored) == base {
			t.Errorf("checksum does not cover %s", name)
		}
	}
	for i := range stored {
		bad := append([]byte(nil), stored...)
		bad[i] ^= 1
		if e.Checksum(bad) == base {
			t.Errorf("checksum does not see a flipped bit at %d", i)
		}
	}
}

func TestEvents(t *testing.T) {
	u := im.User{ID: 9, Handle: "ann", Name: `A "quoted" name`}
	for _, c := range []im.Content{
		im.FriendRequested(u, "hi"), im.FriendAccepted(u, 3), im.FriendStarted(), im.ContactsChanged(),
		im.LoginNew(im.Device{Name: "phone", Platform: "ios"}, 5),
	} {
		if !im.IsServerKind(c.Kind) || c.Text == "" || !json.Valid(c.Data) {
			t.Errorf("event %+v: want a server kind, a text and valid data", c)
		}
		if err := im.CheckContent(c); !errors.Is(err, im.Forbidden) {
			t.Errorf("a client may send %s: %v", c.Kind, err)
		}
	}
	want := `{"user":{"id":"9","handle":"ann","name":"A \"quoted\" name"},"conv":"3"}`
	if got := string(im.FriendAccepted(u, 3).Data); got != want {
		t.Errorf("friend.accepted data = %s, want %s", got, want)
	}
}

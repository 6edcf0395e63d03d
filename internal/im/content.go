package im

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Limits of an entry's content, from the contract with clients.
const (
	MaxText      = 16 << 10 // bytes of UTF-8
	MaxData      = 16 << 10 // bytes as compact JSON
	MaxDataDepth = 16       // an object of plain values is 1 deep
	maxKind      = 64
)

// KindText is the kind of an ordinary message.
const KindText = "text"

// Content is what an entry says.
type Content struct {
	Kind    string          // "text", "x-..." of applications, or one of the server's own
	Text    string          // what to show, also for a kind that the reader does not know
	Data    json.RawMessage // a compact JSON object, or nil
	ReplyTo Seq             // an entry of the same conversation; 0: none
}

// CheckContent returns an error unless a client may send this.
func CheckContent(c Content) error {
	switch {
	case c.Kind == "":
		return Fail(Invalid, "content.kind is missing; an ordinary message has kind text")
	case IsServerKind(c.Kind):
		return Fail(Forbidden, "content.kind "+c.Kind+" is written by the server only")
	case c.Kind != KindText && !applicationKind(c.Kind):
		return Fail(Unsupported, "content.kind is unknown; use text, or x- and up to 62 of a-z, 0-9, . _ - for an application's own")
	}
	if len(c.Text) > MaxText {
		return Fail(TooLarge, "content.text is over 16 KiB")
	}
	if !cleanText(c.Text) {
		return Fail(Invalid, "content.text must be UTF-8 without control characters but line feed and tab")
	}
	if c.Kind == KindText && strings.TrimSpace(c.Text) == "" {
		return Fail(Invalid, "content.text is empty")
	}
	return checkData(c.Data)
}

func applicationKind(s string) bool {
	if len(s) < 3 || len(s) > maxKind || !strings.HasPrefix(s, "x-") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	})
}

func checkData(d json.RawMessage) error {
	if len(d) == 0 {
		return nil
	}
	if len(d) > MaxData {
		return Fail(TooLarge, "content.data is over 16 KiB as JSON")
	}
	if d[0] != '{' || !json.Valid(d) || !utf8.Valid(d) {
		return Fail(Invalid, "content.data must be a JSON object")
	}
	if depth(d) > MaxDataDepth {
		return Fail(TooLarge, "content.data is over 16 deep")
	}
	return nil
}

// depth is how deep objects and arrays nest in valid JSON.
func depth(d []byte) int {
	deepest, now := 0, 0
	quoted := false
	for i := 0; i < len(d); i++ {
		switch c := d[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// Equal says whether two contents are the same, byte for byte.
func (c Content) Equal(d Content) bool {
	return c.Kind == d.Kind && c.Text == d.Text && c.ReplyTo == d.ReplyTo && bytes.Equal(c.Data, d.Data)
}

package sqlstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

func TestContentComesBackByteForByte(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		c    im.Content
	}{
		{"plain text", im.Content{Kind: "text", Text: "hello"}},
		{"what HTML would escape", im.Content{Kind: "text", Text: `<b>&"'`, Data: []byte(`{"a":"<&>"}`)}},
		{"line separators", im.Content{Kind: "text", Text: "a\u2028b\u2029c", Data: []byte("{\"a\":\"\u2028\"}")}},
		{"escapes in data", im.Content{Kind: "x-a", Data: []byte(`{"a":"\u003c\u00e9\/","n":1.50e3}`)}},
		{"a reply", im.Content{Kind: "text", Text: "yes\n\tno", ReplyTo: 7}},
		{"nothing but a kind", im.Content{Kind: "x-b"}},
		{"beyond the basic plane", im.Content{Kind: "text", Text: "聊 😀 \U0010fffd"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, err := encodeContent(tc.c)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeContent(tc.c.Kind, b)
			if err != nil {
				t.Fatalf("decode %q: %v", b, err)
			}
			if d := cmp.Diff(tc.c, got); d != "" {
				t.Errorf("stored as %q, came back changed (-want +got):\n%s", b, d)
			}
		})
	}
}

package sqlstore

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/liao-im/liao/internal/im"
)

// storedContent is an im.Content as messages.content keeps it: JSON, so that an
// operator can read it and later versions can add to it. The kind has a column of
// its own.
type storedContent struct {
	Text    string          `json:"text,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	ReplyTo im.Seq          `json:"replyTo,omitempty"`
}

// encodeContent returns what is stored of c. What decodeContent makes of it equals
// c byte for byte.
func encodeContent(c im.Content) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(c.Text) + len(c.Data) + 32)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it would rewrite data, which must come back as it came
	if err := e.Encode(storedContent{c.Text, c.Data, c.ReplyTo}); err != nil {
		return nil, fmt.Errorf("encode content: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decodeContent is the reverse of encodeContent.
func decodeContent(kind string, stored []byte) (im.Content, error) {
	var c storedContent
	if err := json.Unmarshal(stored, &c); err != nil {
		return im.Content{}, fmt.Errorf("decode content: %w", err)
	}
	return im.Content{Kind: kind, Text: c.Text, Data: c.Data, ReplyTo: c.ReplyTo}, nil
}

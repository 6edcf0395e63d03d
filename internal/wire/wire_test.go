package wire_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// TestEncodeParse is the shortest way through the package: a message becomes a frame in each form, and
// the frame becomes the message.
func TestEncodeParse(t *testing.T) {
	data, err := structpb.NewStruct(map[string]any{"b": 1.5, "a": []any{"x", nil, true}})
	if err != nil {
		t.Fatal(err)
	}
	in := &clientpb.Send{Conv: 1 << 60, Key: "key-12345", Content: &clientpb.Content{Kind: "x-test", Text: "a, b: \"c\" \\", Data: data}}
	for _, form := range []wire.Form{wire.FormJSON, wire.FormProtobuf, wire.FormText} {
		t.Run(form.String(), func(t *testing.T) {
			b, err := form.Encode([]byte("prefix"), clientpb.Type_SEND, 7, in)
			if err != nil {
				t.Fatal(err)
			}
			b = b[len("prefix"):]
			var f wire.Frame
			if form == wire.FormText {
				f, err = wire.ParseText(b, wire.MaxBody)
			} else {
				f, err = wire.ParseFrame(b, wire.MaxBody)
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Type != clientpb.Type_SEND || f.ID != 7 {
				t.Errorf("got type %v id %d, want SEND 7", f.Type, f.ID)
			}
			out := new(clientpb.Send)
			if err := f.Codec.Unmarshal(f.Body, out); err != nil {
				t.Fatal(err)
			}
			equal(t, out, in)
		})
	}
}

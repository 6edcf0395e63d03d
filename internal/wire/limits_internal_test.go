package wire

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// TestChildFollowsTheDescriptors holds walk's map to the messages that the decoder would build.
func TestChildFollowsTheDescriptors(t *testing.T) {
	var (
		data     = new(structpb.Struct).ProtoReflect().Descriptor()
		mapEntry = data.Fields().ByName("fields").Message()
		names    = map[node]protoreflect.MessageDescriptor{
			send:    new(clientpb.Send).ProtoReflect().Descriptor(),
			content: new(clientpb.Content).ProtoReflect().Descriptor(),
			object:  data,
			entry:   mapEntry,
			value:   new(structpb.Value).ProtoReflect().Descriptor(),
			list:    new(structpb.ListValue).ProtoReflect().Descriptor(),
		}
	)
	for n, d := range names {
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			to := child(n, f.Number())
			switch {
			case f.Message() == nil && to != leaf:
				t.Errorf("%v: walk enters a field that is no message", f.FullName())
			case f.Message() != nil && names[to] != f.Message():
				t.Errorf("%v: walk goes to %d, which is not %v", f.FullName(), to, f.Message().FullName())
			}
		}
		if to := child(n, protowire.MaxValidNumber); to != leaf {
			t.Errorf("node %d: an unknown field leads to %d", n, to)
		}
	}
	for n := 1; n < 20; n++ {
		if to := child(flat, protowire.Number(n)); to != leaf {
			t.Errorf("flat: field %d leads to %d", n, to)
		}
	}
}

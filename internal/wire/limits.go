package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// What a body may ask of the decoder. Content's data may be 16 deep, in at most 16 KiB of JSON; these
// limits are wide enough that every message that a rule could still judge reaches the rule, and small
// enough that a hostile one costs little: one value of data takes about 70 bytes of memory.
const (
	maxDepth  = 64     // braces and brackets open at once; a whole Page with data needs 21
	maxValues = 10_000 // values in the data of one Send; 16 KiB of JSON holds at most 8,192
)

// checkLimits looks at body without building anything. It does not judge syntax: what it cannot
// follow it leaves to the decoder.
func (c Codec) checkLimits(body []byte, m proto.Message) error {
	_, isSend := m.(*clientpb.Send)
	switch c {
	case JSON:
		depth, values := measureJSON(body)
		if depth > maxDepth || isSend && values > maxValues {
			return ErrTooLarge
		}
	case Protobuf:
		root := flat
		if isSend {
			root = send
		}
		values := maxValues
		return walk(body, root, 0, &values)
	}
	return nil
}

// measureJSON gives the greatest depth of b and an upper bound of its values.
func measureJSON(b []byte) (deepest, values int) {
	depth := 0
	quoted := false
	for i := 0; i < len(b); i++ {
		switch ch := b[i]; {
		case quoted && ch == '\\':
			i++
		case ch == '"':
			quoted = !quoted
		case quoted:
		case ch == '{' || ch == '[':
			depth++
			values++
			deepest = max(deepest, depth)
		case ch == '}' || ch == ']':
			depth--
		case ch == ',':
			values++
		}
	}
	return deepest, values
}

// node is a kind of message that walk knows its way in.
type node uint8

const (
	leaf    node = iota // not a message, or one whose inside does not matter
	flat                // a body that is looked at on its first level only
	send                // clientpb.Send
	content             // clientpb.Content
	object              // structpb.Struct
	entry               // one entry of its map
	value               // structpb.Value
	list                // structpb.ListValue
)

// child says what stands in field num of a message of kind n. A test compares it with the descriptors.
func child(n node, num protowire.Number) node {
	switch {
	case n == send && num == 3:
		return content
	case n == content && num == 3, n == value && num == 5:
		return object
	case n == object && num == 1:
		return entry
	case n == entry && num == 2, n == list && num == 1:
		return value
	case n == value && num == 6:
		return list
	}
	return leaf
}

// walk follows the messages in b that the decoder would build, and stops where they are too many or
// too deep. Groups are refused as well: proto3 has none, and the decoder would follow one inside the
// other on the stack.
func walk(b []byte, n node, depth int, values *int) error {
	if n == object || n == list {
		if depth++; depth > maxDepth {
			return ErrTooLarge
		}
	}
	for len(b) > 0 {
		num, typ, k := protowire.ConsumeTag(b)
		if k < 0 {
			return nil
		}
		b = b[k:]
		if typ == protowire.StartGroupType {
			return &Violation{Codec: Protobuf, Text: "the body holds a group, which proto3 does not have"}
		}
		if typ != protowire.BytesType {
			if k = protowire.ConsumeFieldValue(num, typ, b); k < 0 {
				return nil
			}
			b = b[k:]
			continue
		}
		inner, k := protowire.ConsumeBytes(b)
		if k < 0 {
			return nil
		}
		b = b[k:]
		to := child(n, num)
		if to == leaf {
			continue
		}
		if to == value || to == entry {
			if *values--; *values < 0 {
				return ErrTooLarge
			}
		}
		if err := walk(inner, to, depth, values); err != nil {
			return err
		}
	}
	return nil
}

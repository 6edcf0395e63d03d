package wire_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

var codecs = []wire.Codec{wire.JSON, wire.Protobuf}

// equal compares messages by what they mean.
func equal(t *testing.T, got, want proto.Message) {
	t.Helper()
	if proto.Equal(got, want) { // cmp takes exponential time on what is deeply nested
		return
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("the message differs (-want +got):\n%s", diff)
	}
}

// wantViolation holds err to being a violation that names codec.
func wantViolation(t *testing.T, err error, codec wire.Codec) {
	t.Helper()
	v, ok := errors.AsType[*wire.Violation](err)
	if !ok {
		t.Fatalf("got error %v, want a violation", err)
	}
	if v.Codec != codec {
		t.Errorf("the violation names codec %v, want %v", v.Codec, codec)
	}
	if v.Text == "" || v.Error() != v.Text {
		t.Errorf("the violation says %q and Error %q; want the same, not empty", v.Text, v.Error())
	}
}

// types are all frame types of the contract, ascending.
func types() []wire.Type {
	var all []wire.Type
	for n := range clientpb.Type_name {
		if n != 0 {
			all = append(all, wire.Type(n))
		}
	}
	slices.Sort(all)
	return all
}

// filled is a message of type t in which every field, at every level, has the given number or a value
// made from it. Struct gets a little data of every kind.
func filled(t *testing.T, typ wire.Type, number int32) proto.Message {
	t.Helper()
	m, ok := wire.NewBody(typ)
	if !ok {
		t.Fatalf("no body for %v", typ)
	}
	fill(m.ProtoReflect(), number)
	return m
}

func fill(m protoreflect.Message, number int32) {
	if s, ok := m.Interface().(*structpb.Struct); ok {
		s.Fields = map[string]*structpb.Value{
			"null": structpb.NewNullValue(), "yes": structpb.NewBoolValue(true), "text": structpb.NewStringValue("\u4f60\u597d\n"),
			"number": structpb.NewNumberValue(-0.5), "list": structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{
				structpb.NewNumberValue(float64(number)), structpb.NewStructValue(&structpb.Struct{}),
			}}),
		}
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsList() && f.Message() != nil:
			list := m.Mutable(f).List()
			for range 2 {
				one := list.NewElement()
				fill(one.Message(), number)
				list.Append(one)
			}
		case f.IsList():
			m.Mutable(f).List().Append(scalar(f, number))
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), number)
		default:
			m.Set(f, scalar(f, number))
		}
	}
}

func scalar(f protoreflect.FieldDescriptor, number int32) protoreflect.Value {
	//nolint:exhaustive // the kinds that the contract uses; another one panics in Set.
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(number))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(number))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(number) << 40)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-int64(number) << 40)
	}
	return protoreflect.ValueOfString("a \"string\", of \\ some: {length}")
}

package wire_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// TestEveryType takes a full and an empty message of every type through every form and back.
func TestEveryType(t *testing.T) {
	for _, typ := range types() {
		empty, _ := wire.NewBody(typ)
		for name, in := range map[string]proto.Message{"full": filled(t, typ, 3), "empty": empty} {
			t.Run(typ.String()+"/"+name, func(t *testing.T) {
				for _, form := range []wire.Form{wire.FormJSON, wire.FormProtobuf, wire.FormText} {
					first := encode(t, form, typ, in)
					for range 5 {
						if again := encode(t, form, typ, in); !bytes.Equal(first, again) {
							t.Fatalf("%v: two encodings differ:\n%q\n%q", form, first, again)
						}
					}
					f := parse(t, form, first)
					if f.Type != typ || f.ID != 7 {
						t.Errorf("%v: got type %v id %d, want %v 7", form, f.Type, f.ID, typ)
					}
					out, _ := wire.NewBody(typ)
					if err := f.Codec.Unmarshal(f.Body, out); err != nil {
						t.Fatalf("%v: %v", form, err)
					}
					equal(t, out, in)
				}
			})
		}
	}
}

func encode(t *testing.T, form wire.Form, typ wire.Type, m proto.Message) []byte {
	t.Helper()
	const before = "what was there"
	b, err := form.Encode([]byte(before), typ, 7, m)
	if err != nil {
		t.Fatalf("%v: %v", form, err)
	}
	rest, ok := bytes.CutPrefix(b, []byte(before))
	if !ok {
		t.Fatalf("%v: what was in dst is gone", form)
	}
	return rest
}

func parse(t *testing.T, form wire.Form, b []byte) wire.Frame {
	t.Helper()
	var f wire.Frame
	var err error
	if form == wire.FormText {
		f, err = wire.ParseText(b, wire.MaxServerBody)
	} else {
		f, err = wire.ParseFrame(b, wire.MaxServerBody)
	}
	if err != nil {
		t.Fatalf("%v: %v", form, err)
	}
	return f
}

func TestNilBody(t *testing.T) {
	for form, want := range map[wire.Form]string{
		wire.FormJSON:     "\x4c\x01\x00\x05\x00\x00\x00\x07\x00\x00\x00\x02{}",
		wire.FormProtobuf: "\x4c\x02\x00\x05\x00\x00\x00\x07\x00\x00\x00\x00",
		wire.FormText:     `{"type":"OK","id":7,"body":{}}`,
	} {
		if got := encode(t, form, clientpb.Type_OK, nil); string(got) != want {
			t.Errorf("%v: got %q, want %q", form, got, want)
		}
	}
}

func TestEncodeRefusesOurMistakes(t *testing.T) {
	tooLong := &clientpb.Error{Text: strings.Repeat("x", wire.MaxServerBody)}
	tests := []struct {
		name string
		form wire.Form
		typ  wire.Type
		m    proto.Message
	}{
		{"body too long for a frame", wire.FormProtobuf, clientpb.Type_ERROR, tooLong},
		{"body too long for text", wire.FormText, clientpb.Type_ERROR, tooLong},
		{"no such form", 9, clientpb.Type_ERROR, &clientpb.Error{}},
		{"a type without a name as text", wire.FormText, 999, nil},
		{"no type as text", wire.FormText, 0, nil},
		{"invalid UTF-8 in JSON", wire.FormJSON, clientpb.Type_ERROR, &clientpb.Error{Text: "\xff"}},
		{"invalid UTF-8 in protobuf", wire.FormProtobuf, clientpb.Type_ERROR, &clientpb.Error{Text: "\xff"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.form.Encode([]byte("kept"), tt.typ, 1, tt.m)
			if err == nil || string(got) != "kept" {
				t.Errorf("got %q, %v; want what was there and an error", got, err)
			}
		})
	}
}

func TestUnmarshalJSON(t *testing.T) {
	send := &clientpb.Send{Conv: 1 << 60, Key: "k", Content: &clientpb.Content{Text: "hi", ReplyTo: 3}}
	tests := []struct {
		name string
		body string
		want proto.Message // nil: refused
	}{
		{"canonical", `{"conv":"1152921504606846976","key":"k","content":{"text":"hi","replyTo":3}}`, send},
		{"a number for a 64-bit integer", `{"conv":1152921504606846976,"key":"k","content":{"text":"hi","replyTo":3}}`, send},
		{"a string for a 32-bit integer", `{"conv":"1152921504606846976","key":"k","content":{"text":"hi","replyTo":"3"}}`, send},
		{"the names of the .proto", `{"conv":"1152921504606846976","key":"k","content":{"text":"hi","reply_to":3}}`, send},
		{"unknown fields", `{"x":[{}],"conv":"1152921504606846976","key":"k","content":{"y":null,"text":"hi","replyTo":3}}`, send},
		{"white space", " {\n\"conv\" : \"1152921504606846976\",\t\"key\":\"k\",\r\n\"content\":{\"text\":\"hi\",\"replyTo\":3} } ", send},
		{"escapes", `{"conv":"1152921504606846976","\u006bey":"\u006b","content":{"text":"hi","replyTo":3}}`, send},
		{"null is absent", `{"conv":"1152921504606846976","key":"k","content":{"kind":null,"text":"hi","replyTo":3,"data":null}}`, send},
		{"zero bytes", ``, &clientpb.Send{}},
		{"empty object", `{}`, &clientpb.Send{}},
		{"unknown enum name", `{"role":"EMPEROR","conv":1}`, &clientpb.Group{Conv: 1}},
		{"unknown enum number", `{"role":99,"conv":1}`, &clientpb.Group{Conv: 1}},
		{"enum by number", `{"role":2}`, &clientpb.Group{Role: clientpb.Role_ADMIN}},

		{"a field twice", `{"key":"k","key":"k"}`, nil},
		{"a field under both its names", `{"content":{"replyTo":1,"reply_to":1}}`, nil},
		{"a key of data twice", `{"content":{"data":{"a":1,"a":1}}}`, nil},
		{"null", `null`, nil},
		{"a list", `[]`, nil},
		{"white space alone", ` `, nil},
		{"something after it", `{} {}`, nil},
		{"half", `{"key":"k"`, nil},
		{"a wrong type", `{"key":1}`, nil},
		{"an object for a string", `{"key":{"$gt":""}}`, nil},
		{"negative where there is no sign", `{"conv":"-1"}`, nil},
		{"a fraction for an integer", `{"conv":1.5}`, nil},
		{"too great", `{"conv":"18446744073709551616"}`, nil},
		{"not a number", `{"content":{"data":{"a":NaN}}}`, nil},
		{"invalid UTF-8", "{\"key\":\"\xff\"}", nil},
		{"half a surrogate pair", `{"key":"\ud800"}`, nil},
		{"a control character in a string", "{\"key\":\"\n\"}", nil},
		{"single quotes", `{'key':'k'}`, nil},
		{"a comma too many", `{"key":"k",}`, nil},
		{"a byte order mark", "\ufeff{}", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := proto.Message(&clientpb.Send{Key: "what was there before"})
			if _, ok := tt.want.(*clientpb.Group); ok {
				out = &clientpb.Group{Title: "what was there before"}
			}
			err := wire.JSON.Unmarshal([]byte(tt.body), out)
			if tt.want == nil {
				wantViolation(t, err, wire.JSON)
				return
			}
			if err != nil {
				t.Fatalf("%v: %s", err, err.(*wire.Violation).Detail()) //nolint:errorlint,forcetypeassert // says what fails
			}
			equal(t, out, tt.want)
		})
	}
}

func TestUnmarshalProtobuf(t *testing.T) {
	str := func(num protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), s)
	}
	varint := func(num protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
	}
	tests := []struct {
		name string
		body []byte
		want *clientpb.SetRole // nil: refused
	}{
		{"zero bytes", nil, &clientpb.SetRole{}},
		{"a role", append(varint(1, 5), varint(3, 2)...), &clientpb.SetRole{Conv: 5, Role: clientpb.Role_ADMIN}},
		{"unknown role", append(varint(1, 5), varint(3, 77)...), &clientpb.SetRole{Conv: 5}},
		{"a role below zero", varint(3, 1<<63), &clientpb.SetRole{}},
		{"unknown field", append(varint(1, 5), str(100, "new")...), &clientpb.SetRole{Conv: 5}},
		{"the last of a field given twice", append(varint(1, 4), varint(1, 5)...), &clientpb.SetRole{Conv: 5}},

		{"half a tag", []byte{0x80}, nil},
		{"half a value", []byte{0x08}, nil},
		{"half a string", []byte{0x52, 0x05, 'a'}, nil},
		{"field number 0", []byte{0x00, 0x01}, nil},
		{"a group", bytes.Repeat([]byte{0x0b}, 4000), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := &clientpb.SetRole{User: 1}
			err := wire.Protobuf.Unmarshal(tt.body, out)
			if tt.want == nil {
				wantViolation(t, err, wire.Protobuf)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			equal(t, out, tt.want)
			if n := len(out.ProtoReflect().GetUnknown()); n > 0 {
				t.Errorf("%d bytes of unknown fields were kept", n)
			}
		})
	}
	t.Run("invalid UTF-8", func(t *testing.T) {
		wantViolation(t, wire.Protobuf.Unmarshal(str(1, "\xff"), new(clientpb.Hello)), wire.Protobuf)
	})
	t.Run("no such codec", func(t *testing.T) {
		wantViolation(t, wire.Codec(3).Unmarshal(nil, new(clientpb.Hello)), 3)
	})
}

// TestUnknownEnumsReadAsZero looks at every field of every message that can arrive, so that an enum
// added to the contract is not forgotten.
func TestUnknownEnumsReadAsZero(t *testing.T) {
	const unknown = 1 << 20
	for _, typ := range types() {
		in := filled(t, typ, unknown)
		for _, c := range codecs {
			body, err := c.Append(nil, in)
			if err != nil {
				t.Fatal(err)
			}
			out, _ := wire.NewBody(typ)
			if err := c.Unmarshal(body, out); err != nil {
				t.Fatal(err)
			}
			eachEnum(out.ProtoReflect(), func(name protoreflect.FullName, n protoreflect.EnumNumber) {
				if n == unknown {
					t.Errorf("%v of %v in %v kept a value that nobody knows", name, typ, c)
				}
			})
		}
	}
}

func eachEnum(m protoreflect.Message, see func(protoreflect.FullName, protoreflect.EnumNumber)) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				eachEnum(v.List().Get(i).Message(), see)
			}
		case f.IsMap():
		case f.Message() != nil:
			eachEnum(v.Message(), see)
		case f.Kind() == protoreflect.EnumKind:
			see(f.FullName(), v.Enum())
		}
		return true
	})
}

// nested is data that many lists deep, as the JSON of a Send's body and as the message.
func nested(depth int) (string, *clientpb.Send) {
	v := structpb.NewNumberValue(1)
	for range depth {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	data := &structpb.Struct{Fields: map[string]*structpb.Value{"a": v}}
	return `{"content":{"data":{"a":` + strings.Repeat("[", depth) + "1" + strings.Repeat("]", depth) + `}}}`,
		&clientpb.Send{Content: &clientpb.Content{Data: data}}
}

// TestBodiesThatCostTooMuch holds both codecs to refusing what would cost more than its length
// justifies, quickly and with little memory. The bodies are as large as a client may send.
func TestBodiesThatCostTooMuch(t *testing.T) {
	send := new(clientpb.Send)
	many := strings.Repeat(`1,`, wire.MaxBody/2-100)
	keys := new(strings.Builder)
	for i := 0; keys.Len() < wire.MaxBody-200; i++ {
		keys.WriteString(`"` + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26)) + string(rune('a'+i/17576)) + `":1,`)
	}
	deepJSON, _ := nested(10_000)
	_, deep := nested(3_000)
	list := make([]*structpb.Value, 40_000)
	for i := range list {
		list[i] = &structpb.Value{}
	}
	wide := &clientpb.Send{Content: &clientpb.Content{Data: &structpb.Struct{Fields: map[string]*structpb.Value{
		"a": structpb.NewListValue(&structpb.ListValue{Values: list}),
	}}}}
	binary := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name  string
		codec wire.Codec
		body  []byte
		into  proto.Message
	}{
		{"deep data", wire.JSON, []byte(deepJSON), send},
		{"deep data", wire.Protobuf, binary(deep), send},
		{"many values", wire.JSON, []byte(`{"content":{"data":{"a":[` + many + `1]}}}`), send},
		{"many values", wire.Protobuf, binary(wide), send},
		{"many keys", wire.JSON, []byte(`{"content":{"data":{` + keys.String() + `"z":1}}}`), send},
		{"many unknown fields", wire.JSON, []byte(`{` + keys.String() + `"z":1}`), send},
		{"deep unknown field", wire.JSON, []byte(`{"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`), new(clientpb.Hello)},
		{"open braces", wire.JSON, []byte(strings.Repeat(`{"a":`, 20_000)), new(clientpb.Read)},
	}
	for _, tt := range tests {
		t.Run(tt.name+" in "+tt.codec.String(), func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			err := tt.codec.Unmarshal(tt.body, tt.into)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, wire.ErrTooLarge) {
				t.Errorf("got %v, want ErrTooLarge", err)
			}
			if took > 50*time.Millisecond {
				t.Errorf("it took %v, want at most 50 ms", took)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
				t.Errorf("it allocated %d bytes, want at most 1 MiB", got)
			}
		})
	}
}

// TestWhatARuleJudges holds the limits to letting through what is wrong by a rule only, so that the
// rule can say so.
func TestWhatARuleJudges(t *testing.T) {
	json, deep := nested(40)
	for _, c := range codecs {
		body := []byte(json)
		if c == wire.Protobuf {
			body, _ = proto.Marshal(deep)
		}
		out := new(clientpb.Send)
		if err := c.Unmarshal(body, out); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		equal(t, out, deep)
	}
	full := []byte(`{"content":{"data":{"a":[` + strings.Repeat("1,", 8_190) + `1]}}}`)
	if err := wire.JSON.Unmarshal(full, new(clientpb.Send)); err != nil {
		t.Errorf("16 KiB of numbers: %v", err)
	}
}

func TestNewBody(t *testing.T) {
	for _, typ := range types() {
		if m, ok := wire.NewBody(typ); !ok || m == nil {
			t.Errorf("%v has no body", typ)
		}
	}
	for _, typ := range []wire.Type{0, 9, 15, 27, 59, 0xffff, -1} {
		if m, ok := wire.NewBody(typ); ok || m != nil {
			t.Errorf("type %d has body %v, want none", typ, m)
		}
	}
}

func TestNames(t *testing.T) {
	got := []string{
		wire.JSON.String(), wire.Protobuf.String(), wire.Codec(0).String(), wire.FormOf(wire.JSON, true).String(),
		wire.FormOf(wire.JSON, false).String(), wire.FormOf(wire.Protobuf, false).String(), wire.Form(0).String(),
	}
	want := []string{"json", "protobuf", "unknown", "text", "json", "protobuf", "unknown"}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, want %v", got, want)
	}
}

package wire_test

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

func TestParseHeader(t *testing.T) {
	const limit = 4096
	tests := []struct {
		name   string
		hex    string
		want   wire.Header
		ok     bool
		refuse bool
		codec  wire.Codec // of the refusal
	}{
		{name: "nothing"},
		{name: "half", hex: "4c0100100000"},
		{name: "eleven bytes", hex: "4c01001000000007000000"},
		{
			name: "send", hex: "4c0100100000000700000002", ok: true,
			want: wire.Header{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 7, Len: 2},
		},
		{
			name: "more than a header", hex: "4c0200030000000000000000ffff", ok: true,
			want: wire.Header{Codec: wire.Protobuf, Type: clientpb.Type_PING},
		},
		{
			name: "a type without a name, the greatest id", hex: "4c02fffeffffffff00001000", ok: true,
			want: wire.Header{Codec: wire.Protobuf, Type: 0xfffe, ID: math.MaxUint32, Len: limit},
		},
		{name: "wrong first byte", hex: "47", refuse: true},
		{name: "wrong first byte of a whole header", hex: "160301020001000001fc0303", refuse: true},
		{name: "codec 0", hex: "4c00", refuse: true},
		{name: "codec 3", hex: "4c03", refuse: true},
		{name: "one byte too long", hex: "4c0100100000000700001001", refuse: true, codec: wire.JSON},
		{name: "2 to the 31", hex: "4c0200100000000780000000", refuse: true, codec: wire.Protobuf},
		{name: "2 to the 32 less 1", hex: "4c02001000000007ffffffff", refuse: true, codec: wire.Protobuf},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := wire.ParseHeader(b, limit)
			if tt.refuse {
				wantViolation(t, err, tt.codec)
				return
			}
			if err != nil || ok != tt.ok || got != tt.want {
				t.Errorf("got %+v, %v, %v; want %+v, %v", got, ok, err, tt.want, tt.ok)
			}
		})
	}
}

func TestParseHeaderNegativeLimit(t *testing.T) {
	b := wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_PING, Body: []byte{'{'}})
	_, _, err := wire.ParseHeader(b, -1)
	wantViolation(t, err, wire.JSON)
}

func TestParseFrame(t *testing.T) {
	in := wire.Frame{Codec: wire.Protobuf, Type: clientpb.Type_READ, ID: 9, Body: []byte("abc")}
	whole := wire.AppendFrame(nil, in)
	got, err := wire.ParseFrame(whole, 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, got); diff != "" {
		t.Errorf("the frame differs (-want +got):\n%s", diff)
	}
	for n := range len(whole) {
		_, err := wire.ParseFrame(whole[:n], 3)
		codec := wire.Protobuf
		if n < 2 {
			codec = 0
		}
		wantViolation(t, err, codec)
	}
	_, err = wire.ParseFrame(append(whole, 0), 3)
	wantViolation(t, err, wire.Protobuf)
	_, err = wire.ParseFrame(whole, 2)
	wantViolation(t, err, wire.Protobuf)
}

func TestViolationDetail(t *testing.T) {
	err := wire.JSON.Unmarshal([]byte(`{"token":17,"client":"`+strings.Repeat("x", 1000)+`"}`), new(clientpb.Hello))
	wantViolation(t, err, wire.JSON)
	v := err.(*wire.Violation) //nolint:errorlint,forcetypeassert // just checked
	if strings.Contains(v.Error(), "17") {
		t.Errorf("Error quotes the body: %q", v.Error())
	}
	if d := v.Detail(); !strings.HasPrefix(d, v.Text+": ") || len(d) > 300 {
		t.Errorf("Detail is %d bytes: %q", len(d), d)
	}
	if d := (&wire.Violation{Text: "only this"}).Detail(); d != "only this" {
		t.Errorf("got detail %q", d)
	}
}

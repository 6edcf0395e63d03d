package wire_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

func TestParseText(t *testing.T) {
	const limit = 64
	tests := []struct {
		name string
		text string
		want wire.Frame // zero: refused
	}{
		{"send", `{"type":"SEND","id":7,"body":{"conv":"1"}}`, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 7, Body: []byte(`{"conv":"1"}`)}},
		{"any order", `{"body":{"a":[1,{"}":"]"}]},"id":7,"type":"SEND"}`, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 7, Body: []byte(`{"a":[1,{"}":"]"}]}`)}},
		{"white space", " { \"type\" : \"PING\" ,\n\"id\"\t:\r4294967295 , \"body\" : { } } ", wire.Frame{Codec: wire.JSON, Type: clientpb.Type_PING, ID: 1<<32 - 1, Body: []byte("{ }")}},
		{"only a type", `{"type":"PONG"}`, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_PONG}},
		{"null body", `{"type":"PONG","body":null}`, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_PONG}},
		{"escapes", `{"\u0074ype":"\u0050ONG","id":1}`, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_PONG, ID: 1}},
		{"unknown members", `{"x":"\"","type":"PONG","y":[{}],"z":-1.5e3,"w":true}`, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_PONG}},
		{"unknown type", `{"type":"DANCE","id":3}`, wire.Frame{Codec: wire.JSON, ID: 3}},
		{"the longest body", `{"type":"SEND","body":{"a":"` + strings.Repeat("x", limit-8) + `"}}`, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, Body: []byte(`{"a":"` + strings.Repeat("x", limit-8) + `"}`)}},

		{name: "nothing", text: ``},
		{name: "white space alone", text: ` `},
		{name: "no object", text: `"SEND"`},
		{name: "a list", text: `[]`},
		{name: "no type", text: `{"id":7}`},
		{name: "a type by number", text: `{"type":16}`},
		{name: "a type twice", text: `{"type":"PING","type":"SEND"}`},
		{name: "a member twice, once escaped", text: `{"type":"PING","id":1,"\u0069d":2}`},
		{name: "an unknown member twice", text: `{"type":"PING","x":1,"x":1}`},
		{name: "the id as a string", text: `{"type":"PING","id":"7"}`},
		{name: "the id below zero", text: `{"type":"PING","id":-1}`},
		{name: "the id with a fraction", text: `{"type":"PING","id":1.0}`},
		{name: "the id too great", text: `{"type":"PING","id":4294967296}`},
		{name: "the body as a string", text: `{"type":"SEND","body":"{}"}`},
		{name: "the body as a list", text: `{"type":"SEND","body":[]}`},
		{name: "half", text: `{"type":"SEND","body":{`},
		{name: "something after it", text: `{"type":"PING"}{}`},
		{name: "invalid UTF-8", text: "{\"type\":\"PING\",\"x\":\"\xff\"}"},
		{name: "one byte too long", text: `{"type":"SEND","body":{"a":"` + strings.Repeat("x", limit-7) + `"}}`},
		{name: "far too long", text: `{"type":"PING"}` + strings.Repeat(" ", 1000)},
		{name: "too deep", text: `{"type":"PING","x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`},
		{name: "too many members", text: `{"type":"PING","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wire.ParseText([]byte(tt.text), limit)
			if tt.want.Codec == 0 {
				wantViolation(t, err, wire.JSON)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the frame differs (-want +got):\n%s", diff)
			}
		})
	}
}

package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire"
)

var update = flag.Bool("update", false, "write testdata/vectors anew")

// hexBytes are bytes that stand as hex digits in JSON.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.AppendDecode(nil, b)
	return err
}

// vector is one frame in all its forms; testdata/vectors/README.md says what the fields are.
type vector struct {
	Name     string          `json:"name"`
	From     string          `json:"from"`
	Type     string          `json:"type"`
	Number   int32           `json:"number"`
	ID       uint32          `json:"id"`
	Message  string          `json:"message"`
	Body     json.RawMessage `json:"body"`
	JSON     hexBytes        `json:"json"`
	Protobuf hexBytes        `json:"protobuf"`
	Text     string          `json:"text"`
}

// accepted is a frame that nobody of ours would write and everybody must take.
type accepted struct {
	Name  string          `json:"name"`
	Type  string          `json:"type"`
	ID    uint32          `json:"id"`
	Body  json.RawMessage `json:"body"`
	Frame hexBytes        `json:"frame,omitempty"`
	Text  string          `json:"text,omitempty"`
}

// invalid is what a reader must refuse, or wait for the rest of.
type invalid struct {
	Name    string   `json:"name"`
	MaxBody int      `json:"maxBody"`
	Frame   hexBytes `json:"frame,omitempty"`
	Text    string   `json:"text,omitempty"`
	Codec   int      `json:"codec"`
	Result  string   `json:"result"`
	Why     string   `json:"why"`
}

// vectors are the examples of examples_test.go in all their forms.
func vectors(tb testing.TB) []vector {
	tb.Helper()
	var all []vector
	for _, e := range examples() {
		v := vector{
			Name: e.name, From: e.from, Type: e.typ.String(), Number: int32(e.typ), ID: e.id,
			Message: string(e.body.ProtoReflect().Descriptor().Name()),
		}
		form := func(f wire.Form) []byte {
			b, err := f.Encode(nil, e.typ, e.id, e.body)
			if err != nil {
				tb.Fatalf("%s: %v", e.name, err)
			}
			return b
		}
		v.JSON, v.Protobuf, v.Text = form(wire.FormJSON), form(wire.FormProtobuf), string(form(wire.FormText))
		v.Body = json.RawMessage(v.JSON[wire.HeaderLen:])
		all = append(all, v)
	}
	return all
}

// golden compares v with the file, or writes it.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "vectors", name)
	if *update {
		if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(old), buf.String()); diff != "" {
		t.Errorf("%s is not what the code says (-file +code); if the code is right: go test ./internal/wire -update\n%s", path, diff)
	}
}

// TestVectorsAreCurrent: the files are what the code writes today. What they were when a client was
// built on them must never change; a new frame is added to the examples.
func TestVectorsAreCurrent(t *testing.T) {
	golden(t, "frames.json", vectors(t))
	golden(t, "accepted.json", acceptedFrames(t))
	golden(t, "invalid.json", append(invalidFrames, invalidText...))
}

func load[T any](t *testing.T, name string) (all []T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestVectorFiles runs the files as a client in another language would.
func TestVectorFiles(t *testing.T) {
	for _, v := range load[vector](t, "frames.json") {
		t.Run("frames/"+v.Name, func(t *testing.T) {
			for _, b := range [][]byte{v.JSON, v.Protobuf} {
				f, err := wire.ParseFrame(b, wire.MaxServerBody)
				if err != nil {
					t.Fatal(err)
				}
				means(t, f, v.Type, v.ID, v.Body)
			}
			f, err := wire.ParseText([]byte(v.Text), wire.MaxServerBody)
			if err != nil {
				t.Fatal(err)
			}
			means(t, f, v.Type, v.ID, v.Body)
		})
	}
	for _, v := range load[accepted](t, "accepted.json") {
		t.Run("accepted/"+v.Name, func(t *testing.T) {
			f, err := wire.ParseText([]byte(v.Text), wire.MaxBody)
			if v.Frame != nil {
				f, err = wire.ParseFrame(v.Frame, wire.MaxBody)
			}
			if err != nil {
				t.Fatal(err)
			}
			means(t, f, v.Type, v.ID, v.Body)
		})
	}
	for _, v := range load[invalid](t, "invalid.json") {
		t.Run("invalid/"+v.Name, func(t *testing.T) { refuses(t, v) })
	}
}

// means wants f to be of the type and to mean body.
func means(t *testing.T, f wire.Frame, typ string, id uint32, body []byte) {
	t.Helper()
	if f.ID != id || f.Type.String() != typ {
		t.Errorf("got type %v id %d, want %s %d", f.Type, f.ID, typ, id)
	}
	m, ok := wire.NewBody(f.Type)
	if !ok {
		if body != nil && string(body) != "null" {
			t.Errorf("nobody knows the body of %v", f.Type)
		}
		return
	}
	meant := m.ProtoReflect().New().Interface()
	if err := f.Codec.Unmarshal(f.Body, m); err != nil {
		t.Fatal(err)
	}
	if err := wire.JSON.Unmarshal(body, meant); err != nil {
		t.Fatal(err)
	}
	equal(t, m, meant)
	if f.Codec == wire.Protobuf && proto.Size(meant) > 0 && len(f.Body) == 0 {
		t.Error("the body is empty and means something")
	}
}

func refuses(t *testing.T, v invalid) {
	t.Helper()
	if v.Text != "" {
		f, err := wire.ParseText([]byte(v.Text), v.MaxBody)
		if err == nil {
			err = badBody(t, f)
		}
		wantViolation(t, err, wire.JSON)
		return
	}
	h, ok, err := wire.ParseHeader(v.Frame, v.MaxBody)
	whole := ok && len(v.Frame) >= wire.HeaderLen+h.Len
	if v.Result == "wait" {
		if err != nil || whole {
			t.Errorf("got %v, whole %v; want that more must come", err, whole)
		}
		return
	}
	if err == nil && whole {
		err = badBody(t, wire.Frame{Codec: h.Codec, Type: h.Type, Body: v.Frame[wire.HeaderLen:]})
	}
	wantViolation(t, err, wire.Codec(v.Codec))
}

func badBody(t *testing.T, f wire.Frame) error {
	t.Helper()
	m, ok := wire.NewBody(f.Type)
	if !ok {
		t.Fatalf("nobody knows type %v", f.Type)
	}
	return f.Codec.Unmarshal(f.Body, m)
}

func TestEveryTypeHasAnExample(t *testing.T) {
	have := map[wire.Type]bool{}
	names := map[string]bool{}
	for _, e := range examples() {
		have[e.typ] = true
		if names[e.name] {
			t.Errorf("two examples are called %q", e.name)
		}
		names[e.name] = true
	}
	for _, typ := range types() {
		if !have[typ] {
			t.Errorf("%v has no example", typ)
		}
	}
}

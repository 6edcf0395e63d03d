package wire

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// Codec is the form of a body, as the header's second byte names it.
type Codec uint8

// The two codecs. The zero Codec is none.
const (
	JSON     Codec = 1 // protobuf's JSON mapping
	Protobuf Codec = 2 // protobuf's binary form
)

func (c Codec) valid() bool { return c == JSON || c == Protobuf }

// String is for logs and metrics: "json" or "protobuf".
func (c Codec) String() string {
	switch c {
	case JSON:
		return "json"
	case Protobuf:
		return "protobuf"
	}
	return "unknown"
}

// ErrTooLarge is returned for a body that may be well formed but holds more values, or deeper ones,
// than any acceptable message does. It was not built. The request is to be refused with TOO_LARGE;
// the connection may stay.
var ErrTooLarge = errors.New("body holds too many or too deep values")

// errEncode marks what only our own mistakes can cause: a message that cannot be encoded.
var errEncode = errors.New("encode body")

// Append appends the body that m is in this codec to dst. A nil m is an empty message. The output is
// deterministic and, in JSON, without white space.
func (c Codec) Append(dst []byte, m proto.Message) ([]byte, error) {
	if m == nil {
		if c == JSON {
			dst = append(dst, '{', '}')
		}
		return dst, nil
	}
	start := len(dst)
	var out []byte
	var err error
	switch c {
	case JSON:
		if out, err = (protojson.MarshalOptions{}).MarshalAppend(dst, m); err == nil {
			out = compact(out, start)
		}
	case Protobuf:
		out, err = proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
	default:
		err = fmt.Errorf("no codec %d", c)
	}
	if err != nil {
		return dst, fmt.Errorf("%w: %w", errEncode, err)
	}
	return out, nil
}

// compact removes the white space outside strings from b[start:], in place. The encoder adds some at
// random, so that nobody relies on its bytes; we want ours to be the same each time.
func compact(b []byte, start int) []byte {
	w := start
	quoted, escaped := false, false
	for _, ch := range b[start:] {
		switch {
		case escaped:
			escaped = false
		case quoted && ch == '\\':
			escaped = true
		case ch == '"':
			quoted = !quoted
		case !quoted && (ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r'):
			continue
		}
		b[w] = ch
		w++
	}
	return b[:w]
}

// Unmarshal reads body into m, whose old content is lost. Zero bytes are an empty message in either
// codec. The error is ErrTooLarge, or a *Violation if the body does not parse.
//
// Nothing in m points into body when it returns.
func (c Codec) Unmarshal(body []byte, m proto.Message) error {
	if len(body) == 0 && c.valid() {
		proto.Reset(m)
		return nil
	}
	if err := c.checkLimits(body, m); err != nil {
		return err
	}
	var err error
	switch c {
	case JSON:
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, m)
	case Protobuf:
		err = proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, m)
	default:
		err = fmt.Errorf("no codec %d", c)
	}
	if err != nil {
		return &Violation{
			Codec: c,
			Text:  "the body is no " + string(m.ProtoReflect().Descriptor().Name()) + " in codec " + c.String(),
			Err:   plain(err),
		}
	}
	zeroUnknownEnums(m)
	return nil
}

// plain gives protobuf's error without the prefix that it varies at random.
func plain(err error) error {
	_, s, found := strings.Cut(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
	if !found {
		return err
	}
	return errors.New(s)
}

// zeroUnknownEnums makes values that this version has no name for read as zero, as the contract says.
// Unknown names in JSON are dropped by protojson; unknown numbers are not. A test holds this list to
// the messages that have enums.
func zeroUnknownEnums(m proto.Message) {
	switch m := m.(type) {
	case *clientpb.Error:
		m.Code = known(m.GetCode(), clientpb.Code_name)
	case *clientpb.Goaway:
		m.Reason = known(m.GetReason(), clientpb.Reason_name)
	case *clientpb.Group:
		m.Role = known(m.GetRole(), clientpb.Role_name)
	case *clientpb.SetRole:
		m.Role = known(m.GetRole(), clientpb.Role_name)
	case *clientpb.MemberList:
		for _, one := range m.GetMembers() {
			one.Role = known(one.GetRole(), clientpb.Role_name)
		}
	}
}

func known[E ~int32](e E, names map[int32]string) E {
	if _, ok := names[int32(e)]; ok {
		return e
	}
	return 0
}

// Form is how a connection carries frames: the codec of its HELLO, or text.
type Form uint8

// The forms. The binary ones have the numbers of their codecs. Forms is one more than the last, for
// arrays that keep one encoding for each.
const (
	FormJSON     = Form(JSON)
	FormProtobuf = Form(Protobuf)
	FormText     = Form(3) // a WebSocket text message, its body in JSON

	Forms = 4
)

// FormOf is the form of a connection whose frames are in codec c, and that speaks WebSocket text if
// text is set.
func FormOf(c Codec, text bool) Form {
	if text {
		return FormText
	}
	return Form(c)
}

// String is for logs and metrics: "json", "protobuf" or "text".
func (f Form) String() string {
	if f == FormText {
		return "text"
	}
	return Codec(f).String()
}

// Encode appends one whole frame in this form to dst: what one element of transport's WriteFrames is.
// A nil m is an empty body. The error says that our own side made a message that cannot travel.
func (f Form) Encode(dst []byte, t Type, id uint32, m proto.Message) ([]byte, error) {
	if f == FormText {
		return AppendText(dst, t, id, m)
	}
	start := len(dst)
	out, err := Codec(f).Append(appendHeader(dst, Codec(f), t, id), m)
	if err != nil {
		return dst, fmt.Errorf("encode %v: %w", t, err)
	}
	n := len(out) - start - HeaderLen
	if n > MaxServerBody {
		return dst, fmt.Errorf("encode %v: %w: %d bytes, at most %d", t, errEncode, n, MaxServerBody)
	}
	putLen(out[start:], n)
	return out, nil
}

package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// The text form carries a frame as {"type":"SEND","id":7,"body":{...}}.
const (
	// What the text form may need around a body: the names, an id, the longest type,
	// some white space and a few members that we do not know.
	textOverhead = 512
	// It bounds the members of the outer object, known or not.
	maxMembers = 16
)

// MaxText is the largest text message in bytes for bodies of at most maxBody bytes.
func MaxText(maxBody int) int { return maxBody + textOverhead }

// AppendText appends the text form of a frame to dst. A nil m is an empty body. The error says that
// our own side made a message that cannot travel.
func AppendText(dst []byte, t Type, id uint32, m proto.Message) ([]byte, error) {
	name, ok := clientpb.Type_name[int32(t)]
	if !ok || t == clientpb.Type_TYPE_UNSPECIFIED {
		return dst, fmt.Errorf("encode type %d as text: %w: it has no name", t, errEncode)
	}
	out := append(dst, `{"type":"`...)
	out = append(out, name...)
	out = append(out, `","id":`...)
	out = strconv.AppendUint(out, uint64(id), 10)
	out = append(out, `,"body":`...)
	start := len(out)
	out, err := JSON.Append(out, m)
	if err != nil {
		return dst, fmt.Errorf("encode %v as text: %w", t, err)
	}
	if n := len(out) - start; n > MaxServerBody {
		return dst, fmt.Errorf("encode %v as text: %w: %d bytes, at most %d", t, errEncode, n, MaxServerBody)
	}
	return append(out, '}'), nil
}

// ParseText reads one frame in the text form. Its Codec is JSON and its Body lies in b. A type name
// that this version does not know gives TYPE_UNSPECIFIED and no error, so that it can be answered.
// An absent id is 0; an absent or null body is empty; unknown members are ignored; a member given
// twice is refused. The error is a *Violation.
func ParseText(b []byte, maxBody int) (Frame, error) {
	refuse := func(text string) (Frame, error) {
		return Frame{}, &Violation{Codec: JSON, Text: text}
	}
	if len(b) > MaxText(maxBody) {
		return refuse(fmt.Sprintf("a text message of %d bytes is over the limit of %d", len(b), MaxText(maxBody)))
	}
	if depth, _ := measureJSON(b); depth > maxDepth+1 {
		return refuse("the text message is nested too deeply")
	}
	if !utf8.Valid(b) || !json.Valid(b) {
		return refuse("the text message is not JSON in UTF-8")
	}
	members, text := splitObject(b)
	if text != "" {
		return refuse(text)
	}
	f := Frame{Codec: JSON}
	typed := false
	for _, m := range members {
		switch m.name {
		case "type":
			if m.value[0] != '"' {
				return refuse(`"type" must be a string, such as "SEND"`)
			}
			f.Type, typed = Type(clientpb.Type_value[unquote(m.value)]), true
		case "id":
			id, err := strconv.ParseUint(string(m.value), 10, 32)
			if err != nil {
				return refuse(`"id" must be a whole number from 0 to 4294967295`)
			}
			f.ID = uint32(id)
		case "body":
			switch {
			case m.value[0] == '{':
				f.Body = m.value
			case string(m.value) != "null":
				return refuse(`"body" must be an object`)
			}
		}
	}
	if !typed {
		return refuse(`the text message has no "type"`)
	}
	if len(f.Body) > maxBody {
		return refuse(fmt.Sprintf("a body of %d bytes is over the limit of %d", len(f.Body), maxBody))
	}
	return f, nil
}

// member is one of an object's, its value still JSON.
type member struct {
	name  string
	value []byte
}

// splitObject gives the members of the object that b is, which must be valid JSON: this looks for ends only.
// A text says why it is refused.
func splitObject(b []byte) (members []member, refusal string) {
	b = trim(b)
	if b[0] != '{' {
		return nil, "the text message must be an object"
	}
	b = trim(b[1:])
	for b[0] != '}' {
		n := valueLen(b)
		name := unquote(b[:n])
		b = trim(b[n:]) // at the colon
		b = trim(b[1:]) // at the value
		n = valueLen(b)
		if slices.ContainsFunc(members, func(m member) bool { return m.name == name }) {
			return nil, "the text message has a member twice"
		}
		if len(members) == maxMembers {
			return nil, "the text message has too many members"
		}
		members = append(members, member{name, b[:n]})
		if b = trim(b[n:]); b[0] == ',' {
			b = trim(b[1:])
		}
	}
	return members, ""
}

// valueLen is the length of the value that valid JSON begins with.
func valueLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of what a number or a word stands in
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// unquote gives what the JSON string b stands for.
func unquote(b []byte) string {
	plain := b[1 : len(b)-1]
	if !slices.Contains(plain, '\\') {
		return string(plain)
	}
	var s string
	// b is a part of valid JSON, so this cannot fail.
	if err := json.Unmarshal(b, &s); err != nil {
		return ""
	}
	return s
}

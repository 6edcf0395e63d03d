package liaotest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Types are the frame types by their names in the contract.
var Types = map[string]uint16{
	"HELLO": 1, "WELCOME": 2, "PING": 3, "PONG": 4, "OK": 5, "ERROR": 6, "GOAWAY": 7, "RESYNC": 8,
	"SEND": 16, "SENT": 17, "MESSAGE": 18, "HISTORY": 19, "PAGE": 20, "SYNC": 21, "CHANGES": 22, "READ": 23,
	"RECEIPT": 24, "TYPING": 25, "PRESENCE": 26,
	"FIND_USERS": 32, "USERS": 33, "REQUEST_FRIEND": 34, "ANSWER_FRIEND": 35, "ANSWERED": 36, "FRIENDS": 37,
	"FRIEND_LIST": 38, "REMOVE_FRIEND": 39, "BLOCK": 40, "UNBLOCK": 41, "REMARK": 42,
	"CREATE_GROUP": 48, "GROUP": 49, "GET_GROUP": 50, "UPDATE_GROUP": 51, "MEMBERS": 52, "MEMBER_LIST": 53,
	"ADD_MEMBERS": 54, "REMOVE_MEMBERS": 55, "SET_ROLE": 56, "LEAVE_GROUP": 57, "DISSOLVE_GROUP": 58,
}

// names is Types turned round.
func name(t uint16) string {
	for n, v := range Types {
		if v == t {
			return n
		}
	}
	return "TYPE_" + strconv.Itoa(int(t))
}

// Frame is one frame with a JSON body.
type Frame struct {
	Type string
	ID   uint32
	Body Object

	tb testing.TB
}

// Want ends the test unless the frame is of this type.
func (f Frame) Want(typ string) Frame {
	f.tb.Helper()
	if f.Type != typ {
		f.tb.Fatalf("got %s %v, want %s", f.Type, f.Body, typ)
	}
	return f
}

// Refused ends the test unless the frame is an ERROR with this code.
func (f Frame) Refused(code string) Frame {
	f.tb.Helper()
	f.Want("ERROR")
	if got := f.Text("code"); got != code {
		f.tb.Fatalf("refused with %v, want %s", f.Body, code)
	}
	return f
}

// Text returns the text at a path of the body, "" if there is none.
func (f Frame) Text(path string) string { return Text(f.Body, path) }

// Number returns the number at the top of the body, 0 if there is none.
func (f Frame) Number(field string) int {
	n, _ := f.Body[field].(float64)
	return int(n)
}

// Objects returns the list of objects at the top of the body.
func (f Frame) Objects(field string) []Object {
	list, _ := f.Body[field].([]any)
	out := make([]Object, 0, len(list))
	for _, v := range list {
		o, _ := v.(Object)
		out = append(out, o)
	}
	return out
}

// Line is one connection to the chat service.
type Line struct {
	Person  *Person
	Welcome Frame

	tb   testing.TB
	conn net.Conn
	next uint32
	held []Frame // came while something else was waited for
}

// Dial opens a connection and says nothing.
func (s *Server) Dial() *Line {
	s.tb.Helper()
	var d net.Dialer
	conn, err := d.DialContext(s.tb.Context(), "tcp", s.Chat)
	if err != nil {
		s.tb.Fatal(err)
	}
	l := &Line{tb: s.tb, conn: conn}
	s.tb.Cleanup(l.Close)
	return l
}

// Connect opens a connection for the person and says HELLO.
func (p *Person) Connect() *Line {
	p.s.tb.Helper()
	l := p.s.Dial()
	l.Person = p
	l.Welcome = l.Ask("HELLO", Object{"token": p.Access, "client": "liaotest"}).Want("WELCOME")
	return l
}

// Close closes the socket without a word.
func (l *Line) Close() { _ = l.conn.Close() }

// Encode returns a frame with a JSON body; body nil is an empty one.
func Encode(typ uint16, id uint32, body any) []byte {
	var raw []byte
	if body != nil {
		raw, _ = json.Marshal(body)
	}
	return EncodeRaw(1, typ, id, raw)
}

// EncodeRaw returns a frame with this body as it is.
func EncodeRaw(codec byte, typ uint16, id uint32, body []byte) []byte {
	b := []byte{0x4c, codec}
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint32(b, id)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

// Write sends bytes as they are.
func (l *Line) Write(b []byte) error {
	_ = l.conn.SetWriteDeadline(time.Now().Add(Patience))
	_, err := l.conn.Write(b)
	return err
}

// Put sends a request without waiting and returns its id.
func (l *Line) Put(typ string, body any) uint32 {
	l.tb.Helper()
	l.next++
	if err := l.Write(Encode(Types[typ], l.next, body)); err != nil {
		l.tb.Fatalf("send %s: %v", typ, err)
	}
	return l.next
}

// Ask sends a request and returns its answer. Frames that come meanwhile are held
// for Next.
func (l *Line) Ask(typ string, body any) Frame {
	l.tb.Helper()
	return l.Answer(l.Put(typ, body))
}

// Answer returns the frame with this id.
func (l *Line) Answer(id uint32) Frame {
	l.tb.Helper()
	return l.take(fmt.Sprintf("the answer to request %d", id), func(f Frame) bool { return f.ID == id && f.Type != "PING" })
}

// Next returns the next frame of one of these types that the server started.
func (l *Line) Next(types ...string) Frame {
	l.tb.Helper()
	return l.take(fmt.Sprint(types), func(f Frame) bool { return f.ID == 0 && slices.Contains(types, f.Type) })
}

// NextMessage returns the next MESSAGE of a conversation.
func (l *Line) NextMessage(conv string) Frame {
	l.tb.Helper()
	return l.take("MESSAGE of "+conv, func(f Frame) bool { return f.Type == "MESSAGE" && f.Text("conv") == conv })
}

func (l *Line) take(what string, want func(Frame) bool) Frame {
	l.tb.Helper()
	for i, f := range l.held {
		if want(f) {
			l.held = slices.Delete(l.held, i, i+1)
			return f
		}
	}
	for deadline := time.Now().Add(Patience); ; {
		f, err := l.Read(time.Until(deadline))
		if err != nil {
			l.tb.Fatalf("waiting for %s: %v; held %v", what, err, l.held)
		}
		if want(f) {
			return f
		}
		l.held = append(l.held, f)
	}
}

// Silent ends the test if one of these types comes within a moment.
func (l *Line) Silent(types ...string) {
	l.tb.Helper()
	for deadline := time.Now().Add(pause); ; {
		f, err := l.Read(time.Until(deadline))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			l.tb.Fatalf("line broke: %v", err)
		}
		l.held = append(l.held, f)
	}
	for _, f := range l.held {
		if slices.Contains(types, f.Type) {
			l.tb.Fatalf("got %s %v, want none", f.Type, f.Body)
		}
	}
}

// Gone ends the test unless the server says GOAWAY with this reason and closes.
func (l *Line) Gone(reason string) {
	l.tb.Helper()
	f := l.take("GOAWAY", func(f Frame) bool { return f.Type == "GOAWAY" })
	if got := f.Text("reason"); got != reason {
		l.tb.Fatalf("GOAWAY %v, want %s", f.Body, reason)
	}
	l.Closed()
}

// Closed ends the test unless the server closes the connection.
func (l *Line) Closed() {
	l.tb.Helper()
	for deadline := time.Now().Add(Patience); ; {
		_, err := l.Read(time.Until(deadline))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.tb.Fatal("the server did not close the connection")
		}
		if err != nil {
			return
		}
	}
}

// Read returns the next frame as it comes.
func (l *Line) Read(patience time.Duration) (Frame, error) {
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	var h [12]byte
	if _, err := io.ReadFull(l.conn, h[:]); err != nil {
		return Frame{}, err
	}
	if h[0] != 0x4c || h[1] != 1 {
		return Frame{}, fmt.Errorf("header % x, want 4c 01", h)
	}
	size := binary.BigEndian.Uint32(h[8:])
	if size > 256<<10 {
		return Frame{}, fmt.Errorf("body of %d bytes", size)
	}
	raw := make([]byte, size)
	_ = l.conn.SetReadDeadline(time.Now().Add(Patience))
	if _, err := io.ReadFull(l.conn, raw); err != nil {
		return Frame{}, err
	}
	f := Frame{Type: name(binary.BigEndian.Uint16(h[2:])), ID: binary.BigEndian.Uint32(h[4:]), Body: Object{}, tb: l.tb}
	if size > 0 {
		if err := json.Unmarshal(raw, &f.Body); err != nil {
			return Frame{}, fmt.Errorf("body %q: %w", raw, err)
		}
	}
	return f, nil
}

// Any returns the next frame of one of these types, whatever its id.
func (l *Line) Any(types ...string) Frame {
	l.tb.Helper()
	return l.take(fmt.Sprint(types), func(f Frame) bool { return slices.Contains(types, f.Type) })
}

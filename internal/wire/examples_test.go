package wire_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/liao-im/liao/internal/wire"
	pb "github.com/liao-im/liao/internal/wire/clientpb"
)

// example is a frame as it might travel.
type example struct {
	name string
	from string // who sends it: client, server, either
	typ  wire.Type
	id   uint32
	body proto.Message
}

// examples has at least one frame of every type. Only add to it: the vectors made of it are promised.
func examples() []example {
	empty := new(emptypb.Empty)
	return append([]example{
		{"hello", "client", pb.Type_HELLO, 1, &pb.Hello{Token: "la_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", Client: "example/1.0"}},
		{"welcome", "server", pb.Type_WELCOME, 1, &pb.Welcome{
			User: lin(), DeviceId: "d-7", Node: "node-1", ServerTimeMs: 1_767_225_600_000, HeartbeatMs: 30_000, MaxBody: wire.MaxBody, Epoch: "e1",
		}},
		{"ping", "either", pb.Type_PING, 2, empty},
		{"ping of the server", "server", pb.Type_PING, 0, empty},
		{"pong", "either", pb.Type_PONG, 2, empty},
		{"ok", "server", pb.Type_OK, 3, empty},
		{"error", "server", pb.Type_ERROR, 4, &pb.Error{Code: pb.Code_RATE_LIMITED, Text: "too many messages", RetryAfterMs: 1_500}},
		{"goaway", "server", pb.Type_GOAWAY, 0, &pb.Goaway{Reason: pb.Reason_DRAINING, Text: "the node is leaving", RetryAfterMs: 700}},
		{"resync", "server", pb.Type_RESYNC, 0, empty},
	}, append(append(talkExamples(), friendExamples()...), groupExamples()...)...)
}

func lin() *pb.User {
	return &pb.User{Id: 42, Handle: "lin", Name: "林", Avatar: strings.Repeat("ab", 32), Bio: "\"quoted\" \\ and\nnew line"}
}

func mo() *pb.User { return &pb.User{Id: 9_007_199_254_740_991, Handle: "mo_1", Name: "Mo 😀"} }

func said(seq uint32, text string) *pb.Message {
	return &pb.Message{
		Conv: 7_000_000_000, Seq: seq, From: 42, Key: "0198c0de-0000-7000-8000-000000000001", AtMs: 1_767_225_600_123,
		Content: &pb.Content{Kind: "text", Text: text},
	}
}

func talkExamples() []example {
	data, err := structpb.NewStruct(map[string]any{
		"user": map[string]any{"id": "42", "handle": "lin"}, "users": []any{}, "n": -1.5, "big": "9007199254740993", "yes": true, "none": nil,
		"<&>\u2028": "<&>\u2028\u0000\u001f",
	})
	if err != nil {
		panic("examples: " + err.Error()) //nolint:forbidigo // fixed input
	}
	return []example{
		{"send", "client", pb.Type_SEND, 5, &pb.Send{Conv: 7_000_000_000, Key: "0198c0de-0000-7000-8000-000000000001", Content: &pb.Content{Kind: "text", Text: "你好, \"liao\"\n", ReplyTo: 3}}},
		{"send data", "client", pb.Type_SEND, 6, &pb.Send{Conv: 1, Key: "12345678", Content: &pb.Content{Kind: "x-poll", Text: "a poll", Data: data}}},
		{"send with the greatest numbers", "client", pb.Type_SEND, 4_294_967_295, &pb.Send{Conv: 18_446_744_073_709_551_615, Key: "12345678", Content: &pb.Content{Kind: "text", ReplyTo: 4_294_967_295}}},
		{"sent", "server", pb.Type_SENT, 5, &pb.Sent{Conv: 7_000_000_000, Key: "0198c0de-0000-7000-8000-000000000001", Seq: 4, AtMs: 1_767_225_600_123}},
		{"sent again", "server", pb.Type_SENT, 6, &pb.Sent{Conv: 1, Key: "12345678", Seq: 1, AtMs: 1, Again: true}},
		{"message", "server", pb.Type_MESSAGE, 0, said(4, "hello")},
		{"message of the system", "server", pb.Type_MESSAGE, 0, &pb.Message{Conv: 3, Seq: 1, AtMs: 1_767_225_600_000, Content: &pb.Content{Kind: "friend.requested", Data: data}}},
		{"history", "client", pb.Type_HISTORY, 7, &pb.History{Conv: 7_000_000_000, After: 1, Before: 9, Limit: 200}},
		{"page", "server", pb.Type_PAGE, 7, &pb.Page{Conv: 7_000_000_000, Messages: []*pb.Message{said(2, "a"), said(3, "b")}, Head: 9, More: true, Users: []*pb.User{lin(), {Id: 5}}}},
		{"empty page", "server", pb.Type_PAGE, 8, &pb.Page{Conv: 7}},
		{"sync from the beginning", "client", pb.Type_SYNC, 9, &pb.Sync{}},
		{"sync", "client", pb.Type_SYNC, 10, &pb.Sync{Cursor: "AbC-_1", Limit: 100}},
		{"changes", "server", pb.Type_CHANGES, 10, &pb.Changes{
			Conversations: []*pb.Conversation{
				{Id: 7_000_000_000, Kind: "direct", Peer: mo(), Head: 4, Read: 3, PeerRead: 2, Last: said(4, "hello"), UpdatedMs: 1_767_225_600_123, Closed: true},
				{Id: 8, Kind: "group", Title: "Tea", Head: 1, UpdatedMs: 1, Left: true},
				{Id: 9, Kind: "group", Title: "Tee & Kekse <3", Members: 5_000},
			}, Cursor: "AbC-_2", More: true, Reset_: true,
		}},
		{"read", "client", pb.Type_READ, 11, &pb.Read{Conv: 7_000_000_000, Seq: 4}},
		{"receipt", "server", pb.Type_RECEIPT, 0, &pb.Receipt{Conv: 7_000_000_000, User: 42, Seq: 4}},
		{"typing", "client", pb.Type_TYPING, 0, &pb.Typing{Conv: 7_000_000_000}},
		{"typing of another", "server", pb.Type_TYPING, 0, &pb.Typing{Conv: 7_000_000_000, User: 42}},
		{"presence", "server", pb.Type_PRESENCE, 0, &pb.Presence{User: 42, Online: true}},
		{"presence, gone", "server", pb.Type_PRESENCE, 0, &pb.Presence{User: 42, LastSeenMs: 1_767_225_600_000}},
	}
}

func friendExamples() []example {
	return []example{
		{"find users", "client", pb.Type_FIND_USERS, 12, &pb.FindUsers{Query: "#42"}},
		{"users", "server", pb.Type_USERS, 12, &pb.Users{Users: []*pb.User{lin(), mo()}}},
		{"request friend", "client", pb.Type_REQUEST_FRIEND, 13, &pb.RequestFriend{User: 42, Greeting: "hi, it's me", Remark: "Lin from work"}},
		{"answer friend", "client", pb.Type_ANSWER_FRIEND, 14, &pb.AnswerFriend{User: 42, Accept: true, Remark: "Mo"}},
		{"answered", "server", pb.Type_ANSWERED, 14, &pb.Answered{Conv: 7_000_000_000}},
		{"answered no", "server", pb.Type_ANSWERED, 15, &pb.Answered{}},
		{"friends", "client", pb.Type_FRIENDS, 16, &pb.Friends{Cursor: "f1", Limit: 500}},
		{"friend list", "server", pb.Type_FRIEND_LIST, 16, &pb.FriendList{
			Friends:  []*pb.Friend{{User: lin(), Remark: "Lin", Conv: 7_000_000_000, Online: true, LastSeenMs: 1_767_225_600_000, Blocked: true}},
			Requests: []*pb.FriendRequest{{User: mo(), Greeting: "hi", AtMs: 1_767_225_600_000}},
			Asked:    []*pb.FriendRequest{{User: &pb.User{Id: 5}, AtMs: 1}},
			Blocked:  []*pb.User{{Id: 6}}, Cursor: "f2", More: true,
		}},
		{"remove friend", "client", pb.Type_REMOVE_FRIEND, 17, &pb.UserRef{User: 42}},
		{"block", "client", pb.Type_BLOCK, 18, &pb.UserRef{User: 42}},
		{"unblock", "client", pb.Type_UNBLOCK, 19, &pb.UserRef{User: 42}},
		{"remark", "client", pb.Type_REMARK, 20, &pb.Remark{User: 42, Remark: "Lin"}},
	}
}

func groupExamples() []example {
	tea := &pb.Group{Conv: 8, Title: "Tea", Notice: "daily at four", Members: 3, Role: pb.Role_OWNER, Muted: true, MembersAdd: true}
	return []example{
		{"create group", "client", pb.Type_CREATE_GROUP, 21, &pb.CreateGroup{Title: "Tea", Users: []uint64{42, 9_007_199_254_740_991}, Key: "12345678"}},
		{"group", "server", pb.Type_GROUP, 21, tea},
		{"get group", "client", pb.Type_GET_GROUP, 22, &pb.GroupRef{Conv: 8}},
		{"update group", "client", pb.Type_UPDATE_GROUP, 23, &pb.UpdateGroup{Conv: 8, Title: new("Tea & more"), MembersAdd: new(true)}},
		{"update group to nothing", "client", pb.Type_UPDATE_GROUP, 24, &pb.UpdateGroup{Conv: 8, Notice: new(""), Muted: new(false)}},
		{"members", "client", pb.Type_MEMBERS, 25, &pb.Members{Conv: 8, Cursor: "m1", Limit: 500}},
		{"member list", "server", pb.Type_MEMBER_LIST, 25, &pb.MemberList{
			Members: []*pb.Member{{User: lin(), Role: pb.Role_OWNER, SinceMs: 1_767_225_600_000}, {User: mo(), Role: pb.Role_MEMBER, SinceMs: 2}}, Cursor: "m2", More: true,
		}},
		{"add members", "client", pb.Type_ADD_MEMBERS, 26, &pb.MemberChange{Conv: 8, Users: []uint64{1, 2, 3}}},
		{"remove members", "client", pb.Type_REMOVE_MEMBERS, 27, &pb.MemberChange{Conv: 8, Users: []uint64{3}}},
		{"set role", "client", pb.Type_SET_ROLE, 28, &pb.SetRole{Conv: 8, User: 42, Role: pb.Role_ADMIN}},
		{"leave group", "client", pb.Type_LEAVE_GROUP, 29, &pb.GroupRef{Conv: 8}},
		{"dissolve group", "client", pb.Type_DISSOLVE_GROUP, 30, &pb.GroupRef{Conv: 8}},
	}
}

// raw makes a frame of any bytes.
func raw(c wire.Codec, typ wire.Type, id uint32, body string) hexBytes {
	return wire.AppendFrame(nil, wire.Frame{Codec: c, Type: typ, ID: id, Body: []byte(body)})
}

func acceptedFrames(t *testing.T) []accepted {
	t.Helper()
	const read = `{"conv":"7","seq":4}`
	read2, err := wire.Protobuf.Append(nil, &pb.Read{Conv: 7, Seq: 4})
	if err != nil {
		t.Fatal(err)
	}
	return []accepted{
		{"numbers for 64-bit integers", "READ", 1, []byte(read), raw(wire.JSON, pb.Type_READ, 1, `{"conv":7,"seq":4}`), ""},
		{"strings for 32-bit integers", "READ", 1, []byte(read), raw(wire.JSON, pb.Type_READ, 1, `{"conv":"7","seq":"4"}`), ""},
		{"white space and another order", "READ", 1, []byte(read), raw(wire.JSON, pb.Type_READ, 1, " {\n\"seq\" : 4 ,\t\"conv\" : \"7\" }\r\n"), ""},
		{"unknown fields in JSON", "READ", 1, []byte(read), raw(wire.JSON, pb.Type_READ, 1, `{"new":{"a":[1]},"conv":"7","seq":4}`), ""},
		{"unknown fields in protobuf", "READ", 1, []byte(read), raw(wire.Protobuf, pb.Type_READ, 1, string(read2)+"\xa2\x06\x03new"), ""},
		{"the names of the .proto", "SEND", 1, []byte(`{"content":{"replyTo":3}}`), raw(wire.JSON, pb.Type_SEND, 1, `{"content":{"reply_to":3}}`), ""},
		{"null for what is absent", "READ", 1, []byte(`{"conv":"7"}`), raw(wire.JSON, pb.Type_READ, 1, `{"conv":"7","seq":null}`), ""},
		{"zero bytes in JSON", "SYNC", 1, []byte(`{}`), raw(wire.JSON, pb.Type_SYNC, 1, ""), ""},
		{"zero bytes in protobuf", "SYNC", 1, []byte(`{}`), raw(wire.Protobuf, pb.Type_SYNC, 1, ""), ""},
		{"an unknown enum name", "SET_ROLE", 1, []byte(`{"conv":"8"}`), raw(wire.JSON, pb.Type_SET_ROLE, 1, `{"conv":"8","role":"EMPEROR"}`), ""},
		{"an unknown enum number in JSON", "SET_ROLE", 1, []byte(`{"conv":"8"}`), raw(wire.JSON, pb.Type_SET_ROLE, 1, `{"conv":"8","role":99}`), ""},
		{"an unknown enum number in protobuf", "SET_ROLE", 1, []byte(`{"conv":"8"}`), raw(wire.Protobuf, pb.Type_SET_ROLE, 1, "\x08\x08\x18\x63"), ""},
		{"an unknown type, which is answered by ERROR(UNSUPPORTED)", "999", 1, nil, raw(wire.JSON, 999, 1, `{}`), ""},
		{"text in another order, with more members", "READ", 1, []byte(read), nil, ` {"new":[{}], "body":{"conv":7,"seq":4}, "id":1, "type":"READ"} `},
		{"text without a body", "SYNC", 1, []byte(`{}`), nil, `{"type":"SYNC","id":1}`},
		{"text without an id, which is id 0", "PONG", 0, []byte(`{}`), nil, `{"type":"PONG"}`},
		{"text of an unknown type, which is answered by ERROR(UNSUPPORTED)", "TYPE_UNSPECIFIED", 1, nil, nil, `{"type":"DANCE","id":1}`},
	}
}

// invalidFrames and invalidText break the protocol; but those with the result "wait" are only not
// complete yet.
var (
	invalidFrames = []invalid{
		{"an HTTP request", wire.MaxHelloBody, hexBytes("GET / HTTP/1.1\r\n"), "", 0, "refuse", "the first byte is not 0x4C; nothing after it is looked at"},
		{"a TLS handshake", wire.MaxHelloBody, hexBytes("\x16\x03\x01"), "", 0, "refuse", "the first byte is not 0x4C"},
		{"codec 0", wire.MaxHelloBody, hexBytes("\x4c\x00"), "", 0, "refuse", "the codec is neither 1 nor 2"},
		{"codec 3", wire.MaxHelloBody, hexBytes("\x4c\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00"), "", 0, "refuse", "the codec is neither 1 nor 2"},
		{"one byte over the limit before WELCOME", wire.MaxHelloBody, hexBytes("\x4c\x01\x00\x01\x00\x00\x00\x01\x00\x00\x10\x01"), "", 1, "refuse", "the body is over 4,096 bytes; it need not come"},
		{"one byte over the limit after WELCOME", wire.MaxBody, hexBytes("\x4c\x02\x00\x10\x00\x00\x00\x01\x00\x02\x00\x01"), "", 2, "refuse", "the body is over 131,072 bytes; it need not come"},
		{"the greatest length", wire.MaxServerBody, hexBytes("\x4c\x02\x00\x10\x00\x00\x00\x01\xff\xff\xff\xff"), "", 2, "refuse", "the body is over the limit"},
		{"half a header", wire.MaxHelloBody, hexBytes("\x4c\x01\x00\x01\x00"), "", 1, "wait", "7 bytes are missing; refuse it 10 s after the first byte"},
		{"a header without its body", wire.MaxHelloBody, hexBytes("\x4c\x01\x00\x01\x00\x00\x00\x01\x00\x00\x00\x02"), "", 1, "wait", "2 bytes are missing; refuse it 10 s after the first byte"},
		{"half a body", wire.MaxHelloBody, hexBytes("\x4c\x01\x00\x01\x00\x00\x00\x01\x00\x00\x00\x02{"), "", 1, "wait", "1 byte is missing; refuse it 10 s after the first byte"},
		{"JSON cut short", wire.MaxBody, raw(wire.JSON, pb.Type_READ, 1, `{"conv":`), "", 1, "refuse", "the body is not JSON"},
		{"JSON that is a list", wire.MaxBody, raw(wire.JSON, pb.Type_READ, 1, `[]`), "", 1, "refuse", "the body is not an object"},
		{"JSON with a field twice", wire.MaxBody, raw(wire.JSON, pb.Type_READ, 1, `{"conv":"7","conv":"8"}`), "", 1, "refuse", "which one counts?"},
		{"JSON of a wrong type", wire.MaxBody, raw(wire.JSON, pb.Type_READ, 1, `{"conv":{"$gt":""}}`), "", 1, "refuse", "conv is a number"},
		{"JSON below zero", wire.MaxBody, raw(wire.JSON, pb.Type_READ, 1, `{"conv":"-7"}`), "", 1, "refuse", "conv has no sign"},
		{"JSON that is not UTF-8", wire.MaxBody, raw(wire.JSON, pb.Type_SEND, 1, "{\"key\":\"\xff\"}"), "", 1, "refuse", "0xff is not UTF-8"},
		{"protobuf cut short", wire.MaxBody, raw(wire.Protobuf, pb.Type_SEND, 1, "\x12\x05abc"), "", 2, "refuse", "a string of 5 bytes has 3"},
		{"protobuf that is not UTF-8", wire.MaxBody, raw(wire.Protobuf, pb.Type_SEND, 1, "\x12\x01\xff"), "", 2, "refuse", "0xff is not UTF-8"},
		{"protobuf with a group", wire.MaxBody, raw(wire.Protobuf, pb.Type_SEND, 1, "\x0b\x0c"), "", 2, "refuse", "proto3 has no groups"},
		{"JSON in a protobuf frame", wire.MaxBody, raw(wire.Protobuf, pb.Type_READ, 1, `{"conv":"7"}`), "", 2, "refuse", "the body is not protobuf: '{' would begin a group"},
	}
	invalidText = []invalid{
		{"text that is no JSON", wire.MaxBody, nil, `SEND`, 1, "refuse", "it is not JSON"},
		{"text without a type", wire.MaxBody, nil, `{"id":1,"body":{}}`, 1, "refuse", "type is missing"},
		{"text with a type by number", wire.MaxBody, nil, `{"type":16,"id":1}`, 1, "refuse", "type is a name"},
		{"text with an id as a string", wire.MaxBody, nil, `{"type":"SYNC","id":"1"}`, 1, "refuse", "id is a number"},
		{"text with a member twice", wire.MaxBody, nil, `{"type":"SYNC","id":1,"id":2}`, 1, "refuse", "which one counts?"},
		{"text with a body that is a string", wire.MaxBody, nil, `{"type":"SYNC","id":1,"body":"{}"}`, 1, "refuse", "body is an object"},
		{"text with a body of a wrong type", wire.MaxBody, nil, `{"type":"READ","id":1,"body":{"seq":-1}}`, 1, "refuse", "seq has no sign"},
	}
)

package client

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// The functions here are the only place where the messages of the wire become
// the types that this package shows, and back.

func toUser(u *clientpb.User) User {
	return User{ID: u.GetId(), Handle: u.GetHandle(), Name: u.GetName(), Avatar: u.GetAvatar(), Bio: u.GetBio()}
}

func toUsers(us []*clientpb.User) []User {
	out := make([]User, 0, len(us))
	for _, u := range us {
		out = append(out, toUser(u))
	}
	return out
}

func toMessage(m *clientpb.Message) Message {
	return Message{
		Conv: m.GetConv(), Seq: m.GetSeq(), From: m.GetFrom(), Key: m.GetKey(),
		At: instant(m.GetAtMs()), Content: toContent(m.GetContent()),
	}
}

func toContent(c *clientpb.Content) Content {
	out := Content{Kind: c.GetKind(), Text: c.GetText(), ReplyTo: c.GetReplyTo()}
	if d := c.GetData(); d != nil {
		// What came as a Struct can always be written as JSON, but for numbers
		// that JSON has no word for; then there is no data.
		if b, err := protojson.Marshal(d); err == nil {
			var tight bytes.Buffer // protojson adds white space at random
			if json.Compact(&tight, b) == nil {
				out.Data = tight.Bytes()
			}
		}
	}
	return out
}

func fromContent(c Content) (*clientpb.Content, error) {
	out := &clientpb.Content{Kind: c.Kind, Text: c.Text, ReplyTo: c.ReplyTo}
	if len(c.Data) > 0 {
		out.Data = new(structpb.Struct)
		if err := protojson.Unmarshal(c.Data, out.Data); err != nil {
			return nil, fmt.Errorf("read content.data: %w", err)
		}
	}
	return out, nil
}

func toConversation(c *clientpb.Conversation) Conversation {
	out := Conversation{
		ID: c.GetId(), Kind: ConversationKind(c.GetKind()), Title: c.GetTitle(), Peer: toUser(c.GetPeer()),
		Head: c.GetHead(), Read: c.GetRead(), PeerRead: c.GetPeerRead(), Updated: instant(c.GetUpdatedMs()),
		Left: c.GetLeft(), Closed: c.GetClosed(), Members: int(c.GetMembers()),
	}
	if c.GetLast() != nil {
		m := toMessage(c.GetLast())
		m.Conv = out.ID
		out.Last = &m
	}
	return out
}

func toPage(p *clientpb.Page) Page {
	out := Page{Head: p.GetHead(), More: p.GetMore(), Users: toUsers(p.GetUsers())}
	out.Messages = make([]Message, 0, len(p.GetMessages()))
	for _, m := range p.GetMessages() {
		one := toMessage(m)
		one.Conv = p.GetConv()
		out.Messages = append(out.Messages, one)
	}
	return out
}

func toFriend(f *clientpb.Friend) Friend {
	return Friend{
		User: toUser(f.GetUser()), Remark: f.GetRemark(), Conv: f.GetConv(),
		Online: f.GetOnline(), LastSeen: instant(f.GetLastSeenMs()), Blocked: f.GetBlocked(),
	}
}

func toRequest(r *clientpb.FriendRequest) FriendRequest {
	return FriendRequest{User: toUser(r.GetUser()), Greeting: r.GetGreeting(), At: instant(r.GetAtMs())}
}

package chat

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

func toUser(u im.User) *clientpb.User {
	return &clientpb.User{Id: uint64(u.ID), Handle: u.Handle, Name: u.Name, Avatar: u.Avatar, Bio: u.Bio}
}

func toUsers(us []im.User) []*clientpb.User {
	out := make([]*clientpb.User, len(us))
	for i, u := range us {
		out[i] = toUser(u)
	}
	return out
}

// toMessage is an entry as reader may see it: with its key only if it is theirs.
func toMessage(e im.Entry, reader im.UserID) *clientpb.Message {
	m := &clientpb.Message{
		Conv: uint64(e.Conv), Seq: uint32(e.Seq), From: uint64(e.From), AtMs: int64(e.At), Content: toContent(e.Content),
	}
	if e.From == reader {
		m.Key = e.Key
	}
	return m
}

func toContent(c im.Content) *clientpb.Content {
	out := &clientpb.Content{Kind: c.Kind, Text: c.Text, ReplyTo: uint32(c.ReplyTo)}
	if len(c.Data) > 0 {
		data := new(structpb.Struct)
		// Data was checked when it was written, and its checksum when it was read; if
		// it cannot be shown nevertheless, the text still can.
		if wire.JSON.Unmarshal(c.Data, data) == nil {
			out.Data = data
		}
	}
	return out
}

// fromContent is what a client sent, its data as compact JSON.
func fromContent(c *clientpb.Content) (im.Content, error) {
	out := im.Content{Kind: c.GetKind(), Text: c.GetText(), ReplyTo: im.Seq(c.GetReplyTo())}
	if c.GetData() != nil {
		data, err := wire.JSON.Append(nil, c.GetData())
		if err != nil {
			return im.Content{}, im.Fail(im.Invalid, "content.data holds a value that JSON has no form for")
		}
		out.Data = data
	}
	return out, nil
}

func toConversation(c im.Conversation, reader im.UserID) *clientpb.Conversation {
	out := &clientpb.Conversation{
		Id: uint64(c.ID), Kind: string(c.Kind), Title: c.Title,
		Head: uint32(c.Head), Read: uint32(c.Read), PeerRead: uint32(c.PeerRead),
		UpdatedMs: int64(c.Updated), Left: c.Left, Closed: c.Closed,
		Members: uint32(max(c.Members, 0)), //nolint:gosec // a group has at most some thousands
	}
	if c.Peer != nil {
		out.Peer = toUser(*c.Peer)
	}
	if c.Last != nil {
		out.Last = toMessage(*c.Last, reader)
	}
	return out
}

func toRequests(rs []im.FriendRequest) []*clientpb.FriendRequest {
	out := make([]*clientpb.FriendRequest, len(rs))
	for i, r := range rs {
		out[i] = &clientpb.FriendRequest{User: toUser(r.User), Greeting: r.Greeting, AtMs: int64(r.At)}
	}
	return out
}

// checkUser returns an error unless id can be a user's.
func checkUser(id uint64) (im.UserID, error) {
	if id == 0 || id > im.MaxID {
		return 0, im.Fail(im.Invalid, "user is missing or no id")
	}
	return im.UserID(id), nil
}

// checkConv returns an error unless id can be a conversation's.
func checkConv(id uint64) (im.ConvID, error) {
	if id == 0 || id > im.MaxID {
		return 0, im.Fail(im.Invalid, "conv is missing or no id")
	}
	return im.ConvID(id), nil
}

// checkLimit is the size of a page: fallback for 0, and refused above most.
func checkLimit(n uint32, fallback, most int) (int, error) {
	switch {
	case n == 0:
		return fallback, nil
	case n > uint32(most): //nolint:gosec // a constant of a few hundred
		return 0, im.Fail(im.Invalid, "limit is too high; ask for further pages")
	}
	return int(n), nil
}

package wire

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// NewBody makes an empty message of the kind that frames of type t carry; types without a body carry
// an emptypb.Empty. False comes with a type that this version does not know.
func NewBody(t Type) (m proto.Message, ok bool) {
	//nolint:exhaustive // the rest is in the three below; a test holds them together to the whole enum.
	switch t {
	case clientpb.Type_TYPE_UNSPECIFIED:
		return nil, false
	case clientpb.Type_PING, clientpb.Type_PONG, clientpb.Type_OK, clientpb.Type_RESYNC:
		return new(emptypb.Empty), true
	case clientpb.Type_HELLO:
		return new(clientpb.Hello), true
	case clientpb.Type_WELCOME:
		return new(clientpb.Welcome), true
	case clientpb.Type_ERROR:
		return new(clientpb.Error), true
	case clientpb.Type_GOAWAY:
		return new(clientpb.Goaway), true
	}
	if m := newTalkBody(t); m != nil {
		return m, true
	}
	if m := newFriendBody(t); m != nil {
		return m, true
	}
	if m := newGroupBody(t); m != nil {
		return m, true
	}
	return nil, false
}

// newTalkBody covers the numbers from 16: conversations. It gives nil for any other.
func newTalkBody(t Type) proto.Message {
	//nolint:exhaustive // one of three ranges; a test holds NewBody to every type of the enum.
	switch t {
	case clientpb.Type_SEND:
		return new(clientpb.Send)
	case clientpb.Type_SENT:
		return new(clientpb.Sent)
	case clientpb.Type_MESSAGE:
		return new(clientpb.Message)
	case clientpb.Type_HISTORY:
		return new(clientpb.History)
	case clientpb.Type_PAGE:
		return new(clientpb.Page)
	case clientpb.Type_SYNC:
		return new(clientpb.Sync)
	case clientpb.Type_CHANGES:
		return new(clientpb.Changes)
	case clientpb.Type_READ:
		return new(clientpb.Read)
	case clientpb.Type_RECEIPT:
		return new(clientpb.Receipt)
	case clientpb.Type_TYPING:
		return new(clientpb.Typing)
	case clientpb.Type_PRESENCE:
		return new(clientpb.Presence)
	}
	return nil
}

// newFriendBody covers the numbers from 32: people. It gives nil for any other.
func newFriendBody(t Type) proto.Message {
	//nolint:exhaustive // one of three ranges; a test holds NewBody to every type of the enum.
	switch t {
	case clientpb.Type_FIND_USERS:
		return new(clientpb.FindUsers)
	case clientpb.Type_USERS:
		return new(clientpb.Users)
	case clientpb.Type_REQUEST_FRIEND:
		return new(clientpb.RequestFriend)
	case clientpb.Type_ANSWER_FRIEND:
		return new(clientpb.AnswerFriend)
	case clientpb.Type_ANSWERED:
		return new(clientpb.Answered)
	case clientpb.Type_FRIENDS:
		return new(clientpb.Friends)
	case clientpb.Type_FRIEND_LIST:
		return new(clientpb.FriendList)
	case clientpb.Type_REMOVE_FRIEND, clientpb.Type_BLOCK, clientpb.Type_UNBLOCK:
		return new(clientpb.UserRef)
	case clientpb.Type_REMARK:
		return new(clientpb.Remark)
	}
	return nil
}

// newGroupBody covers the numbers from 48: groups. It gives nil for any other.
func newGroupBody(t Type) proto.Message {
	//nolint:exhaustive // one of three ranges; a test holds NewBody to every type of the enum.
	switch t {
	case clientpb.Type_CREATE_GROUP:
		return new(clientpb.CreateGroup)
	case clientpb.Type_GROUP:
		return new(clientpb.Group)
	case clientpb.Type_GET_GROUP, clientpb.Type_LEAVE_GROUP, clientpb.Type_DISSOLVE_GROUP:
		return new(clientpb.GroupRef)
	case clientpb.Type_UPDATE_GROUP:
		return new(clientpb.UpdateGroup)
	case clientpb.Type_MEMBERS:
		return new(clientpb.Members)
	case clientpb.Type_MEMBER_LIST:
		return new(clientpb.MemberList)
	case clientpb.Type_ADD_MEMBERS, clientpb.Type_REMOVE_MEMBERS:
		return new(clientpb.MemberChange)
	case clientpb.Type_SET_ROLE:
		return new(clientpb.SetRole)
	}
	return nil
}

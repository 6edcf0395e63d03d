package client

import (
	"context"
	"errors"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// FindUsers looks for people by a handle or the start of one, a name, "#id", or a
// whole e-mail address; at most 20.
func (c *Client) FindUsers(ctx context.Context, query string) ([]User, error) {
	u, err := ask[*clientpb.Users](ctx, c, clientpb.Type_FIND_USERS, &clientpb.FindUsers{Query: query})
	if err != nil {
		return nil, err
	}
	return toUsers(u.GetUsers()), nil
}

// RequestFriend asks somebody to be friends; if they asked this user, the two are at once. The
// remark is this user's private name for them. To be friends already is no error.
func (c *Client) RequestFriend(ctx context.Context, user uint64, greeting, remark string) error {
	err := c.do(ctx, clientpb.Type_REQUEST_FRIEND, &clientpb.RequestFriend{User: user, Greeting: greeting, Remark: remark})
	if errors.Is(err, AlreadyExists) {
		return nil
	}
	return err
}

// AnswerFriend answers the request of a user, and returns the direct
// conversation if it was accepted.
func (c *Client) AnswerFriend(ctx context.Context, user uint64, accept bool, remark string) (conv uint64, err error) {
	a, err := ask[*clientpb.Answered](ctx, c, clientpb.Type_ANSWER_FRIEND, &clientpb.AnswerFriend{
		User: user, Accept: accept, Remark: remark,
	})
	if err != nil {
		return 0, err
	}
	return a.GetConv(), nil
}

// Friends asks for everybody this user has to do with, page after page.
func (c *Client) Friends(ctx context.Context) (Contacts, error) {
	var all Contacts
	for cursor := ""; ; {
		p, err := ask[*clientpb.FriendList](ctx, c, clientpb.Type_FRIENDS, &clientpb.Friends{Cursor: cursor})
		if err != nil {
			return Contacts{}, err
		}
		for _, f := range p.GetFriends() {
			all.Friends = append(all.Friends, toFriend(f))
		}
		for _, r := range p.GetRequests() {
			all.Requests = append(all.Requests, toRequest(r))
		}
		for _, r := range p.GetAsked() {
			all.Asked = append(all.Asked, toRequest(r))
		}
		all.Blocked = append(all.Blocked, toUsers(p.GetBlocked())...)
		if !p.GetMore() {
			return all, nil
		}
		cursor = p.GetCursor()
	}
}

// RemoveFriend ends a friendship, both ways. The conversation stays readable.
func (c *Client) RemoveFriend(ctx context.Context, user uint64) error {
	return c.do(ctx, clientpb.Type_REMOVE_FRIEND, &clientpb.UserRef{User: user})
}

// Block stops messages, requests, typing, receipts and presence from a user.
func (c *Client) Block(ctx context.Context, user uint64) error {
	return c.do(ctx, clientpb.Type_BLOCK, &clientpb.UserRef{User: user})
}

// Unblock ends a Block.
func (c *Client) Unblock(ctx context.Context, user uint64) error {
	return c.do(ctx, clientpb.Type_UNBLOCK, &clientpb.UserRef{User: user})
}

// SetRemark sets this user's private name for a friend; empty takes it away.
func (c *Client) SetRemark(ctx context.Context, user uint64, remark string) error {
	return c.do(ctx, clientpb.Type_REMARK, &clientpb.Remark{User: user, Remark: remark})
}

package chat

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	findMost = 20
	// Longer than the longest thing to look for, an e-mail address.
	findBytes = 254
)

// findUsers answers FIND_USERS. It is counted per day, so that nobody copies the
// whole list of users by guessing.
func (s *session) findUsers(ctx context.Context, id uint32, m *clientpb.FindUsers) error {
	query := strings.TrimSpace(m.GetQuery())
	if query == "" {
		return im.Fail(im.Invalid, "query is empty; give a handle or its start, a name, #id or an e-mail address")
	}
	if len(query) > findBytes {
		return im.Fail(im.TooLarge, "query is over 254 bytes")
	}
	if n := s.v.limits.FindsPerDay; n > 0 {
		wait, err := s.v.limiter.Take(ctx, fmt.Sprintf("find:%d", s.user), n, 24*time.Hour)
		if err != nil {
			return fmt.Errorf("count a search: %w", err)
		}
		if wait > 0 {
			return im.FailAfter(im.RateLimited, "you have searched very often today; try again later", wait)
		}
	}
	users, err := s.v.people.FindUsers(ctx, s.user, query, findMost)
	if err != nil {
		return err //nolint:wrapcheck // explained or logged with the type of the request
	}
	return s.answer(id, clientpb.Type_USERS, &clientpb.Users{Users: toUsers(users)})
}

func (s *session) requestFriend(ctx context.Context, id uint32, m *clientpb.RequestFriend) error {
	to, err := checkUser(m.GetUser())
	if err != nil {
		return err
	}
	greeting, err := im.CheckGreeting(m.GetGreeting())
	if err != nil {
		return err //nolint:wrapcheck // for the user as it is
	}
	remark, err := im.CheckRemark(m.GetRemark())
	if err != nil {
		return err //nolint:wrapcheck // for the user as it is
	}
	posts, err := s.v.people.RequestFriend(ctx, im.FriendAsk{
		From: s.user, To: to, Greeting: greeting, Remark: remark, PerDay: s.v.limits.FriendRequestsPerDay,
	})
	return s.changed(id, posts, err)
}

func (s *session) answerFriend(ctx context.Context, id uint32, m *clientpb.AnswerFriend) error {
	from, err := checkUser(m.GetUser())
	if err != nil {
		return err
	}
	remark, err := im.CheckRemark(m.GetRemark())
	if err != nil {
		return err //nolint:wrapcheck // for the user as it is
	}
	conv, posts, err := s.v.people.AnswerFriend(ctx, im.FriendAnswer{
		User: s.user, From: from, Accept: m.GetAccept(), Remark: remark,
	})
	if err != nil {
		return err //nolint:wrapcheck // explained or logged with the type of the request
	}
	defer s.v.deliver(posts, nil)
	return s.answer(id, clientpb.Type_ANSWERED, &clientpb.Answered{Conv: uint64(conv)})
}

func (s *session) removeFriend(ctx context.Context, id uint32, m *clientpb.UserRef) error {
	other, err := checkUser(m.GetUser())
	if err != nil {
		return err
	}
	posts, err := s.v.people.RemoveFriend(ctx, s.user, other)
	return s.changed(id, posts, err)
}

func (s *session) block(ctx context.Context, id uint32, m *clientpb.UserRef) error {
	return s.setBlock(ctx, id, m, true)
}

func (s *session) unblock(ctx context.Context, id uint32, m *clientpb.UserRef) error {
	return s.setBlock(ctx, id, m, false)
}

func (s *session) setBlock(ctx context.Context, id uint32, m *clientpb.UserRef, blocked bool) error {
	other, err := checkUser(m.GetUser())
	if err != nil {
		return err
	}
	if other == s.user {
		return im.Fail(im.Invalid, "you cannot block yourself")
	}
	posts, err := s.v.people.SetBlock(ctx, s.user, other, blocked)
	return s.changed(id, posts, err)
}

func (s *session) remark(ctx context.Context, id uint32, m *clientpb.Remark) error {
	other, err := checkUser(m.GetUser())
	if err != nil {
		return err
	}
	remark, err := im.CheckRemark(m.GetRemark())
	if err != nil {
		return err //nolint:wrapcheck // for the user as it is
	}
	posts, err := s.v.people.SetRemark(ctx, s.user, other, remark)
	return s.changed(id, posts, err)
}

// changed answers a change of contacts with OK and pushes the entries that it wrote:
// to all my devices, this one too, for they are the server's entries and not mine.
func (s *session) changed(id uint32, posts []im.Post, err error) error {
	if err != nil {
		return err
	}
	defer s.v.deliver(posts, nil)
	return s.answer(id, clientpb.Type_OK, nil)
}

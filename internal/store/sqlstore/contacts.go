package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// askedFor is how long an asker sees a request that was not accepted.
const askedFor = 30 * 24 * time.Hour

// notBlocked is a condition: neither of two users, columns of f, blocked the other.
const notBlocked = `NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = f.user_id AND b.blocked_id = f.friend_id)
	AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = f.friend_id AND b.blocked_id = f.user_id)`

// Friends returns a page of contacts: part after part, each by the other's id.
func (s *Store) Friends(ctx context.Context, q im.FriendsQuery) (im.FriendsPage, error) {
	now, err := s.now(ctx)
	if err != nil {
		return im.FriendsPage{}, err
	}
	p := contactsPage{q: q, FriendsPage: im.FriendsPage{Part: q.Part, After: q.After}}
	for part := q.Part; part <= im.PartFriends && !p.More; part++ {
		after := im.UserID(0)
		if part == q.Part {
			after = q.After
		}
		rows, err := s.readContacts(ctx, q, part, after, now, q.Limit-p.count+1)
		if err != nil {
			return im.FriendsPage{}, s.explain("friends", err)
		}
		for i := range rows {
			if !p.take(part, &rows[i]) {
				break
			}
		}
	}
	return p.FriendsPage, nil
}

// contact is a row of any part.
type contact struct {
	im.Friend
	greeting string
	asked    im.Micros
}

// readContacts reads at most limit rows of one part behind the user after.
func (s *Store) readContacts(ctx context.Context, q im.FriendsQuery, part im.FriendsPart, after im.UserID, now im.Micros, limit int) ([]contact, error) {
	query := `SELECT ` + userColumns + `, `
	args := []any{q.User, after}
	switch part {
	case im.PartRequests:
		query += `'', 0, 0, 0, 0, r.greeting, r.asked_at FROM friend_requests r JOIN users u ON u.id = r.from_id
			WHERE r.to_id = ? AND r.from_id > ? AND r.state = 'waiting' ORDER BY r.from_id LIMIT ?`
	case im.PartAsked:
		query += `'', 0, 0, 0, 0, r.greeting, r.asked_at FROM friend_requests r JOIN users u ON u.id = r.to_id
			WHERE r.from_id = ? AND r.to_id > ? AND r.state <> 'accepted' AND r.asked_at > ? ORDER BY r.to_id LIMIT ?`
		args = append(args, ago(now, askedFor))
	case im.PartBlocked:
		query += `'', 0, 0, 0, 0, '', 0 FROM blocks b JOIN users u ON u.id = b.blocked_id
			WHERE b.user_id = ? AND b.blocked_id > ? ORDER BY b.blocked_id LIMIT ?`
	case im.PartFriends:
		query += `f.remark, f.conv_id, EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = f.user_id AND b.blocked_id = f.friend_id),
				NOT (` + notBlocked + `), COALESCE((SELECT MAX(l.seen_at) FROM logins l WHERE l.user_id = f.friend_id), 0), '', 0
			FROM friends f JOIN users u ON u.id = f.friend_id
			WHERE f.user_id = ? AND f.friend_id > ? ORDER BY f.friend_id LIMIT ?`
	}
	return collect(ctx, s.reads, func(r scanner) (c contact, err error) {
		var seen im.Micros
		err = r.Scan(append(userDest(&c.User), &c.Remark, &c.Conv, &c.Blocked, &c.Hidden, &seen, &c.greeting, &c.asked)...)
		if !c.Hidden {
			c.LastSeen = seen.Millis()
		}
		return c, err
	}, query, append(args, limit)...)
}

// contactsPage is a page that is being filled.
type contactsPage struct {
	im.FriendsPage
	q     im.FriendsQuery
	count int
	size  int
}

// take adds a row to its list, or says that the page is full.
func (p *contactsPage) take(part im.FriendsPart, c *contact) bool {
	p.size += userSize(&c.User) + len(c.greeting) + len(c.Remark)
	if p.count == p.q.Limit || p.count > 0 && p.size > p.q.MaxBytes {
		p.More = true
		return false
	}
	p.count++
	p.Part, p.After = part, c.User.ID
	switch part {
	case im.PartRequests:
		p.Requests = append(p.Requests, im.FriendRequest{User: c.User, Greeting: c.greeting, At: c.asked.Millis()})
	case im.PartAsked:
		p.Asked = append(p.Asked, im.FriendRequest{User: c.User, Greeting: c.greeting, At: c.asked.Millis()})
	case im.PartBlocked:
		p.Blocked = append(p.Blocked, c.User)
	case im.PartFriends:
		p.FriendsPage.Friends = append(p.FriendsPage.Friends, c.Friend)
	}
	return true
}

// SetRemark changes my private name for a friend.
func (s *Store) SetRemark(ctx context.Context, me, other im.UserID, remark string) ([]im.Post, error) {
	return s.between(ctx, "set remark", me, other, func(ctx context.Context, b *bond) error {
		var old string
		err := b.x.row(ctx, `SELECT remark FROM friends WHERE user_id = ? AND friend_id = ?`, me, other).Scan(&old)
		if errors.Is(err, sql.ErrNoRows) {
			return im.Fail(im.NotFound, "this user is no friend of yours")
		}
		if err != nil {
			return fmt.Errorf("read a friendship: %w", err)
		}
		if old == remark {
			return nil // a repeat
		}
		if _, err := b.x.exec(ctx, `UPDATE friends SET remark = ? WHERE user_id = ? AND friend_id = ?`, remark, me, other); err != nil {
			return fmt.Errorf("store a remark: %w", err)
		}
		return b.contactsChanged(b.me)
	})
}

// PresenceFriends returns the friends of each of users between whom and the user
// there is no block.
func (s *Store) PresenceFriends(ctx context.Context, users []im.UserID) (map[im.UserID][]im.UserID, error) {
	friends := make(map[im.UserID][]im.UserID, len(users))
	for part := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(users))), maxList) {
		pairs, err := collect(ctx, s.reads, func(r scanner) (p [2]im.UserID, err error) {
			err = r.Scan(&p[0], &p[1])
			return p, err
		}, `SELECT f.user_id, f.friend_id FROM friends f WHERE f.user_id IN (`+marks(listSize(len(part)))+`) AND `+notBlocked,
			idList(part)...)
		if err != nil {
			return nil, s.explain("presence", err)
		}
		for _, p := range pairs {
			friends[p[0]] = append(friends[p[0]], p[1])
		}
	}
	return friends, nil
}

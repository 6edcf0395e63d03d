package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// SeedOptions say what Seed makes.
type SeedOptions struct {
	Users    int
	Pairs    bool          // the first is friends with the second, the third with the fourth ...
	TokenFor time.Duration // life of the access tokens; 0: a day
}

// Seeded is one user that Seed made, who can log in with the token alone.
type Seeded struct {
	User   im.User
	Device string
	Token  string    // the access token itself: it is stored nowhere but here
	Peer   im.UserID // 0: none
	Conv   im.ConvID // the conversation with Peer
}

// seedPart is how many users one transaction makes; it is even, so that no pair is
// torn apart.
const (
	seedPart = 500
	seedTime = time.Minute
)

// Seed makes users without e-mail addresses or passwords, each with an inbox and one
// login, and calls each for every one of them, in order, once it is committed. It is
// for tests and benchmarks, while no server holds the data.
func (s *Store) Seed(ctx context.Context, o SeedOptions, each func(Seeded) error) error {
	if o.TokenFor == 0 {
		o.TokenFor = 24 * time.Hour
	}
	for made := 0; made < o.Users; made += seedPart {
		n := min(seedPart, o.Users-made)
		var list []Seeded
		err := s.writeWithin(ctx, seedTime, "seed", func(ctx context.Context, x *tx) (err error) {
			list, err = x.seed(ctx, n, o)
			return err
		})
		if err != nil {
			return err
		}
		for _, v := range list {
			if err := each(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// seed makes n users in this transaction.
func (x *tx) seed(ctx context.Context, n int, o SeedOptions) ([]Seeded, error) {
	now, err := x.now(ctx)
	if err != nil {
		return nil, err
	}
	list, err := x.seedUsers(ctx, n, now)
	if err != nil {
		return nil, fmt.Errorf("make users: %w", err)
	}
	if err := x.seedInboxes(ctx, list, now); err != nil {
		return nil, fmt.Errorf("make inboxes: %w", err)
	}
	if err := x.seedLogins(ctx, list, now, after(now, o.TokenFor)); err != nil {
		return nil, fmt.Errorf("make logins: %w", err)
	}
	if o.Pairs {
		if err := x.seedPairs(ctx, list, now); err != nil {
			return nil, fmt.Errorf("make friends: %w", err)
		}
	}
	return list, nil
}

// many inserts rows of cols values each, in statements of a few hundred rows.
func (x *tx) many(ctx context.Context, into string, rows, cols int, values func(i int) []any) error {
	const part = 250
	for from := 0; from < rows; from += part {
		n := min(part, rows-from)
		args := make([]any, 0, n*cols)
		for i := range n {
			args = append(args, values(from+i)...)
		}
		if _, err := x.exec(ctx, "INSERT INTO "+into+" VALUES "+tuples(n, cols), args...); err != nil {
			return err
		}
	}
	return nil
}

// seedUsers gives users handles that go on from the highest id, and reads which ids
// the database gave them.
func (x *tx) seedUsers(ctx context.Context, n int, now im.Micros) ([]Seeded, error) {
	var last int
	if err := x.row(ctx, "SELECT COALESCE(MAX(id), 0) FROM users").Scan(&last); err != nil {
		return nil, err
	}
	number := func(i int) string { return strconv.Itoa(last + 1 + i) }
	if err := x.many(ctx, "users (handle, name, name_fold, password_hash, created_at)", n, 5, func(i int) []any {
		return []any{"seed" + number(i), "Seed " + number(i), "seed " + number(i), "", now}
	}); err != nil {
		return nil, err
	}
	list, err := collect(ctx, x, func(r scanner) (v Seeded, err error) {
		v.User, err = scanUser(r)
		return v, err
	}, "SELECT "+userColumns+" FROM users u WHERE u.id > ? ORDER BY u.id", last)
	if err != nil {
		return nil, err
	}
	if len(list) != n {
		return nil, fmt.Errorf("somebody else is making users: %d rows instead of %d", len(list), n)
	}
	return list, nil
}

func (x *tx) seedInboxes(ctx context.Context, list []Seeded, now im.Micros) error {
	first, last := list[0].User.ID, list[len(list)-1].User.ID
	if err := x.many(ctx, "conversations (kind, head_ms, moved, member_count, created_by, create_key, created_at)", len(list), 7, func(i int) []any {
		return []any{im.Inbox, now.Millis(), now, 1, list[i].User.ID, inboxKey, now}
	}); err != nil {
		return err
	}
	if _, err := x.exec(ctx, `UPDATE users SET inbox_id = (SELECT c.id FROM conversations c
		WHERE c.created_by = users.id AND c.create_key = ?) WHERE id BETWEEN ? AND ?`, inboxKey, first, last); err != nil {
		return err
	}
	_, err := x.exec(ctx, `INSERT INTO members (conv_id, user_id, may_send, joined_seq, moved, since_at)
		SELECT inbox_id, id, 0, 1, created_at, created_at FROM users WHERE id BETWEEN ? AND ?`, first, last)
	return err
}

// seedLogins gives each user a login whose access token counts as used: no answer
// with it can have been lost. Its refresh token is one that nobody knows.
func (x *tx) seedLogins(ctx context.Context, list []Seeded, now, expires im.Micros) error {
	hashes := make([]im.TokenHash, len(list))
	for i := range list {
		list[i].Device = im.NewID()
		list[i].Token, hashes[i] = im.NewToken(im.AccessPrefix)
	}
	return x.many(ctx, `logins (user_id, device_id, device_name, platform, access_hash, access_expires_at, access_used_at,
		refresh_hash, refresh_expires_at, created_at, seen_at)`, len(list), 11, func(i int) []any {
		_, unknown := im.NewToken(im.RefreshPrefix)
		return []any{
			list[i].User.ID, list[i].Device, "seed", "seed", hashes[i][:], expires, now,
			unknown[:], expires, now, now,
		}
	})
}

// seedPairs makes each user with an even place friends with the one before.
func (x *tx) seedPairs(ctx context.Context, list []Seeded, now im.Micros) error {
	pairs := len(list) / 2
	if pairs == 0 {
		return nil
	}
	a := func(i int) *Seeded { return &list[2*i] }
	b := func(i int) *Seeded { return &list[2*i+1] }
	if err := x.many(ctx, "conversations (kind, head_ms, moved, member_version, member_count, direct_key, created_at)", pairs, 7, func(i int) []any {
		return []any{im.Direct, now.Millis(), now, 1, 2, directKey(a(i).User.ID, b(i).User.ID), now}
	}); err != nil {
		return err
	}
	convs, err := x.newDirects(ctx, pairs)
	if err != nil {
		return err
	}
	l, err := openLedger(ctx, x, slices.Collect(maps.Values(convs)))
	if err != nil {
		return err
	}
	for i := range pairs {
		conv := convs[directKey(a(i).User.ID, b(i).User.ID)]
		a(i).Peer, a(i).Conv = b(i).User.ID, conv
		b(i).Peer, b(i).Conv = a(i).User.ID, conv
		if err := l.event(conv, 0, im.FriendStarted()); err != nil {
			return err
		}
	}
	if err := x.many(ctx, "members (conv_id, user_id, may_send, joined_seq, moved, since_at)", 2*pairs, 6, func(i int) []any {
		return []any{list[i].Conv, list[i].User.ID, true, 1, now, now}
	}); err != nil {
		return err
	}
	if err := x.many(ctx, "friends (user_id, friend_id, remark, conv_id, since_at)", 2*pairs, 5, func(i int) []any {
		return []any{list[i].User.ID, list[i].Peer, "", list[i].Conv, now}
	}); err != nil {
		return err
	}
	return l.flush(ctx)
}

// newDirects returns the newest n direct conversations by their keys.
func (x *tx) newDirects(ctx context.Context, n int) (map[string]im.ConvID, error) {
	type row struct {
		key string
		id  im.ConvID
	}
	rows, err := collect(ctx, x, func(r scanner) (v row, err error) {
		err = r.Scan(&v.key, &v.id)
		return v, err
	}, "SELECT direct_key, id FROM conversations WHERE kind = ? ORDER BY id DESC LIMIT ?", im.Direct, n)
	convs := make(map[string]im.ConvID, len(rows))
	for _, r := range rows {
		convs[r.key] = r.id
	}
	return convs, err
}

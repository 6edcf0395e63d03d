package sqlstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/liao-im/liao/internal/im"
)

// bond is a transaction about two people. Both are locked, so nothing else that is
// about the two can happen before it ends; requests that cross meet here. Their
// inboxes and their direct conversation are locked after them.
type bond struct {
	x      *tx
	l      *ledger
	me     userState
	other  userState
	direct im.ConvID // 0: they never were friends

	friends   bool
	iBlock    bool // I have blocked the other
	blockedMe bool // the other has blocked me
}

// between runs fn in a transaction about two people and returns the entries that it
// wrote.
func (s *Store) between(ctx context.Context, what string, me, other im.UserID, fn func(ctx context.Context, b *bond) error) ([]im.Post, error) {
	var posts []im.Post
	err := s.write(ctx, what, func(ctx context.Context, x *tx) error {
		b, err := openBond(ctx, x, me, other)
		if err != nil {
			return err
		}
		if err := fn(ctx, b); err != nil {
			return err
		}
		posts, err = b.l.posts(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return posts, nil
}

// openBond locks two users and reads what is between them. One that does not exist
// has no id in it.
func openBond(ctx context.Context, x *tx, me, other im.UserID) (*bond, error) {
	users, err := x.lockUsers(ctx, me, other)
	if err != nil {
		return nil, fmt.Errorf("lock users: %w", err)
	}
	b := &bond{x: x, me: users[me], other: users[other]}
	if b.me.ID == 0 || b.me.Deleted {
		return nil, im.Fail(im.Unauthenticated, "this account does not exist any more")
	}
	err = x.row(ctx, `SELECT COALESCE((SELECT id FROM conversations WHERE direct_key = ?), 0),
			EXISTS (SELECT 1 FROM friends WHERE user_id = ? AND friend_id = ?),
			EXISTS (SELECT 1 FROM blocks WHERE user_id = ? AND blocked_id = ?),
			EXISTS (SELECT 1 FROM blocks WHERE user_id = ? AND blocked_id = ?)`,
		directKey(me, other), me, other, me, other, other, me).Scan(&b.direct, &b.friends, &b.iBlock, &b.blockedMe)
	if err != nil {
		return nil, fmt.Errorf("read what is between two users: %w", err)
	}
	convs := []im.ConvID{b.me.Inbox}
	if b.there() {
		convs = append(convs, b.other.Inbox)
	}
	if b.direct != 0 {
		convs = append(convs, b.direct)
	}
	b.l, err = openLedger(ctx, x, convs)
	return b, err
}

// there says whether the other user exists, for those who act upon them.
func (b *bond) there() bool { return b.other.ID != 0 && !b.other.Deleted }

// noUser is the answer of who acts upon a user that does not exist.
func noUser() error { return im.Fail(im.NotFound, "there is no such user") }

// directKey names the one direct conversation that two users have for ever.
func directKey(a, b im.UserID) string {
	return strconv.FormatUint(uint64(min(a, b)), 10) + ":" + strconv.FormatUint(uint64(max(a, b)), 10)
}

// becomeFriends makes the two friends, each with a private name for the other, in
// the conversation that they had before or in a new one.
func (b *bond) becomeFriends(ctx context.Context, myRemark, othersRemark string) error {
	if b.direct == 0 {
		if err := b.makeDirect(ctx); err != nil {
			return fmt.Errorf("make a direct conversation: %w", err)
		}
	}
	if _, err := b.x.exec(ctx, `INSERT INTO friends (user_id, friend_id, remark, conv_id, since_at)
		VALUES (?, ?, ?, ?, ?), (?, ?, ?, ?, ?)`,
		b.me.ID, b.other.ID, myRemark, b.direct, b.l.now, b.other.ID, b.me.ID, othersRemark, b.direct, b.l.now); err != nil {
		return fmt.Errorf("store a friendship: %w", err)
	}
	b.friends = true
	return b.setRights(ctx)
}

// makeDirect makes the conversation of the two; setRights opens it.
func (b *bond) makeDirect(ctx context.Context) error {
	now := b.l.now
	id, err := b.x.insert(ctx, `INSERT INTO conversations (kind, head_ms, moved, member_version, member_count, direct_key, created_at)
		VALUES (?, ?, ?, 1, 2, ?, ?)`, im.Direct, now.Millis(), now, directKey(b.me.ID, b.other.ID), now)
	if err != nil {
		return err
	}
	b.direct = im.ConvID(id)
	b.l.convs[b.direct] = &conversation{id: b.direct, kind: im.Direct, version: 1}
	_, err = b.x.exec(ctx, `INSERT INTO members (conv_id, user_id, may_send, joined_seq, moved, since_at)
		VALUES (?, ?, 0, 1, ?, ?), (?, ?, 0, 1, ?, ?)`, id, b.me.ID, now, now, id, b.other.ID, now, now)
	return err
}

// setRights writes who of the two may send to the other, from what is between them
// now.
func (b *bond) setRights(ctx context.Context) error {
	if b.direct == 0 {
		return nil
	}
	changed := int64(0)
	for _, r := range []struct {
		user    im.UserID
		maySend bool
	}{
		{b.me.ID, im.DirectMaySend(b.friends, b.blockedMe)},
		{b.other.ID, im.DirectMaySend(b.friends, b.iBlock)},
	} {
		n, err := b.x.change(ctx, `UPDATE members SET may_send = ?, moved = `+b.x.s.dialect.greatest("moved + 1", "?")+`
			WHERE conv_id = ? AND user_id = ? AND may_send <> ?`, r.maySend, b.l.now, b.direct, r.user, r.maySend)
		if err != nil {
			return fmt.Errorf("set the right to send: %w", err)
		}
		changed += n
	}
	if changed == 0 {
		return nil
	}
	return b.l.newMembership(ctx, b.direct)
}

// newMembership says that the members of conversations, or their rights, changed:
// what is cached of them is void once this is committed.
func (l *ledger) newMembership(ctx context.Context, conv im.ConvID) error {
	_, err := l.x.exec(ctx, `UPDATE conversations SET member_version = member_version + 1 WHERE id = ?`, conv)
	return err
}

// contactsChanged tells the other devices of a user.
func (b *bond) contactsChanged(u userState) error { return b.l.event(u.Inbox, 0, im.ContactsChanged()) }

package sqlstore

import (
	"context"
	"fmt"

	"github.com/liao-im/liao/internal/im"
)

// RemoveFriend ends a friendship both ways. Their conversation stays readable and
// takes no entries until they are friends again.
func (s *Store) RemoveFriend(ctx context.Context, me, other im.UserID) ([]im.Post, error) {
	return s.between(ctx, "remove friend", me, other, func(ctx context.Context, b *bond) error {
		if !b.there() {
			return noUser()
		}
		if !b.friends {
			return nil // a repeat
		}
		if _, err := b.x.exec(ctx, `DELETE FROM friends WHERE user_id = ? AND friend_id = ? OR user_id = ? AND friend_id = ?`,
			me, other, other, me); err != nil {
			return fmt.Errorf("end a friendship: %w", err)
		}
		b.friends = false
		if err := b.setRights(ctx); err != nil {
			return err
		}
		if err := b.contactsChanged(b.other); err != nil {
			return err
		}
		return b.contactsChanged(b.me)
	})
}

// SetBlock blocks or unblocks. The other side is told nothing: what it sees is a
// closed conversation.
func (s *Store) SetBlock(ctx context.Context, me, other im.UserID, blocked bool) ([]im.Post, error) {
	if me == other {
		return nil, im.Fail(im.Invalid, "you cannot block yourself")
	}
	return s.between(ctx, "block", me, other, func(ctx context.Context, b *bond) error {
		if !b.there() {
			return noUser()
		}
		if b.iBlock == blocked {
			return nil // a repeat
		}
		b.iBlock = blocked
		change := b.unblock
		if blocked {
			change = b.block
		}
		if err := change(ctx); err != nil {
			return err
		}
		if err := b.setRights(ctx); err != nil {
			return err
		}
		return b.contactsChanged(b.me)
	})
}

// block stores that I blocked the other. What either asked the other is hidden from
// whom it was asked; who asked sees it as before.
func (b *bond) block(ctx context.Context) error {
	if _, err := b.x.exec(ctx, `INSERT INTO blocks (user_id, blocked_id, at) VALUES (?, ?, ?)`,
		b.me.ID, b.other.ID, b.l.now); err != nil {
		return fmt.Errorf("store a block: %w", err)
	}
	if _, err := b.x.exec(ctx, `UPDATE friend_requests SET state = ?
		WHERE state = ? AND (from_id = ? AND to_id = ? OR from_id = ? AND to_id = ?)`,
		im.AskSwallowed, im.AskWaiting, b.me.ID, b.other.ID, b.other.ID, b.me.ID); err != nil {
		return fmt.Errorf("hide requests: %w", err)
	}
	return nil
}

func (b *bond) unblock(ctx context.Context) error {
	_, err := b.x.exec(ctx, `DELETE FROM blocks WHERE user_id = ? AND blocked_id = ?`, b.me.ID, b.other.ID)
	if err != nil {
		return fmt.Errorf("remove a block: %w", err)
	}
	return nil
}

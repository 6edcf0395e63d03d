package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/liao-im/liao/internal/im"
)

// DeleteAccount makes the account one that only its id is left of: its logins are
// revoked, its friendships end, its address is free again and its handle is not.
// What it wrote stays. Deleted already, or unknown: im.NotFound.
func (s *Store) DeleteAccount(ctx context.Context, id im.UserID) error {
	return s.write(ctx, "delete account", func(ctx context.Context, x *tx) error {
		if _, err := x.lockUser(ctx, id); err != nil {
			return err
		}
		if _, err := x.revokeAll(ctx, id, 0); err != nil {
			return err
		}
		if err := x.endContacts(ctx, id); err != nil {
			return fmt.Errorf("end contacts: %w", err)
		}
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		if _, err := x.exec(ctx, `UPDATE users SET email = NULL, name = '', name_fold = '', avatar = '', bio = '', password_hash = '',
			deleted_at = ? WHERE id = ?`, now, id); err != nil {
			return err
		}
		// The rows stay: they say that the logins ended.
		_, err = x.exec(ctx, "UPDATE logins SET device_name = '', platform = '' WHERE user_id = ?", id)
		return err
	})
}

// endContacts removes a user from everyone's contacts, closes the direct
// conversations and tells those who had the user in one of their lists. Whatever
// else is between two people locks both, so the user's lock is enough.
func (x *tx) endContacts(ctx context.Context, id im.UserID) error {
	directs, err := collect(ctx, x, scanOne[im.ConvID], "SELECT conv_id FROM friends WHERE user_id = ?", id)
	if err != nil {
		return err
	}
	friends, err := collect(ctx, x, scanOne[im.UserID], "SELECT friend_id FROM friends WHERE user_id = ?", id)
	if err != nil {
		return err
	}
	inboxes, err := collect(ctx, x, scanOne[im.ConvID], `SELECT inbox_id FROM users WHERE deleted_at = 0 AND id IN (
		SELECT friend_id FROM friends WHERE user_id = ?
		UNION SELECT to_id FROM friend_requests WHERE from_id = ? AND state = ?
		UNION SELECT from_id FROM friend_requests WHERE to_id = ? AND state <> ?
		UNION SELECT user_id FROM blocks WHERE blocked_id = ?)`,
		id, id, im.AskWaiting, id, im.AskAccepted, id)
	if err != nil {
		return err
	}
	l, err := openLedger(ctx, x, slices.Concat(directs, inboxes))
	if err != nil {
		return err
	}
	if err := l.closeDirects(ctx, directs); err != nil {
		return err
	}
	for part := range slices.Chunk(friends, maxList) {
		args := append(idList(part), id)
		if _, err := x.exec(ctx, "DELETE FROM friends WHERE user_id IN ("+marks(len(args)-1)+") AND friend_id = ?", args...); err != nil {
			return err
		}
	}
	for _, q := range []string{
		"DELETE FROM friends WHERE user_id = ?",
		"DELETE FROM friend_requests WHERE from_id = ?", "DELETE FROM friend_requests WHERE to_id = ?",
		"DELETE FROM blocks WHERE user_id = ?", "DELETE FROM blocks WHERE blocked_id = ?",
	} {
		if _, err := x.exec(ctx, q, id); err != nil {
			return err
		}
	}
	for _, inbox := range inboxes {
		if err := l.event(inbox, 0, im.ContactsChanged()); err != nil {
			return err
		}
	}
	return l.flush(ctx)
}

// closeDirects takes the right to send from both members of direct conversations.
func (l *ledger) closeDirects(ctx context.Context, convs []im.ConvID) error {
	for part := range slices.Chunk(convs, maxList) {
		ids := idList(part)
		if _, err := l.x.exec(ctx, "UPDATE members SET may_send = 0, moved = "+l.x.s.dialect.greatest("moved + 1", "?")+
			" WHERE may_send <> 0 AND conv_id IN ("+marks(len(ids))+")", append([]any{l.now}, ids...)...); err != nil {
			return err
		}
		if _, err := l.x.exec(ctx, "UPDATE conversations SET member_version = member_version + 1 WHERE id IN ("+
			marks(len(ids))+")", ids...); err != nil {
			return err
		}
	}
	return nil
}

package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// notLoggedIn is the one answer to every token that proves nothing: which of the
// reasons it was is not for strangers.
func notLoggedIn() error {
	return im.Fail(im.Unauthenticated, "the token is not valid; log in again")
}

// after is the instant d after t.
func after(t im.Micros, d time.Duration) im.Micros { return t + im.Micros(d.Microseconds()) }

// since is how long before now t was.
func since(t, now im.Micros) time.Duration { return time.Duration(now-t) * time.Microsecond }

// CreateLogin stores a login. If Device.ID is one that an earlier login of this user
// gave, the device's old login is revoked; else a new id is given, and the user's
// inbox gets login.new, which is the Post returned. The user disabled or deleted
// since: im.Unauthenticated.
func (s *Store) CreateLogin(ctx context.Context, l im.NewLogin) (im.Login, []im.Post, error) {
	var login im.Login
	var posts []im.Post
	err := s.write(ctx, "create login", func(ctx context.Context, x *tx) error {
		login, posts = im.Login{Device: l.Device}, nil
		users, err := x.lockUsers(ctx, l.User)
		if err != nil {
			return err
		}
		u, ok := users[l.User]
		if !ok || u.Deleted || u.Disabled {
			return notLoggedIn()
		}
		login.User = u.User
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		login.LastSeen = now.Millis()
		known, err := x.replaceDevice(ctx, l.User, l.Device.ID)
		if err != nil {
			return err
		}
		if !known {
			login.Device.ID = im.NewID()
		}
		if login.ID, err = x.insertLogin(ctx, login, l.Tokens, now); err != nil || known {
			return err
		}
		posts, err = x.announceLogin(ctx, u, login.Device, now)
		return err
	})
	if err != nil {
		return im.Login{}, nil, err
	}
	return login, posts, nil
}

// replaceDevice says whether an earlier login of the user gave this device its id,
// and revokes the one that is live.
func (x *tx) replaceDevice(ctx context.Context, user im.UserID, device string) (known bool, err error) {
	if device == "" {
		return false, nil
	}
	type row struct {
		id   im.LoginID
		live bool
	}
	rows, err := collect(ctx, x, func(r scanner) (v row, err error) {
		err = r.Scan(&v.id, &v.live)
		return v, err
	}, "SELECT id, live IS NOT NULL FROM logins WHERE user_id = ? AND device_id = ?"+x.s.dialect.forUpdate(), user, device)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if r.live {
			return true, x.revoke(ctx, []im.LoginID{r.id})
		}
	}
	return len(rows) > 0, nil
}

func (x *tx) insertLogin(ctx context.Context, l im.Login, t im.TokenPair, now im.Micros) (im.LoginID, error) {
	id, err := x.insert(ctx, `INSERT INTO logins (user_id, device_id, device_name, platform, access_hash, access_expires_at,
		access_used_at, refresh_hash, refresh_expires_at, created_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
		l.User.ID, l.Device.ID, l.Device.Name, l.Device.Platform, t.Access[:], after(now, t.AccessFor),
		t.Refresh[:], after(now, t.RefreshFor), now, now)
	if err != nil {
		return 0, err
	}
	_, err = x.exec(ctx, "INSERT INTO refresh_tokens (hash, login_id, created_at) VALUES (?, ?, ?)", t.Refresh[:], id, now)
	return im.LoginID(id), err
}

// announceLogin writes login.new into the user's inbox.
func (x *tx) announceLogin(ctx context.Context, u userState, d im.Device, now im.Micros) ([]im.Post, error) {
	post, err := appendSystem(ctx, x, u.Inbox, 0, im.LoginNew(d, now.Millis()))
	if err != nil {
		return nil, err
	}
	return []im.Post{post}, nil
}

// Logins lists a user's live logins, the latest seen first.
func (s *Store) Logins(ctx context.Context, user im.UserID) ([]im.Login, error) {
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	list, err := collect(ctx, s.reads, func(r scanner) (l im.Login, err error) {
		var seen im.Micros
		err = r.Scan(append(userDest(&l.User), &l.ID, &l.Device.ID, &l.Device.Name, &l.Device.Platform, &seen)...)
		l.LastSeen = seen.Millis()
		return l, err
	}, "SELECT "+userColumns+`, l.id, l.device_id, l.device_name, l.platform, l.seen_at
		FROM logins l JOIN users u ON u.id = l.user_id
		WHERE l.user_id = ? AND l.live = 1 AND (l.refresh_expires_at > ? OR l.access_expires_at > ?)
		ORDER BY l.seen_at DESC, l.id DESC`, user, now, now)
	return list, s.explain("list logins", err)
}

// RevokeLogin ends a login of this user; another's, or none: im.NotFound.
func (s *Store) RevokeLogin(ctx context.Context, user im.UserID, login im.LoginID) error {
	return s.write(ctx, "revoke login", func(ctx context.Context, x *tx) error {
		ids, err := collect(ctx, x, scanOne[im.LoginID],
			"SELECT id FROM logins WHERE id = ? AND user_id = ? AND live = 1"+s.dialect.forUpdate(), login, user)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return im.Fail(im.NotFound, "there is no such login")
		}
		return x.revoke(ctx, ids)
	})
}

// revokeAll revokes every login of a user but keep, and says how many there were.
// The user's row must be locked, so that no login is made meanwhile.
func (x *tx) revokeAll(ctx context.Context, user im.UserID, keep im.LoginID) (int, error) {
	ids, err := collect(ctx, x, scanOne[im.LoginID],
		"SELECT id FROM logins WHERE user_id = ? AND live = 1 AND id <> ? ORDER BY id"+x.s.dialect.forUpdate(), user, keep)
	if err != nil {
		return 0, err
	}
	return len(ids), x.revoke(ctx, ids)
}

// revoke ends live logins that the transaction has locked, and tells every node to
// hang up on them.
func (x *tx) revoke(ctx context.Context, ids []im.LoginID) error {
	now, err := x.now(ctx)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ids, maxList) {
		args := append([]any{now}, idList(part)...)
		if _, err := x.exec(ctx, "UPDATE logins SET revoked_at = ?, live = NULL WHERE id IN ("+marks(len(args)-1)+")", args...); err != nil {
			return err
		}
		for _, id := range part {
			if _, err := x.exec(ctx, "INSERT INTO revocations (login_id, at) VALUES (?, ?)", id, now); err != nil {
				return err
			}
		}
	}
	return nil
}

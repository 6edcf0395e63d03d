package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// refreshGrace is how long after its first use a refresh token may be given again
// by a client that the answer did not reach.
const refreshGrace = 60 * time.Second

// refreshState is what a refresh must know, read with the login locked.
type refreshState struct {
	login         im.Login
	live          bool
	replacedAt    im.Micros // of the token that was given
	accessUsedAt  im.Micros // of the last answer's access token
	refreshHash   []byte    // the last answer's refresh token
	refreshFrom   []byte    // what the last answer was given for
	refreshExpiry im.Micros
}

// mayRefresh says whether the token old may be exchanged: it is the one of the last
// answer; or the last answer was given for it, less than a minute after its first
// use, and nothing of that answer has been used. (Had its refresh token been used,
// it would not be the last answer any more.)
func (f *refreshState) mayRefresh(old im.TokenHash, now im.Micros) bool {
	if !f.live || f.refreshExpiry <= now {
		return false
	}
	if f.replacedAt == 0 {
		return bytes.Equal(f.refreshHash, old[:])
	}
	return bytes.Equal(f.refreshFrom, old[:]) && f.accessUsedAt == 0 && since(f.replacedAt, now) <= refreshGrace
}

// Refresh exchanges a refresh token as the contract says. A token that may not be
// used revokes its login if it has one, and is im.Unauthenticated.
func (s *Store) Refresh(ctx context.Context, old im.TokenHash, next im.TokenPair) (im.Login, error) {
	var login im.Login
	var refused bool
	err := s.write(ctx, "refresh login", func(ctx context.Context, x *tx) error {
		login, refused = im.Login{}, false
		f, err := x.lockForRefresh(ctx, old)
		if err != nil {
			return err
		}
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		if !f.mayRefresh(old, now) {
			refused = true // and the transaction stands: the revocation must be kept
			if f.live {
				return x.revoke(ctx, []im.LoginID{f.login.ID})
			}
			return nil
		}
		login = f.login
		login.LastSeen = now.Millis()
		return x.exchange(ctx, f, old, next, now)
	})
	if err != nil {
		return im.Login{}, err
	}
	if refused {
		return im.Login{}, notLoggedIn()
	}
	return login, nil
}

// lockForRefresh locks the user and the login that a refresh token belongs to.
func (x *tx) lockForRefresh(ctx context.Context, old im.TokenHash) (*refreshState, error) {
	f := new(refreshState)
	var user im.UserID
	err := x.row(ctx, `SELECT l.id, l.user_id FROM refresh_tokens r JOIN logins l ON l.id = r.login_id WHERE r.hash = ?`, old[:]).
		Scan(&f.login.ID, &user)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notLoggedIn()
	}
	if err != nil {
		return nil, err
	}
	users, err := x.lockUsers(ctx, user)
	if err != nil {
		return nil, err
	}
	u := users[user]
	if u.Deleted || u.Disabled {
		return nil, notLoggedIn()
	}
	f.login.User = u.User
	d := &f.login.Device
	if err := x.row(ctx, `SELECT device_id, device_name, platform, live IS NOT NULL, access_used_at, refresh_hash,
		refresh_from, refresh_expires_at FROM logins WHERE id = ?`+x.s.dialect.forUpdate(), f.login.ID).
		Scan(&d.ID, &d.Name, &d.Platform, &f.live, &f.accessUsedAt, &f.refreshHash, &f.refreshFrom, &f.refreshExpiry); err != nil {
		return nil, err
	}
	// Only now: another refresh may have held the login until a moment ago.
	err = x.row(ctx, "SELECT replaced_at FROM refresh_tokens WHERE hash = ?"+x.s.dialect.forUpdate(), old[:]).Scan(&f.replacedAt)
	return f, err
}

// exchange makes next the last answer. Both the token that was given and the one of
// an answer that thereby becomes void are replaced from now on.
func (x *tx) exchange(ctx context.Context, f *refreshState, old im.TokenHash, next im.TokenPair, now im.Micros) error {
	if _, err := x.exec(ctx, "UPDATE refresh_tokens SET replaced_at = ? WHERE hash = ?", now, f.refreshHash); err != nil {
		return err
	}
	if _, err := x.exec(ctx, `UPDATE logins SET access_hash = ?, access_expires_at = ?, access_used_at = 0, refresh_hash = ?,
		refresh_from = ?, refresh_expires_at = ?, seen_at = ? WHERE id = ?`,
		next.Access[:], after(now, next.AccessFor), next.Refresh[:], old[:], after(now, next.RefreshFor), now, f.login.ID); err != nil {
		return err
	}
	_, err := x.exec(ctx, "INSERT INTO refresh_tokens (hash, login_id, created_at) VALUES (?, ?, ?)",
		next.Refresh[:], f.login.ID, now)
	return err
}

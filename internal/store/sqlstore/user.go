package sqlstore

import (
	"context"

	"github.com/liao-im/liao/internal/im"
)

// userColumns are what scanUser reads, of the table users as u. Of a deleted
// account only the id is left; its handle is kept in the row, but shown to nobody.
const userColumns = "u.id, CASE WHEN u.deleted_at = 0 THEN u.handle ELSE '' END, u.name, u.avatar, u.bio"

// userDest are the places for userColumns.
func userDest(u *im.User) []any { return []any{&u.ID, &u.Handle, &u.Name, &u.Avatar, &u.Bio} }

func scanUser(r scanner) (u im.User, err error) {
	err = r.Scan(userDest(&u)...)
	return u, err
}

// userState is what a transaction that locked a user's row knows of it.
type userState struct {
	im.User
	Inbox    im.ConvID
	Disabled bool
	Deleted  bool
}

// lockUsers locks the rows of users, in the order of their ids, and returns those
// that exist.
func (x *tx) lockUsers(ctx context.Context, ids ...im.UserID) (map[im.UserID]userState, error) {
	list, err := collect(ctx, x, func(r scanner) (u userState, err error) {
		err = r.Scan(append(userDest(&u.User), &u.Inbox, &u.Disabled, &u.Deleted)...)
		return u, err
	}, "SELECT "+userColumns+", u.inbox_id, u.disabled_at <> 0, u.deleted_at <> 0 FROM users u WHERE u.id IN ("+
		marks(len(ids))+") ORDER BY u.id"+x.s.dialect.forUpdate(), anys(nil, ids)...)
	if err != nil {
		return nil, err
	}
	users := make(map[im.UserID]userState, len(list))
	for _, u := range list {
		users[u.ID] = u
	}
	return users, nil
}

package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/liao-im/liao/internal/im"
)

// SetProfile changes what is not nil and returns the user as stored.
func (s *Store) SetProfile(ctx context.Context, id im.UserID, c im.ProfileChange) (im.User, error) {
	var u userState
	err := s.write(ctx, "set profile", func(ctx context.Context, x *tx) (err error) {
		if u, err = x.lockUser(ctx, id); err != nil {
			return err
		}
		if c.Name != nil {
			u.Name = *c.Name
		}
		if c.Bio != nil {
			u.Bio = *c.Bio
		}
		_, err = x.exec(ctx, "UPDATE users SET name = ?, name_fold = ?, bio = ? WHERE id = ?", u.Name, foldName(u.Name), u.Bio, id)
		return err
	})
	if err != nil {
		return im.User{}, err
	}
	return u.User, nil
}

// SetAvatar stores the picture and makes it the user's; nil takes it away. Prune
// deletes pictures that are nobody's any more.
func (s *Store) SetAvatar(ctx context.Context, id im.UserID, a *im.Avatar) (im.User, error) {
	var u userState
	err := s.write(ctx, "set avatar", func(ctx context.Context, x *tx) (err error) {
		if u, err = x.lockUser(ctx, id); err != nil {
			return err
		}
		u.Avatar = ""
		if a != nil {
			u.Avatar = a.SHA256
			now, err := x.now(ctx)
			if err != nil {
				return err
			}
			if _, err := x.exec(ctx, "INSERT INTO avatars (sha256, type, bytes, used_at) VALUES (?, ?, ?, ?)"+
				s.dialect.upsert("sha256", "used_at"), a.SHA256, a.Type, a.Bytes, now); err != nil {
				return err
			}
		}
		_, err = x.exec(ctx, "UPDATE users SET avatar = ? WHERE id = ?", u.Avatar, id)
		return err
	})
	if err != nil {
		return im.User{}, err
	}
	return u.User, nil
}

// Avatar returns a stored picture by its lower-case hex SHA-256, or im.NotFound.
func (s *Store) Avatar(ctx context.Context, sha256 string) (im.Avatar, error) {
	a := im.Avatar{SHA256: sha256}
	err := s.reads.row(ctx, "SELECT type, bytes FROM avatars WHERE sha256 = ?", sha256).Scan(&a.Type, &a.Bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return im.Avatar{}, im.Fail(im.NotFound, "there is no such picture")
	}
	return a, s.explain("read avatar", err)
}

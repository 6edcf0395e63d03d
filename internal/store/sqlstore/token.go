package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// Authenticate returns what an access token proves; unknown, expired, replaced or
// revoked, or a disabled user's: im.Unauthenticated. It is one query, and one
// short transaction at a token's first use.
func (s *Store) Authenticate(ctx context.Context, access im.TokenHash) (im.Session, error) {
	var v im.Session
	var used, expires im.Micros
	clock, args := s.dialect.clock()
	err := s.reads.row(ctx, "SELECT "+userColumns+`, l.id, l.device_id, l.device_name, l.platform,
		l.access_used_at, l.access_expires_at, `+clock+`
		FROM logins l JOIN users u ON u.id = l.user_id
		WHERE l.access_hash = ? AND l.live = 1 AND u.disabled_at = 0 AND u.deleted_at = 0`, append(args, access[:])...).
		Scan(append(userDest(&v.User), &v.Login, &v.Device.ID, &v.Device.Name, &v.Device.Platform, &used, &expires, &v.At)...)
	if errors.Is(err, sql.ErrNoRows) {
		return im.Session{}, notLoggedIn()
	}
	if err != nil {
		return im.Session{}, s.explain("authenticate", err)
	}
	if expires <= v.At {
		return im.Session{}, notLoggedIn()
	}
	if used == 0 {
		if err := s.noteFirstUse(ctx, v, access); err != nil {
			return im.Session{}, err
		}
	}
	return v, nil
}

// noteFirstUse ends the grace for the refresh token that this access token came
// for. A refresh that was quicker has made the access token void.
func (s *Store) noteFirstUse(ctx context.Context, v im.Session, access im.TokenHash) error {
	return s.write(ctx, "note first use of token", func(ctx context.Context, x *tx) error {
		n, err := x.change(ctx, "UPDATE logins SET access_used_at = ? WHERE id = ? AND access_hash = ? AND live = 1", v.At, v.Login, access[:])
		if err == nil && n == 0 {
			return notLoggedIn()
		}
		return err
	})
}

// lateRows is for how long a revocation is given again: a row may become visible
// later than one with a higher id, though never later than a transaction may take.
const lateRows = 30 * time.Second

// Revocations returns the logins that ended with an id above after, and all those
// of the last 30 s, in the order of their ids.
func (s *Store) Revocations(ctx context.Context, after uint64) ([]im.Revocation, error) {
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	list, err := collect(ctx, s.reads, func(r scanner) (v im.Revocation, err error) {
		err = r.Scan(&v.ID, &v.Login)
		return v, err
	}, `SELECT id, login_id FROM revocations WHERE id > ? UNION
		SELECT id, login_id FROM revocations WHERE at > ? ORDER BY id`, after, now-im.Micros(lateRows.Microseconds()))
	return list, s.explain("read revocations", err)
}

// Seen stores when logins were last in use. A clock that is ahead of the database's
// is not believed, and an earlier sighting changes nothing.
func (s *Store) Seen(ctx context.Context, list []im.Sighting) error {
	list = slices.SortedFunc(slices.Values(list), func(a, b im.Sighting) int {
		return cmp.Or(cmp.Compare(a.Login, b.Login), cmp.Compare(b.At, a.At))
	})
	list = slices.CompactFunc(list, func(a, b im.Sighting) bool { return a.Login == b.Login })
	for part := range slices.Chunk(list, maxList) {
		if err := s.write(ctx, "note last use of logins", func(ctx context.Context, x *tx) error {
			return x.seen(ctx, part)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (x *tx) seen(ctx context.Context, part []im.Sighting) error {
	now, err := x.now(ctx)
	if err != nil {
		return err
	}
	args := make([]any, 0, 3*listSize(len(part)))
	for _, v := range part {
		args = append(args, v.Login, min(im.Micros(v.At)*1000, now))
	}
	for len(args) < 2*listSize(len(part)) {
		args = append(args, args[len(args)-2], args[len(args)-1])
	}
	for i := 0; i < 2*listSize(len(part)); i += 2 {
		args = append(args, args[i])
	}
	n := listSize(len(part))
	_, err = x.exec(ctx, "UPDATE logins SET seen_at = "+
		x.s.dialect.greatest("seen_at", "CASE id"+strings.Repeat(" WHEN ? THEN ?", n)+" ELSE 0 END")+
		" WHERE id IN ("+marks(n)+")", args...)
	return err
}

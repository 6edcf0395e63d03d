package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/liao-im/liao/internal/im"
)

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// AddCode stores a code unless one of its limits is reached: then im.RateLimited
// with the time until it is not. Whoever adds for the same address or IP meanwhile
// waits, so the limits are exact.
func (s *Store) AddCode(ctx context.Context, c im.NewCode) error {
	return s.write(ctx, "add code", func(ctx context.Context, x *tx) error {
		if err := x.lockCodes(ctx, c); err != nil {
			return err
		}
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		wait, err := x.codeWait(ctx, c, now)
		if err != nil {
			return err
		}
		if wait > 0 {
			return im.FailAfter(im.RateLimited, "too many codes were asked for; try again later", wait)
		}
		_, err = x.exec(ctx, `INSERT INTO codes (request, purpose, email, ip, mac, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			c.Request, c.Purpose, c.Email, c.IP, c.MAC[:], now, after(now, c.Expires))
		return err
	})
}

// lockCodes locks what the limits are counted by.
func (x *tx) lockCodes(ctx context.Context, c im.NewCode) error {
	now, err := x.now(ctx)
	if err != nil {
		return err
	}
	names := []string{"email " + c.Email}
	if c.IP != "" && c.Limits.IPHour > 0 {
		names = append(names, "ip "+c.IP)
	}
	slices.Sort(names)
	for _, n := range names {
		// An INSERT that meets the row locks it until the end as well.
		if _, err := x.exec(ctx, "INSERT INTO code_locks (name, at) VALUES (?, ?)"+x.s.dialect.upsert("name", "at"), n, now); err != nil {
			return err
		}
	}
	return nil
}

// codeWait is how long until none of the limits is in the way, 0 if none is now.
func (x *tx) codeWait(ctx context.Context, c im.NewCode, now im.Micros) (wait time.Duration, err error) {
	const (
		byEmail = "SELECT created_at FROM codes WHERE email = ? AND created_at > ? ORDER BY created_at DESC LIMIT 1 OFFSET ?"
		byIP    = "SELECT created_at FROM codes WHERE ip = ? AND created_at > ? ORDER BY created_at DESC LIMIT 1 OFFSET ?"
	)
	limits := []struct {
		query string
		name  string
		n     int
		per   time.Duration
	}{
		{byEmail, c.Email, c.Limits.EmailMinute, minute},
		{byEmail, c.Email, c.Limits.EmailHour, hour},
		{byEmail, c.Email, c.Limits.EmailDay, day},
		{byIP, c.IP, c.Limits.IPHour, hour},
	}
	for _, l := range limits {
		if l.n <= 0 || l.name == "" {
			continue
		}
		// With n of them in the last period, the n-th newest must fall out first.
		at, err := x.instant(ctx, l.query, l.name, now-im.Micros(l.per.Microseconds()), l.n-1)
		if err != nil {
			return 0, err
		}
		if at != 0 {
			wait = max(wait, l.per-since(at, now))
		}
	}
	if n := c.Limits.EmailOpen; n > 0 {
		at, err := x.instant(ctx, `SELECT expires_at FROM codes WHERE email = ? AND used_at = 0 AND dead = 0 AND expires_at > ?
			ORDER BY expires_at DESC LIMIT 1 OFFSET ?`, c.Email, now, n-1)
		if err != nil {
			return 0, err
		}
		if at != 0 {
			wait = max(wait, -since(at, now))
		}
	}
	return wait, nil
}

// instant reads one instant, 0 if there is no row.
func (x *tx) instant(ctx context.Context, query string, args ...any) (at im.Micros, err error) {
	err = x.row(ctx, query, args...).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return at, err
}

// TakeCodeTry counts one try at a request and returns what is stored. Of any number
// of concurrent calls at most limit ever succeed for one request. Unknown, used,
// expired, or all tries taken: im.Forbidden.
func (s *Store) TakeCodeTry(ctx context.Context, request string, limit int) (im.StoredCode, error) {
	var c im.StoredCode
	err := s.write(ctx, "take code try", func(ctx context.Context, x *tx) error {
		var mac []byte
		var expires, used im.Micros
		var tries int
		err := x.row(ctx, "SELECT purpose, email, mac, expires_at, tries, used_at FROM codes WHERE request = ?"+s.dialect.forUpdate(), request).
			Scan(&c.Purpose, &c.Email, &mac, &expires, &tries, &used)
		if errors.Is(err, sql.ErrNoRows) {
			return badCode()
		}
		if err != nil {
			return err
		}
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		if used != 0 || expires <= now || tries >= limit || len(mac) != len(c.MAC) {
			return badCode()
		}
		copy(c.MAC[:], mac)
		_, err = x.exec(ctx, "UPDATE codes SET tries = ?, dead = ? WHERE request = ?", tries+1, tries+1 >= limit, request)
		return err
	})
	if err != nil {
		return im.StoredCode{}, err
	}
	return c, nil
}

func badCode() error { return im.Fail(im.Forbidden, "the code is wrong, used or expired") }

// UseCode marks a request as used and says whether this call did it: of any number
// of concurrent calls one is told true.
func (s *Store) UseCode(ctx context.Context, request string) (bool, error) {
	var n int64
	err := s.write(ctx, "use code", func(ctx context.Context, x *tx) error {
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		n, err = x.change(ctx, "UPDATE codes SET used_at = ? WHERE request = ? AND used_at = 0", now, request)
		return err
	})
	return n == 1 && err == nil, err
}

// ReturnCode undoes one UseCode and one try.
func (s *Store) ReturnCode(ctx context.Context, request string) error {
	return s.write(ctx, "return code", func(ctx context.Context, x *tx) error {
		_, err := x.exec(ctx, `UPDATE codes SET used_at = 0, dead = 0, tries = CASE WHEN tries > 0 THEN tries - 1 ELSE 0 END
			WHERE request = ? AND used_at <> 0`, request)
		return err
	})
}

package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// prunePart is how many rows one transaction deletes, so that it stays short.
const prunePart = 500

// pruning is one kind of rows that are of no use any more.
type pruning struct {
	what  string
	query string        // deletes rows that are older than its arguments, the last of which is how many at most
	keep  time.Duration // how old rows may grow
}

// The inner SELECT has a name because MySQL limits no subquery but a derived table.
var prunings = [...]pruning{
	{"prune codes", `DELETE FROM codes WHERE request IN (SELECT request FROM (
		SELECT request FROM codes WHERE created_at < ? LIMIT ?) AS old)`, 25 * hour}, // a day's limit counts them
	{"prune code locks", `DELETE FROM code_locks WHERE name IN (SELECT name FROM (
		SELECT name FROM code_locks WHERE at < ? LIMIT ?) AS old)`, hour},
	{"prune login tries", `DELETE FROM login_tries WHERE name IN (SELECT name FROM (
		SELECT name FROM login_tries WHERE at < ? LIMIT ?) AS old)`, triesKept},
	{"prune revocations", `DELETE FROM revocations WHERE id IN (SELECT id FROM (
		SELECT id FROM revocations WHERE at < ? LIMIT ?) AS old)`, day},
	// A replaced token is kept to tell a thief by; the one of a live login to be used.
	{"prune refresh tokens", `DELETE FROM refresh_tokens WHERE hash IN (SELECT hash FROM (
		SELECT r.hash FROM refresh_tokens r LEFT JOIN logins l ON l.id = r.login_id AND l.live = 1 AND l.refresh_hash = r.hash
		WHERE r.created_at < ? AND r.replaced_at < ? AND l.id IS NULL LIMIT ?) AS old)`, 30 * day},
	{"prune logins", `DELETE FROM logins WHERE id IN (SELECT id FROM (
		SELECT l.id FROM logins l WHERE l.revoked_at > 0 AND l.revoked_at < ? AND EXISTS (
			SELECT 1 FROM logins n WHERE n.user_id = l.user_id AND n.device_id = l.device_id AND n.id > l.id) LIMIT ?) AS old)`, 30 * day},
	{"prune avatars", `DELETE FROM avatars WHERE sha256 IN (SELECT sha256 FROM (
		SELECT a.sha256 FROM avatars a WHERE a.used_at < ? AND NOT EXISTS (
			SELECT 1 FROM users u WHERE u.avatar = a.sha256) LIMIT ?) AS old)`, hour},
}

// Prune deletes what is of no use any more: codes, tries, revocations, tokens that
// were replaced long ago, pictures that nobody shows. It may be called at any time,
// by every node.
func (s *Store) Prune(ctx context.Context) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	for _, p := range prunings {
		args := slices.Repeat([]any{now - im.Micros(p.keep.Microseconds())}, strings.Count(p.query, "?"))
		args[len(args)-1] = prunePart
		for {
			var n int64
			err := s.write(ctx, p.what, func(ctx context.Context, x *tx) (err error) {
				n, err = x.change(ctx, p.query, args...)
				return err
			})
			if err != nil {
				return err
			}
			if n < prunePart {
				break
			}
		}
	}
	return nil
}

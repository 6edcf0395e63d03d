package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/liao-im/liao/internal/im"
)

// maxTypingGroup is how many members a group may have for typing to be shown.
const maxTypingGroup = 100

// Audience returns the members who may see that user is typing in conv: none if
// user may not send there. In a direct conversation the other one must be able to
// answer, too: who blocked somebody shows nothing to them. The membership is what
// was committed last, which a typing notice need not lock.
func (s *Store) Audience(ctx context.Context, user im.UserID, conv im.ConvID) ([]im.UserID, error) {
	c := conversation{id: conv}
	err := s.reads.row(ctx, `SELECT kind, head, member_version FROM conversations WHERE id = ?`, conv).
		Scan(&c.kind, &c.head, &c.version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, s.explain("audience", err)
	}
	r := s.members.get(conv, c.version)
	if r == nil {
		// Not kept: without the lock these members may be newer than the version.
		read, err := readRosters(ctx, s.reads, []im.ConvID{conv})
		if err != nil {
			return nil, s.explain("audience", err)
		}
		r = read[conv]
	}
	refused := im.JudgeSender(r.facts(user, c.kind, c.head))
	if errors.Is(refused, im.NotFound) {
		return nil, refused
	}
	if refused != nil || c.kind == im.Group && len(r.current) > maxTypingGroup {
		return nil, nil //nolint:nilerr // who may not send types for nobody
	}
	others := slices.DeleteFunc(slices.Clone(r.current), func(u im.UserID) bool {
		return u == user || c.kind == im.Direct && !r.facts(u, c.kind, c.head).MaySend
	})
	return others, nil
}

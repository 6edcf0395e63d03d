package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/liao-im/liao/internal/im"
)

// maxFind is how long a query for people may be: as long as an e-mail address.
const maxFind = 254

// FindUsers looks for people, the best match first: a whole id, e-mail address,
// handle or name before the start of a handle before the start of a name. Only what
// indexes find at once is looked for: the middle of a name would read every row.
func (s *Store) FindUsers(ctx context.Context, _ im.UserID, query string, limit int) ([]im.User, error) {
	query = strings.TrimSpace(query)
	if query == "" || len(query) > maxFind || !utf8.ValidString(query) {
		return nil, im.Fail(im.Invalid, "query must be a handle or the start of one, a name, # and an id, or an e-mail address")
	}
	f := finder{s: s, limit: limit}
	if id, err := strconv.ParseUint(strings.TrimPrefix(query, "#"), 10, 64); err == nil && id <= im.MaxID {
		f.look(ctx, whole, "u.id = ?", "u.id", id)
	}
	if email, err := im.CheckEmail(query); err == nil {
		f.look(ctx, whole, "u.email = ?", "u.id", email)
	}
	f.start(ctx, "u.handle", strings.ToLower(strings.TrimPrefix(query, "@")), wholeHandle)
	f.start(ctx, "u.name_fold", foldName(query), wholeName)
	if f.err != nil {
		return nil, s.explain("find users", f.err)
	}
	return f.best(), nil
}

// How good a match is, the best first.
const (
	whole = iota // of an id or an e-mail address
	wholeHandle
	wholeName
	startOfHandle
	startOfName
)

// match is a user who was found, and how.
type match struct {
	im.User
	rank int
}

// finder gathers matches. After an error its methods do nothing.
type finder struct {
	s     *Store
	limit int
	found []match
	err   error
}

// look adds users of whom a condition is true, in this order.
func (f *finder) look(ctx context.Context, rank int, condition, order string, args ...any) {
	if f.err != nil {
		return
	}
	var list []match
	list, f.err = collect(ctx, f.s.reads, func(r scanner) (match, error) {
		u, err := scanUser(r)
		return match{u, rank}, err
	}, `SELECT `+userColumns+` FROM users u WHERE `+condition+
		` AND u.deleted_at = 0 AND u.disabled_at = 0 ORDER BY `+order+` LIMIT ?`, append(args, f.limit)...)
	f.found = append(f.found, list...)
}

// start adds users whose column is text (these have rank) or starts with it (two
// ranks behind).
func (f *finder) start(ctx context.Context, column, text string, rank int) {
	if text == "" {
		return
	}
	f.look(ctx, rank, column+" = ?", "u.id", text)
	f.look(ctx, rank+startOfHandle-wholeHandle, column+" > ? AND "+column+" < ?", column, text, text+string(utf8.MaxRune))
}

// best returns the best matches, each user once.
func (f *finder) best() []im.User {
	slices.SortStableFunc(f.found, func(a, b match) int { return cmp.Compare(a.rank, b.rank) })
	seen := make(map[im.UserID]bool)
	users := make([]im.User, 0, f.limit)
	for _, m := range f.found {
		if !seen[m.ID] && len(users) < f.limit {
			seen[m.ID] = true
			users = append(users, m.User)
		}
	}
	return users
}

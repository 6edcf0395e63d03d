package chat

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	friendsDefault = 200
	friendsMost    = 500
	// Contacts are given without presence rather than late.
	onlineTimeout = time.Second
)

// place is where a page of contacts starts: behind After in one of the four lists.
type place struct {
	part  im.FriendsPart
	after im.UserID
}

// String is the place as clients keep it.
func (p place) String() string {
	return base64.RawURLEncoding.EncodeToString(binary.AppendUvarint([]byte{byte(p.part)}, uint64(p.after)))
}

// parsePlace is String's other half; what String did not make is refused.
func parsePlace(s string) (place, error) {
	if s == "" {
		return place{}, nil
	}
	bad := im.Fail(im.Invalid, "cursor is none that FRIEND_LIST gave; begin without one")
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < 2 || len(b) > 1+binary.MaxVarintLen64 || b[0] > byte(im.PartFriends) {
		return place{}, bad
	}
	after, n := binary.Uvarint(b[1:])
	if n != len(b)-1 || after > im.MaxID {
		return place{}, bad
	}
	return place{im.FriendsPart(b[0]), im.UserID(after)}, nil
}

// friends answers FRIENDS with a page of all four lists.
func (s *session) friends(ctx context.Context, id uint32, m *clientpb.Friends) error {
	limit, err := checkLimit(m.GetLimit(), friendsDefault, friendsMost)
	if err != nil {
		return err
	}
	from, err := parsePlace(m.GetCursor())
	if err != nil {
		return err
	}
	page, err := s.v.people.Friends(ctx, im.FriendsQuery{
		User: s.user, Part: from.part, After: from.after, Limit: limit, MaxBytes: pageBytes,
	})
	if err != nil {
		return err //nolint:wrapcheck // explained or logged with the type of the request
	}
	rows := s.rows(page, s.v.online(ctx, page.Friends))
	next := place{page.Part, page.After}
	if n := fittingRows(s.frameForm(), rows); n < len(rows) {
		rows, next, page.More = rows[:n], rows[n-1].at, true
	}
	out := &clientpb.FriendList{More: page.More}
	for _, r := range rows {
		r.into(out)
	}
	if page.More {
		out.Cursor = next.String()
	}
	return s.answer(id, clientpb.Type_FRIEND_LIST, out)
}

// row is one row of one of the four lists, and the place behind it.
type row struct {
	at      place
	request *clientpb.FriendRequest // of the first two lists
	user    *clientpb.User          // of the blocked
	friend  *clientpb.Friend
}

// rows are all rows of a page, in the order in which pages give them.
func (s *session) rows(page im.FriendsPage, online map[im.UserID]bool) []row {
	var out []row
	for i, r := range toRequests(page.Requests) {
		out = append(out, row{at: place{im.PartRequests, page.Requests[i].User.ID}, request: r})
	}
	for i, r := range toRequests(page.Asked) {
		out = append(out, row{at: place{im.PartAsked, page.Asked[i].User.ID}, request: r})
	}
	for _, u := range page.Blocked {
		out = append(out, row{at: place{im.PartBlocked, u.ID}, user: toUser(u)})
	}
	for _, f := range page.Friends {
		out = append(out, row{at: place{im.PartFriends, f.User.ID}, friend: &clientpb.Friend{
			User: toUser(f.User), Remark: f.Remark, Conv: uint64(f.Conv), Blocked: f.Blocked,
			Online: online[f.User.ID], LastSeenMs: int64(f.LastSeen),
		}})
	}
	return out
}

func (r row) into(l *clientpb.FriendList) {
	switch r.at.part {
	case im.PartRequests:
		l.Requests = append(l.Requests, r.request)
	case im.PartAsked:
		l.Asked = append(l.Asked, r.request)
	case im.PartBlocked:
		l.Blocked = append(l.Blocked, r.user)
	case im.PartFriends:
		l.Friends = append(l.Friends, r.friend)
	}
}

func fittingRows(form wire.Form, rows []row) int {
	size := 0
	for i, r := range rows {
		switch {
		case r.request != nil:
			size += encodedSize(form, r.request)
		case r.user != nil:
			size += encodedSize(form, r.user)
		default:
			size += encodedSize(form, r.friend)
		}
		if size > pageBytes && i > 0 {
			return i
		}
	}
	return len(rows)
}

// online says who of friends is on line, of those whose presence may be shown.
func (v *Service) online(ctx context.Context, friends []im.Friend) map[im.UserID]bool {
	online := make(map[im.UserID]bool, len(friends))
	var elsewhere []im.UserID
	for _, f := range friends {
		switch {
		case f.Hidden:
		case v.hub.known(f.User.ID):
			online[f.User.ID] = true
		default:
			elsewhere = append(elsewhere, f.User.ID)
		}
	}
	if len(elsewhere) == 0 || v.peers == nil {
		return online
	}
	ctx, cancel := context.WithTimeout(ctx, onlineTimeout)
	defer cancel()
	routes, err := v.routes.RoutesOf(ctx, elsewhere)
	if err != nil {
		v.trouble().WarnContext(ctx, "who is on line could not be looked up", "users", len(elsewhere), "err", err)
		return online
	}
	for _, r := range routes {
		online[r.User] = true
	}
	return online
}

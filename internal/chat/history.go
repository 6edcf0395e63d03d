package chat

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	// A page ends at so many bytes, counted as they are sent; a frame may have twice
	// as many, so there is always room for one entry more.
	pageBytes = 128 << 10

	historyDefault = 50
	historyMost    = 200
)

// history answers HISTORY with a PAGE.
func (s *session) history(ctx context.Context, id uint32, m *clientpb.History) error {
	conv, err := checkConv(m.GetConv())
	if err != nil {
		return err
	}
	limit, err := checkLimit(m.GetLimit(), historyDefault, historyMost)
	if err != nil {
		return err
	}
	q := im.HistoryQuery{
		User: s.user, Conv: conv, After: im.Seq(m.GetAfter()), Before: im.Seq(m.GetBefore()),
		Limit: limit, MaxBytes: pageBytes,
	}
	page, err := s.v.store.History(ctx, q)
	if err != nil {
		return err //nolint:wrapcheck // explained or logged with the type of the request
	}
	out := &clientpb.Page{Conv: m.GetConv(), Head: uint32(page.Head), More: page.More}
	all := make([]*clientpb.Message, len(page.Entries))
	for i, e := range page.Entries {
		all[i] = toMessage(e, s.user)
	}
	if q.Before == 0 {
		n := fitting(s.frameForm(), all, pageBytes)
		out.Messages, out.More = all[:n], out.More || n < len(all)
	} else {
		n := fittingFromEnd(s.frameForm(), all, pageBytes)
		out.Messages, out.More = all[len(all)-n:], out.More || n < len(all)
	}
	out.Users = senders(out.GetMessages(), page.Users)
	return s.answer(id, clientpb.Type_PAGE, out)
}

// senders leaves of users those who wrote one of messages.
func senders(messages []*clientpb.Message, users []im.User) []*clientpb.User {
	wrote := make(map[uint64]struct{}, len(users))
	for _, m := range messages {
		wrote[m.GetFrom()] = struct{}{}
	}
	var out []*clientpb.User
	for _, u := range users {
		if _, ok := wrote[uint64(u.ID)]; ok {
			out = append(out, toUser(u))
		}
	}
	return out
}

// fitting says how many of items, from the first on, have room in limit bytes; at
// least one. Stores bound pages by what they keep, and what is sent may be larger.
func fitting[M proto.Message](form wire.Form, items []M, limit int) int {
	size := 0
	for i, m := range items {
		if size += encodedSize(form, m); size > limit && i > 0 {
			return i
		}
	}
	return len(items)
}

// fittingFromEnd is fitting, counted from the last one back.
func fittingFromEnd[M proto.Message](form wire.Form, items []M, limit int) int {
	size := 0
	for n := range items {
		if size += encodedSize(form, items[len(items)-1-n]); size > limit && n > 0 {
			return n
		}
	}
	return len(items)
}

// encodedSize is about how many bytes m takes. In JSON it is an upper bound for all
// but text that is mostly quotes and line breaks, for which the frame has room.
func encodedSize(form wire.Form, m proto.Message) int {
	n := proto.Size(m)
	if form == wire.FormProtobuf {
		return n
	}
	b, err := wire.JSON.Append(nil, m)
	if err != nil {
		return n
	}
	return len(b)
}

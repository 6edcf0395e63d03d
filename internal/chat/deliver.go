package chat

import (
	"context"
	"runtime/debug"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// letter is one thing to be pushed to many. It is encoded when the first connection
// of a form is met, and then once for all of them.
type letter struct {
	kind wire.Type
	soft bool // may be dropped as soon as anything much waits
	body proto.Message
	own  proto.Message // as the author's own devices see it; nil: like body
	// author's sessions get own.
	author im.UserID

	frames [2][wire.Forms][]byte
	failed error
}

// frame is the letter for sessions of reader that speak form; nil if it cannot be
// encoded.
func (l *letter) frame(reader im.UserID, form wire.Form) []byte {
	variant, body := 0, l.body
	if l.own != nil && reader == l.author {
		variant, body = 1, l.own
	}
	if f := l.frames[variant][form]; f != nil || l.failed != nil {
		return f
	}
	f, err := form.Encode(nil, l.kind, 0, body)
	if err != nil {
		l.failed = err
		return nil
	}
	l.frames[variant][form] = f
	return f
}

// messageLetter is a committed entry as a MESSAGE.
func messageLetter(e im.Entry) *letter {
	l := &letter{kind: clientpb.Type_MESSAGE, body: toMessage(e, 0), author: e.From}
	if e.Key != "" {
		l.own = toMessage(e, e.From)
	}
	return l
}

// deliver pushes committed entries to every connection of every member but from,
// which has asked for them (nil: nobody has). It is a hint and returns no error:
// what is lost is counted, and the members of what may have been lost get RESYNC.
func (v *Service) deliver(posts []im.Post, from *session) {
	if len(posts) == 0 {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			v.met.panics.Inc()
			v.met.drops[dropPanic].Inc()
			v.log.Error("a push panicked", "panic", r, "stack", string(debug.Stack()))
			v.hintMembers(posts)
		}
	}()
	for i := range posts {
		l := messageLetter(posts[i].Entry)
		for _, u := range posts[i].Members {
			v.post(l, u, from)
		}
		if l.failed != nil {
			v.met.drops[dropEncode].Inc()
			v.trouble().Warn("an entry could not be encoded", "conv", posts[i].Entry.Conv, "seq", posts[i].Entry.Seq, "err", l.failed)
			v.hintMembers(posts[i : i+1])
		}
	}
	if v.peers != nil {
		v.deliverAway(posts)
	}
}

// post puts a letter into the outbox of every session of a user at this node, but
// except.
func (v *Service) post(l *letter, to im.UserID, except *session) {
	v.hub.each(to, func(s *session) {
		if s == except {
			return
		}
		if f := l.frame(to, s.frameForm()); f != nil {
			s.push(l.kind, f, l.soft)
		}
	})
}

// hintMembers schedules RESYNC for everybody whom posts were for.
func (v *Service) hintMembers(posts []im.Post) {
	for i := range posts {
		v.hints.add(posts[i].Members...)
	}
}

// Push hands entries that were committed elsewhere to whoever of the members is on
// line. It is a hint and does not wait: what it loses is in the log.
//
// It is gate's need of the chat service.
func (v *Service) Push(_ context.Context, posts []im.Post) {
	v.deliver(posts, nil)
}

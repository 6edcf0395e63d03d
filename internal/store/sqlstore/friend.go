package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// request is a row of friend_requests; its zero value is one that was never made.
type request struct {
	state    im.AskState
	greeting string
	remark   string // what the asker calls the other
	asked    im.Micros
	answered im.Micros
}

func (x *tx) readRequest(ctx context.Context, from, to im.UserID) (r request, err error) {
	err = x.row(ctx, `SELECT state, greeting, remark, asked_at, answered_at FROM friend_requests
		WHERE from_id = ? AND to_id = ?`, from, to).Scan(&r.state, &r.greeting, &r.remark, &r.asked, &r.answered)
	if errors.Is(err, sql.ErrNoRows) {
		return request{}, nil
	}
	return r, err
}

func (x *tx) writeRequest(ctx context.Context, from, to im.UserID, r request) error {
	_, err := x.exec(ctx, `INSERT INTO friend_requests (from_id, to_id, greeting, remark, state, asked_at, answered_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`+x.s.dialect.upsert("from_id, to_id", "greeting", "remark", "state", "asked_at", "answered_at"),
		from, to, r.greeting, r.remark, r.state, r.asked, r.answered)
	if err != nil {
		return fmt.Errorf("store a request: %w", err)
	}
	return nil
}

// RequestFriend stores a request as im.JudgeAsk decides.
func (s *Store) RequestFriend(ctx context.Context, a im.FriendAsk) ([]im.Post, error) {
	return s.between(ctx, "request friend", a.From, a.To, func(ctx context.Context, b *bond) error {
		return b.request(ctx, a)
	})
}

// request is RequestFriend once everything is locked.
func (b *bond) request(ctx context.Context, a im.FriendAsk) error {
	mine, err := b.x.readRequest(ctx, a.From, a.To)
	if err != nil {
		return fmt.Errorf("read my request: %w", err)
	}
	theirs, err := b.x.readRequest(ctx, a.To, a.From)
	if err != nil {
		return fmt.Errorf("read their request: %w", err)
	}
	facts, err := b.askFacts(ctx, mine, theirs)
	if err != nil {
		return err
	}
	facts.PerDay = a.PerDay
	verdict, err := im.JudgeAsk(facts)
	if err != nil {
		return err
	}
	fresh := mine.state == im.AskNone || mine.state == im.AskAccepted || mine.state == im.AskRefused && !facts.RefusalHolds()
	mine.greeting, mine.remark, mine.asked = a.Greeting, a.Remark, b.l.now
	switch verdict {
	case im.AskMeet:
		return b.meet(ctx, mine, theirs)
	case im.AskDeliver:
		mine.state, mine.answered = im.AskWaiting, 0
		if err := b.l.event(b.other.Inbox, 0, im.FriendRequested(b.me.User, a.Greeting)); err != nil {
			return err
		}
		if err := b.contactsChanged(b.me); err != nil {
			return err
		}
	case im.AskSwallow:
		// What the asker sees must not tell it from a request that waits.
		if fresh {
			mine.state, mine.answered = im.AskSwallowed, 0
			if err := b.contactsChanged(b.me); err != nil {
				return err
			}
		}
	case im.AskRefresh:
	}
	return b.x.writeRequest(ctx, a.From, a.To, mine)
}

// askFacts is what is known about my asking the other.
func (b *bond) askFacts(ctx context.Context, mine, theirs request) (im.AskFacts, error) {
	f := im.AskFacts{
		Self:          b.me.ID == b.other.ID,
		Exists:        b.there() && !b.other.Disabled,
		Friends:       b.friends,
		AskerBlocked:  b.iBlock,
		TargetBlocked: b.blockedMe,
		TargetAsked:   theirs.state == im.AskWaiting,
		// Who is blocked is answered as if the request still waited.
		Waiting:    mine.state == im.AskWaiting || mine.state == im.AskSwallowed && b.blockedMe,
		Refused:    mine.state == im.AskRefused,
		RefusedAgo: time.Duration(b.l.now-mine.answered) * time.Microsecond,
	}
	err := b.x.row(ctx, `SELECT COUNT(*) FROM friend_requests WHERE from_id = ? AND to_id <> ? AND state <> ? AND asked_at > ?`,
		b.me.ID, b.other.ID, im.AskAccepted, ago(b.l.now, 24*time.Hour)).Scan(&f.Unanswered)
	if err != nil {
		return f, fmt.Errorf("count requests: %w", err)
	}
	return f, nil
}

// ago is the instant d before now.
func ago(now im.Micros, d time.Duration) im.Micros { return now - im.Micros(d.Microseconds()) }

// meet makes two people friends who asked each other. Each has asked, so each is
// told that the other accepted.
func (b *bond) meet(ctx context.Context, mine, theirs request) error {
	mine.state, mine.answered = im.AskAccepted, b.l.now
	theirs.state, theirs.answered = im.AskAccepted, b.l.now
	if err := b.x.writeRequest(ctx, b.me.ID, b.other.ID, mine); err != nil {
		return err
	}
	if err := b.x.writeRequest(ctx, b.other.ID, b.me.ID, theirs); err != nil {
		return err
	}
	if err := b.becomeFriends(ctx, mine.remark, theirs.remark); err != nil {
		return err
	}
	if err := b.greet(b.other, theirs.greeting); err != nil {
		return err
	}
	if err := b.greet(b.me, mine.greeting); err != nil {
		return err
	}
	return errors.Join(
		b.l.event(b.direct, 0, im.FriendStarted()),
		b.l.event(b.other.Inbox, 0, im.FriendAccepted(b.me.User, b.direct)),
		b.l.event(b.me.Inbox, 0, im.FriendAccepted(b.other.User, b.direct)),
		b.contactsChanged(b.other),
		b.contactsChanged(b.me),
	)
}

// greet writes what somebody said when asking.
func (b *bond) greet(u userState, greeting string) error {
	if greeting == "" {
		return nil
	}
	return b.l.event(b.direct, u.ID, im.Greeting(greeting))
}

// AnswerFriend accepts or refuses what another asked.
func (s *Store) AnswerFriend(ctx context.Context, a im.FriendAnswer) (im.ConvID, []im.Post, error) {
	var conv im.ConvID
	posts, err := s.between(ctx, "answer friend", a.User, a.From, func(ctx context.Context, b *bond) error {
		var theirs request
		if b.there() {
			var err error
			if theirs, err = b.x.readRequest(ctx, a.From, a.User); err != nil {
				return fmt.Errorf("read a request: %w", err)
			}
		}
		repeated, err := im.JudgeAnswer(theirs.state, a.Accept)
		if err != nil {
			return err
		}
		if !repeated {
			if err := b.answer(ctx, theirs, a); err != nil {
				return err
			}
		}
		if conv = 0; a.Accept {
			conv = b.direct
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return conv, posts, nil
}

// answer is AnswerFriend for a request that waits.
func (b *bond) answer(ctx context.Context, theirs request, a im.FriendAnswer) error {
	theirs.state, theirs.answered = im.AskRefused, b.l.now
	if a.Accept {
		theirs.state = im.AskAccepted
	}
	if err := b.x.writeRequest(ctx, a.From, a.User, theirs); err != nil {
		return err
	}
	if !a.Accept {
		return b.contactsChanged(b.me) // the asker is not told
	}
	if err := b.becomeFriends(ctx, a.Remark, theirs.remark); err != nil {
		return err
	}
	return errors.Join(
		b.greet(b.other, theirs.greeting),
		b.l.event(b.direct, 0, im.FriendStarted()),
		b.l.event(b.other.Inbox, 0, im.FriendAccepted(b.me.User, b.direct)),
		b.contactsChanged(b.other),
		b.contactsChanged(b.me),
	)
}

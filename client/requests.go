package client

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// ask sends a request other than SEND and waits for its answer. Repeating one does no harm, so it
// is asked again on the next line if this one ends.
func ask[A proto.Message](ctx context.Context, c *Client, t wire.Type, body proto.Message) (a A, err error) {
	left := false // it was on a line that ended
	for {
		l, err := c.line(ctx)
		if err != nil {
			var e *Error
			if left && errors.As(err, &e) {
				err = &Error{Code: Unavailable, Text: "the connection ended before the answer", unknown: true, cause: err}
			}
			return a, err
		}
		got := make(chan answer, 1)
		err = l.ask(t, body, func(a answer) { got <- a })
		if errors.Is(err, errLeaving) {
			select {
			case <-l.gone:
				continue
			case <-ctx.Done():
				if left {
					return a, unanswered(ctx)
				}
				return a, notSent(ctx)
			}
		}
		if err != nil {
			return a, err
		}
		select {
		case r := <-got:
			if errors.Is(r.err, errBroken) {
				left = true
				<-l.gone
				continue
			}
			if r.err != nil {
				return a, r.err
			}
			if a, ok := r.body.(A); ok {
				return a, nil
			}
			return a, errNonsense
		case <-ctx.Done():
			return a, unanswered(ctx)
		}
	}
}

// History asks for a part of a conversation's log. It has no part in what is
// given as Arrived.
func (c *Client) History(ctx context.Context, q HistoryQuery) (Page, error) {
	p, err := ask[*clientpb.Page](ctx, c, clientpb.Type_HISTORY, &clientpb.History{
		Conv: q.Conv, After: q.After, Before: q.Before, Limit: uint32(max(q.Limit, 0)), //nolint:gosec // the server checks
	})
	if err != nil {
		return Page{}, err
	}
	return toPage(p), nil
}

// MarkRead says that the user has read a conversation up to seq. It never moves back.
func (c *Client) MarkRead(ctx context.Context, conv uint64, seq uint32) error {
	if err := c.do(ctx, clientpb.Type_READ, &clientpb.Read{Conv: conv, Seq: seq}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.convs[conv]; v != nil {
		c.readUpTo(v, seq)
	}
	return nil
}

// Typing tells the other members that the user is writing, if the line stands. At most one in 3 s
// is passed on.
func (c *Client) Typing(conv uint64) {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.send(clientpb.Type_TYPING, 0, &clientpb.Typing{Conv: conv})
	}
}

// do sends a request whose answer is OK.
func (c *Client) do(ctx context.Context, t wire.Type, body proto.Message) error {
	_, err := ask[proto.Message](ctx, c, t, body)
	return err
}

package sqlstore

import (
	"context"

	"github.com/liao-im/liao/internal/im"
)

// appendSystem writes one entry that no client sent: into an inbox, or an event of
// a conversation. It locks the conversation; a transaction that writes to several
// uses one ledger for all, lest it lock them out of order. The entry is pushed to
// the members once the transaction is committed.
func appendSystem(ctx context.Context, x *tx, conv im.ConvID, from im.UserID, c im.Content) (im.Post, error) {
	l, err := openLedger(ctx, x, []im.ConvID{conv})
	if err != nil {
		return im.Post{}, err
	}
	if err := l.event(conv, from, c); err != nil {
		return im.Post{}, err
	}
	posts, err := l.posts(ctx)
	if err != nil {
		return im.Post{}, err
	}
	return posts[0], nil
}

// event adds an entry of the server's to a conversation that must exist.
func (l *ledger) event(conv im.ConvID, from im.UserID, c im.Content) error {
	_, err := l.add(conv, from, "", c)
	return err
}

// posts flushes the ledger and returns its entries for the members as they are now,
// with what this transaction changed about them.
func (l *ledger) posts(ctx context.Context) ([]im.Post, error) {
	if err := l.flush(ctx); err != nil {
		return nil, err
	}
	var convs []im.ConvID
	for id, c := range l.convs {
		if c.added > 0 {
			convs = append(convs, id)
		}
	}
	if len(convs) == 0 {
		return nil, nil
	}
	rosters, err := readRosters(ctx, l.x, convs) // not the cache: these rows may be rolled back yet
	if err != nil {
		return nil, err
	}
	posts := make([]im.Post, len(l.entries))
	for i, e := range l.entries {
		posts[i] = im.Post{Entry: e, Members: rosters[e.Conv].current}
	}
	return posts, nil
}

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
)

const (
	appendTime = 5 * time.Second // for a batch, all its tries together
	// How old a draft may be when its transaction begins: whoever sent it has been
	// told by then that the outcome is unknown, and tries again.
	maxDraftAge = 5 * time.Second
)

// Append commits drafts in one transaction and says for each, in order, what became
// of it. A key that is stored already gets its original answer. If the transaction
// cannot be committed at the second try either, the drafts of each conversation are
// committed alone, so that what is wrong with one is no other's failure.
func (s *Store) Append(ctx context.Context, drafts []im.Draft) ([]im.Appended, error) {
	// The batch belongs to many senders: none of them takes it along when leaving.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTime)
	defer cancel()
	b := &batch{
		s: s, drafts: drafts, results: make([]im.Appended, len(drafts)),
		numbered: make(map[int]im.Seq),
	}
	all := make([]int, len(drafts))
	for i := range all {
		all[i] = i
	}
	err := b.commit(ctx, all, s.write)
	if err != nil && !away(err) && !errors.Is(err, im.Overloaded) {
		err = b.commit(ctx, all, s.write)
	}
	if err == nil {
		return b.results, nil
	}
	for _, same := range b.byConversation() {
		if !away(err) {
			err = b.commit(ctx, same, s.writeOnce)
		}
		if err != nil {
			b.fail(same, err)
		}
	}
	return b.results, nil
}

// writeOnce is write without a second try: when a lock is not to be had for one
// conversation, the others must not wait for it twice.
func (s *Store) writeOnce(ctx context.Context, what string, fn func(ctx context.Context, x *tx) error) error {
	return s.explain(what, s.attempt(ctx, fn))
}

// away says that the outcome is unknown because the store does not answer, so that
// it is of no use to try again.
func away(err error) bool { return errors.Is(err, im.Unavailable) }

// batch is one call of Append.
type batch struct {
	s       *Store
	drafts  []im.Draft
	results []im.Appended
	// numbered is the number that a draft got in a try whose outcome is unknown. If
	// the next try finds its key under this number, it is new all the same.
	numbered map[int]im.Seq
}

// fail says of drafts that have no result yet why that is so.
func (b *batch) fail(which []int, err error) {
	for _, i := range which {
		if b.results[i].Err == nil {
			b.results[i] = im.Appended{Err: err}
		}
	}
}

// byConversation lists the drafts of each conversation, in order.
func (b *batch) byConversation() [][]int {
	at := make(map[im.ConvID]int)
	var lists [][]int
	for i, d := range b.drafts {
		n, ok := at[d.Conv()]
		if !ok {
			n = len(lists)
			at[d.Conv()] = n
			lists = append(lists, nil)
		}
		lists[n] = append(lists[n], i)
	}
	return lists
}

// writer runs a function in a transaction, as Store.write does.
type writer func(ctx context.Context, what string, fn func(ctx context.Context, x *tx) error) error

// commit appends the drafts with these indices in one transaction and sets their
// results. If the answer to the commit is lost it runs once more, on a new
// connection: the locks wait for whatever became of the first, and then the keys
// tell.
func (b *batch) commit(ctx context.Context, which []int, write writer) error {
	if which = b.refuseOld(which); len(which) == 0 {
		return nil
	}
	var results []im.Appended
	try := func() error {
		return write(ctx, "append", func(ctx context.Context, x *tx) (err error) {
			results, err = b.write(ctx, x, which)
			return err
		})
	}
	err := try()
	if errors.Is(err, errLost) && ctx.Err() == nil {
		for n, i := range which {
			if n < len(results) && results[n].Err == nil && !results[n].Again {
				b.numbered[i] = results[n].Entry.Seq
			}
		}
		if err = try(); err != nil {
			// Whatever this try says is not about the first.
			err = fmt.Errorf("%w: settle a lost commit: %v", im.Unavailable, err) //nolint:errorlint // its code must not show through
		}
		clear(b.numbered)
	}
	if err != nil {
		return err
	}
	for n, i := range which {
		b.results[i] = results[n]
	}
	return nil
}

// refuseOld refuses the drafts that came too long ago and returns the others.
func (b *batch) refuseOld(which []int) []int {
	limit := fault.Now().Add(-maxDraftAge)
	return slices.DeleteFunc(slices.Clone(which), func(i int) bool {
		if !b.drafts[i].Made().Before(limit) {
			return false
		}
		b.results[i].Err = im.FailAfter(im.Overloaded, "the server is busy and did not take this message in time", time.Second)
		return true
	})
}

// write is one try at a transaction.
func (b *batch) write(ctx context.Context, x *tx, which []int) ([]im.Appended, error) {
	convs := make([]im.ConvID, 0, len(which))
	for _, i := range which {
		convs = append(convs, b.drafts[i].Conv())
	}
	l, err := openLedger(ctx, x, convs)
	if err != nil {
		return nil, fmt.Errorf("lock conversations: %w", err)
	}
	known, err := b.findKeys(ctx, x, which) // after the locks: nobody can add one now
	if err != nil {
		return nil, fmt.Errorf("look keys up: %w", err)
	}
	rosters, err := x.rostersOf(ctx, l.convs)
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	results := make([]im.Appended, 0, len(which))
	for _, i := range which {
		r, err := judge(l, rosters[b.drafts[i].Conv()], known, b.drafts[i])
		if err != nil {
			return nil, err
		}
		if seq, tried := b.numbered[i]; tried && r.Again && r.Entry.Seq == seq {
			r.Again = false
		}
		results = append(results, r)
	}
	return results, l.flush(ctx)
}

// judge numbers a draft if it is new and allowed, and adds it to known.
func judge(l *ledger, r *roster, known map[draftKey]im.Entry, d im.Draft) (a im.Appended, err error) {
	c := l.convs[d.Conv()]
	if c == nil {
		return im.Appended{Err: im.JudgeSend(im.SendFacts{}, d)}, nil
	}
	facts := r.facts(d.From(), c.kind, l.headOf(c))
	if e, ok := known[keyOf(d)]; ok {
		a.Entry, a.Again = e, true
		// What is damaged, or of who may no longer send, is acknowledged but not pushed.
		if im.JudgeSender(facts) == nil && e.Content.Kind != im.KindDamaged {
			a.Members = r.current
		}
		return a, nil
	}
	if a.Err = im.JudgeSend(facts, d); a.Err != nil {
		return a, nil //nolint:nilerr // a refusal is a result of this draft, no failure of the batch
	}
	a.Entry, err = l.add(c.id, d.From(), d.Key(), d.Content())
	a.Members = r.current
	known[keyOf(d)] = a.Entry
	return a, err
}

// draftKey is what one entry at most has.
type draftKey struct {
	conv im.ConvID
	from im.UserID
	key  string
}

func keyOf(d im.Draft) draftKey { return draftKey{d.Conv(), d.From(), d.Key()} }

// findKeys returns the entries whose keys are those of drafts.
func (b *batch) findKeys(ctx context.Context, x *tx, which []int) (map[draftKey]im.Entry, error) {
	known := make(map[draftKey]im.Entry, len(which))
	for part := range slices.Chunk(which, maxList) {
		n := listSize(len(part))
		args := make([]any, 0, n*3)
		for i := range n {
			k := keyOf(b.drafts[part[min(i, len(part)-1)]])
			args = append(args, k.conv, k.from, k.key)
		}
		rows, err := collect(ctx, x, scanStored, `SELECT `+entryColumns+` FROM messages e WHERE `+
			either(n, "(e.conv_id = ? AND e.sender_id = ? AND e.send_key = ?)"), args...)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			e := x.s.entry(&rows[i])
			e.At = rows[i].At // of a damaged entry too: its sender is told what was stored
			known[draftKey{rows[i].Conv, rows[i].From, rows[i].Key}] = e
		}
	}
	return known, nil
}

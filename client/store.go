package client

import (
	"fmt"
	"time"
)

// Store keeps what must outlive the process. Its methods may be called from any
// goroutine; each returns when its change is durable.
type Store interface {
	// Load returns what is kept: sends in the order of their PutSend, and the
	// changes of SaveProgress put together.
	Load() (Kept, error)

	// PutSend adds a send. It is called before its first byte leaves.
	PutSend(s Unsettled) error

	// DropSend takes a send out; one that is not there is no error.
	DropSend(conv uint64, key string) error

	// SaveProgress takes what changed since the last call, all or nothing.
	SaveProgress(p Progress) error
}

// Kept is what a Store has.
type Kept struct {
	Sends    []Unsettled
	Progress Progress // with everything in Changed
}

// Progress is what a client has synchronised.
type Progress struct {
	Epoch   string
	Cursor  string
	Partial bool // the first synchronisation is not complete
	Reset   bool // forget what was saved before
	Changed []Held
}

// Held is a conversation and the number of the entry that the application was
// given last.
type Held struct {
	Conversation
	Given uint32
}

// saveAfter is how long progress may wait to be saved. What is lost with a crash
// is synchronised, and given to the application, once more.
const saveAfter = time.Second

// saving is what changed and was not saved. The Client's mutex guards it.
type saving struct {
	timer *time.Timer
	reset bool
	convs map[uint64]*conv
}

// unsaved notes that the cursor, and v if it is not nil, shall be saved. The caller holds mu.
func (c *Client) unsaved(v *conv) {
	if c.store == nil {
		return
	}
	if v != nil {
		c.saving.convs[v.info.ID] = v
	}
	if c.saving.timer == nil && !c.closed {
		c.saving.timer = time.AfterFunc(saveAfter, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if !c.closed { // Close saves
				c.work.Go(c.saveOrSay)
			}
		})
	}
}

func (c *Client) saveOrSay() {
	if err := c.save(); err != nil {
		c.log.Warn("progress was not saved", "error", err)
	}
}

// save saves what changed.
func (c *Client) save() error {
	if c.store == nil {
		return nil
	}
	c.posting.Lock() // also keeps two saves apart
	defer c.posting.Unlock()
	c.mu.Lock()
	p := Progress{Epoch: c.epoch, Cursor: c.cursor, Partial: c.first, Reset: c.saving.reset}
	for _, v := range c.saving.convs {
		h := Held{Conversation: v.info, Given: v.given}
		if !v.held {
			h.Given = 0
		}
		p.Changed = append(p.Changed, h)
	}
	c.saving = saving{convs: make(map[uint64]*conv)}
	c.mu.Unlock()
	if err := c.store.SaveProgress(p); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.saving.reset = c.saving.reset || p.Reset
		for _, h := range p.Changed {
			c.unsaved(c.convs[h.ID])
		}
		return fmt.Errorf("save progress: %w", err)
	}
	return nil
}

// load takes what the stores kept.
func (c *Client) load() error {
	if c.tokens != nil && c.login.Access == "" {
		l, err := c.tokens.LoadLogin()
		if err != nil {
			return fmt.Errorf("load login: %w", err)
		}
		c.login = l
	} else if c.tokens != nil {
		if err := c.tokens.SaveLogin(c.login); err != nil {
			return fmt.Errorf("save login: %w", err)
		}
	}
	if c.login.Access == "" {
		return fail(Unauthenticated, "there is no login")
	}
	if c.store == nil {
		return nil
	}
	kept, err := c.store.Load()
	if err != nil {
		return fmt.Errorf("load progress: %w", err)
	}
	p := kept.Progress
	c.epoch, c.cursor = p.Epoch, p.Cursor
	c.first = p.Partial || p.Cursor == ""
	for _, h := range p.Changed {
		c.convs[h.ID] = &conv{info: h.Conversation, held: h.Given > 0, high: h.Given, given: h.Given}
	}
	for _, s := range kept.Sends {
		// Whether an earlier run had sent it is not known.
		c.outbox.add(&send{Unsettled: s, unknown: true, told: true, done: make(chan struct{})})
	}
	return nil
}

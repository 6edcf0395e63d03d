package client

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// Codec is the form in which frames travel.
type Codec string

// The codecs. Protobuf is the smaller one.
const (
	Protobuf Codec = "protobuf"
	JSON     Codec = "json"
)

// Options are what a Client needs.
type Options struct {
	// Gate refreshes the login and names chat nodes. Without one the client
	// knows Login.Chat only, and ends when its token does.
	Gate *Gate

	// Login is what Gate.Login gave. If it is the zero Login, Tokens has one.
	Login Login

	// Tokens keeps the login from one run to the next; nil: nothing does, and
	// the login must not be used again after this Client.
	Tokens TokenStore

	// Store keeps unsettled sends and what was synchronised; nil: nothing does.
	Store Store

	Codec        Codec       // empty: Protobuf
	Transport    Transport   // empty: the safest that the node offers
	TLS          *tls.Config // nil: the system's certificates
	Name         string      // such as "notes-bot/1.2", for operators; empty: "liao-go"
	MaxUnsettled int         // sends that may wait for their outcome; 0: 1,000
	Logger       *slog.Logger
}

// Client keeps one connection to a chat node. Its methods may be called from any
// goroutine.
type Client struct {
	gate         *Gate
	tokens       TokenStore
	store        Store
	codec        wire.Codec
	transport    Transport
	name         string
	maxUnsettled int
	log          *slog.Logger
	dial         func(ctx context.Context, address string) (transport.Conn, error)

	work       sync.WaitGroup
	closing    chan struct{} // closed by Close
	done       chan struct{} // closed when the client connects no more
	posting    sync.Mutex    // held while a send goes into store and outbox
	refreshing sync.Mutex    // one refresh at a time

	mu      sync.Mutex // guards everything below
	started bool
	stop    context.CancelFunc // of everything that runs; set by Start
	closed  bool
	ended   *EndedError
	login   Login
	renewal *time.Timer
	me      User
	link    *link         // nil: the line is down
	down    bool          // and the application was told
	up      chan struct{} // closed while the line stands
	node    Addrs         // the node that was reached last

	epoch   string
	cursor  string
	first   bool          // the first run of SYNC is not complete
	fresh   bool          // freshly is closed
	freshly chan struct{} // closed when a run was complete for the first time
	convs   map[uint64]*conv
	waiting int // bytes of entries that wait to be given

	outbox outbox
	pull   pulls
	news   news
	saving saving
}

// New reads what the stores kept and makes a Client. It does not connect: Start does.
func New(o Options) (*Client, error) {
	c := &Client{
		gate: o.Gate, tokens: o.Tokens, store: o.Store, login: o.Login, codec: wire.Protobuf,
		transport: o.Transport, name: o.Name, maxUnsettled: o.MaxUnsettled, log: o.Logger,
		closing: make(chan struct{}), done: make(chan struct{}), up: make(chan struct{}), freshly: make(chan struct{}),
		first: true, convs: make(map[uint64]*conv),
		outbox: outbox{queues: make(map[uint64]*sendQueue)},
		news:   news{out: make(chan Event), queued: make(map[topic]Event)},
		saving: saving{convs: make(map[uint64]*conv)},
	}
	switch o.Codec {
	case "", Protobuf:
	case JSON:
		c.codec = wire.JSON
	default:
		return nil, fail(Invalid, "the codec must be protobuf or json")
	}
	if !o.Transport.valid() {
		return nil, fail(Invalid, "the transport must be tcp, tls or ws")
	}
	if c.name == "" {
		c.name = "liao-go"
	}
	if c.maxUnsettled <= 0 {
		c.maxUnsettled = 1000
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.dial = func(ctx context.Context, address string) (transport.Conn, error) {
		return transport.Dial(ctx, transport.DialOptions{Address: address, TLS: o.TLS})
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	c.me, c.node = c.login.User, c.login.Chat
	return c, nil
}

// Open makes a Client, starts it and waits until it is connected. If the client
// ends before, the error is an *EndedError; if ctx does, the Client is closed.
func Open(ctx context.Context, o Options) (*Client, error) {
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	c.Start()
	if _, err := c.line(ctx); err != nil {
		_ = c.Close()
		if ended := c.Err(); ended != nil {
			return nil, ended
		}
		return nil, err
	}
	return c, nil
}

// Start connects, and goes on connecting, in the background.
func (c *Client) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started || c.closed {
		return
	}
	c.started = true
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.planRenewal(ctx)
	c.work.Go(func() { c.run(ctx) })
}

// Close ends the connection, saves what the stores shall have and waits until
// nothing of the client runs any more. Sends that are not settled stay in the Store.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.work.Wait()
		return nil
	}
	c.closed = true
	close(c.closing)
	if c.started {
		c.stop()
	} else {
		close(c.done)
	}
	if c.renewal != nil {
		c.renewal.Stop()
	}
	c.mu.Unlock()
	c.work.Wait()

	c.mu.Lock()
	c.stopTimers()
	c.shutEvents()
	c.mu.Unlock()
	return c.save()
}

// stopTimers needs mu to be held.
func (c *Client) stopTimers() {
	for _, v := range c.convs {
		if v.hold != nil {
			v.hold.Stop()
		}
	}
	for _, q := range c.outbox.queues {
		if q.wait != nil {
			q.wait.Stop()
		}
	}
	if c.saving.timer != nil {
		c.saving.timer.Stop()
	}
}

// Done is closed when the client connects no more: it ended or was closed.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the client ended, an *EndedError; nil as long as it goes on, or if it
// was closed.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause()
}

// cause needs mu to be held.
func (c *Client) cause() error {
	if c.ended == nil {
		return nil
	}
	return c.ended
}

// Me is the user, as the server said last.
func (c *Client) Me() User {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.me
}

// DeviceID is the id to be given to Gate.Login when this device logs in again.
func (c *Client) DeviceID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.login.DeviceID
}

// Online reports whether the line stands now.
func (c *Client) Online() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link != nil
}

// Account acts for the user at the gate, always with the current token.
func (c *Client) Account() *Account {
	return &Account{gate: c.gate, token: c.access}
}

// Synced waits until the client knows what moved while it was away.
func (c *Client) Synced(ctx context.Context) error {
	select {
	case <-c.freshly:
		return nil
	case <-c.done:
		return c.over()
	case <-ctx.Done():
		return notSent(ctx)
	}
}

// over is the error of calls on a client that ended or was closed.
func (c *Client) over() error {
	if err := c.Err(); err != nil {
		return err
	}
	return errClosed
}

// line waits for a connection.
func (c *Client) line(ctx context.Context) (*link, error) {
	for {
		c.mu.Lock()
		l, up := c.link, c.up
		c.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-up:
		case <-c.done:
			return nil, c.over()
		case <-ctx.Done():
			return nil, notSent(ctx)
		}
	}
}

// take is what the server starts by itself. The reader calls it.
func (c *Client) take(t wire.Type, body []byte) error {
	m, known := wire.NewBody(t)
	if !known {
		return nil // a later version's
	}
	if err := c.codec.Unmarshal(body, m); err != nil {
		return errors.Join(errNonsense, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m := m.(type) {
	case *clientpb.Message:
		if v := c.convs[m.GetConv()]; v != nil {
			c.arrive(v, toMessage(m))
		} else {
			c.wantSync()
		}
	case *clientpb.Receipt:
		c.receipt(m)
	case *clientpb.Typing:
		t := topic{kind: topicTyping, conv: m.GetConv(), user: m.GetUser()}
		c.tell(t, Typing{Conv: m.GetConv(), User: m.GetUser()})
	case *clientpb.Presence:
		c.tell(topic{kind: topicPresence, user: m.GetUser()}, Presence{
			User: m.GetUser(), Online: m.GetOnline(), LastSeen: instant(m.GetLastSeenMs()),
		})
	default:
		if t == clientpb.Type_RESYNC {
			c.tell(topic{kind: topicContacts}, ContactsChanged{}) // presence is unknown now
			c.wantSync()
		}
	}
	return nil
}

// receipt moves a read watermark. The caller holds mu.
func (c *Client) receipt(m *clientpb.Receipt) {
	c.tell(topic{kind: topicReceipt, conv: m.GetConv(), user: m.GetUser()}, Receipt{
		Conv: m.GetConv(), User: m.GetUser(), Seq: m.GetSeq(),
	})
	v := c.convs[m.GetConv()]
	switch {
	case v == nil:
		c.wantSync()
	case m.GetUser() == c.me.ID:
		c.readUpTo(v, m.GetSeq())
	case m.GetSeq() > v.info.PeerRead && v.info.Kind == Direct:
		v.info.PeerRead = m.GetSeq()
		c.unsaved(v)
	}
}

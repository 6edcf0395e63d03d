package transport

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ErrCrowded is returned by Lobby.Enter when there is no place and none came free in time.
var ErrCrowded = errors.New("too many connections that have not said who they are")

// LobbyOptions bound the connections that have not said who they are.
type LobbyOptions struct {
	// PerIP is how many one address may have in the lobby; 0 means no bound. An address is an IPv4
	// address or an IPv6 /64, which is what one customer gets.
	PerIP int
	// Total bounds those of all addresses together, those that wait for a place included; 0 means no
	// bound.
	Total int
	// Wait is how long one waits for a place of its address to come free; 0 means not at all. As many
	// may wait as may be inside; further ones are refused at once.
	Wait time.Duration
	// ExemptLoopback lets connections from this machine pass without counting.
	ExemptLoopback bool
}

// Lobby is where a connection is from being accepted until it is known whose it is. It bounds what
// strangers can hold, by address and altogether. A Lobby is safe for concurrent use.
type Lobby struct {
	o LobbyOptions

	mu     sync.Mutex
	total  int
	guests map[netip.Prefix]*guests
}

// guests are the connections of one address.
type guests struct {
	inside int
	queue  []chan struct{} // closed to let that one in
}

// NewLobby makes an empty lobby.
func NewLobby(o LobbyOptions) *Lobby {
	return &Lobby{o: o, guests: make(map[netip.Prefix]*guests)}
}

// Enter counts a connection from addr in, and waits for a place if it must. The caller calls leave
// when it knows whose the connection is or has closed it; more calls do nothing. The error is
// ErrCrowded or the context's.
func (l *Lobby) Enter(ctx context.Context, addr netip.Addr) (leave func(), err error) {
	addr = addr.Unmap().WithZone("")
	if l.o.ExemptLoopback && addr.IsLoopback() {
		return func() {}, nil
	}
	key := Neighbourhood(addr)
	g, turn, err := l.admit(key)
	if err != nil {
		return nil, err
	}
	if turn != nil {
		if err := l.await(ctx, key, g, turn); err != nil {
			return nil, err
		}
	}
	return sync.OnceFunc(func() { l.leave(key, g) }), nil
}

// Len is how many connections are in the lobby, those that wait for a place included.
func (l *Lobby) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// admit gives a place or, with turn not nil, a place in the queue.
func (l *Lobby) admit(key netip.Prefix) (g *guests, turn chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o.Total > 0 && l.total >= l.o.Total {
		return nil, nil, ErrCrowded
	}
	g = l.guests[key]
	if g == nil {
		g = new(guests)
		l.guests[key] = g
	}
	switch {
	case l.o.PerIP <= 0 || g.inside < l.o.PerIP:
		g.inside++
	case l.o.Wait > 0 && len(g.queue) < l.o.PerIP:
		turn = make(chan struct{})
		g.queue = append(g.queue, turn)
	default:
		return nil, nil, ErrCrowded
	}
	l.total++
	return g, turn, nil
}

// await waits for turn, and leaves the queue if it does not come.
func (l *Lobby) await(ctx context.Context, key netip.Prefix, g *guests, turn chan struct{}) error {
	timer := time.NewTimer(l.o.Wait)
	defer timer.Stop()
	err := ErrCrowded
	select {
	case <-turn:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.mu.Lock()
	i := slices.Index(g.queue, turn)
	if i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		l.total--
		l.tidy(key, g)
	}
	l.mu.Unlock()
	if i < 0 { // let in at the last moment
		return nil
	}
	return err
}

func (l *Lobby) leave(key netip.Prefix, g *guests) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if len(g.queue) > 0 { // the place goes to who waits longest
		close(g.queue[0])
		g.queue = slices.Delete(g.queue, 0, 1)
		return
	}
	g.inside--
	l.tidy(key, g)
}

// tidy forgets an address that has nobody here.
func (l *Lobby) tidy(key netip.Prefix, g *guests) {
	if g.inside == 0 && len(g.queue) == 0 {
		delete(l.guests, key)
	}
}

// Neighbourhood is what limits by address count as one: an IPv4 address, mapped into IPv6 or not, or
// an IPv6 /64.
func Neighbourhood(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, err := addr.Prefix(bits)
	if err != nil { // only the invalid Addr, which counts as one address too
		return netip.Prefix{}
	}
	return p
}

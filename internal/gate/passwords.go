package gate

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/liao-im/liao/internal/im"
)

// The floor of argon2id, below which no gate starts (OWASP's smallest advice), and
// what bounds a hash that a damaged database may hold.
const (
	floorMemory  = 19 << 10 // KiB
	floorTime    = 2
	floorThreads = 1

	minPassword = 8 // characters
	maxPassword = 128

	slotWait     = 2 * time.Second
	waitersASlot = 64 // more than one slot can hash in slotWait
)

// PasswordOptions say how passwords are hashed. The zero value is the floor: 19 MiB,
// 2 passes, 1 thread.
type PasswordOptions struct {
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
	// Peppers are keys outside the database. The first goes into new hashes; the
	// others, earlier ones, can still be checked. None: hashes are without.
	Peppers [][]byte
	// Slots is how many passwords are hashed at once; 0: one per core.
	Slots int
}

// passwords hashes and checks passwords, few at a time: each takes 19 MiB and a core,
// so whoever could start as many as they like could stop the server.
type passwords struct {
	params  params
	peppers map[string][]byte // by key id
	dummy   phc               // what is checked where there is no account
	slots   chan struct{}
	waiters chan struct{}
	common  *commonList
	metrics *metrics
}

func newPasswords(o PasswordOptions, m *metrics) (*passwords, error) {
	p := &passwords{
		params: params{
			memory:  cmp.Or(o.MemoryKiB, floorMemory),
			time:    cmp.Or(o.Time, floorTime),
			threads: cmp.Or(o.Threads, floorThreads),
		},
		peppers: make(map[string][]byte),
		metrics: m,
	}
	if p.params.memory < floorMemory || p.params.time < floorTime {
		return nil, errors.New("gate: passwords must be hashed with at least 19 MiB (19456 KiB) and 2 passes")
	}
	if p.params.check() != nil {
		return nil, errors.New("gate: passwords must be hashed with at most 1 GiB, 64 passes and 64 threads")
	}
	for i, pepper := range o.Peppers {
		if len(pepper) < 16 {
			return nil, errors.New("gate: a pepper must have at least 16 bytes")
		}
		id := pepperID(pepper)
		p.peppers[id] = pepper
		if i == 0 {
			p.params.keyID = id
		}
	}
	slots := cmp.Or(max(o.Slots, 0), runtime.GOMAXPROCS(0))
	p.slots = make(chan struct{}, slots)
	p.waiters = make(chan struct{}, slots*(waitersASlot+1))
	p.dummy = phc{params: p.params, salt: make([]byte, saltBytes), hash: make([]byte, hashBytes)}
	_, _ = rand.Read(p.dummy.hash) // never fails: crypto/rand ends the process instead
	var err error
	p.common, err = loadCommon()
	return p, err
}

// check returns an error unless password may be chosen.
func (p *passwords) check(password string) error {
	if !utf8.ValidString(password) {
		return im.Fail(im.Invalid, "password must be UTF-8")
	}
	if n := utf8.RuneCountInString(password); n < minPassword || n > maxPassword {
		return im.Fail(im.Invalid, "password must have 8 to 128 characters")
	}
	if p.common.has(password) {
		return im.Fail(im.Invalid, "this password is one of the most common ones, which are tried first; choose another")
	}
	return nil
}

// hash returns a new hash of password in PHC form. If too many wait: im.Overloaded.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	h := phc{params: p.params, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(h.salt) // never fails: crypto/rand ends the process instead
	var err error
	if h.hash, err = p.derive(ctx, password, h); err != nil {
		return "", err
	}
	return h.String(), nil
}

// matches says whether password belongs to the stored hash, and whether the hash
// should be replaced by one with today's parameters. For what cannot match (no
// account, no hash, one that is damaged or whose pepper is gone) the same work is
// done as for a wrong password.
func (p *passwords) matches(ctx context.Context, stored, password string) (ok, outdated bool, err error) {
	h, parseErr := parsePHC(stored)
	known := parseErr == nil && (h.keyID == "" || p.peppers[h.keyID] != nil) && utf8.RuneCountInString(password) <= maxPassword
	if !known {
		h = p.dummy
	}
	got, err := p.derive(ctx, password, h)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(got, h.hash) == 1 && known
	return ok, h.params != p.params, nil
}

// derive computes argon2id in one of the slots.
func (p *passwords) derive(ctx context.Context, password string, h phc) ([]byte, error) {
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-p.slots }()
	began := time.Now()
	in := []byte(norm.NFKC.String(password[:min(len(password), maxPassword*utf8.UTFMax)]))
	if h.keyID != "" {
		mac := hmac.New(sha256.New, p.peppers[h.keyID])
		mac.Write(in)
		in = mac.Sum(nil)
	}
	out := argon2.IDKey(in, h.salt, h.time, h.memory, h.threads, hashBytes)
	p.metrics.hashing.Observe(time.Since(began).Seconds())
	return out, nil
}

// enter takes a slot, waiting for one at most 2 s and behind at most 64 others each.
func (p *passwords) enter(ctx context.Context) error {
	busy := im.FailAfter(im.Overloaded, "too many people log in at this moment; try again", slotWait)
	select {
	case p.waiters <- struct{}{}:
		defer func() { <-p.waiters }()
	default:
		p.metrics.shed.Inc()
		return busy
	}
	p.metrics.queued.Inc()
	defer p.metrics.queued.Dec()
	t := time.NewTimer(slotWait)
	defer t.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-t.C:
		p.metrics.shed.Inc()
		return busy
	case <-ctx.Done():
		return fmt.Errorf("wait for a password slot: %w", ctx.Err())
	}
}

// pepperID names a pepper in a hash without giving it away.
func pepperID(pepper []byte) string {
	sum := sha256.Sum256(append([]byte("liao pepper id\x00"), pepper...))
	return encoding().EncodeToString(sum[:6])
}

package gate_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// memory keeps accounts and logins for one test. What broken is set to, every
// method returns.
type memory struct {
	mu       sync.Mutex
	broken   error
	accounts map[im.UserID]*im.Account
	logins   map[im.LoginID]*storedLogin
	pictures map[string]im.Avatar
	tries    map[[32]byte]int
	counts   map[string]int
	lastID   uint64
}

type storedLogin struct {
	im.Login
	access, refresh im.TokenHash
}

func newMemory() *memory {
	return &memory{
		accounts: make(map[im.UserID]*im.Account),
		logins:   make(map[im.LoginID]*storedLogin),
		pictures: make(map[string]im.Avatar),
		tries:    make(map[[32]byte]int),
		counts:   make(map[string]int),
	}
}

func (m *memory) lock() func() {
	m.mu.Lock()
	return m.mu.Unlock
}

func (m *memory) CreateAccount(_ context.Context, n im.NewAccount) (im.User, error) {
	defer m.lock()()
	if m.broken != nil {
		return im.User{}, m.broken
	}
	for _, a := range m.accounts {
		if a.Handle == n.Handle {
			return im.User{}, im.AlreadyExists
		}
		if a.Email == n.Email {
			return im.User{}, im.Conflict
		}
	}
	m.lastID++
	u := im.User{ID: im.UserID(m.lastID), Handle: n.Handle, Name: n.Name}
	m.accounts[u.ID] = &im.Account{User: u, Email: n.Email, PasswordHash: n.PasswordHash}
	return u, nil
}

func (m *memory) HandleTaken(_ context.Context, handle string) (bool, error) {
	defer m.lock()()
	for _, a := range m.accounts {
		if a.Handle == handle {
			return true, m.broken
		}
	}
	return false, m.broken
}

func (m *memory) FindAccount(_ context.Context, name string) (im.Account, error) {
	defer m.lock()()
	if m.broken != nil {
		return im.Account{}, m.broken
	}
	for _, a := range m.accounts {
		if name != "" && (a.Email == name || a.Handle == name) {
			return *a, nil
		}
	}
	return im.Account{}, im.NotFound
}

func (m *memory) Account(_ context.Context, id im.UserID) (im.Account, error) {
	defer m.lock()()
	if a := m.accounts[id]; a != nil {
		return *a, m.broken
	}
	return im.Account{}, im.NotFound
}

func (m *memory) SetPassword(_ context.Context, id im.UserID, hash string, keep im.LoginID) error {
	defer m.lock()()
	m.accounts[id].PasswordHash = hash
	for n, l := range m.logins {
		if l.User.ID == id && n != keep {
			delete(m.logins, n)
		}
	}
	return m.broken
}

func (m *memory) Rehash(_ context.Context, id im.UserID, old, hash string) error {
	defer m.lock()()
	if a := m.accounts[id]; a.PasswordHash == old {
		a.PasswordHash = hash
	}
	return m.broken
}

func (m *memory) DeleteAccount(_ context.Context, id im.UserID) error {
	defer m.lock()()
	m.accounts[id] = &im.Account{User: im.User{ID: id, Handle: m.accounts[id].Handle}}
	for n, l := range m.logins {
		if l.User.ID == id {
			delete(m.logins, n)
		}
	}
	return m.broken
}

func (m *memory) SetProfile(_ context.Context, id im.UserID, c im.ProfileChange) (im.User, error) {
	defer m.lock()()
	a := m.accounts[id]
	if c.Name != nil {
		a.Name = *c.Name
	}
	if c.Bio != nil {
		a.Bio = *c.Bio
	}
	return a.User, m.broken
}

func (m *memory) SetAvatar(_ context.Context, id im.UserID, p *im.Avatar) (im.User, error) {
	defer m.lock()()
	a := m.accounts[id]
	a.Avatar = ""
	if p != nil {
		a.Avatar = p.SHA256
		m.pictures[p.SHA256] = *p
	}
	return a.User, m.broken
}

func (m *memory) Avatar(_ context.Context, sum string) (im.Avatar, error) {
	defer m.lock()()
	if p, ok := m.pictures[sum]; ok {
		return p, m.broken
	}
	return im.Avatar{}, im.NotFound
}

func (m *memory) CreateLogin(_ context.Context, n im.NewLogin) (im.Login, []im.Post, error) {
	defer m.lock()()
	if m.broken != nil {
		return im.Login{}, nil, m.broken
	}
	m.lastID++
	var posts []im.Post
	known := slices.ContainsFunc(sorted(m.logins), func(l *storedLogin) bool {
		return l.User.ID == n.User && n.Device.ID != "" && l.Device.ID == n.Device.ID
	})
	if !known {
		n.Device.ID = im.NewID()
		posts = []im.Post{{Entry: im.Entry{Conv: 1, Seq: 1, Content: im.LoginNew(n.Device, 1)}, Members: []im.UserID{n.User}}}
	}
	l := &storedLogin{
		Login:  im.Login{ID: im.LoginID(m.lastID), User: m.accounts[n.User].User, Device: n.Device, LastSeen: 1700000000000},
		access: n.Tokens.Access, refresh: n.Tokens.Refresh,
	}
	m.logins[l.ID] = l
	return l.Login, posts, nil
}

func (m *memory) Refresh(_ context.Context, old im.TokenHash, next im.TokenPair) (im.Login, error) {
	defer m.lock()()
	for _, l := range m.logins {
		if l.refresh == old {
			l.access, l.refresh = next.Access, next.Refresh
			return l.Login, m.broken
		}
	}
	return im.Login{}, im.Fail(im.Unauthenticated, "the token is not valid; log in again")
}

func (m *memory) Authenticate(_ context.Context, access im.TokenHash) (im.Session, error) {
	defer m.lock()()
	if m.broken != nil {
		return im.Session{}, m.broken
	}
	for _, l := range m.logins {
		if l.access == access && !m.accounts[l.User.ID].Disabled {
			return im.Session{User: m.accounts[l.User.ID].User, Login: l.ID, Device: l.Device}, nil
		}
	}
	return im.Session{}, im.Unauthenticated
}

func (m *memory) Logins(_ context.Context, user im.UserID) ([]im.Login, error) {
	defer m.lock()()
	var out []im.Login
	for _, l := range sorted(m.logins) {
		if l.User.ID == user {
			out = append(out, l.Login)
		}
	}
	return out, m.broken
}

func (m *memory) RevokeLogin(_ context.Context, user im.UserID, login im.LoginID) error {
	defer m.lock()()
	if l := m.logins[login]; l == nil || l.User.ID != user {
		return im.NotFound
	}
	delete(m.logins, login)
	return m.broken
}

// TakeTry lets five pass and then none, which is enough to see the gate obey.
func (m *memory) TakeTry(_ context.Context, name [32]byte) (time.Duration, error) {
	defer m.lock()()
	if m.tries[name] >= 5 {
		return 90 * time.Second, m.broken
	}
	m.tries[name]++
	return 0, m.broken
}

func (m *memory) ClearTries(_ context.Context, name [32]byte) error {
	defer m.lock()()
	delete(m.tries, name)
	return m.broken
}

// Take counts without ever forgetting.
func (m *memory) Take(_ context.Context, key string, n int, per time.Duration) (time.Duration, error) {
	defer m.lock()()
	if m.counts[key] >= n {
		return per, m.broken
	}
	m.counts[key]++
	return 0, m.broken
}

func sorted(logins map[im.LoginID]*storedLogin) []*storedLogin {
	var out []*storedLogin
	for _, l := range logins {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *storedLogin) int { return int(a.ID) - int(b.ID) })
	return out
}

// rightCode is the code of every request that openCodes gives.
const rightCode = "31415926"

// openCodes is a verify service whose code everybody knows.
type openCodes struct {
	mu       sync.Mutex
	broken   error
	asked    []im.CodeRequest
	used     map[string]bool
	returned []string
	notices  []im.Notice
}

func (c *openCodes) IssueCode(_ context.Context, r im.CodeRequest) (im.CodeIssued, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, r)
	return im.CodeIssued{Request: "request-of-" + strings.ReplaceAll(r.Email, "@", "-"), Expires: 5 * time.Minute, Resend: time.Minute}, c.broken
}

func (c *openCodes) CheckCode(_ context.Context, k im.CodeCheck) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	if k.Code != rightCode || c.used[k.Request] {
		return im.Fail(im.Forbidden, "a text of verify's own")
	}
	if c.used == nil {
		c.used = make(map[string]bool)
	}
	c.used[k.Request] = true
	return nil
}

func (c *openCodes) ReturnCode(_ context.Context, request string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.used, request)
	c.returned = append(c.returned, request)
	return nil
}

func (c *openCodes) Notify(_ context.Context, n im.Notice) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notices = append(c.notices, n)
	return nil
}

// nodeList is a status service that knows these nodes.
type nodeList []im.NodeAddrs

func (n nodeList) Nodes(context.Context) ([]im.NodeAddrs, error) {
	if len(n) == 0 {
		return nil, im.Unavailable
	}
	return n, nil
}

// pushLog remembers what was to be pushed.
type pushLog struct {
	mu    sync.Mutex
	posts []im.Post
}

func (p *pushLog) Push(_ context.Context, posts []im.Post) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts = append(p.posts, posts...)
}

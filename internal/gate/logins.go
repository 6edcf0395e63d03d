package gate

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
)

type loginInput struct {
	Body struct {
		Account  string `json:"account" maxLength:"320" doc:"E-mail address or handle" example:"ada"`
		Password string `json:"password" format:"password"`
		Device   struct {
			ID       *string `json:"id,omitempty" maxLength:"64" doc:"Only if an earlier Login of this user gave it; that device's old login ends"`
			Name     string  `json:"name" maxLength:"512" doc:"Up to 64 characters" example:"Ada's laptop"`
			Platform string  `json:"platform" maxLength:"256" doc:"Up to 32 characters" example:"web"`
		} `json:"device"`
	} `nameHint:"LoginRequest"`
}

type refreshInput struct {
	Body struct {
		RefreshToken string `json:"refreshToken" maxLength:"256"`
	} `nameHint:"RefreshRequest"`
}

type loginOutput struct{ Body loginBody }

type loginBody struct {
	AccessToken    string    `json:"accessToken" doc:"For Authorization: Bearer, and for HELLO"`
	AccessExpires  int       `json:"accessExpiresS" example:"3600"`
	RefreshToken   string    `json:"refreshToken" doc:"For POST /v1/logins/refresh, once; store the new one before you use it"`
	RefreshExpires int       `json:"refreshExpiresS" example:"2592000"`
	User           user      `json:"user"`
	DeviceID       string    `json:"deviceId" doc:"Give it at the next login from this device"`
	Chat           nodeAddrs `json:"chat" doc:"A chat node to connect to. Empty if none is known at this moment: ask GET /v1/nodes"`
}

type loginsOutput struct {
	Body struct {
		Logins []loginItem `json:"logins"`
	} `nameHint:"LoginList"`
}

type loginItem struct {
	ID         string `json:"id" pattern:"^[0-9]+$" example:"7"`
	Device     device `json:"device"`
	LastSeenMs int64  `json:"lastSeenMs,string" doc:"Unix milliseconds"`
	Current    bool   `json:"current" doc:"Whether it is the login that asks"`
}

type loginPath struct {
	ID string `path:"id" maxLength:"32" doc:"From GET /v1/logins"`
}

func (g *Gate) describeLogins() {
	register(g, call{
		id: "login", method: http.MethodPost, path: "/v1/logins", status: http.StatusCreated,
		summary:  "Log in with a password",
		refusals: []int{http.StatusBadRequest, http.StatusUnauthorized},
	}, g.login)
	register(g, call{
		id: "refreshLogin", method: http.MethodPost, path: "/v1/logins/refresh", status: http.StatusOK,
		summary:  "Exchange a refresh token for new tokens; the old access token ends at once",
		refusals: []int{http.StatusBadRequest, http.StatusUnauthorized},
	}, g.refresh)
	register(g, call{
		id: "listLogins", method: http.MethodGet, path: "/v1/logins", status: http.StatusOK, login: true,
		summary:  "List the own live logins, the latest seen first",
		refusals: []int{http.StatusUnauthorized},
	}, g.listLogins)
	register(g, call{
		id: "endLogin", method: http.MethodDelete, path: "/v1/logins/{id}", status: http.StatusNoContent, login: true,
		summary:  "End one of the own logins; its connections close within a second",
		refusals: []int{http.StatusUnauthorized, http.StatusNotFound},
	}, g.endLogin)
	register(g, call{
		id: "logout", method: http.MethodDelete, path: "/v1/logins/current", status: http.StatusNoContent, login: true,
		summary:  "End the login that asks",
		refusals: []int{http.StatusUnauthorized, http.StatusNotFound},
	}, g.logout)
}

// errLogin is the one text for every login that is refused: unknown, wrong, disabled.
func errLogin() error {
	return im.Fail(im.Unauthenticated, "the account or the password is wrong")
}

// login does the same work, the expensive hash included, whether or not there is
// such an account.
func (g *Gate) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	asked := im.Device{Name: in.Body.Device.Name, Platform: in.Body.Device.Platform}
	if in.Body.Device.ID != nil {
		asked.ID = *in.Body.Device.ID
	}
	d, err := im.CheckDevice(asked)
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(in.Body.Account) {
		return nil, im.Fail(im.Invalid, "account must be UTF-8")
	}
	if err := g.limitIP(ctx, "logins", g.limits.LoginsPerMinute, time.Minute); err != nil {
		return nil, err
	}
	name := strings.ToLower(strings.TrimSpace(in.Body.Account))
	if err := g.takeTry(ctx, name); err != nil {
		return nil, err
	}
	a, err := g.findForLogin(ctx, name)
	if err != nil {
		return nil, err
	}
	ok, outdated, err := g.passwords.matches(ctx, a.PasswordHash, in.Body.Password)
	if err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	if !ok || a.Disabled {
		g.metrics.logins.WithLabelValues("wrong").Inc()
		g.audit.WarnContext(ctx, "login refused", "user", uint64(a.ID), "ip", c.addr)
		return nil, errLogin()
	}
	g.clearTries(ctx, name)
	if outdated {
		g.rehash(ctx, a, in.Body.Password)
	}
	return g.openLogin(ctx, a, d)
}

// findForLogin looks an account up by what was typed; nothing is an account that no
// password matches.
func (g *Gate) findForLogin(ctx context.Context, name string) (im.Account, error) {
	a, err := g.accounts.FindAccount(ctx, name)
	if errors.Is(err, im.NotFound) {
		return im.Account{}, nil
	}
	return a, err
}

// openLogin makes the login of a user whose password was right.
func (g *Gate) openLogin(ctx context.Context, a im.Account, d im.Device) (*loginOutput, error) {
	c := callerOf(ctx)
	t, pair := g.newTokens()
	l, posts, err := g.logins.CreateLogin(ctx, im.NewLogin{User: a.ID, Device: d, Tokens: pair})
	if errors.Is(err, im.Unauthenticated) {
		return nil, errLogin() // disabled or deleted while we hashed
	}
	if err != nil {
		return nil, err
	}
	g.metrics.logins.WithLabelValues("ok").Inc()
	g.audit.InfoContext(ctx, "login opened", "user", uint64(a.ID), "login", uint64(l.ID), "ip", c.addr)
	if len(posts) > 0 { // the device is new
		g.pushes.Push(ctx, posts)
		g.notify(ctx, im.Notice{
			Kind: im.NoticeNewDevice, Email: a.Email, Lang: c.lang, Device: l.Device, At: im.ToMillis(fault.Now()),
		})
	}
	return g.answerLogin(ctx, l, t), nil
}

// rehash stores the password that was just right under today's parameters.
func (g *Gate) rehash(ctx context.Context, a im.Account, password string) {
	hash, err := g.passwords.hash(ctx, password)
	if err == nil {
		err = g.accounts.Rehash(ctx, a.ID, a.PasswordHash, hash)
	}
	if err != nil {
		g.log.WarnContext(ctx, "password not rehashed", "user", uint64(a.ID), "error", err)
	}
}

func (g *Gate) refresh(ctx context.Context, in *refreshInput) (*loginOutput, error) {
	old, err := im.HashToken(im.RefreshPrefix, in.Body.RefreshToken)
	if err != nil {
		return nil, err
	}
	t, pair := g.newTokens()
	l, err := g.logins.Refresh(ctx, old, pair)
	if errors.Is(err, im.Unauthenticated) {
		g.audit.WarnContext(ctx, "refresh refused", "ip", callerOf(ctx).addr)
	}
	if err != nil {
		return nil, err
	}
	g.audit.InfoContext(ctx, "login refreshed", "user", uint64(l.User.ID), "login", uint64(l.ID), "ip", callerOf(ctx).addr)
	return g.answerLogin(ctx, l, t), nil
}

// tokens are what only the client is told.
type tokens struct{ access, refresh string }

func (g *Gate) newTokens() (tokens, im.TokenPair) {
	var t tokens
	p := im.TokenPair{AccessFor: g.accessFor, RefreshFor: refreshLife}
	t.access, p.Access = im.NewToken(im.AccessPrefix)
	t.refresh, p.Refresh = im.NewToken(im.RefreshPrefix)
	return t, p
}

// answerLogin builds a Login. That no chat node is known does not undo a login: its
// chat is empty then, and the client asks GET /v1/nodes.
func (g *Gate) answerLogin(ctx context.Context, l im.Login, t tokens) *loginOutput {
	out := loginOutput{Body: loginBody{
		AccessToken: t.access, AccessExpires: int(g.accessFor / time.Second),
		RefreshToken: t.refresh, RefreshExpires: int(refreshLife / time.Second),
		User: userOf(l.User), DeviceID: l.Device.ID,
	}}
	nodes, err := g.nodes.Nodes(ctx)
	switch {
	case err != nil && !errors.Is(err, im.Unavailable):
		g.log.WarnContext(ctx, "chat nodes not known", "error", err)
	case len(nodes) > 0:
		out.Body.Chat = addrsOf(nodes[0])
	}
	return &out
}

func (g *Gate) listLogins(ctx context.Context, _ *nothing) (*loginsOutput, error) {
	s := callerOf(ctx).session
	all, err := g.logins.Logins(ctx, s.User.ID)
	if err != nil {
		return nil, err
	}
	var out loginsOutput
	out.Body.Logins = make([]loginItem, 0, len(all))
	for _, l := range all {
		out.Body.Logins = append(out.Body.Logins, loginItem{
			ID:         id(uint64(l.ID)),
			Device:     device{ID: l.Device.ID, Name: l.Device.Name, Platform: l.Device.Platform},
			LastSeenMs: int64(l.LastSeen),
			Current:    l.ID == s.Login,
		})
	}
	return &out, nil
}

func (g *Gate) endLogin(ctx context.Context, in *loginPath) (*nothing, error) {
	n, err := strconv.ParseUint(in.ID, 10, 64)
	if err != nil || n == 0 || n > im.MaxID {
		return nil, im.NotFound
	}
	return nil, g.revoke(ctx, im.LoginID(n))
}

func (g *Gate) logout(ctx context.Context, _ *nothing) (*nothing, error) {
	return nil, g.revoke(ctx, callerOf(ctx).session.Login)
}

func (g *Gate) revoke(ctx context.Context, login im.LoginID) error {
	c := callerOf(ctx)
	if err := g.logins.RevokeLogin(ctx, c.session.User.ID, login); err != nil {
		return err
	}
	g.audit.InfoContext(ctx, "login ended", "user", uint64(c.session.User.ID), "login", uint64(login), "ip", c.addr)
	return nil
}

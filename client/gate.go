package client

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liao-im/liao/internal/fault"
)

// GateOptions say where the gate is.
type GateOptions struct {
	URL string // such as https://chat.example.org

	HTTP     *http.Client // nil: one with a timeout of 15 s
	Language string       // of mails and texts, such as "zh"; empty: the server's choice
	Agent    string       // User-Agent; empty: "liao-go"
}

// Gate is the HTTP side of a server: accounts and logins. It keeps no state; its
// calls are made once and not repeated. A Client uses one to refresh its login
// and to find a chat node.
type Gate struct {
	base  string
	http  *http.Client
	lang  string
	agent string
}

// NewGate returns an error if the URL is none of http or https.
func NewGate(o GateOptions) (*Gate, error) {
	u, err := url.Parse(strings.TrimRight(o.URL, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, fail(Invalid, "the gate's address must be such as https://chat.example.org")
	}
	g := &Gate{base: u.String(), http: o.HTTP, lang: o.Language, agent: o.Agent}
	if g.http == nil {
		g.http = &http.Client{Timeout: 15 * time.Second}
	}
	if g.agent == "" {
		g.agent = "liao-go"
	}
	return g, nil
}

// URL is the gate's address, without a slash at its end.
func (g *Gate) URL() string { return g.base }

// secure reports whether the gate is reached by TLS; chat nodes then must be too.
func (g *Gate) secure() bool { return strings.HasPrefix(g.base, "https:") }

// Purpose says what a code is asked for.
type Purpose string

// The two purposes of codes.
const (
	Register Purpose = "register"
	Reset    Purpose = "reset"
)

// CodeRequest is a code that was sent by e-mail. The answer is the same whether or not the
// address is known.
type CodeRequest struct {
	Request string        // to be given back together with the code
	Expires time.Duration // how long the code is good
	Resend  time.Duration // until another may be asked for
	Outbox  string        // where mails can be read, on a server that sends none; else empty
}

// RequestCode has a code sent to an e-mail address.
func (g *Gate) RequestCode(ctx context.Context, email string, p Purpose) (CodeRequest, error) {
	var out struct {
		Request    string `json:"request"`
		ExpiresInS number `json:"expiresInS"`
		ResendInS  number `json:"resendInS"`
		Outbox     string `json:"outbox"`
	}
	in := map[string]any{"email": email, "purpose": p}
	err := g.call(ctx, http.MethodPost, "/v1/codes", "", in, &out)
	return CodeRequest{
		Request: out.Request, Expires: out.ExpiresInS.seconds(), Resend: out.ResendInS.seconds(), Outbox: out.Outbox,
	}, err
}

// NewAccount is what it takes to make an account.
type NewAccount struct {
	Email    string
	Request  string // of the CodeRequest
	Code     string // as the mail said
	Handle   string
	Name     string
	Password string
}

// CreateAccount makes an account. AlreadyExists: the handle is taken. Forbidden:
// the code is wrong, expired or used up.
func (g *Gate) CreateAccount(ctx context.Context, a NewAccount) (User, error) {
	var out struct {
		User userJSON `json:"user"`
	}
	err := g.call(ctx, http.MethodPost, "/v1/accounts", "", map[string]any{
		"email": a.Email, "request": a.Request, "code": a.Code,
		"handle": a.Handle, "name": a.Name, "password": a.Password,
	}, &out)
	return out.User.user(), err
}

// Login proves a password and gives this device its tokens. Account is a handle or an e-mail
// address. A Device with an ID ends that device's old login.
func (g *Gate) Login(ctx context.Context, account, password string, d Device) (Login, error) {
	var out loginJSON
	err := g.call(ctx, http.MethodPost, "/v1/logins", "", map[string]any{
		"account": account, "password": password, "device": d,
	}, &out)
	return out.login(fault.Now()), err
}

// Refresh exchanges a refresh token for a new Login. The answer must be stored before it is used:
// as long as it is not, the old refresh token is good for another try within 60 s. A Client does
// this by itself; never refresh one login from two places.
func (g *Gate) Refresh(ctx context.Context, refreshToken string) (Login, error) {
	var out loginJSON
	err := g.call(ctx, http.MethodPost, "/v1/logins/refresh", "", map[string]any{"refreshToken": refreshToken}, &out)
	return out.login(fault.Now()), err
}

// PasswordReset sets a new password with the proof of a code.
type PasswordReset struct {
	Email    string
	Request  string
	Code     string
	Password string
}

// ResetPassword sets a new password and ends every login of the account.
func (g *Gate) ResetPassword(ctx context.Context, r PasswordReset) error {
	return g.call(ctx, http.MethodPost, "/v1/password-resets", "", map[string]any{
		"email": r.Email, "request": r.Request, "code": r.Code, "password": r.Password,
	}, nil)
}

// Login is a device's right to act for its user.
type Login struct {
	Tokens
	User     User   `json:"user"`
	DeviceID string `json:"deviceId"`
	Chat     Addrs  `json:"chat"` // of a chat node; all empty if the gate knew none
}

// Tokens are what proves a Login.
type Tokens struct {
	Access         string    `json:"access"`
	AccessIssued   time.Time `json:"accessIssued"`
	AccessExpires  time.Time `json:"accessExpires"` // zero: unknown, taken as never
	Refresh        string    `json:"refresh"`       // empty: the login cannot be refreshed
	RefreshExpires time.Time `json:"refreshExpires"`
}

// LogValue keeps tokens out of logs.
func (Tokens) LogValue() slog.Value { return slog.StringValue("[tokens]") }

package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Account is what a login may do at the gate. Client.Account makes one that always has the
// current token, Gate.Account one for a token that the caller keeps.
type Account struct {
	gate  *Gate
	token func() string
}

// Account acts with this access token.
func (g *Gate) Account(accessToken string) *Account {
	return &Account{gate: g, token: func() string { return accessToken }}
}

func (a *Account) call(ctx context.Context, method, path string, in, out any) error {
	if a.gate == nil {
		return fail(Unavailable, "no gate was given to this client")
	}
	return a.gate.call(ctx, method, path, a.token(), in, out)
}

// LoginInfo is one line of the list of logins.
type LoginInfo struct {
	ID       string
	Device   Device
	LastSeen time.Time
	Current  bool // the login that asks
}

// Logins lists the devices that are logged in.
func (a *Account) Logins(ctx context.Context) ([]LoginInfo, error) {
	var out struct {
		Logins []struct {
			ID         number `json:"id"`
			Device     Device `json:"device"`
			LastSeenMs number `json:"lastSeenMs"`
			Current    bool   `json:"current"`
		} `json:"logins"`
	}
	if err := a.call(ctx, http.MethodGet, "/v1/logins", nil, &out); err != nil {
		return nil, err
	}
	list := make([]LoginInfo, 0, len(out.Logins))
	for _, l := range out.Logins {
		list = append(list, LoginInfo{
			ID: strconv.FormatInt(int64(l.ID), 10), Device: l.Device,
			LastSeen: instant(int64(l.LastSeenMs)), Current: l.Current,
		})
	}
	return list, nil
}

// Revoke ends a login of this user; its connections close within a second. The id "current" is
// the login that asks.
func (a *Account) Revoke(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodDelete, "/v1/logins/"+url.PathEscape(id), nil, nil)
}

// Nodes lists chat nodes in the order in which they should be tried.
func (a *Account) Nodes(ctx context.Context) ([]Addrs, error) {
	var out struct {
		Nodes []Addrs `json:"nodes"`
	}
	err := a.call(ctx, http.MethodGet, "/v1/nodes", nil, &out)
	return out.Nodes, err
}

// Me is the own profile.
func (a *Account) Me(ctx context.Context) (User, error) {
	return a.user(ctx, http.MethodGet, "/v1/me", nil)
}

// ProfileChange holds what shall change; nil leaves a field alone.
type ProfileChange struct {
	Name *string `json:"name,omitempty"`
	Bio  *string `json:"bio,omitempty"`
}

// UpdateMe changes the own profile.
func (a *Account) UpdateMe(ctx context.Context, c ProfileChange) (User, error) {
	return a.user(ctx, http.MethodPatch, "/v1/me", c)
}

// picture is a body that is sent as it is.
type picture []byte

// SetAvatar makes a PNG, JPEG or WebP picture of at most 256 KiB and 1,024 pixels a side the own
// one.
func (a *Account) SetAvatar(ctx context.Context, image []byte) (User, error) {
	return a.user(ctx, http.MethodPut, "/v1/me/avatar", picture(image))
}

// RemoveAvatar takes the own picture away.
func (a *Account) RemoveAvatar(ctx context.Context) (User, error) {
	return a.user(ctx, http.MethodDelete, "/v1/me/avatar", nil)
}

// ChangePassword sets a new password and ends all other logins. Forbidden: the
// old one is wrong.
func (a *Account) ChangePassword(ctx context.Context, old, next string) error {
	return a.call(ctx, http.MethodPost, "/v1/me/password", map[string]any{"old": old, "new": next}, nil)
}

// DeleteMe deletes the own account for good. Forbidden: the password is wrong.
func (a *Account) DeleteMe(ctx context.Context, password string) error {
	return a.call(ctx, http.MethodDelete, "/v1/me", map[string]any{"password": password}, nil)
}

func (a *Account) user(ctx context.Context, method, path string, in any) (User, error) {
	var out struct {
		User userJSON `json:"user"`
	}
	err := a.call(ctx, method, path, in, &out)
	return out.User.user(), err
}

// instant reads Unix milliseconds, of which 0 is never.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

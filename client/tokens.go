package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/liao-im/liao/internal/fault"
)

// TokenStore keeps a login. It holds secrets: a file should be readable by its
// owner only.
type TokenStore interface {
	// LoadLogin returns what SaveLogin got last; the zero Login if it got none.
	LoadLogin() (Login, error)

	// SaveLogin returns when the login is durable. The client uses no new token
	// before that, and asks for others if it fails.
	SaveLogin(l Login) error
}

// access is the current access token.
func (c *Client) access() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.login.Access
}

// refresh exchanges the tokens, unless somebody did since bad was the access
// token. Unauthenticated means that the login has ended. After any other error the
// same refresh token may be given again.
func (c *Client) refresh(ctx context.Context, bad string) error {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	c.mu.Lock()
	old := c.login
	c.mu.Unlock()
	switch {
	case old.Access != bad:
		return nil
	case c.gate == nil || old.Refresh == "":
		return fail(Unauthenticated, "the login cannot be refreshed")
	}
	next, err := c.gate.Refresh(ctx, old.Refresh)
	if err != nil {
		return err
	}
	if c.tokens != nil {
		// Before their first use: if they are lost now, the old refresh token still counts.
		if err := c.tokens.SaveLogin(next); err != nil {
			return &Error{Code: Unavailable, Text: "the new tokens cannot be kept", cause: err}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.login = next
	c.planRenewal(ctx)
	return nil
}

// planRenewal has the tokens exchanged at about 80% of their life. The caller holds mu.
func (c *Client) planRenewal(ctx context.Context) {
	if c.closed || c.gate == nil || c.login.Refresh == "" || c.login.AccessExpires.IsZero() {
		return
	}
	life := c.login.AccessExpires.Sub(c.login.AccessIssued)
	at := c.login.AccessIssued.Add(time.Duration(float64(life) * (0.75 + 0.1*rand.Float64()))) //nolint:gosec // no secret
	c.renewAfter(ctx, max(at.Sub(fault.Now()), 0), 0)
}

// renewAfter plans one try. The caller holds mu.
func (c *Client) renewAfter(ctx context.Context, d time.Duration, tries int) {
	if c.renewal != nil {
		c.renewal.Stop()
	}
	c.renewal = time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed && c.ended == nil {
			c.work.Go(func() { c.renew(ctx, tries) })
		}
	})
}

// renew exchanges the tokens before they expire. A login that has ended is told by
// the connection, not here: it may still stand.
func (c *Client) renew(ctx context.Context, tries int) {
	err := c.refresh(ctx, c.access())
	if err == nil || errors.Is(err, Unauthenticated) {
		return
	}
	c.log.WarnContext(ctx, "tokens could not be refreshed", "error", err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.renewAfter(ctx, after(err, tries), tries+1)
	}
}

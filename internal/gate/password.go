package gate

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
)

type resetInput struct {
	Body struct {
		Email    string `json:"email" example:"ada@example.org"`
		Request  string `json:"request" maxLength:"64" doc:"From POST /v1/codes"`
		Code     string `json:"code" maxLength:"64" doc:"From the mail" example:"31415926"`
		Password string `json:"password" doc:"The new one: 8 to 128 characters, none of the 10,000 most common" format:"password"`
	} `nameHint:"PasswordReset"`
}

type changeInput struct {
	Body struct {
		Old string `json:"old" format:"password"`
		New string `json:"new" doc:"8 to 128 characters, none of the 10,000 most common" format:"password"`
	} `nameHint:"PasswordChange"`
}

func (g *Gate) describePasswords() {
	register(g, call{
		id: "resetPassword", method: http.MethodPost, path: "/v1/password-resets", status: http.StatusNoContent,
		summary:  "Set a new password with a code of purpose reset; every login ends",
		refusals: []int{http.StatusBadRequest, http.StatusForbidden},
	}, g.resetPassword)
	register(g, call{
		id: "changePassword", method: http.MethodPost, path: "/v1/me/password", status: http.StatusNoContent, login: true,
		summary:  "Change the own password; every other login ends",
		refusals: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden},
	}, g.changePassword)
}

func (g *Gate) resetPassword(ctx context.Context, in *resetInput) (*nothing, error) {
	email, err := im.CheckEmail(in.Body.Email)
	if err != nil {
		return nil, err
	}
	if err := g.passwords.check(in.Body.Password); err != nil {
		return nil, err
	}
	if err := g.useCode(ctx, im.Reset, in.Body.Request, email, in.Body.Code); err != nil {
		return nil, err
	}
	// The code is used up: from here on a client that hangs up must not stop us half way.
	c := callerOf(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workFor)
	defer cancel()
	a, err := g.setReset(ctx, email, in.Body.Password)
	if err != nil {
		if e := im.Explain(err); e.Code.Definite() && e.Code != im.Forbidden {
			g.returnCode(ctx, in.Body.Request)
		}
		return nil, err
	}
	g.audit.InfoContext(ctx, "password reset", "user", uint64(a.ID), "ip", c.addr)
	g.notify(ctx, im.Notice{Kind: im.NoticePasswordReset, Email: a.Email, Lang: c.lang, At: im.ToMillis(fault.Now())})
	// Who proved the address need not wait for what a guesser did.
	g.clearTries(ctx, a.Email, a.Handle)
	return nil, nil
}

func (g *Gate) setReset(ctx context.Context, email, password string) (im.Account, error) {
	a, err := g.accounts.FindAccount(ctx, email)
	if errors.Is(err, im.NotFound) {
		return im.Account{}, errCode()
	}
	if err != nil {
		return im.Account{}, err
	}
	hash, err := g.passwords.hash(ctx, password)
	if err != nil {
		return im.Account{}, err
	}
	return a, g.accounts.SetPassword(ctx, a.ID, hash, 0)
}

func (g *Gate) changePassword(ctx context.Context, in *changeInput) (*nothing, error) {
	if err := g.passwords.check(in.Body.New); err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	a, err := g.provePassword(ctx, c.session.User.ID, in.Body.Old)
	if err != nil {
		return nil, err
	}
	hash, err := g.passwords.hash(ctx, in.Body.New)
	if err != nil {
		return nil, err
	}
	if err := g.accounts.SetPassword(ctx, a.ID, hash, c.session.Login); err != nil {
		return nil, err
	}
	g.audit.InfoContext(ctx, "password changed", "user", uint64(a.ID), "ip", c.addr)
	return nil, nil
}

// provePassword asks who is logged in for the password once more. It slows guessing
// down as a login does, by the same count, so that a stolen token is no way around it.
func (g *Gate) provePassword(ctx context.Context, user im.UserID, password string) (im.Account, error) {
	a, err := g.accounts.Account(ctx, user)
	if errors.Is(err, im.NotFound) {
		return im.Account{}, im.Unauthenticated
	}
	if err != nil {
		return im.Account{}, err
	}
	if err := g.takeTry(ctx, a.Handle); err != nil {
		return im.Account{}, err
	}
	ok, _, err := g.passwords.matches(ctx, a.PasswordHash, password)
	if err != nil {
		return im.Account{}, err
	}
	if !ok {
		g.audit.WarnContext(ctx, "password refused", "user", uint64(user), "ip", callerOf(ctx).addr)
		return im.Account{}, im.Fail(im.Forbidden, "the password is wrong")
	}
	g.clearTries(ctx, a.Handle)
	return a, nil
}

// takeTry counts a try at an account by the name that was typed for it.
func (g *Gate) takeTry(ctx context.Context, name string) error {
	wait, err := g.tries.TakeTry(ctx, tryKey(name))
	if err != nil {
		return err
	}
	if wait > 0 {
		g.metrics.logins.WithLabelValues("slowed").Inc()
		g.audit.WarnContext(ctx, "too many wrong passwords", "ip", callerOf(ctx).addr)
		return im.FailAfter(im.RateLimited, "too many wrong passwords; wait before the next try", wait)
	}
	return nil
}

// clearTries forgets them, best effort: what stays only slows down.
func (g *Gate) clearTries(ctx context.Context, names ...string) {
	for _, name := range names {
		if err := g.tries.ClearTries(ctx, tryKey(name)); err != nil {
			g.log.WarnContext(ctx, "tries not cleared", "error", err)
		}
	}
}

func tryKey(name string) [32]byte { return sha256.Sum256([]byte(name)) }

// notify mails an owner, best effort: what it tells has happened already.
func (g *Gate) notify(ctx context.Context, n im.Notice) {
	if err := g.codes.Notify(ctx, n); err != nil {
		g.log.WarnContext(ctx, "notice not sent", "kind", string(n.Kind), "error", err)
	}
}

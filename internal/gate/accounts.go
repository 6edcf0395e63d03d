package gate

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/liao-im/liao/internal/im"
)

type accountInput struct {
	Body struct {
		Email    string `json:"email" example:"ada@example.org"`
		Request  string `json:"request" maxLength:"64" doc:"From POST /v1/codes"`
		Code     string `json:"code" maxLength:"64" doc:"From the mail" example:"31415926"`
		Handle   string `json:"handle" example:"ada"`
		Name     string `json:"name" example:"Ada"`
		Password string `json:"password" doc:"8 to 128 characters, none of the 10,000 most common" format:"password"`
	} `nameHint:"AccountRequest"`
}

func (g *Gate) describeAccounts() {
	register(g, call{
		id: "createAccount", method: http.MethodPost, path: "/v1/accounts", status: http.StatusCreated,
		summary:  "Make an account with a code of purpose register",
		refusals: []int{http.StatusBadRequest, http.StatusForbidden, http.StatusConflict},
	}, g.createAccount)
	register(g, call{
		id: "deleteAccount", method: http.MethodDelete, path: "/v1/me", status: http.StatusNoContent, login: true,
		summary:  "Delete the own account; what it sent stays, without its name",
		refusals: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden},
	}, g.deleteAccount)
	g.describePasswords()
}

// errCode is the answer where an address turns out to have an account, or to have
// none, after its code was right. It is the one that a wrong code gets.
func errCode() error {
	return im.Fail(im.Forbidden, "the code is wrong, used or no longer valid; after five tries ask for a new one")
}

// createAccount looks at everything that a person may have mistyped before it
// spends a try of the code, and spends a password hash only on who has the code.
func (g *Gate) createAccount(ctx context.Context, in *accountInput) (*userAnswer, error) {
	a, err := g.checkAccount(in)
	if err != nil {
		return nil, err
	}
	taken, err := g.accounts.HandleTaken(ctx, a.Handle)
	if err != nil {
		return nil, err
	}
	if taken {
		return nil, errTaken()
	}
	if err := g.limitIP(ctx, "registrations", g.limits.RegistrationsPerHour, time.Hour); err != nil {
		return nil, err
	}
	if err := g.useCode(ctx, im.Register, in.Body.Request, a.Email, in.Body.Code); err != nil {
		return nil, err
	}
	// The code is used up: from here on a client that hangs up must not stop us half way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workFor)
	defer cancel()
	u, err := g.makeAccount(ctx, a, in.Body.Password)
	switch {
	case err == nil:
		g.audit.InfoContext(ctx, "account created", "user", uint64(u.ID), "ip", callerOf(ctx).addr)
		return answerUser(u), nil
	case errors.Is(err, im.Conflict):
		return nil, errCode()
	case im.Explain(err).Code.Definite():
		g.returnCode(ctx, in.Body.Request)
	}
	return nil, err
}

func (g *Gate) makeAccount(ctx context.Context, a im.NewAccount, password string) (im.User, error) {
	var err error
	if a.PasswordHash, err = g.passwords.hash(ctx, password); err != nil {
		return im.User{}, err
	}
	u, err := g.accounts.CreateAccount(ctx, a)
	if errors.Is(err, im.AlreadyExists) {
		return im.User{}, errTaken()
	}
	return u, err
}

func (g *Gate) checkAccount(in *accountInput) (im.NewAccount, error) {
	var a im.NewAccount
	var err error
	if a.Email, err = im.CheckEmail(in.Body.Email); err != nil {
		return a, err
	}
	a.Handle = in.Body.Handle
	if err := im.CheckHandle(a.Handle); err != nil {
		return a, err
	}
	if a.Name, err = im.CheckName(in.Body.Name); err != nil {
		return a, err
	}
	return a, g.passwords.check(in.Body.Password)
}

func errTaken() error {
	return im.Fail(im.AlreadyExists, "this handle is taken; choose another")
}

func (g *Gate) useCode(ctx context.Context, p im.Purpose, request, email, code string) error {
	err := g.codes.CheckCode(ctx, im.CodeCheck{Request: request, Purpose: p, Email: email, Code: code})
	if errors.Is(err, im.Forbidden) {
		return errCode()
	}
	return err
}

// returnCode gives a code back, best effort: its owner can always ask for another.
func (g *Gate) returnCode(ctx context.Context, request string) {
	if err := g.codes.ReturnCode(ctx, request); err != nil {
		g.log.WarnContext(ctx, "code not returned", "error", err)
	}
}

type passwordInput struct {
	Body struct {
		Password string `json:"password" doc:"The own password, once more" format:"password"`
	} `nameHint:"PasswordProof"`
}

func (g *Gate) deleteAccount(ctx context.Context, in *passwordInput) (*nothing, error) {
	me := callerOf(ctx).session.User
	if _, err := g.provePassword(ctx, me.ID, in.Body.Password); err != nil {
		return nil, err
	}
	if err := g.accounts.DeleteAccount(ctx, me.ID); err != nil {
		return nil, err
	}
	g.audit.InfoContext(ctx, "account deleted", "user", uint64(me.ID), "ip", callerOf(ctx).addr)
	return nil, nil
}

package gate

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/liao-im/liao/internal/im"
)

type codeInput struct {
	Body struct {
		Email   string `json:"email" example:"ada@example.org"`
		Purpose string `json:"purpose" enum:"register,reset"`
	} `nameHint:"CodeRequest"`
}

type codeOutput struct {
	Body struct {
		Request   string `json:"request" doc:"Comes back with the code"`
		ExpiresIn int    `json:"expiresInS" doc:"Seconds until the code is of no use"`
		ResendIn  int    `json:"resendInS" doc:"Seconds until another may be asked for"`
		Outbox    string `json:"outbox,omitempty" doc:"Where mails can be read; present only if the server has no SMTP server"`
	} `nameHint:"CodeAnswer"`
}

func (g *Gate) describeCodes() {
	register(g, call{
		id: "sendCode", method: http.MethodPost, path: "/v1/codes", status: http.StatusAccepted,
		summary:  "Mail a code; the answer is the same whether or not the address is known",
		refusals: []int{http.StatusBadRequest},
	}, g.sendCode)
}

func (g *Gate) sendCode(ctx context.Context, in *codeInput) (*codeOutput, error) {
	email, err := im.CheckEmail(in.Body.Email)
	if err != nil {
		return nil, err
	}
	known := true
	if _, err := g.accounts.FindAccount(ctx, email); errors.Is(err, im.NotFound) {
		known = false
	} else if err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	issued, err := g.codes.IssueCode(ctx, im.CodeRequest{
		Purpose: im.Purpose(in.Body.Purpose), Email: email, Known: known, IP: c.limit, From: c.addr, Lang: c.lang,
	})
	if err != nil {
		return nil, err
	}
	var out codeOutput
	out.Body.Request = issued.Request
	out.Body.ExpiresIn = int(issued.Expires / time.Second)
	out.Body.ResendIn = int(issued.Resend / time.Second)
	out.Body.Outbox = g.outboxURL
	return &out, nil
}

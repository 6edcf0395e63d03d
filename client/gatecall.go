package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer of the gate; the largest is an
// avatar of 256 KiB.
const maxAnswer = 1 << 20

// call asks the gate once; in is sent as JSON, or as it is if it is a picture.
func (g *Gate) call(ctx context.Context, method, path, token string, in, out any) error {
	req, err := g.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := g.http.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return unreachable(err)
	case res.StatusCode >= 300:
		return problem(res, body)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &Error{Code: Internal, Text: "the gate's answer is not what was expected", unknown: true, cause: err}
	}
	return nil
}

func (g *Gate) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	kind := ""
	switch in := in.(type) {
	case nil:
	case picture:
		body, kind = bytes.NewReader(in), http.DetectContentType(in)
	default:
		b, err := json.Marshal(in)
		if err != nil {
			return nil, &Error{Code: Invalid, Text: "the request cannot be written as JSON", cause: err}
		}
		body, kind = bytes.NewReader(b), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, body)
	if err != nil {
		return nil, &Error{Code: Invalid, Text: "the gate's address is not valid", cause: err}
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if g.lang != "" {
		req.Header.Set("Accept-Language", g.lang)
	}
	req.Header.Set("User-Agent", g.agent)
	return req, nil
}

// unreachable is the error of a call that got no answer. If the connection was
// never made, the request certainly did nothing.
func unreachable(err error) *Error {
	var op *net.OpError
	dialling := errors.As(err, &op) && op.Op == "dial"
	return &Error{Code: Unavailable, Text: "the gate cannot be reached", unknown: !dialling, cause: err}
}

// problem reads an answer that is a refusal.
func problem(res *http.Response, body []byte) *Error {
	var p struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind != "application/problem+json" || json.Unmarshal(body, &p) != nil || p.Code == "" {
		// Something between us and the gate answered.
		p.Code, p.Detail = string(codeOfStatus(res.StatusCode)), "the answer was "+res.Status
	}
	e := &Error{Code: codeOf(p.Code), Text: p.Detail}
	e.unknown = e.Code == Internal || e.Code == Unavailable
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(min(s, 24*3600)) * time.Second
	}
	return e
}

func codeOfStatus(status int) Code {
	switch status {
	case http.StatusBadRequest:
		return Invalid
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound:
		return NotFound
	case http.StatusConflict:
		return AlreadyExists
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusUnsupportedMediaType:
		return Unsupported
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Unavailable
	}
	return Internal
}

// number is a number that may be written as a string, as 64-bit ones are.
type number int64

// UnmarshalJSON takes 7 and "7".
func (n *number) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" || s == "" {
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("read number: %w", err)
	}
	*n = number(v)
	return nil
}

func (n number) seconds() time.Duration { return time.Duration(n) * time.Second }

// userJSON is a User as the gate writes it.
type userJSON struct {
	ID     number `json:"id"`
	Handle string `json:"handle"`
	Name   string `json:"name"`
	Avatar string `json:"avatar"`
	Bio    string `json:"bio"`
}

func (u userJSON) user() User {
	return User{ID: uint64(max(u.ID, 0)), Handle: u.Handle, Name: u.Name, Avatar: u.Avatar, Bio: u.Bio}
}

// loginJSON is a Login as the gate writes it.
type loginJSON struct {
	AccessToken     string   `json:"accessToken"`
	AccessExpiresS  number   `json:"accessExpiresS"`
	RefreshToken    string   `json:"refreshToken"`
	RefreshExpiresS number   `json:"refreshExpiresS"`
	User            userJSON `json:"user"`
	DeviceID        string   `json:"deviceId"`
	Chat            Addrs    `json:"chat"`
}

func (l loginJSON) login(now time.Time) Login {
	return Login{
		Tokens: Tokens{
			Access: l.AccessToken, AccessIssued: now, AccessExpires: now.Add(l.AccessExpiresS.seconds()),
			Refresh: l.RefreshToken, RefreshExpires: now.Add(l.RefreshExpiresS.seconds()),
		},
		User: l.User.user(), DeviceID: l.DeviceID, Chat: l.Chat,
	}
}

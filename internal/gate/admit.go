package gate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/liao-im/liao/internal/im"
)

// caller is what a request proved of itself.
type caller struct {
	client
	session im.Session // of calls that need a login
	lang    string     // "en" or "zh"
	kind    string     // media type of the body
}

type callerKey struct{}

// callerOf returns what admit put into the context.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// admit stands before every call: who needs a login shows one before a byte of the
// body is read, the body is read whole within its limit, and JSON is looked over
// before anything is built from it.
func (g *Gate) admit(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	op := hc.Operation()
	began := time.Now()
	a := &admitted{humaContext: hc}
	defer func() { g.metrics.request(op.OperationID, a.status, time.Since(began)) }()

	refuse := func(err error) {
		p := g.fail(r.Context(), op.OperationID, err)
		a.status = p.Status
		writeProblem(w, p)
	}
	c := caller{client: g.clientOf(r), lang: language(r.Header.Get("Accept-Language"), g.lang)}
	if len(op.Security) > 0 {
		var err error
		if c.session, err = g.authenticate(r); err != nil {
			if errors.Is(err, im.Unauthenticated) {
				g.audit.WarnContext(r.Context(), "access denied", "operation", op.OperationID, "ip", c.addr)
			}
			refuse(err)
			return
		}
	}
	body, kind, err := readBody(w, r, op)
	if err != nil {
		refuse(err)
		return
	}
	c.kind, a.kind, a.body = kind, kind, body
	next(huma.WithValue(a, callerKey{}, c))
}

// authenticate asks the store for what the bearer token proves. Tokens anywhere
// else than in the Authorization header are not looked at.
func (g *Gate) authenticate(r *http.Request) (im.Session, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(r.Header.Values("Authorization")) != 1 {
		return im.Session{}, im.Unauthenticated
	}
	hash, err := im.HashToken(im.AccessPrefix, strings.TrimSpace(token))
	if err != nil {
		return im.Session{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), workFor)
	defer cancel()
	return g.logins.Authenticate(ctx, hash)
}

// readBody returns the body of a call that has one, and its media type.
func readBody(w http.ResponseWriter, r *http.Request, op *huma.Operation) (body []byte, kind string, err error) {
	if op.RequestBody == nil {
		return nil, "", nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, "", im.Fail(im.Unsupported, "a body must come as it is: Content-Encoding is not supported")
	}
	kind = "application/json"
	if ct := r.Header.Get("Content-Type"); ct != "" {
		kind = mediaType(ct)
	}
	if op.RequestBody.Content[kind] == nil {
		return nil, "", im.Fail(im.Unsupported, "Content-Type must be "+kinds(op))
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, op.MaxBodyBytes-1))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, "", im.Fail(im.TooLarge, "the body is over "+kib(op.MaxBodyBytes-1))
		}
		return nil, "", im.Fail(im.Invalid, "the body did not come whole")
	}
	if len(body) == 0 {
		return nil, "", im.Fail(im.Invalid, "the body is missing")
	}
	if kind == "application/json" {
		if err := checkJSON(body); err != nil {
			return nil, "", err
		}
	}
	return body, kind, nil
}

// admitted is the library's context with the body already read, and with our status
// for what the library refuses: where it says 422 the contract says 400.
type admitted struct {
	humaContext
	body   []byte
	kind   string // media type of the body
	status int
}

// humaContext exists so that the embedded field does not hide the method Context.
type humaContext = huma.Context

func (a *admitted) Unwrap() huma.Context { return a.humaContext }

// Header gives the media type as it was understood, not as it was written.
func (a *admitted) Header(name string) string {
	if name == "Content-Type" {
		return a.kind
	}
	return a.humaContext.Header(name)
}

func (a *admitted) BodyReader() io.Reader { return bytes.NewReader(a.body) }

// SetReadDeadline does nothing: the body is read, and the server's own deadlines hold.
func (a *admitted) SetReadDeadline(time.Time) error { return nil }

func (a *admitted) SetStatus(status int) {
	if status == http.StatusUnprocessableEntity || status == http.StatusRequestTimeout {
		status = http.StatusBadRequest
	}
	a.status = status
	a.humaContext.SetStatus(status)
}

func (a *admitted) Status() int { return a.status }
